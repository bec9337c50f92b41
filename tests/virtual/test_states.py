"""Deployments that get stuck, vanish or do not do as they are told: what the user reads, and how it heals."""

import pytest

from testkit.virtual.api_server import Raw
from tests.virtual.team import Team, condition, holds

HALF_AN_HOUR = 1800
LONG = 3600


def _until_state(team: Team, state: str) -> Raw:
    team.eventually(lambda: team.status().get("state") == state, f"status says {state}")
    return team.get()


def _serves_on(team: Team) -> bool:
    return holds(team.get(), "Available") == "True"


def _removed(team: Team) -> None:
    """End the story: nothing is left behind."""
    assert len(team.deployments()) == 1
    team.delete()
    team.until_gone()
    assert team.deployments() == []


def test_a_deployment_that_is_stuck_in_creating_is_waited_for(team: Team) -> None:
    rule = team.fault("freeze_state")
    team.create()
    resource = _until_state(team, "CREATING")
    assert (holds(resource, "Ready"), holds(resource, "Reconciling")) == ("False", "True")
    team.wait(LONG)
    assert team.methods() == ["POST"]
    assert holds(team.get(), "Stalled") == "False"
    team.simulator.clear_fault(rule)
    team.until_ready()
    _removed(team)


def test_a_deployment_that_is_stuck_in_creating_can_be_deleted(team: Team) -> None:
    rule = team.fault("freeze_state")
    team.create()
    _until_state(team, "CREATING")
    team.delete()
    team.eventually(lambda: team.journal("DELETE"), "a DELETE is sent")
    team.simulator.clear_fault(rule)
    team.until_gone()
    assert team.deployments() == []


def test_a_deployment_that_is_stuck_in_updating_serves_on_and_is_waited_for(team: Team) -> None:
    team.create()
    team.until_ready()
    rule = team.fault("freeze_state")
    team.change(acceleratorCount=2)
    resource = _until_state(team, "UPDATING")
    assert (holds(resource, "Ready"), holds(resource, "Reconciling")) == ("False", "True")
    team.steadily(lambda: _serves_on(team), "it serves on", seconds=LONG)
    assert team.methods() == ["POST", "PATCH"]
    team.simulator.clear_fault(rule)
    team.until_ready()
    _removed(team)


def test_a_deployment_that_is_stuck_in_deleting_is_waited_for_and_let_go_after_half_an_hour(team: Team) -> None:
    team.create()
    name = team.until_ready()["status"]["deploymentName"]
    team.fault("freeze_state")
    team.delete()
    began = team.stage.now()
    resource = team.until("chat", "Ready", "False", "Deleting", says="is deleting the deployment")
    assert holds(resource, "Reconciling") == "True"
    _until_state(team, "DELETING")
    team.steadily(lambda: team.find() is not None, "the finalizer holds the resource", seconds=HALF_AN_HOUR - 10)
    assert team.methods() == ["POST", "DELETE"]
    team.until_gone(within=90)
    assert team.stage.now() - began >= HALF_AN_HOUR
    assert f"{name} has been DELETING for over 30 minutes" in team.stage.log()
    assert ("Warning", "Deleting") in {(each.kind, each.reason) for each in team.events()}, "somebody has to look"
    assert team.methods() == ["POST", "DELETE", "setTags"], "it is marked as let go"


def test_a_deployment_that_is_stuck_in_deleting_for_a_while_goes_when_it_goes(team: Team) -> None:
    team.create()
    team.until_ready()
    rule = team.fault("freeze_state")
    team.delete()
    _until_state(team, "DELETING")
    team.wait(HALF_AN_HOUR / 2)
    team.simulator.clear_fault(rule)
    team.until_gone()
    assert team.methods() == ["POST", "DELETE"]
    assert [each.reason for each in team.events() if each.kind == "Warning"] == []


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "without trace"])
def test_a_deployment_that_is_deleted_during_an_update_comes_back_with_the_change(team: Team, soft: bool) -> None:
    team.create()
    team.until_ready()
    before = team.deployment()["createTime"]
    rule = team.fault("freeze_state")
    team.change(acceleratorCount=2)
    _until_state(team, "UPDATING")
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.simulator.clear_fault(rule)
    team.eventually(lambda: team.methods()[2:3] == (["undelete"] if soft else ["POST"]), "it is brought back")
    team.eventually(lambda: [each["state"] for each in team.deployments()] == ["READY"], "it serves again")
    team.until_ready()
    assert (team.deployment()["createTime"] == before) is soft
    assert team.deployment()["acceleratorCount"] == 2
    _removed(team)


def test_while_a_change_rolls_out_the_old_replicas_serve_on(team: Team) -> None:
    team.create(acceleratorCount=1)
    team.until_ready()
    told = team.told()
    team.change(acceleratorCount=2)
    _until_state(team, "UPDATING")
    team.until_ready()
    assert {holds(each, "Available") for each in team.versions(since=told)} == {"True"}
    assert {holds(each, "Ready") for each in team.versions(since=told)} == {"True", "False"}
    assert condition(team.get(), "Ready")["reason"] == "Serving"
