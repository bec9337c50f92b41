"""Many accounts, and the API of one of them is down: the others must not notice."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Final

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.options import Options
from benchmarks.results import Result, Sample, Target, percentile, say
from benchmarks.timeline import Timeline
from testkit.team import Team

NAME: Final = "outage"
ACCOUNTS: Final = 20
UP, DOWN, RECOVERED = "all accounts up", "one account down", "the one that was down"
_PATIENCE = 180.0


def run(bench: Bench, options: Options) -> Result:
    """Measure with all accounts up, with one down, and the recovery of that one."""
    each = max(options.scale // ACCOUNTS, 1)
    samples = (*_measure(bench, each, down=False), *_measure(bench, each, down=True))
    result = Result(NAME, samples, ())
    return Result(NAME, samples, tuple(_targets(result)))


def _measure(bench: Bench, each: int, *, down: bool) -> Iterator[Sample]:
    """Apply resources of all accounts at once; the first account is down, or is not."""
    arena = bench.arena("accounts")
    teams = [Team.begin(bench.api, arena.simulator, name="account") for _ in range(ACCOUNTS)]
    rule = teams[0].fault("status", status=503) if down else None
    with contextlib.ExitStack() as stack:
        timelines = {team.namespace: stack.enter_context(Timeline(bench.api, team.namespace)) for team in teams}
        stack.enter_context(arena.operator({}, namespaces=timelines))
        applied = _apply(arena, teams, each)
        healthy = teams[1:] if down else teams
        yield _sample(DOWN if down else UP, healthy, timelines, applied)
        if rule is not None:
            teams[0].simulator.clear_fault(rule)
            up_again = dict.fromkeys(applied[teams[0].namespace], time.monotonic())
            yield _sample(RECOVERED, teams[:1], timelines, {teams[0].namespace: up_again})
    arena.close()


def _apply(arena: Arena, teams: list[Team], each: int) -> dict[str, dict[str, float]]:
    """Create resources, one of each team in turn; return when each was sent, by namespace."""
    found: dict[str, dict[str, float]] = {team.namespace: {} for team in teams}
    jobs = [(team, f"chat-{number:05}") for number in range(each) for team in teams]
    for team, name in jobs:
        found[team.namespace][name] = time.monotonic()
        team.create(name, deploymentId=name)
    return found


def _sample(
    kind: str, teams: list[Team], timelines: Mapping[str, Timeline], applied: Mapping[str, Mapping[str, float]]
) -> Sample:
    seconds, stuck, last = [], 0, 0.0
    began = min(min(applied[team.namespace].values()) for team in teams)
    for team in teams:
        timeline, sent = timelines[team.namespace], applied[team.namespace]
        timeline.until_ready(sent, within=_PATIENCE)
        stuck += len(sent.keys() - timeline.ready.keys())
        seconds += [timeline.ready[name] - moment for name, moment in sent.items() if name in timeline.ready]
        last = max([last, *timeline.ready.values()])
    figures = {
        "READY p50 s": percentile(seconds, 0.5),
        "READY p99 s": percentile(seconds, 0.99),
        "all READY s": last - began,
        "stuck": float(stuck),
    }
    return say(Sample(kind, len(seconds), figures))


def _targets(result: Result) -> Iterator[Target]:
    (up,), (down,) = result.of(UP), result.of(DOWN)
    ratio = down.figures["READY p99 s"] / up.figures["READY p99 s"]
    yield Target("outage-others", "one of 20 accounts down: READY p99 of the others, in multiples", ratio, 1.2)
    stuck = sum(each.figures["stuck"] for each in result.samples)
    yield Target("outage-stuck", "one of 20 accounts down, then up again: resources that stay behind", stuck, 0.0)
