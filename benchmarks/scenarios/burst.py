"""A burst: many resources applied at once, until all are READY; and the same by what the operator is compared with."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from benchmarks.bench import STARTUP_SECONDS, Arena, Bench
from benchmarks.options import LIFTED, Options
from benchmarks.results import Result, Sample, Target, percentile
from benchmarks.timeline import Timeline
from benchmarks.usage import Usage
from integration.processes import Process

NAME: Final = "burst"
OPERATOR, RAW, NAIVE, DEFAULT = "operator", "bare clients", "naive operator", "operator, default budget"


def run(bench: Bench, options: Options) -> Result:
    """Measure growth once, and the comparison as often as asked."""
    samples = []
    for number in range(options.runs):
        for contender in (RAW, OPERATOR, NAIVE):
            samples.append(_burst(bench, contender, options.scale))
            _say(f"run {number + 1} of {options.runs}", samples[-1])
    samples.append(_burst(bench, DEFAULT, options.scale))
    _say("default budget", samples[-1])
    for size in options.sizes:
        if size != options.scale:
            samples.append(_burst(bench, OPERATOR, size))
            _say("growth", samples[-1])
    result = Result(NAME, tuple(samples), ())
    return Result(NAME, tuple(samples), tuple(_targets(result, options.scale)))


def _burst(bench: Bench, contender: str, count: int) -> Sample:
    arena = bench.arena("burst")
    names = arena.names(count)
    with Timeline(bench.api, arena.namespace) as timeline, _serve(arena, contender, count) as process:
        applied = arena.apply(names)
        if not timeline.until_ready(names, within=30 + count / 8):
            print(f"not all became READY in time:\n{process.tail()}", flush=True)
        usage = Usage.of(process.pid) if process.running else Usage(0, 0, 0)
        sample = Sample(contender, count, _figures(arena, timeline, applied, usage), _series(arena, timeline, applied))
    arena.close()
    return sample


@contextlib.contextmanager
def _serve(arena: Arena, contender: str, count: int) -> Iterator[Process]:
    """Run a contender for an arena."""
    if contender in (OPERATOR, DEFAULT):
        with arena.operator(LIFTED if contender == OPERATOR else {}) as operator:
            yield operator
    else:
        with arena.raw(count) if contender == RAW else arena.naive() as other:
            yield other


def _figures(arena: Arena, timeline: Timeline, applied: Mapping[str, float], usage: Usage) -> dict[str, float]:
    began, count = min(applied.values()), len(applied)
    created, deployed = _posts(arena), _ready_at_fireworks(arena)
    to_post = [created[name] - sent for name, sent in applied.items() if name in created]
    to_ready = [timeline.ready[name] - sent for name, sent in applied.items() if name in timeline.ready]
    to_status = [timeline.ready[name] - moment for name, moment in deployed.items() if name in timeline.ready]
    requests = arena.simulator.counts()["total"]
    committed = [each for each in arena.team.posts() if each.committed]
    return {
        "applied s": max(applied.values()) - began,
        "apply to POST p50 s": percentile(to_post, 0.5),
        "apply to POST p99 s": percentile(to_post, 0.99),
        "last POST s": max(created.values()) - began,
        "apply to READY p50 s": percentile(to_ready, 0.5),
        "apply to READY p99 s": percentile(to_ready, 0.99),
        "all READY s": max(timeline.ready.values()) - began,
        "READY to status p50 s": percentile(to_status, 0.5),
        "READY to status p99 s": percentile(to_status, 0.99),
        "requests per resource": float(str(requests)) / count,
        "writes per resource": timeline.writes / count,
        "stuck": float(count - len(timeline.ready)),
        "twice created": float(len(committed) - len({each.query["deploymentId"] for each in committed})),
        "CPU s": usage.cpu,
        "peak MiB": usage.peak,
    }


def _series(arena: Arena, timeline: Timeline, applied: Mapping[str, float]) -> dict[str, list[float]]:
    """Return seconds since the first apply, in order."""
    began = min(applied.values())
    moments = {"applied": applied, "POST": _posts(arena), "READY": timeline.ready}
    return {name: sorted(round(each - began, 3) for each in values.values()) for name, values in moments.items()}


def _posts(arena: Arena) -> dict[str, float]:
    """Return when each deployment's first create request came, monotonic."""
    found: dict[str, float] = {}
    for each in arena.team.posts():
        found.setdefault(each.query["deploymentId"], each.monotonic)
    return found


def _ready_at_fireworks(arena: Arena) -> dict[str, float]:
    """Return when each deployment became READY at Fireworks, monotonic."""
    entry = arena.team.posts()[0]
    offset = entry.virtual - entry.monotonic
    return {
        str(each["name"]).rsplit("/", 1)[-1]: datetime.fromisoformat(str(each["createTime"])).timestamp()
        + STARTUP_SECONDS
        - offset
        for each in arena.simulator.deployments()
    }


def _targets(result: Result, scale: int) -> Iterator[Target]:
    def median(figure: str, contender: str = OPERATOR) -> float:
        return result.spread(figure, contender, scale).median

    yield Target(
        "burst-raw",
        "last POST of the burst, in multiples of the bare clients' (budget lifted)",
        median("last POST s") / median("last POST s", RAW),
        2.5,
    )
    yield Target("burst-ready", "seconds until all are READY in status", median("all READY s"), 20.0)
    yield Target(
        "burst-naive",
        "seconds until all are READY, as a part of what the naive operator takes",
        median("all READY s") / median("all READY s", NAIVE),
        1 / 3,
    )


def _say(what: str, sample: Sample) -> None:
    shown = ", ".join(f"{name} {value:.2f}" for name, value in sample.figures.items())
    print(f"{time.strftime('%H:%M:%S')} {what}: {sample.contender}, {sample.resources}: {shown}", flush=True)
