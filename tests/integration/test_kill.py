"""SIGKILL at any moment of a creation: one deployment, whatever was lost, and nobody has to help."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER
from testkit.factories import MakeTeam, StartOperator
from testkit.processes import POLL_SECONDS
from testkit.team import Team
from testkit.waiting import steadily

FAULT_SECONDS = 3.0
"""How long requests are held up: longer than a restart of the operator takes."""


def _nothing(team: Team) -> None: ...


def _list_is_slow(team: Team) -> None:
    team.fault("latency", method="GET", path="/deployments$", seconds=FAULT_SECONDS, times=1)


def _post_is_slow(team: Team) -> None:
    team.fault("latency", method="POST", path="/deployments$", seconds=FAULT_SECONDS, times=1)


def _post_never_arrives(team: Team) -> None:
    team.fault("drop_before_commit", method="POST", path="/deployments$", times=1)


def _answer_is_lost(team: Team) -> None:
    team.fault("drop_after_commit", method="POST", path="/deployments$", times=1)


def _post_takes_effect_late(team: Team) -> None:
    team.fault("late_commit", method="POST", path="/deployments$", seconds=FAULT_SECONDS, times=1)


def _start_is_slow(team: Team) -> None:
    team.simulator.timing(downloading=4)


def _has_finalizer(team: Team) -> bool:
    return FINALIZER in team.get()["metadata"].get("finalizers", [])


def _is_claimed(team: Team) -> bool:
    return "deploymentName" in team.status()


def _has_posted(team: Team) -> bool:
    return bool(team.posts())


def _has_committed(team: Team) -> bool:
    return any(each.committed for each in team.posts())


def _has_created(team: Team, count: int) -> bool:
    return sum(each.committed for each in team.posts()) >= count


def _is_creating(team: Team) -> bool:
    return team.status().get("state") == "CREATING"


def _is_ready(team: Team) -> bool:
    return team.status().get("state") == "READY"


@dataclass(frozen=True, slots=True)
class Moment:
    """When the operator is killed: as soon as it is `reached`, with a fault in force."""

    reason: str
    fault: Callable[[Team], None]
    reached: Callable[[Team], bool]
    settles: float = 0.1
    """Seconds for which late effects are to be expected after the resource is Ready."""


MOMENTS = [
    Moment("the finalizer is there, a claim perhaps", _nothing, _has_finalizer),
    Moment("the claim is written, no create request was sent", _list_is_slow, _is_claimed),
    Moment("the create request is on its way and takes effect after the restart", _post_is_slow, _has_posted),
    Moment("the create request got lost", _post_never_arrives, _has_posted),
    Moment("the deployment was created, its answer got lost", _answer_is_lost, _has_committed),
    Moment(
        "the request hangs and takes effect long after the client is gone",
        _post_takes_effect_late,
        _has_posted,
        FAULT_SECONDS,
    ),
    Moment("the answer is on its way", _nothing, _has_committed),
    Moment("status says CREATING", _start_is_slow, _is_creating),
    Moment("status says READY", _nothing, _is_ready),
]


ALWAYS = (_answer_is_lost, _post_takes_effect_late, _list_is_slow)


@pytest.mark.parametrize(
    "moment",
    [pytest.param(each, id=each.reason, marks=() if each.fault in ALWAYS else pytest.mark.proof) for each in MOMENTS],
)
def test_killed_while_creating_there_is_one_deployment_in_the_end(
    start_operator: StartOperator, make_team: MakeTeam, moment: Moment
) -> None:
    operator = start_operator()
    team = make_team(operator)
    moment.fault(team)
    team.create()
    team.eventually(lambda: moment.reached(team), moment.reason)
    operator.kill()
    operator.start()
    team.until_ready()
    steadily(
        lambda: len(team.simulator.deployments()) == 1, "there is one", seconds=moment.settles, explain=team.explain
    )
    assert team.deployment()["name"] == team.status()["deploymentName"]
    assert [each.method for each in team.writes() if each.committed] == ["POST"], team.explain()


@pytest.mark.proof
def test_killed_again_and_again_there_is_one_deployment_per_resource(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    names = [f"chat-{number}" for number in range(8)]
    for first in range(0, 8, 2):
        team.create(names[first])
        team.create(names[first + 1])
        team.eventually(partial(_has_created, team, first + 1), "one more was created")
        operator.kill()
        operator.start()
    for name in names:
        team.until_ready(name)
    assert len(team.simulator.deployments()) == len(names)
    assert len({each["name"] for each in team.deployments()}) == len(names)


def test_killed_while_deleting_the_deployment_is_deleted_after_the_restart(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create()
    team.until_ready()
    team.fault("drop_before_commit", method="DELETE", times=1)
    team.delete()
    team.eventually(lambda: team.journal("DELETE"), "a DELETE was sent")
    operator.kill()
    assert team.find() is not None, "the finalizer holds the resource"
    operator.start()
    team.until_gone()
    assert team.deployments() == []


@pytest.mark.proof
def test_killed_after_the_delete_request_the_resource_goes_after_the_restart(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.simulator.timing(deleting=3 + POLL_SECONDS)
    team.create()
    team.until_ready()
    team.delete()
    team.eventually(lambda: any(each.committed for each in team.journal("DELETE")), "the DELETE took effect")
    operator.kill()
    assert team.find() is not None, "the finalizer holds the resource"
    operator.start()
    team.until_gone()
    assert len(team.journal("DELETE")) == 1, "a deletion under way is not asked for again"
