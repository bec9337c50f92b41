"""The pictures of docs/performance.md: SVG, drawn from the result files."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from benchmarks.results import Result

COLOURS: Final = {"operator": "#5e35b1", "bare clients": "#78909c", "naive operator": "#ef6c00"}
"""One colour for one contender, everywhere; readable side by side for the colour-blind, too."""
_STYLE: Final[dict[RcKeyType, Any]] = {
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
Draw = Callable[[Sequence[Axes]], None]


def digest(text: str) -> str:
    """Return what a picture carries of the results that it was drawn from."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def picture(path: Path, drawn_from: str, panels: int, draw: Draw) -> None:
    """Write a picture of some panels side by side; `drawn_from` is the text of the results file."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.2 * panels, 3.6), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        draw(axes)
        metadata = {"Date": None, "Description": f"results {digest(drawn_from)}"}
        figure.savefig(path, format="svg", metadata=metadata)


def burst(result: Result, scale: int) -> Draw:
    """How the create requests and READY resources of a burst add up over time."""

    def draw(axes: Sequence[Axes]) -> None:
        for panel, series, title in zip(
            axes, ("POST", "READY"), ("created at Fireworks", "READY in status"), strict=True
        ):
            for contender, colour in COLOURS.items():
                for number, sample in enumerate(result.of(contender, scale)):
                    moments = sample.series[series]
                    counts = range(1, len(moments) + 1)
                    panel.step(moments, counts, where="post", color=colour, lw=1.4, label=None if number else contender)
            panel.set(title=f"{scale:,} resources: {title}", xlabel="seconds after the first apply", ylabel="resources")
            panel.set_xlim(left=0)
            panel.set_ylim(bottom=0)
        axes[0].legend(loc="lower right", frameon=False)

    return draw
