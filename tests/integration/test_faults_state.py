"""Deployments that get stuck, fail, vanish or do not do as they are told: what the user reads, and how it heals."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from testkit.factories import NewTeam
from testkit.kubernetes_api import Json, condition
from testkit.team import Team
from tests.integration.faults import HEALS_WITHIN
from tests.integration.stories import Stories, Story, side_by_side

pytestmark = pytest.mark.proof


def _until_state(team: Team, state: str) -> Json:
    team.eventually(lambda: team.status().get("state") == state, f"status says {state}")
    return team.get()


def _ready(team: Team) -> None:
    team.create()
    team.until_ready()


def _methods(team: Team) -> list[str]:
    """The requests that changed something, but for :undelete and other verbs all by method."""
    return [each.path.partition(":")[2] or each.method for each in team.writes()]


def _stuck_creating(team: Team) -> None:
    rule = team.fault("freeze_state")
    team.create()
    resource = _until_state(team, "CREATING")
    assert condition(resource, "Ready")["status"] == "False"
    assert condition(resource, "Reconciling")["status"] == "True"
    team.polls()
    assert _methods(team) == ["POST"]
    team.simulator.clear_fault(rule)
    team.until_ready()


def _deleted_while_stuck_creating(team: Team) -> None:
    rule = team.fault("freeze_state")
    team.create()
    _until_state(team, "CREATING")
    team.delete()
    team.eventually(lambda: team.journal("DELETE"), "a DELETE is sent")
    team.simulator.clear_fault(rule)
    team.until_gone()


def _stuck_updating(team: Team) -> None:
    _ready(team)
    rule = team.fault("freeze_state")
    team.change(acceleratorCount=2)
    resource = _until_state(team, "UPDATING")
    assert condition(resource, "Ready")["status"] == "False"
    assert condition(resource, "Available")["status"] == "True"
    team.polls()
    assert _methods(team) == ["POST", "PATCH"]
    team.simulator.clear_fault(rule)
    team.until_ready()


def _stuck_deleting(team: Team) -> None:
    _ready(team)
    rule = team.fault("freeze_state")
    team.delete()
    resource = _until_state(team, "DELETING")
    assert condition(resource, "Ready")["reason"] == "Deleting"
    team.polls()
    assert team.find() is not None, "the finalizer holds the resource"
    assert _methods(team) == ["POST", "DELETE"]
    team.simulator.clear_fault(rule)
    team.until_gone()


def _stuck_deleting_for_half_an_hour(team: Team) -> None:
    _ready(team)
    name = team.status()["deploymentName"]
    long_ago = datetime.now(UTC) - timedelta(minutes=31)
    raw = {**team.deployment(), "state": "DELETING", "deleteTime": long_ago.isoformat()}
    raw = {key: value for key, value in raw.items() if key not in ("replicaCount", "replicaStats")}
    page = json.dumps({"deployments": [raw]})
    listed = team.fault("status", method="GET", path="/deployments$", status=200, body=page)
    looked_at = team.fault("status", method="GET", path="/deployments/", status=200, body=json.dumps(raw))
    team.delete()
    team.until_gone()
    team.eventually(lambda: f"{name} has been DELETING for over 30 minutes" in _log(team), "the log warns")
    team.simulator.clear_fault(listed)
    team.simulator.clear_fault(looked_at)
    team.simulator.vanish(name.rsplit("/", 1)[-1])


def _log(team: Team) -> str:
    assert team.operator is not None
    return team.operator.log()


def _failed_at_once(team: Team) -> None:
    team.simulator.stage(f"^accounts/{team.account}/", outcome="fail", message="CUDA out of memory")
    team.create()
    resource = team.until("chat", "Stalled", "True", "DeploymentFailed", says="CUDA out of memory")
    assert condition(resource, "Available")["status"] == "False"
    team.polls()
    assert _methods(team) == ["POST"], "no new try at once"
    team.simulator.stage(f"^accounts/{team.account}/", outcome="ready")
    team.change(acceleratorCount=2)
    team.until_ready()
    assert _methods(team) == ["POST", "DELETE", "POST"]


def _failed_after_ready(team: Team) -> None:
    _ready(team)
    team.simulator.fail(team.deployment_id(), "node lost")
    resource = team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    assert condition(resource, "Available")["status"] == "False"
    team.polls()
    assert _methods(team) == ["POST"], "no new try at once"
    team.change(acceleratorCount=2)
    team.until_ready()
    assert _methods(team) == ["POST", "DELETE", "POST"]


def _deleted_during_update(team: Team, *, soft: bool) -> None:
    _ready(team)
    before = team.deployment()["createTime"]
    rule = team.fault("freeze_state")
    team.change(acceleratorCount=2)
    _until_state(team, "UPDATING")
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.simulator.clear_fault(rule)
    team.eventually(lambda: _methods(team)[2:] == (["undelete"] if soft else ["POST"]), "it is brought back")
    team.eventually(lambda: [each["state"] for each in team.deployments()] == ["READY"], "it serves again")
    team.until_ready()
    assert (team.deployment()["createTime"] == before) is soft
    assert team.deployment()["acceleratorCount"] == 2


def _patch_not_applied(team: Team) -> None:
    _ready(team)
    rule = team.fault("ignore_patch")
    team.change(displayName="changed")
    team.eventually(lambda: len(team.journal("PATCH")) == 1, "a first PATCH")
    for tries in (2, 3):  # half a minute lies between them otherwise
        # A user's write that meets the one that counts a PATCH has the operator look again, and count anew.
        team.eventually(partial(_is_counted, team, tries - 1), f"{tries - 1} PATCHes are counted")
        team.annotate("chat", "reconcile-at", str(tries))
        team.eventually(partial(_has_patched, team, tries), f"{tries} PATCHes")
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="spec.displayName")
    assert condition(resource, "Available")["status"] == "True"
    team.polls()
    assert len(team.journal("PATCH")) == 3, "it is left at that for a while"
    team.simulator.clear_fault(rule)
    team.annotate("chat", "reconcile-at", "4")
    team.until_ready()
    assert team.deployment()["displayName"] == "changed"
    assert len(team.posts()) == 1


def _is_counted(team: Team, times: int) -> bool:
    attempt = team.get()["status"].get("lastAttempt", {})
    return bool(attempt.get("action") == "Update" and attempt["count"] == times)


def _has_patched(team: Team, times: int) -> bool:
    return len(team.journal("PATCH")) == times


STORIES: dict[str, Story] = {
    "stuck CREATING": _stuck_creating,
    "stuck CREATING, then deleted": _deleted_while_stuck_creating,
    "stuck UPDATING": _stuck_updating,
    "stuck DELETING": _stuck_deleting,
    "stuck DELETING for half an hour": _stuck_deleting_for_half_an_hour,
    "FAILED at once": _failed_at_once,
    "FAILED after READY": _failed_after_ready,
    "deleted during an update": partial(_deleted_during_update, soft=False),
    "deleted softly during an update": partial(_deleted_during_update, soft=True),
    "PATCH answered 200 but not applied": _patch_not_applied,
}


def _to_the_end(team: Team, story: Story) -> None:
    """Tell a story, and see that nothing is left behind."""
    story(team)
    assert len(team.deployments()) <= 1
    if team.find() is not None:
        team.delete()
        team.until_gone(within=HEALS_WITHIN)
    assert team.deployments() == []


@pytest.fixture(scope="module")
def stories(stage: NewTeam) -> Iterator[Stories]:
    """All at once."""
    with side_by_side(stage, {name: partial(_to_the_end, story=each) for name, each in STORIES.items()}) as stories:
        yield stories


@pytest.mark.parametrize("fault", STORIES)
def test_a_deployment_that_does_not_do_as_it_should_is_told_of_and_heals(stories: Stories, fault: str) -> None:
    stories.hear(fault)
