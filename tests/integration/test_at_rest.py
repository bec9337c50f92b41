"""Many resources at rest: the operator lists, and writes nothing anywhere; after a restart as well."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from testkit.factories import MakeTeam, StartOperator
from testkit.kubernetes_api import condition
from testkit.processes import Operator
from testkit.team import Team
from testkit.waiting import eventually

LOADS = [(250, 10), pytest.param(1000, 30, marks=pytest.mark.proof)]
"""How many resources, and for how many polls they stay silent, before and after the restart; one comes each second."""
LISTS = {("GET", "/v1/accounts"), ("GET", "/v1/accounts/{account}/deployments")}
"""The first is asked once for a key whose account is not known yet."""
WRITES = "fireworks_operator_kubernetes_writes_total"

_LET_GO = {"annotations": {ANNOTATION_ABANDON: "true"}}
"""No effect before deletion, and then the quickest."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("resources", "polls"), LOADS)
def test_resources_at_rest_cost_one_list_per_poll(
    start_operator: StartOperator,
    make_team: MakeTeam,
    record_property: Callable[[str, object], None],
    resources: int,
    polls: int,
) -> None:
    operator = start_operator(
        FIREWORKS_OPERATOR_REQUESTS_PER_MINUTE="100000",
        FIREWORKS_OPERATOR_REQUEST_BURST="2000",
        FIREWORKS_OPERATOR_POLL_INTERVAL_CHANGING="1",
        FIREWORKS_OPERATOR_POLL_INTERVAL_SETTLING="1",
        FIREWORKS_OPERATOR_POLL_INTERVAL_IDLE="1",
    )
    team = make_team(operator, own=True)
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(team.create, metadata=_LET_GO), [f"chat-{number:04}" for number in range(resources)]))
    created = time.monotonic() - started
    eventually(lambda: _all_ready(team, resources), "all are Ready", within=300, interval=2.0, explain=operator.tail)
    ready = time.monotonic() - started
    _settle(team, operator)
    first = _stay_silent(team, operator, polls)
    seen = team.simulator.last_sequence()
    operator.restart()
    again = _stay_silent(team, operator, polls)
    others = [each for each in team.simulator.journal(since=seen) if (each.method, each.route) not in LISTS]
    assert others == [], f"LIST only\n{operator.tail()}"
    assert len(team.deployments()) == resources
    assert len([each for each in team.posts() if each.committed]) == resources
    for name, value in {
        "seconds to create": created,
        "seconds to Ready": ready,
        "MiB at rest": first,
        "MiB after the restart": again,
    }.items():
        record_property(name, round(value, 1))
        print(f"{resources} resources, {polls} polls: {name} {value:.1f}")


def _all_ready(team: Team, resources: int) -> bool:
    ready = [each for each in team.resources() if condition(each, "Ready").get("status") == "True"]
    return len(ready) == resources


def _settle(team: Team, operator: Operator) -> None:
    """Wait for the last events, which are written at ten a second, and the last passes."""

    def silent() -> bool:
        writes, seen = operator.metric(WRITES), team.simulator.last_sequence()
        eventually(lambda: _lists(team, seen) >= 3, "three polls", interval=0.5)
        return writes == operator.metric(WRITES)

    eventually(silent, "no more writes", within=150, explain=operator.tail)


def _stay_silent(team: Team, operator: Operator, polls: int) -> float:
    """Let polls pass, assert that nothing was written, and return the operator's memory in MiB."""
    seen = team.simulator.last_sequence()
    versions, writes = _versions(team), operator.metric(WRITES)
    eventually(
        lambda: _lists(team, seen) >= polls,
        f"{polls} polls",
        within=polls * 4 + 30,
        interval=0.5,
        explain=operator.tail,
    )
    assert _versions(team) == versions
    assert operator.metric(WRITES) == writes, "no Kubernetes writes, not even events"
    others = [each for each in team.simulator.journal(since=seen) if (each.method, each.route) not in LISTS]
    assert others == [], f"LIST only\n{operator.tail()}"
    return operator.memory()


def _lists(team: Team, since: int) -> int:
    """Complete LISTs: a thousand deployments are several pages of one."""
    found = team.journal("GET", "/deployments$", since=since)
    return sum("pageToken" not in each.query for each in found)


def _versions(team: Team) -> dict[str, str]:
    return {each["metadata"]["name"]: each["metadata"]["resourceVersion"] for each in team.resources()}
