"""A burst: many resources applied at once, until all are READY; and the same by what the operator is compared with."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.moments import ready_at_fireworks, seconds_between, since
from benchmarks.options import LIFTED, Options
from benchmarks.results import Result, Sample, Target, percentile, say
from benchmarks.timeline import Timeline
from benchmarks.usage import Usage
from testkit.processes import Process

NAME: Final = "burst"
OPERATOR, RAW, NAIVE = "operator", "bare clients", "naive operator"
DEFAULT = "operator, default budget"
POLL_SECONDS: Final = 3.0
"""Interval between two LISTs while things change: the operator's default."""


def run(bench: Bench, options: Options) -> Result:
    """Measure the comparison as often as asked, and growth once; leave the last of each size to other scenarios."""
    samples = []
    for _ in range(options.runs):
        samples += [burst(bench, contender, options.scale) for contender in (RAW, OPERATOR, NAIVE)]
    samples.append(burst(bench, DEFAULT, options.scale))
    samples += [burst(bench, OPERATOR, size) for size in options.sizes if size != options.scale]
    result = Result(NAME, tuple(samples), ())
    return Result(NAME, tuple(samples), tuple(_targets(result, options.scale)))


def burst(bench: Bench, contender: str, count: int, *, latency: float = 0.0, label: str | None = None) -> Sample:
    """Measure one burst.

    Args:
        bench: where.
        contender: who serves.
        count: resources.
        latency: seconds by which Fireworks answers later.
        label: what the sample says instead of the contender's name.
    """
    arena = bench.arena("burst")
    if latency:
        arena.simulator.fault("latency", seconds=latency)
    names = arena.names(count)
    with Timeline(bench.api, arena.namespace) as timeline, _serve(arena, contender, count) as process:
        applied = arena.apply(names)
        if not timeline.until_ready(names, within=90 + count / 6):
            print(f"{count - len(timeline.ready)} were not seen READY in time:\n{process.tail()}", flush=True)
        figures = _figures(arena, timeline, applied)
        if process.running:  # the bare clients end by themselves
            figures |= Usage.of(process.pid).figures
        sample = Sample(label or contender, count, figures, _series(arena, timeline, applied))
    if contender == OPERATOR and not latency:
        bench.leave_fleet(count, arena)
    else:
        arena.close()
    return say(sample)


@contextlib.contextmanager
def _serve(arena: Arena, contender: str, count: int) -> Iterator[Process]:
    """Run a contender for an arena."""
    if contender in (OPERATOR, DEFAULT):
        with arena.operator(LIFTED if contender == OPERATOR else {}) as operator:
            yield operator
    else:
        with arena.raw(count) if contender == RAW else arena.naive() as other:
            yield other


def _figures(arena: Arena, timeline: Timeline, applied: Mapping[str, float]) -> dict[str, float]:
    began, count = min(applied.values()), len(applied)
    posts = [each for each in arena.team.posts() if each.committed]
    created = arena.created()
    to_post = seconds_between(applied, created)
    to_ready = seconds_between(applied, timeline.ready)
    to_status = seconds_between(ready_at_fireworks(arena), timeline.ready)
    return {
        "applied s": max(applied.values()) - began,
        "POST p50 s": percentile(to_post, 0.5),
        "POST p99 s": percentile(to_post, 0.99),
        "last POST s": max(created.values()) - began,
        "READY p50 s": percentile(to_ready, 0.5),
        "READY p99 s": percentile(to_ready, 0.99),
        "all READY s": max(timeline.ready.values()) - began,
        "READY to status p50 s": percentile(to_status, 0.5),
        "READY to status p99 s": percentile(to_status, 0.99),
        "requests per resource": arena.requests() / count,
        "writes per resource": timeline.writes / count,
        "stuck": float(count - len(timeline.ready)),
        "twice created": float(len(posts) - len({each.query["deploymentId"] for each in posts})),
    }


def _series(arena: Arena, timeline: Timeline, applied: Mapping[str, float]) -> dict[str, list[float]]:
    """Return seconds since the first apply, in order."""
    began = min(applied.values())
    return {"POST": since(began, arena.created()), "READY": since(began, timeline.ready)}


def _targets(result: Result, scale: int) -> Iterator[Target]:
    def median(figure: str, contender: str = OPERATOR) -> float:
        return result.spread(figure, contender, scale).median

    burst_of = f"burst of {scale:,}"
    yield Target(
        "burst-raw",
        f"{burst_of}: last POST, in multiples of the bare clients'",
        median("last POST s") / median("last POST s", RAW),
        2.5,
    )
    yield Target("burst-ready", f"{burst_of}: all READY in status, seconds", median("all READY s"), 20.0)
    yield Target(
        "burst-naive",
        f"{burst_of}: all READY, as a part of the naive operator's time",
        median("all READY s") / median("all READY s", NAIVE),
        1 / 3,
    )
    yield Target(
        "burst-default",
        f"{burst_of} at the default budget: last POST, seconds",
        median("last POST s", DEFAULT),
        scale / 10 + 5,
    )
    yield Target(
        "burst-status",
        f"{burst_of}: READY at Fireworks to READY in status, p99, seconds",
        median("READY to status p99 s"),
        POLL_SECONDS + 1,
    )
    yield Target(
        "burst-bare",
        f"{burst_of}: all READY in status, in multiples of the bare clients'",
        median("all READY s") / median("all READY s", RAW),
        1.3,
    )
    yield Target("burst-writes", f"{burst_of}: writes to Kubernetes per resource", median("writes per resource"), 3.5)
    yield Target("burst-cpu", f"{burst_of}: processor time of the operator, seconds", median("CPU s"), 7.0)
    stuck = sum(each.figures["stuck"] for each in result.samples if each.contender in (OPERATOR, DEFAULT))
    yield Target("burst-stuck", "bursts of all sizes: resources that did not become READY", stuck, 0.0)
    twice = sum(each.figures["twice created"] for each in result.samples if each.contender in (OPERATOR, DEFAULT))
    yield Target("burst-twice", "bursts of all sizes: deployments created twice", twice, 0.0)
    yield Target("burst-memory", f"{burst_of}: peak of resident memory, MiB", median("peak MiB"), 150.0)
