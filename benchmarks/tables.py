"""Tables of docs/performance.md."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from benchmarks.results import Result, Spread, Target

BURST: Mapping[str, str] = {
    "POST p50 s": "POST p50",
    "last POST s": "last POST",
    "READY p50 s": "READY p50",
    "READY p99 s": "READY p99",
    "all READY s": "all READY",
    "READY to status p50 s": "READY to status p50",
    "READY to status p99 s": "p99",
    "requests per resource": "requests per resource",
    "writes per resource": "writes per resource",
    "CPU s": "CPU",
    "peak MiB": "peak memory",
}
IDLE: Mapping[str, str] = {
    "requests per resource-hour": "requests per resource-hour",
    "Kubernetes writes": "writes to Kubernetes",
    "changing requests": "changing requests",
    "sweep CPU s": "CPU of a sweep",
    "CPU share %": "share of a core",
    "memory MiB": "memory",
}
RESTART: Mapping[str, str] = {
    "ready s": "ready",
    "first action s": "first action",
    "writes to others": "writes where nothing had changed",
    "requests that change others": "changing requests there",
    "CPU s": "CPU",
    "peak MiB": "peak memory",
}
CHANGES: Mapping[str, str] = {"samples": "samples", "p50 s": "p50", "p99 s": "p99"}
DELETION: Mapping[str, str] = {
    "gone p50 s": "gone p50",
    "gone p99 s": "gone p99",
    "all gone s": "all gone",
    "stuck": "stuck",
    "left at Fireworks": "left at Fireworks",
    "CPU s": "CPU",
    "peak MiB": "peak memory",
}
OUTAGE: Mapping[str, str] = {
    "READY p50 s": "READY p50",
    "READY p99 s": "READY p99",
    "all READY s": "all READY",
    "stuck": "stuck",
}
TENANTS: Mapping[str, str] = {"POST p50 s": "apply to POST p50", "POST p99 s": "p99"}
WRITERS: Mapping[str, str] = {"kubectl s": "kubectl", "all READY s": "all READY"}
CEILING: Mapping[str, str] = {"per second": "answers per second", "simulator CPU ms": "CPU per request"}
"""Figures and the heads of their columns."""

_TOGETHER = "\N{NO-BREAK SPACE}"
"""In a narrow column a figure keeps its unit, and a range stands on a line of its own."""
_UNITS: Mapping[str, str] = {"s": " s", "ms": " ms", "MiB": " MiB", "%": " %"}


def figures(
    result: Result, columns: Mapping[str, str], contenders: Collection[str] | None = None, *, size: str = "resources"
) -> str:
    """Return a table: a row per contender and size, a column per figure."""
    rows = dict.fromkeys((each.contender, each.resources) for each in result.samples)
    return table(
        ("", size, *columns.values()),
        [
            (contender, f"{count:,}", *(_cell(result, name, contender, count) for name in columns))
            for contender, count in rows
            if contenders is None or contender in contenders
        ],
    )


def targets(found: Sequence[Target], cause: Mapping[str, str]) -> str:
    """Return what was aimed at and what was reached, and why not where it was missed."""
    rows = [
        (each.text, f"≤ {number(each.limit)}", number(each.value), "met" if each.met else "**missed**")
        for each in found
    ]
    missed = [f"- **Missed: {each.text}.** {cause[each.name]}" for each in found if not each.met]
    return "\n".join([table(("target", "limit", "measured", ""), rows), *(["", *missed] if missed else [])])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Return three digits of a figure."""
    if value == int(value):
        return f"{value:,.0f}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def _cell(result: Result, name: str, contender: str, count: int) -> str:
    measured = any(name in each.figures for each in result.of(contender, count))
    return _spread(result.spread(name, contender, count), name) if measured else "-"


def _spread(spread: Spread, name: str) -> str:
    unit = _UNITS.get(name.rsplit(" ", 1)[-1], "")
    median = f"{number(spread.median)}{unit}".replace(" ", _TOGETHER)
    if spread.least == spread.most:
        return median
    return f"{median} {f'({number(spread.least)} to {number(spread.most)})'.replace(' ', _TOGETHER)}"
