"""Changes among many resources, at the default settings: of the spec, of the deployment, and its becoming READY."""

import time
from collections.abc import Callable, Collection
from typing import Final

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.moments import ready_at_fireworks, seconds_between
from benchmarks.options import Options
from benchmarks.results import Result, Sample, percentile, say
from benchmarks.timeline import Timeline
from testkit.waiting import eventually

NAME: Final = "changes"
SPEC, DRIFT, READY = "spec to PATCH", "drift to PATCH", "READY to status"
STARTS: Final = 5
_PATIENCE = 90.0


def run(bench: Bench, options: Options) -> Result:
    """Measure each kind of change with each number of resources."""
    samples = []
    for size in options.sizes:
        arena = bench.fleet(size)
        names = arena.names(size)[: 2 * options.samples]
        with arena.operator({}):
            measured = {
                SPEC: _spec_changes(arena, names[::2]),
                DRIFT: _drift(arena, names[1::2]),
                READY: _starts(arena),
            }
        samples += [say(Sample(kind, size, _figures(seconds))) for kind, seconds in measured.items()]
    return Result(NAME, tuple(samples), ())


def _figures(seconds: Collection[float]) -> dict[str, float]:
    return {
        "samples": float(len(seconds)),
        "p50 s": percentile(seconds, 0.5),
        "p99 s": percentile(seconds, 0.99),
    }


def _spec_changes(arena: Arena, names: Collection[str]) -> list[float]:
    """Change one spec after another; return the seconds until each PATCH."""

    def change(name: str) -> None:
        arena.team.change(name, displayName=f"wanted {time.monotonic():.2f}")

    return [_seconds_to_patch(arena, [name], change)[0] for name in names]


def _drift(arena: Arena, names: Collection[str]) -> list[float]:
    """Change deployments behind the operator's back, all at once; return the seconds until each is put back."""

    def change(name: str) -> None:
        arena.simulator.edit(name, {"minReplicaCount": 0})

    return _seconds_to_patch(arena, names, change)


def _seconds_to_patch(arena: Arena, names: Collection[str], change: Callable[[str], None]) -> list[float]:
    seen, changed = arena.simulator.last_sequence(), {}
    for name in names:
        changed[name] = time.monotonic()
        change(name)

    def look() -> dict[str, float] | None:
        found = {each.path.rsplit("/", 1)[-1]: each.monotonic for each in arena.team.journal("PATCH", since=seen)}
        return found if found.keys() >= changed.keys() else None

    patched = eventually(look, f"a PATCH of {', '.join(names)}", within=_PATIENCE, interval=0.2)
    return seconds_between(changed, patched)


def _starts(arena: Arena) -> list[float]:
    """Create some more, one after the other; return the seconds from READY at Fireworks to READY in status."""
    names = arena.names(STARTS, f"new-{time.monotonic():.0f}")
    with Timeline(arena.team.api, arena.namespace) as timeline:
        for name in names:
            arena.apply([name])
            timeline.until_ready([name], within=_PATIENCE)
        return seconds_between({name: ready_at_fireworks(arena)[name] for name in names}, timeline.ready)
