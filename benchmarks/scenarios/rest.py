"""At rest: what resources cost while nothing changes, and what a restart does."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.options import Options
from benchmarks.results import Result, Sample, Target, say
from benchmarks.timeline import Timeline
from benchmarks.usage import Usage
from fireworks_operator.settings import Settings
from fireworks_simulator.testing import JournalEntry
from testkit.processes import Operator
from testkit.waiting import eventually

NAME: Final = "rest"
IDLE, NAIVE, RESTART = "idle", "naive operator", "restart"
WRITES: Final = "fireworks_operator_kubernetes_writes_total"
PASSES: Final = "fireworks_operator_reconcile_total"
_HOUR = 3600.0
_SWEEP_EVERY = Settings.model_construct().sweep_interval
_PATIENCE = 600.0
_NAIVE_POLLS = 10.0
"""Seconds between two looks of the naive operator at each of its deployments."""
_SWEEP_TAKES = 10.0
"""Seconds after which a LIST of all resources in Kubernetes is over, at the latest."""


def run(bench: Bench, options: Options) -> Result:
    """Restart with each number of resources, one after the other; then let all of them be idle side by side."""
    sizes = (1, *options.sizes)
    samples = [_restart(bench.fleet(size), size) for size in sizes]
    samples += _idle({size: bench.fleet(size) for size in sizes}, options)
    samples.append(_idle_naive(bench.arena("naive"), options))
    result = Result(NAME, tuple(samples), ())
    return Result(NAME, tuple(samples), tuple(_targets(result, options)))


def _restart(arena: Arena, count: int) -> Sample:
    """Change one resource while there is no operator, start one, and wait for that change at Fireworks."""
    seen = arena.simulator.last_sequence()
    changed = arena.names(count)[count // 2]
    arena.team.change(changed, displayName=f"changed {time.monotonic():.0f}")
    with Timeline(arena.team.api, arena.namespace) as timeline:
        began = time.monotonic()
        with arena.operator({}) as operator:
            started = time.monotonic()
            patches = eventually(
                lambda: arena.team.journal("PATCH", since=seen), "the change", within=120, interval=0.2
            )
            eventually(lambda: len(_lists(arena, patches[0].sequence)) >= 2, "one more LIST", within=90, interval=0.5)
            usage = Usage.of(operator.pid)
        others = [each for each in arena.team.writes(since=seen) if not each.path.endswith(f"/{changed}")]
        figures = {
            "ready s": started - began,
            "first action s": patches[0].monotonic - began,
            "writes to others": float(timeline.writes - timeline.changes[changed]),
            "requests that change others": float(len(others)),
            **usage.figures,
        }
    return say(Sample(RESTART, count, figures))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What an operator and its arena had counted at a moment."""

    at: float
    requests: int
    changes: int
    writes: float
    versions: Mapping[str, str]
    usage: Usage

    @classmethod
    def of(cls, arena: Arena, operator: Operator) -> Self:
        versions = {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in arena.team.resources()}
        changes = len(arena.team.writes())
        usage = Usage.of(operator.pid)
        return cls(time.monotonic(), arena.requests(), changes, operator.metric(WRITES), versions, usage)


@dataclass(frozen=True, slots=True)
class _Window:
    """From some moment after one LIST to as long after a later one, so that it holds whole intervals."""

    arena: Arena
    operator: Operator
    first: _Reading
    seen: int
    after_list: float

    @classmethod
    def begin(cls, arena: Arena, operator: Operator) -> Self:
        """Begin now."""
        lists = _lists(arena, 0)
        return cls(
            arena, operator, _Reading.of(arena, operator), lists[-1].sequence, time.monotonic() - lists[-1].monotonic
        )

    def end(self, polls: int) -> _Reading:
        """Wait for so many LISTs, and as long as it took to begin."""

        def over() -> bool:
            lists = _lists(self.arena, self.seen)
            return len(lists) >= polls and time.monotonic() >= lists[polls - 1].monotonic + self.after_list

        eventually(over, f"{polls} LISTs", within=_PATIENCE, interval=0.5, explain=self.operator.tail)
        return _Reading.of(self.arena, self.operator)


def _idle(arenas: Mapping[int, Arena], options: Options) -> Iterator[Sample]:
    """Let an operator for each arena be idle, all at the same time, for some polls."""
    with contextlib.ExitStack() as stack:
        operators = {size: stack.enter_context(arenas[size].operator(options.idle_pace)) for size in arenas}
        started = time.monotonic()
        for operator in operators.values():
            _settle(operator)
        windows = {size: _Window.begin(arenas[size], operators[size]) for size in arenas}
        rest = {size: window.end(options.polls) for size, window in windows.items()}
        time.sleep(max(0.0, started + options.sweep_seconds + _SWEEP_TAKES - time.monotonic()))
        for size, window in windows.items():
            swept = _Reading.of(arenas[size], operators[size])
            yield say(Sample(IDLE, size, _figures(window.first, rest[size], swept, size)))


def _idle_naive(arena: Arena, options: Options) -> Sample:
    """Let the naive operator be idle; it gets resources of its own, since it leaves its finalizer on them."""
    names = arena.names(options.scale)
    with Timeline(arena.team.api, arena.namespace) as timeline, arena.naive() as naive:
        arena.apply(names)
        if not timeline.until_ready(names, within=90 + options.scale / 6):
            raise TimeoutError("the naive operator's resources did not become READY")
        seen, writes, usage = arena.simulator.last_sequence(), timeline.writes, Usage.of(naive.pid)
        began, requests = time.monotonic(), arena.requests()
        time.sleep(max(options.poll_seconds, _NAIVE_POLLS))
        seconds, after = time.monotonic() - began, Usage.of(naive.pid)
        figures = {
            "window s": seconds,
            "requests per resource-hour": (arena.requests() - requests) / options.scale / seconds * _HOUR,
            "changing requests": float(len(arena.team.writes(since=seen))),
            "Kubernetes writes": float(timeline.writes - writes),
            "CPU share %": 100 * (after.cpu - usage.cpu) / seconds,
            "memory MiB": after.memory,
        }
    arena.close()
    return say(Sample(NAIVE, options.scale, figures))


def _settle(operator: Operator) -> None:
    """Wait until the first LIST is worked off."""

    def quiet() -> bool:
        passes = operator.metric(PASSES)
        time.sleep(1.0)
        return passes == operator.metric(PASSES) > 0

    eventually(quiet, "the passes after the first LIST are over", within=120, interval=0.5, explain=operator.tail)


def _figures(first: _Reading, last: _Reading, swept: _Reading, count: int) -> dict[str, float]:
    """Return what is so from the first to the last reading, and what the sweep took that came after it."""
    seconds = last.at - first.at
    changed = sum(swept.versions[name] != version for name, version in first.versions.items())
    share = (last.usage.cpu - first.usage.cpu) / seconds
    sweep = max(0.0, swept.usage.cpu - last.usage.cpu - share * (swept.at - last.at))
    return {
        "window s": seconds,
        "requests per resource-hour": (last.requests - first.requests) / count / seconds * _HOUR,
        "changing requests": float(swept.changes - first.changes),
        "Kubernetes writes": swept.writes - first.writes + changed,
        "sweep CPU s": sweep,
        "CPU share %": 100 * (share + sweep / _SWEEP_EVERY),
        "memory MiB": swept.usage.memory,
    }


def _lists(arena: Arena, seen: int) -> list[JournalEntry]:
    """Return the first requests of all LISTs since a request."""
    found = arena.team.journal("GET", "/deployments$", since=seen)
    return [each for each in found if "pageToken" not in each.query]


def _targets(result: Result, options: Options) -> Iterator[Target]:
    def idle(figure: str, size: int) -> float:
        return result.spread(figure, IDLE, size).median

    large = max(options.sizes)
    calls = idle("requests per resource-hour", options.scale)
    yield Target("idle-calls", f"{options.scale:,} at rest: requests to Fireworks per resource-hour", calls, 0.35)
    writes = sum(each.figures["Kubernetes writes"] + each.figures["changing requests"] for each in result.of(IDLE))
    yield Target("idle-writes", "at rest, all sizes: writes to Kubernetes and changing requests", writes, 0.0)
    yield Target("idle-memory", f"{large:,} at rest: resident memory, MiB", idle("memory MiB", large), 300.0)
    yield Target("idle-cpu", f"{large:,} at rest: share of one core, %", idle("CPU share %", large), 1.0)
    (restart,) = result.of(RESTART, large)
    yield Target("restart", f"restart with {large:,}: first action, seconds", restart.figures["first action s"], 60.0)
    touched = sum(
        each.figures["writes to others"] + each.figures["requests that change others"] for each in result.of(RESTART)
    )
    yield Target("restart-writes", "restart, all sizes: writes where nothing had changed", touched, 0.0)
