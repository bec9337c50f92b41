"""The pictures of docs/performance.md: SVG, drawn from the result files."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.results import Result

if TYPE_CHECKING:  # importing it takes a second, and most callers only read the page
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

COLOURS: Final = {"operator": "#5e35b1", "bare clients": "#78909c", "naive operator": "#ef6c00"}
"""One colour for one contender; told apart by the colour-blind, too."""
_LINES: Final = ("#5e35b1", "#ef6c00", "#00897b")
_STYLE: "Final[dict[RcKeyType, Any]]" = {
    "svg.hashsalt": "fireworks-operator",  # the same figures give the same file
    "svg.fonttype": "path",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e0e0e0",
    "axes.axisbelow": True,
    "figure.facecolor": "white",
}


def digest(text: str) -> str:
    """Return what a picture carries of the results that it was drawn from."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Picture:
    """Some panels side by side, and what draws into them."""

    panels: int
    draw: Callable[[Sequence["Axes"]], None]

    def save(self, path: Path, drawn_from: str) -> None:
        """Write it; `drawn_from` is the digest of its results."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        with rc_context(_STYLE):
            figure = Figure(figsize=(5.2 * self.panels, 3.6), layout="constrained")
            self.draw(figure.subplots(1, self.panels, squeeze=False)[0])
            figure.savefig(path, format="svg", metadata={"Date": None, "Description": f"results {drawn_from}"})


def scale_of(result: Result) -> int:
    """Return the size that contenders were compared at."""
    return result.of("bare clients")[0].resources


def burst(results: Mapping[str, Result]) -> Picture:
    """How the create requests and READY resources of a burst add up over time."""
    result, scale = results["burst"], scale_of(results["burst"])
    titles = {"POST": "created at Fireworks", "READY": "READY in status"}

    def draw(axes: Sequence["Axes"]) -> None:
        for panel, (series, title) in zip(axes, titles.items(), strict=True):
            for contender, colour in COLOURS.items():
                for number, sample in enumerate(result.of(contender, scale)):
                    moments = sample.series[series]
                    counts = range(1, len(moments) + 1)
                    panel.step(moments, counts, where="post", color=colour, lw=1.4, label=None if number else contender)
            panel.set(title=f"{scale:,} resources: {title}", xlabel="seconds after the first apply", ylabel="resources")
            panel.set_xlim(left=0)
            panel.set_ylim(bottom=0)
        axes[0].legend(loc="lower right", frameon=False)

    return Picture(2, draw)


def growth(results: Mapping[str, Result]) -> Picture:
    """How time, memory and processor time grow with the number of resources."""
    bursts, rest, deletion = results["burst"], results["rest"], results["deletion"]
    panels: Mapping[str, Mapping[str, dict[int, float]]] = {
        "seconds": {
            "burst: all READY": _by_size(bursts, "operator", "all READY s"),
            "mass deletion: p99 gone": _by_size(deletion, "operator", "gone p99 s"),
            "restart: first action": _by_size(rest, "restart", "first action s"),
        },
        "memory, MiB": {
            "burst, peak": _by_size(bursts, "operator", "peak MiB"),
            "at rest": _by_size(rest, "idle", "memory MiB"),
        },
        "share of a core at rest, %": {"at rest": _by_size(rest, "idle", "CPU share %")},
    }

    def draw(axes: Sequence["Axes"]) -> None:
        for panel, (label, lines) in zip(axes, panels.items(), strict=True):
            for (name, points), colour in zip(lines.items(), _LINES, strict=False):
                panel.plot(list(points), list(points.values()), "o-", color=colour, lw=1.4, ms=4, label=name)
            panel.set(xlabel="resources", ylabel=label)
            panel.set_ylim(bottom=0, top=1.1 * max(max(points.values()) for points in lines.values()))
            panel.xaxis.set_major_formatter("{x:,.0f}")
            panel.legend(loc="best", frameon=False)

    return Picture(3, draw)


def _by_size(result: Result, contender: str, figure: str) -> dict[int, float]:
    sizes = sorted({each.resources for each in result.of(contender)})
    return {size: result.spread(figure, contender, size).median for size in sizes}
