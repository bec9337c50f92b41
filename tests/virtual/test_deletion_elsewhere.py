"""Deployments that others delete: in the console, by firectl, or Fireworks itself after seven idle days."""

import pytest

from testkit.virtual.api_server import Raw
from tests.virtual.team import OTHER_MODEL, Json, Team, condition, holds

HOUR, DAY = 3600, 86400
MOST = 3
"""How often a deployment is brought back within a day."""


def _undeleted(team: Team) -> int:
    return sum(each.committed for each in team.journal("POST", ":undelete$"))


def _serves(team: Team) -> Raw | None:
    """The resource once it is Ready by a deployment that is there."""
    resource = team.get()
    ready = holds(resource, "Ready") == "True" and resource["status"].get("state") == "READY"
    found = team.deployments()
    shown = [str(each["createTime"])[:19] for each in found] == [resource["status"].get("createTime", "")[:19]]
    return resource if ready and shown and [each["state"] for each in found] == ["READY"] else None


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_what_fireworks_deletes_after_seven_idle_days_is_brought_back(team: Team, kind: str) -> None:
    team.simulator.assume(auto_delete=kind)
    team.create(minReplicaCount=0, displayName="Chat")
    team.until_ready()
    team.stage.leap(7 * DAY + 60)
    team.eventually(lambda: len(team.writes()) >= 2, "it is brought back")
    team.eventually(lambda: _serves(team), "it serves again")
    assert team.deployment()["displayName"] == "Chat"
    assert team.methods() == ["POST", "undelete" if kind == "soft" else "POST"]


def test_a_deployment_that_is_brought_back_is_not_said_to_lack_gpus_before_three_minutes(team: Team) -> None:
    team.create()
    team.until_ready()
    team.wait(600)
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.eventually(lambda: _undeleted(team) == 1, "it is brought back")
    team.eventually(lambda: _serves(team), "it serves again")
    assert [each.reason for each in team.events() if each.kind == "Warning"] == []


def test_with_the_policy_report_an_idle_deployment_stays_deleted_and_is_purged(team: Team) -> None:
    team.create(minReplicaCount=0, externalDeletionPolicy="Report")
    created = team.until_ready()["status"]
    seen = team.seen()
    team.stage.leap(7 * DAY + 60)
    team.until("chat", "Stalled", "True", "DeploymentLost", says="externalDeletionPolicy")
    team.eventually(lambda: team.status().get("state") == "DELETED", "status says DELETED")
    assert "purgeTime" in team.status()
    team.stage.leap(7 * DAY - HOUR)
    team.eventually(lambda: "state" not in team.status(), "it is seen that it is purged", within=HOUR + 120)
    resource = team.until("chat", "Stalled", "True", "DeploymentLost")
    assert holds(resource, "Available") == "False"
    assert resource["status"]["deploymentName"] == created["deploymentName"]
    assert "modelIdentifier" not in resource["status"]
    team.delete()
    team.until_gone()
    assert team.writes(since=seen) == [], "there was nothing to delete any more"


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "without trace"])
def test_with_the_policy_report_a_lost_deployment_is_only_reported(team: Team, soft: bool) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    seen = team.seen()
    team.simulator.vanish(team.deployment_id(), soft=soft)
    resource = team.until("chat", "Stalled", "True", "DeploymentLost", says="externalDeletionPolicy")
    assert holds(resource, "Available") == "False"
    team.wait(HOUR)
    assert team.writes(since=seen) == []
    team.change(externalDeletionPolicy="Recreate")
    team.until_ready()


def test_a_deployment_that_is_just_being_deleted_elsewhere_is_brought_back_when_that_is_done(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.vanish(team.deployment_id(), soft=True)
    resource = team.until("chat", "Ready", "False", "Creating", says="previous deployment")
    assert holds(resource, "Reconciling") == "True"
    team.eventually(lambda: _serves(team), "it serves again")
    assert team.methods() == ["POST", "undelete"]


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "without trace"])
def test_bringing_back_again_and_again_is_given_up_for_a_day(team: Team, soft: bool) -> None:
    again = "undelete" if soft else "POST"
    team.create()
    for count in range(MOST + 1):
        team.eventually(lambda: _serves(team), f"it serves, brought back {count} times")
        assert team.methods() == ["POST", *[again] * count]
        team.simulator.vanish(team.deployment_id(), soft=soft)
        team.wait(10)
    first = team.writes()[1].virtual
    team.until("chat", "Stalled", "True", "DeploymentLost", says=f"{MOST} times within a day")
    team.wait(HOUR)
    assert len(team.writes()) == 1 + MOST, "it is left at that"
    team.stage.leap(first + DAY - 120 - team.stage.now())
    team.polls(1)
    assert len(team.writes()) == 1 + MOST, "the day is not over"
    team.eventually(lambda: len(team.writes()) == 2 + MOST, "a day later it is brought back", within=240)
    team.eventually(lambda: _serves(team), "it serves again")
    assert team.methods()[-1] == again


def test_who_asks_for_it_has_it_brought_back_once_more(team: Team) -> None:
    team.create()
    for _ in range(MOST + 1):
        team.eventually(lambda: _serves(team), "it serves")
        team.simulator.vanish(team.deployment_id())
        team.wait(10)
    team.until("chat", "Stalled", "True", "DeploymentLost", says=f"{MOST} times within a day")
    team.annotate("chat", "reconcile-at", "now")
    team.eventually(lambda: _serves(team), "it serves again")


def test_what_was_deleted_elsewhere_is_not_brought_back_while_paused(team: Team) -> None:
    team.create()
    team.until_ready()
    team.change(paused=True)
    team.until_ready()
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.until("chat", "Stalled", "True", "Paused", says="Undelete")
    team.wait(HOUR)
    assert _undeleted(team) == 0
    team.change(paused=None)
    team.eventually(lambda: _undeleted(team) == 1, "it is brought back")


def test_a_deployment_that_vanished_is_created_again_and_status_tells_of_the_new_one(team: Team) -> None:
    team.create()
    first = team.until_ready()["status"]["createTime"]
    team.simulator.vanish(team.deployment_id())
    team.eventually(lambda: len(team.posts()) == 2, "it is created again")
    resource = team.eventually(lambda: _serves(team), "status tells of the new one")
    assert resource["status"]["createTime"] != first
    assert len(team.deployments()) == 1


# --- a name that is used again --------------------------------------------------------------------------------------


def test_a_name_whose_deployment_is_purged_gets_a_new_one(team: Team) -> None:
    team.create()
    first = team.until_ready()["status"]
    team.delete()
    team.until_gone()
    team.stage.leap(7 * DAY + 60)
    team.create()
    status = team.until_ready()["status"]
    assert status["deploymentName"] == first["deploymentName"]
    assert status["createTime"] != first["createTime"]
    assert _undeleted(team) == 0
    assert len(team.simulator.deployments()) == 1


IOWA, ILLINOIS = {"region": "US_IOWA_1"}, {"region": "US_ILLINOIS_2"}
AGAIN: dict[str, tuple[Json, Json, bool]] = {
    "with another model, which no change can give it": ({}, {"baseModel": OTHER_MODEL}, True),
    "in another region, which no change can give it": ({"placement": IOWA}, {"placement": ILLINOIS}, True),
    "on other hardware, which no change can give it": ({}, {"acceleratorType": "NVIDIA_H200_141GB"}, True),
    "on replicas that may be taken away": ({"preemptible": False}, {"preemptible": True}, True),
    "no longer on replicas that may be taken away": ({"preemptible": True}, {}, True),
    "with another text, which a change puts right": ({"displayName": "before"}, {"displayName": "after"}, False),
    "as it was": ({"displayName": "before"}, {"displayName": "before"}, False),
}


@pytest.mark.parametrize("again", AGAIN)
def test_a_name_that_was_just_deleted_is_restored_or_replaced_and_never_there_twice(team: Team, again: str) -> None:
    before, after, replaced = AGAIN[again]
    team.create(spec=before)
    team.until_ready()
    team.delete()
    team.until_gone()
    seen = team.seen()
    team.create(spec=after)
    team.until_ready()
    deletes = [dict(each.query) for each in team.journal("DELETE", since=seen)]
    assert deletes == ([{"hard": "true", "ignoreChecks": "true"}] if replaced else []), "force only for what is deleted"
    assert _undeleted(team) == (0 if replaced else 1)
    deployment = team.deployment()
    assert {key: deployment[key] for key in after} == after
    assert deployment.get("preemptible", False) is after.get("preemptible", False)
    assert len(team.simulator.deployments()) == 1
    assert condition(team.get(), "Stalled")["status"] == "False"
