"""Deployments that others delete: in the console, by firectl, or Fireworks itself after seven idle days."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from testkit.kubernetes_api import Json, condition
from testkit.processes import Operator
from testkit.team import Team

DAY = 86400
OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"


def _undeleted(team: Team, times: int) -> bool:
    return sum(each.committed for each in team.journal("POST", ":undelete$")) == times


def _serves(team: Team) -> Json | None:
    """The resource once it is Ready by a deployment that is there."""
    resource = team.get()
    ready = condition(resource, "Ready").get("status") == "True" and resource["status"].get("state") == "READY"
    return resource if ready and [each["state"] for each in team.deployments()] == ["READY"] else None


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_what_fireworks_deletes_after_seven_idle_days_is_brought_back(team: Team, kind: str) -> None:
    team.simulator.assume(auto_delete=kind)
    team.create(minReplicaCount=0, displayName="Chat")
    team.until_ready()
    brought_back: Callable[[], bool] = {
        "soft": lambda: _undeleted(team, 1),
        "hard": lambda: len(team.posts()) == 2,
    }[kind]
    team.simulator.advance(7 * DAY + 60)
    team.eventually(brought_back, "it is brought back")
    team.eventually(partial(_serves, team), "it serves again")
    assert team.deployment()["displayName"] == "Chat"
    assert len(team.posts()) == (1 if kind == "soft" else 2)
    assert [each["reason"] for each in team.events() if each["type"] == "Warning"] == []


@pytest.mark.proof
def test_with_the_policy_report_an_idle_deployment_stays_deleted_and_is_purged(team: Team, operator: Operator) -> None:
    team.create(minReplicaCount=0, externalDeletionPolicy="Report")
    created = team.until_ready()["status"]
    seen = team.simulator.last_sequence()
    team.simulator.advance(7 * DAY + 60)
    team.until("chat", "Stalled", "True", "DeploymentLost", says="externalDeletionPolicy")
    team.eventually(lambda: team.status().get("state") == "DELETED", "status says DELETED")
    assert "purgeTime" in team.status()
    team.simulator.advance(7 * DAY + 60)
    operator.restart()  # it would look again at the purge time, by its own clock
    team.eventually(lambda: "state" not in team.status(), "status no longer describes what is purged")
    resource = team.until("chat", "Stalled", "True", "DeploymentLost")
    assert condition(resource, "Available")["status"] == "False"
    assert resource["status"]["deploymentName"] == created["deploymentName"]
    assert "modelIdentifier" not in resource["status"]
    team.delete()
    team.until_gone()
    assert team.writes(since=seen) == [], "there was nothing to delete any more"


def test_a_deployment_that_is_just_being_deleted_elsewhere_is_brought_back_when_that_is_done(team: Team) -> None:
    team.simulator.timing(deleting=2)
    team.create()
    team.until_ready()
    team.simulator.vanish(team.deployment_id(), soft=True)
    resource = team.until("chat", "Ready", "False", "Creating", says="previous deployment")
    assert condition(resource, "Reconciling")["status"] == "True"
    team.eventually(lambda: _undeleted(team, 1), "it is brought back")
    team.eventually(partial(_serves, team), "it serves again")
    assert [each.method for each in team.writes()] == ["POST", "POST"]


@pytest.mark.proof
def test_undeleting_again_and_again_is_given_up_for_a_day(team: Team) -> None:
    team.create()
    for count in range(4):
        team.eventually(partial(_undeleted, team, count), f"undeleted {count} times")
        team.eventually(partial(_serves, team), "it serves")
        team.simulator.vanish(team.deployment_id(), soft=True)
    team.until("chat", "Stalled", "True", "DeploymentLost", says="3 times within a day")
    team.polls()
    assert _undeleted(team, 3)
    a_day_ago = (datetime.now(UTC) - timedelta(seconds=DAY + 60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    team.set_status("chat", {"recreations": [a_day_ago] * 3})
    team.eventually(lambda: _undeleted(team, 4), "the next day it is brought back")
    team.eventually(partial(_serves, team), "it serves again")
    assert len(team.posts()) == 1


@pytest.mark.proof
def test_what_was_deleted_elsewhere_is_not_brought_back_while_paused(team: Team) -> None:
    team.create(paused=None)
    team.until_ready()
    team.change(paused=True)
    team.until_ready()
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.until("chat", "Stalled", "True", "Paused", says="Undelete")
    team.polls()
    assert _undeleted(team, 0)
    team.change(paused=None)
    team.eventually(lambda: _undeleted(team, 1), "it is brought back")


@pytest.mark.proof
def test_a_name_whose_deployment_is_purged_gets_a_new_one(team: Team) -> None:
    team.create()
    first = team.until_ready()["status"]
    team.delete()
    team.until_gone()
    team.simulator.advance(7 * DAY + 60)
    team.create()
    status = team.until_ready()["status"]
    assert status["deploymentName"] == first["deploymentName"]
    assert status["createTime"] != first["createTime"]
    assert _undeleted(team, 0)
    assert len(team.simulator.deployments()) == 1


@pytest.mark.proof
def test_a_name_that_was_just_deleted_with_other_immutable_fields_is_replaced(team: Team) -> None:
    specs: dict[str, list[Json]] = {
        "model": [{}, {"baseModel": OTHER_MODEL}],
        "region": [{"placement": {"region": "US_IOWA_1"}}, {"placement": {"region": "US_ILLINOIS_2"}}],
        "preemptible": [{"preemptible": False}, {"preemptible": True}],
        "same": [{"displayName": "before"}, {"displayName": "after"}],
    }
    team.simulator.assume(default_deployment_check=False)
    for name, (spec, _) in specs.items():
        team.create(name, spec=spec)
    for name in specs:
        team.until_ready(name)
        team.delete(name)
    for name in specs:
        team.until_gone(name)
    seen = team.simulator.last_sequence()
    for name, (_, spec) in specs.items():
        team.create(name, spec=spec)
    for name in specs:
        team.until_ready(name)
    ids = {name: team.deployment_id(name) for name in specs}
    deleted = {each.path.rsplit("/", 1)[-1]: dict(each.query) for each in team.journal("DELETE", since=seen)}
    assert deleted == {
        ids[name]: {"hard": "true", "ignoreChecks": "true"} for name in ("model", "region", "preemptible")
    }
    assert _undeleted(team, 1)
    for name, (_, spec) in specs.items():
        deployment = team.simulator.deployment(ids[name])
        assert {key: deployment[key] for key in spec} == spec
    assert len(team.simulator.deployments()) == len(specs)


@pytest.mark.proof
def test_a_name_that_was_just_deleted_is_not_restored_on_replicas_that_may_be_taken_away(team: Team) -> None:
    team.create(preemptible=True)
    team.until_ready()
    team.delete()
    team.until_gone()
    team.create()
    team.until_ready()
    assert team.deployment().get("preemptible", False) is False
