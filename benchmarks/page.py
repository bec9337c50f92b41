"""docs/performance.md: a template and the result files, and nothing else."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from string import Template

from benchmarks import plots
from benchmarks.bench import STARTUP_SECONDS
from benchmarks.notes import cause
from benchmarks.options import ROOT
from benchmarks.results import Result, Spread, Target, load_result

TEMPLATE = ROOT / "benchmarks" / "page.md"
PAGE = ROOT / "docs" / "performance.md"


def write(folder: Path, page: Path) -> None:
    """Write the page and its pictures from the results in a folder."""
    draw(folder)
    page.write_text(render(folder), encoding="utf-8")


def draw(folder: Path) -> None:
    """Write the pictures beside the results."""
    burst = load_result(folder / "burst.json")
    text = (folder / "burst.json").read_text(encoding="utf-8")
    plots.picture(folder / "burst.svg", text, 2, plots.burst(burst, scale_of(burst)))


def render(folder: Path) -> str:
    """Return the text of the page."""
    results = {path.stem: load_result(path) for path in sorted(folder.glob("*.json")) if path.stem != "machine"}
    machine = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
    burst = results["burst"]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        targets=_targets([target for each in results.values() for target in each.targets]),
        machine=_table(("", ""), [(name, value) for name, value in machine.items()]),
        files=_files(results),
        startup=f"{STARTUP_SECONDS:g}",
        burst_scale=f"{scale_of(burst):,}",
        burst_table=figures(burst, BURST),
    )


BURST: Mapping[str, str] = {
    "last POST s": "last POST",
    "apply to READY p50 s": "READY p50",
    "apply to READY p99 s": "READY p99",
    "all READY s": "all READY",
    "requests per resource": "requests per resource",
    "writes per resource": "writes per resource",
    "CPU s": "CPU",
    "peak MiB": "memory",
}
"""Figures of a burst, and how their columns are called."""


def scale_of(burst: Result) -> int:
    """Return the size that contenders were compared at."""
    return burst.of("bare clients")[0].resources


def figures(result: Result, columns: Mapping[str, str]) -> str:
    """Return a table: a row per contender and size, a column per figure."""
    rows = dict.fromkeys((each.contender, each.resources) for each in result.samples)
    return _table(
        ("", "resources", *columns.values()),
        [
            (contender, f"{size:,}", *(_spread(result.spread(name, contender, size), name) for name in columns))
            for contender, size in rows
        ],
    )


def _files(results: Iterable[str]) -> str:
    links = ", ".join(f"[{name}](performance/{name}.json)" for name in results)
    return f"The figures of each run stand beside this page: {links}."


def _spread(spread: Spread, name: str) -> str:
    unit = {"s": " s", "MiB": " MiB"}.get(name.rsplit(" ", 1)[-1], "")
    if spread.least == spread.most:
        return f"{_number(spread.median)}{unit}"
    return f"{_number(spread.median)}{unit} ({_number(spread.least)} to {_number(spread.most)})"


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def _targets(targets: Sequence[Target]) -> str:
    rows = [
        (each.text, f"≤ {_number(each.limit)}", _number(each.value), "met" if each.met else "**missed**")
        for each in targets
    ]
    missed = [f"- **Missed: {each.text}.** {cause(each.name)}" for each in targets if not each.met]
    return "\n".join([_table(("target", "limit", "measured", ""), rows), *(["", *missed] if missed else [])])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
