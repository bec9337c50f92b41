"""What to set for how many resources: from what was measured, and from how often an account is listed."""

import math
from collections.abc import Mapping
from typing import Final

from benchmarks import tables
from benchmarks.results import Result
from benchmarks.scenarios import burst, deletion, rest
from fireworks_operator.fireworks.request_budget import LIST_SHARE
from fireworks_operator.settings import Settings

SIZES: Final = (100, 1000, 2500, 5000, 10000, 20000)
"""Resources of one account, for the table; what was not measured is extended from the two largest that were."""
PAGE_SIZE: Final = 200
CHART_LIMIT: Final = 512
"""The chart's memory limit, MiB."""
_CANDIDATES: Final = range(500, 50_001, 500)
HEADROOM: Final = 1.5
"""Memory limit, in multiples of the peak."""
_DEFAULTS: Final = Settings.model_construct()


def table(results: Mapping[str, Result]) -> str:
    """Return what each size of one account asks for."""
    rows = [_row(size, _peak(results, size), _cpu(results["rest"], size)) for size in SIZES]
    head = (
        "resources of one account",
        "pages of a LIST",
        "LIST while things change",
        "LIST at rest",
        "budget used at rest",
        "creating all of them",
        "peak memory",
        "memory limit",
        "core at rest",
    )
    return tables.table(head, rows)


def limits(results: Mapping[str, Result]) -> dict[str, str]:
    """Return where limits are reached, for the words of the page."""
    per_second = _lists_per_second()
    fits = max((size for size in _CANDIDATES if _limit(_peak(results, size)) <= CHART_LIMIT), default=0)
    return {
        "rate": f"{_DEFAULTS.requests_per_minute:g}",
        "changing": f"{_DEFAULTS.poll_interval_changing:g}",
        "idle_interval": f"{_DEFAULTS.poll_interval_idle:g}",
        "every_change": f"{_DEFAULTS.poll_interval_changing * per_second * PAGE_SIZE:,.0f}",
        "every_idle": f"{_DEFAULTS.poll_interval_idle * per_second * PAGE_SIZE:,.0f}",
        "chart_limit": str(CHART_LIMIT),
        "fits": f"{fits:,}",
    }


def _row(size: int, peak: float, cpu: float) -> tuple[str, ...]:
    pages = math.ceil(size / PAGE_SIZE)
    seconds = pages / _lists_per_second()
    changing, idle = max(_DEFAULTS.poll_interval_changing, seconds), max(_DEFAULTS.poll_interval_idle, seconds)
    used = pages * 60 / idle / _DEFAULTS.requests_per_minute
    creating = max(0.0, size - _DEFAULTS.request_burst) * 60 / _DEFAULTS.requests_per_minute
    return (
        f"{size:,}",
        str(pages),
        f"every {tables.number(changing)} s",
        f"every {tables.number(idle)} s",
        f"{100 * used:.0f} %",
        f"{creating / 60:.0f} min",
        f"{peak:.0f} MiB",
        f"{_limit(peak)} MiB",
        f"{cpu:.2f} %",
    )


def _lists_per_second() -> float:
    return LIST_SHARE * _DEFAULTS.requests_per_minute / 60


def _limit(peak: float) -> int:
    return math.ceil(peak * HEADROOM / 64) * 64


def _peak(results: Mapping[str, Result], size: int) -> float:
    """Return the highest peak: of a burst, a restart, a mass deletion, as far as they were measured."""
    kinds = {burst.NAME: burst.OPERATOR, rest.NAME: rest.RESTART, deletion.NAME: deletion.OPERATOR}
    peaks: dict[int, float] = {}
    for scenario, contender in kinds.items():
        for each in results[scenario].of(contender) if scenario in results else []:
            peaks[each.resources] = max(peaks.get(each.resources, 0.0), each.figures["peak MiB"])
    return _extended(peaks, size)


def _cpu(result: Result, size: int) -> float:
    return _extended({each.resources: each.figures["CPU share %"] for each in result.of(rest.IDLE)}, size)


def _extended(measured: Mapping[int, float], size: int) -> float:
    """Return a figure for a size: on the line between its neighbours, or that through the two largest."""
    sizes = sorted(measured)
    if len(sizes) == 1:
        return measured[sizes[0]]
    upper = next((each for each in sizes[1:] if each >= size), sizes[-1])
    lower = sizes[sizes.index(upper) - 1]
    return measured[lower] + (measured[upper] - measured[lower]) * (size - lower) / (upper - lower)
