"""A tenant with many broken resources delays nobody: from apply to the create request as on an empty operator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import pytest

from testkit.broken import break_team, fill, seconds_to_post
from testkit.factories import MakeTeam, StartOperator
from testkit.team import Team
from testkit.waiting import eventually

BROKEN = [100, pytest.param(300, marks=pytest.mark.proof)]
"""Broken resources of each broken tenant."""
SAMPLES = 7
DELAY = 2.0
"""Seconds that a create request may come later than on an empty operator."""
DEFAULTS: Mapping[str, str] = {
    "FIREWORKS_OPERATOR_REQUESTS_PER_MINUTE": "600",
    "FIREWORKS_OPERATOR_REQUEST_BURST": "100",
    "FIREWORKS_OPERATOR_POLL_INTERVAL_CHANGING": "3",
    "FIREWORKS_OPERATOR_POLL_INTERVAL_SETTLING": "15",
    "FIREWORKS_OPERATOR_POLL_INTERVAL_IDLE": "60",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """Seconds from apply to the create request, of several resources one after the other."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return median(self.seconds)

    def __str__(self) -> str:
        return f"median {self.median:.2f} s, longest {max(self.seconds):.2f} s"


def _measure(team: Team, name: str) -> Measurement:
    return Measurement([seconds_to_post(team, f"{name}-{number}") for number in range(SAMPLES)])


@pytest.mark.timeout(400)
@pytest.mark.parametrize("broken", BROKEN)
def test_a_healthy_resource_is_created_as_soon_beside_many_broken_ones_as_alone(
    start_operator: StartOperator, make_team: MakeTeam, record_property: Callable[[str, object], None], broken: int
) -> None:
    operator = start_operator(**DEFAULTS)
    healthy, same_account, other_account = (make_team(operator, own=own) for own in (True, True, False))
    found = {"alone": _measure(healthy, "alone")}
    break_team(other_account, broken)
    found["beside another account"] = _measure(healthy, "one")
    break_team(same_account, broken)
    found["beside the same account, too"] = _measure(healthy, "two")
    for name, measurement in found.items():
        record_property(name, str(measurement))
        print(f"{broken} broken resources a tenant, {name}: {measurement}; {operator.memory():.0f} MiB")
    for measurement in found.values():
        assert measurement.median <= found["alone"].median + DELAY, found
    names = {str(each["name"]).rsplit("/", 1)[-1] for each in healthy.deployments()}
    assert len(names) == SAMPLES * len(found), "all that is healthy is there, and nothing else"
    assert other_account.deployments() == []


@pytest.mark.proof
@pytest.mark.parametrize(("fault", "action"), [("rate_limit", {"retryAfter": 300}), ("hang", {})])
def test_an_account_that_is_paused_or_does_not_answer_delays_no_other(
    start_operator: StartOperator, make_team: MakeTeam, fault: str, action: Mapping[str, object]
) -> None:
    count = 300
    operator = start_operator(**DEFAULTS)
    healthy, stuck = make_team(operator, own=True), make_team(operator)
    alone = _measure(healthy, "alone")
    rule = stuck.fault(fault, method="POST", action=action)
    fill(stuck, count, lambda _: {})
    eventually(lambda: stuck.simulator.fault_hits(rule), "a create request met it", explain=operator.tail)
    eventually(lambda: _claimed(stuck) == count, "all wait to be created", within=60, interval=1.0)
    beside = _measure(healthy, "beside")
    print(f"{count} resources meet {fault}: {beside}, alone {alone}; {operator.memory():.0f} MiB")
    assert beside.median <= alone.median + DELAY, beside
    stuck.delete("broken-0")
    stuck.until_gone("broken-0", within=20)


def _claimed(team: Team) -> int:
    return sum("deploymentName" in each.get("status", {}) for each in team.resources())
