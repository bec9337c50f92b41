"""A restart or the death of the operator, in whatever state things are: nothing is done twice, nothing is forgotten."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from testkit.stories.at_rest import STATES, ready
from tests.virtual.team import OTHER_MODEL, Team, holds

FINALIZER = "fireworks.ai/deployment"

# --- at rest --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
def test_a_restart_repeats_nothing(team: Team, state: str) -> None:
    STATES[state](team)
    team.wait(10)
    before, deployments, seen = team.get(), team.deployments(), team.seen()
    writes = team.stage.server.writes
    team.stage.restart()
    team.polls(3)
    assert team.writes(since=seen) == [], team.explain()
    assert team.get() == before, team.explain()
    assert team.deployments() == deployments
    assert team.stage.server.writes == writes, "nothing is written to Kubernetes either"


def test_the_status_survives_a_restart_during_an_outage_and_the_deployment_counts_as_serving(team: Team) -> None:
    ready(team)
    before = team.get()
    fault = team.fault("status", status=503, code="UNAVAILABLE")
    team.stage.restart()
    team.steadily(lambda: team.get() == before, "the status is kept for ten minutes", seconds=590)
    assert team.hits(fault) >= 3, "the API was asked in vain"
    team.simulator.clear_faults()
    team.polls(2)
    assert holds(team.get(), "Available") == "True"
    assert team.methods() == ["POST"]


# --- while it was down ----------------------------------------------------------------------------------------------


def test_a_deletion_asked_for_while_the_operator_was_down_happens_when_it_is_back(team: Team) -> None:
    ready(team)
    team.stage.stop()
    team.delete()
    team.wait(60)
    team.stage.start()
    team.until_gone(within=15)
    assert team.deployments() == []


def test_a_change_made_while_the_operator_was_down_takes_effect_when_it_is_back(team: Team) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()
    team.stage.stop()
    team.change(displayName="after", maxReplicaCount=None)
    team.stage.start()
    team.until_ready()
    assert team.deployment()["displayName"] == "after"
    assert team.deployment()["maxReplicaCount"] == 1, "what left the spec meanwhile is reset"


def test_a_resource_that_is_deleted_before_the_operator_has_seen_it_leaves_no_request(team: Team) -> None:
    team.stage.stop()
    team.create()
    team.delete()
    assert team.find() is None, "nothing holds it yet"
    team.stage.start()
    team.wait(60)
    assert team.journal() == []


AGAIN = {
    "as before": {},
    "with another text": {"displayName": "second"},
    "with another model": {"baseModel": OTHER_MODEL},
}


@pytest.mark.parametrize("again", AGAIN)
def test_a_resource_deleted_and_created_again_while_the_operator_was_down_keeps_its_deployment(
    team: Team, again: str
) -> None:
    team.create(displayName="first")
    before = team.until_ready()
    team.stage.stop()
    team.stage.server.objects[team.ref("chat")]["metadata"]["finalizers"].clear()
    team.delete()
    assert team.find() is None, "somebody was impatient and took the finalizer away"
    team.create(spec={"displayName": "first", **AGAIN[again]})
    team.stage.start()
    if again == "with another model":
        team.until("chat", "Stalled", "True", "ReplaceRequired", says="spec.baseModel")
    else:
        assert team.until_ready()["metadata"]["uid"] != before["metadata"]["uid"]
        assert team.status()["createTime"] == before["status"]["createTime"]
        assert team.deployment()["displayName"] == team.get()["spec"]["displayName"]
    assert len(team.simulator.deployments()) == 1
    assert [each.committed for each in team.posts()].count(True) == 1
    team.delete()
    team.until_gone()
    assert team.deployments() == [], "it goes with its new resource"


# --- killed ---------------------------------------------------------------------------------------------------------

DOWN = 3.0
"""Seconds until a killed operator is back."""


def _committed(team: Team) -> bool:
    return any(each.committed for each in team.posts())


@dataclass(frozen=True, slots=True)
class Moment:
    """When the operator is killed: as soon as it is `reached`, with a fault of this kind in force for one request."""

    reason: str
    reached: Callable[[Team], bool]
    kind: str = ""
    seconds: float = 0.0


MOMENTS = [
    Moment("the finalizer is there", lambda team: FINALIZER in team.get()["metadata"]["finalizers"]),
    Moment("the create request is on its way", lambda team: bool(team.posts()), "latency", 5.0),
    Moment("the create request got lost", lambda team: bool(team.posts()), "drop_before_commit"),
    Moment("the deployment was created, its answer got lost", _committed, "drop_after_commit"),
    Moment("the request takes effect long after its client", lambda team: bool(team.posts()), "late_commit", 6.0),
    Moment("the answer is there", _committed),
    Moment("status says CREATING", lambda team: team.status().get("state") == "CREATING"),
    Moment("status says READY", lambda team: team.status().get("state") == "READY"),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.reason)
def test_killed_while_creating_there_is_one_deployment_in_the_end(team: Team, moment: Moment) -> None:
    if moment.kind:
        action = {"seconds": moment.seconds} if moment.seconds else {}
        team.fault(moment.kind, method="POST", path="/deployments$", times=1, action=action)
    team.create()
    team.eventually(lambda: moment.reached(team), moment.reason)
    team.stage.stop()
    team.wait(DOWN)
    team.stage.start()
    team.until_ready()
    team.steadily(lambda: len(team.simulator.deployments()) == 1, "there is one", seconds=60)
    assert team.deployment()["name"] == team.status()["deploymentName"]
    assert [each.method for each in team.writes() if each.committed] == ["POST"], team.explain()


def test_killed_again_and_again_there_is_one_deployment_per_resource(team: Team) -> None:
    names = [f"chat-{number}" for number in range(8)]
    for first in range(0, 8, 2):
        team.create(names[first])
        team.create(names[first + 1])
        team.eventually(lambda: len(team.deployments()) > first, "one more was created")  # noqa: B023
        team.stage.restart()
    for name in names:
        team.until_ready(name)
    assert len(team.simulator.deployments()) == len(names)


@pytest.mark.parametrize("lost", [True, False], ids=["the request is lost", "the request takes effect"])
def test_killed_while_deleting_the_deployment_is_deleted_after_the_restart(team: Team, lost: bool) -> None:
    team.simulator.timing(deleting=20)
    ready(team)
    if lost:
        team.fault("drop_before_commit", method="DELETE", times=1)
    team.delete()
    team.eventually(lambda: team.journal("DELETE"), "a DELETE was sent")
    team.stage.stop()
    assert team.find() is not None, "the finalizer holds the resource"
    team.wait(DOWN)
    team.stage.start()
    team.until_gone()
    assert team.deployments() == []
    assert [each.committed for each in team.journal("DELETE")] == ([False, True] if lost else [True])
