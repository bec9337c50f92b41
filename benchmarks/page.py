"""docs/performance.md: a template and the result files, and nothing else."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from string import Template

from benchmarks import plots, sizing, tables
from benchmarks.arena import STARTUP_SECONDS
from benchmarks.notes import CAUSES
from benchmarks.options import ROOT
from benchmarks.results import Result, load_result
from benchmarks.scenarios import burst, rest
from benchmarks.scenarios.outage import ACCOUNTS

TEMPLATE = ROOT / "benchmarks" / "page.md"
PAGE = ROOT / "docs" / "performance.md"
PICTURES: Mapping[str, tuple[Callable[[Mapping[str, Result]], plots.Picture], tuple[str, ...]]] = {
    "burst": (plots.burst, ("burst",)),
    "growth": (plots.growth, ("burst", "rest", "deletion")),
}
"""Pictures, and the results that they are drawn from."""
TABLES: Mapping[str, Mapping[str, str]] = {
    "burst": tables.BURST,
    "latency": tables.BURST,
    "changes": tables.CHANGES,
    "deletion": tables.DELETION,
    "outage": tables.OUTAGE,
    "tenants": tables.TENANTS,
    "ceiling": tables.CEILING,
    "writers": tables.WRITERS,
}
NOT_MEASURED = "This part has not been measured."
NOTHING_MEASURED = """## Not measured yet

No figures of a whole run on a quiet machine are published yet. `make bench` makes them on yours, in about half an hour,
and writes them here.
"""
CORE = frozenset({"burst", "rest"})
"""Scenarios without which there is nothing to tell."""


def write(folder: Path, page: Path) -> None:
    """Write the page and its pictures from the results in a folder."""
    draw(folder)
    page.write_text(render(folder), encoding="utf-8")


def load(folder: Path) -> dict[str, Result]:
    """Return the results in a folder by scenario."""
    return {path.stem: load_result(path) for path in sorted(folder.glob("*.json")) if path.stem != "machine"}


def draw(folder: Path) -> None:
    """Write the pictures for which there are results."""
    results = load(folder)
    for name, (drawing, needed) in PICTURES.items():
        if results.keys() >= set(needed):
            drawing(results).save(folder / f"{name}.svg", digest(folder, needed))


def digest(folder: Path, results: Iterable[str]) -> str:
    """Return what tells results from others; a picture carries that of those that it was drawn from."""
    return plots.digest("".join((folder / f"{name}.json").read_text(encoding="utf-8") for name in results))


def render(folder: Path) -> str:
    """Return the text of the page; parts whose results are missing say so."""
    template = TEMPLATE.read_text(encoding="utf-8")
    results = load(folder)
    if not results.keys() >= CORE:
        introduction = Template(template.partition("## What to set")[0]).substitute(files="")
        return introduction.replace(" \n", "\n") + NOTHING_MEASURED
    machine = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
    parts: defaultdict[str, str] = defaultdict(lambda: NOT_MEASURED)
    for name, columns in TABLES.items():
        if name in results:
            parts[name] = tables.figures(results[name], columns)
    parts |= {
        "files": f"The figures of every run: {', '.join(f'[{name}](performance/{name}.json)' for name in results)}.",
        "targets": tables.targets([each for result in results.values() for each in result.targets], CAUSES),
        "machine": tables.table(("", ""), [(name, str(value)) for name, value in machine.items()]),
        "startup": f"{STARTUP_SECONDS:g}",
        "accounts": str(ACCOUNTS),
    }
    scale = plots.scale_of(results["burst"])
    naive = results["burst"].spread("all READY s", burst.NAIVE, scale)
    parts |= {"scale": f"{scale:,}", "naive_best": f"{tables.number(naive.least)} s"}
    parts |= _rest(results["rest"]) | {"sizing": sizing.table(results)} | sizing.limits(results)
    return Template(template).substitute(parts)


def _rest(result: Result) -> dict[str, str]:
    seconds = result.of(rest.IDLE)[0].figures["window s"]
    window = (
        f"Measured for {seconds:.0f} s of real time, with as many operators as there are lines, side by side; requests "
        "per hour are what these seconds make of an hour. The poll interval is set to what it is after twelve minutes "
        "without a change. A sweep, the LIST of all resources in Kubernetes that comes every 10 minutes, is measured "
        "by itself and has its part in the share of a core."
    )
    return {
        "idle_window": window,
        "idle": tables.figures(result, tables.IDLE, [rest.IDLE, rest.NAIVE]),
        "restart": tables.figures(result, tables.RESTART, [rest.RESTART]),
    }
