"""A tenant with many broken resources delays nobody: from apply to the create request as on an empty operator."""

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import pytest

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from integration.factories import MakeTeam, StartOperator
from integration.team import Team, new_api_key
from integration.waiting import eventually

BROKEN = int(os.environ.get("FIREWORKS_TEST_BROKEN", "300"))
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

_LET_GO = {"annotations": {ANNOTATION_ABANDON: "true"}}
"""No effect before deletion, and then the quickest."""


def _broken(number: int) -> Mapping[str, object]:
    """Return what is wrong with a resource: each kind in turn."""
    return (
        {"baseModel": "accounts/fireworks/models/no-such-model"},
        {"acceleratorType": "NVIDIA_H200_141GB"},  # no quota
        {"deploymentId": f"error-{number}"},  # answered with 500
        {"credentialsSecretRef": {"name": f"missing-{number}"}},
        {"credentialsSecretRef": {"name": "wrong"}},
    )[number % 5]


def _break(team: Team) -> None:
    """Fill a team with broken resources."""
    team.simulator.quota("global--h200-count", 0)
    team.put_secret("wrong", apiKey=new_api_key())
    for number in range(BROKEN):
        identifier = _broken(number).get("deploymentId")
        if identifier is not None:
            team.simulator.fault("status", match={"account": team.account, "deployment": str(identifier)}, status=500)
    _fill(team, _broken)


def _fill(team: Team, spec: Callable[[int], Mapping[str, object]]) -> None:
    def create(number: int) -> None:
        team.create(f"broken-{number}", metadata=_LET_GO, spec=spec(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(BROKEN)))


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
    return Measurement([_seconds_to_post(team, f"{name}-{number}") for number in range(SAMPLES)])


def _seconds_to_post(team: Team, name: str) -> float:
    seen = team.simulator.last_sequence()
    started = time.monotonic()
    team.create(name, deploymentId=name, metadata=_LET_GO)

    def look() -> float | None:
        posts = team.journal("POST", "/deployments$", since=seen)
        return next((each.monotonic for each in posts if each.query["deploymentId"] == name), None)

    return team.eventually(look, "the create request was sent", name=name) - started


@pytest.mark.timeout(400)
def test_a_healthy_resource_is_created_as_soon_beside_many_broken_ones_as_alone(
    start_operator: StartOperator, make_team: MakeTeam, record_property: Callable[[str, object], None]
) -> None:
    operator = start_operator(**DEFAULTS)
    healthy, same_account, other_account = (make_team(operator, own=own) for own in (True, True, False))
    found = {"alone": _measure(healthy, "alone")}
    _break(other_account)
    found["beside another account"] = _measure(healthy, "one")
    _break(same_account)
    found["beside the same account, too"] = _measure(healthy, "two")
    for name, measurement in found.items():
        record_property(name, str(measurement))
        print(f"{BROKEN} broken resources a tenant, {name}: {measurement}; {operator.memory():.0f} MiB")
    for measurement in found.values():
        assert measurement.median <= found["alone"].median + DELAY, found
    names = {str(each["name"]).rsplit("/", 1)[-1] for each in healthy.deployments()}
    assert len(names) == SAMPLES * len(found), "all that is healthy is there, and nothing else"
    assert other_account.deployments() == []


@pytest.mark.parametrize(("fault", "action"), [("rate_limit", {"retryAfter": 300}), ("hang", {})])
def test_an_account_that_is_paused_or_does_not_answer_delays_no_other(
    start_operator: StartOperator, make_team: MakeTeam, fault: str, action: Mapping[str, object]
) -> None:
    operator = start_operator(**DEFAULTS)
    healthy, stuck = make_team(operator, own=True), make_team(operator)
    alone = _measure(healthy, "alone")
    rule = stuck.fault(fault, method="POST", action=action)
    _fill(stuck, lambda number: {})
    eventually(lambda: stuck.simulator.fault_hits(rule), "a create request met it", explain=operator.tail)
    eventually(lambda: _claimed(stuck) == BROKEN, "all wait to be created", within=60, interval=1.0)
    beside = _measure(healthy, "beside")
    print(f"{BROKEN} resources meet {fault}: {beside}, alone {alone}; {operator.memory():.0f} MiB")
    assert beside.median <= alone.median + DELAY, beside
    stuck.delete("broken-0")
    stuck.until_gone("broken-0", within=20)


def _claimed(team: Team) -> int:
    return sum("deploymentName" in each.get("status", {}) for each in team.resources())
