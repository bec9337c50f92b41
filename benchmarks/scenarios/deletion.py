"""A mass deletion: all resources deleted at once, until they and their deployments are gone."""

from collections.abc import Iterator
from typing import Final

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.moments import seconds_between, since
from benchmarks.options import LIFTED, Options
from benchmarks.results import Result, Sample, Target, percentile, say
from benchmarks.timeline import Timeline
from benchmarks.usage import Usage

NAME: Final = "deletion"
OPERATOR = "operator"
_GONE = frozenset({"DELETING", "DELETED"})


def run(bench: Bench, options: Options) -> Result:
    """Delete all resources of each size."""
    samples = tuple(_delete(bench.fleet(size), size) for size in options.sizes)
    bench.drop_fleets()
    result = Result(NAME, samples, ())
    return Result(NAME, samples, tuple(_targets(result)))


def _delete(arena: Arena, size: int) -> Sample:
    names = [each["metadata"]["name"] for each in arena.team.resources()]
    with Timeline(arena.team.api, arena.namespace) as timeline, arena.operator(LIFTED) as operator:
        arena.simulator.assume(default_deployment_check=False)  # it would make one of them wait for a minute
        seen = arena.simulator.last_sequence()
        asked = arena.delete(names)
        if not timeline.until_gone(names, within=90 + len(names) / 6):
            print(f"{len(names) - len(timeline.gone)} were not gone in time:\n{operator.tail()}", flush=True)
        usage = Usage.of(operator.pid)
    requests = {each.path.rsplit("/", 1)[-1]: each.monotonic for each in arena.team.journal("DELETE", since=seen)}
    began, to_gone = min(asked.values()), seconds_between(asked, timeline.gone)
    figures = {
        "last DELETE s": max(requests.values()) - began,
        "gone p50 s": percentile(to_gone, 0.5),
        "gone p99 s": percentile(to_gone, 0.99),
        "all gone s": max(timeline.gone.values()) - began,
        "stuck": float(len(names) - len(timeline.gone)),
        "left at Fireworks": float(sum(each["state"] not in _GONE for each in arena.simulator.deployments())),
        **usage.figures,
    }
    return say(Sample(OPERATOR, size, figures, {"gone": since(began, timeline.gone)}))


def _targets(result: Result) -> Iterator[Target]:
    left = sum(each.figures["stuck"] + each.figures["left at Fireworks"] for each in result.samples)
    yield Target("deletion-left", "mass deletion, all sizes: resources or deployments left", left, 0.0)
