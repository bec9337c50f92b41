"""A healthy tenant beside one all of whose resources fail: how long a create request takes."""

from collections.abc import Iterator
from typing import Final

from benchmarks.bench import Bench
from benchmarks.options import Options
from benchmarks.results import Result, Sample, Target, percentile, say
from testkit.broken import break_team, seconds_to_post
from testkit.team import Team

NAME: Final = "tenants"
ALONE, BESIDE = "alone", "beside a failing tenant"


def run(bench: Bench, options: Options) -> Result:
    """Measure a healthy tenant alone, then beside another account's failing resources, at the default settings."""
    arena = bench.arena("tenants")
    healthy, failing = (Team.begin(bench.api, arena.simulator, name=name) for name in ("healthy", "failing"))
    with arena.operator({}, namespaces=[healthy.namespace, failing.namespace]):
        seconds_to_post(healthy, "first")  # its account is found out
        samples = [_measure(healthy, ALONE, options)]
        break_team(failing, options.scale)
        samples.append(_measure(healthy, BESIDE, options))
    arena.close()
    result = Result(NAME, tuple(samples), ())
    return Result(NAME, tuple(samples), tuple(_targets(result)))


def _measure(team: Team, kind: str, options: Options) -> Sample:
    prefix = kind.replace(" ", "-")
    seconds = [seconds_to_post(team, f"{prefix}-{number}") for number in range(options.samples)]
    figures = {"POST p50 s": percentile(seconds, 0.5), "POST p99 s": percentile(seconds, 0.99)}
    return say(Sample(kind, options.scale, figures, {"seconds": sorted(seconds)}))


def _targets(result: Result) -> Iterator[Target]:
    (alone,), (beside,) = result.of(ALONE), result.of(BESIDE)
    ratio = beside.figures["POST p50 s"] / alone.figures["POST p50 s"]
    text = f"apply to POST beside {beside.resources:,} failing resources of another tenant, in multiples"
    yield Target("tenants", text, ratio, 1.2)
