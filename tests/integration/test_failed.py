"""FAILED: told at once, replaced after pauses that grow, and never by force."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from testkit.kubernetes_api import Json, condition
from testkit.team import Team

HOUR = 3600
PAUSES = (300, 900, HOUR, 3 * HOUR, 6 * HOUR, 6 * HOUR)
"""Seconds before each replacement; the operator's real ones, so these tests make the failure look older instead."""
SPARE = 60
"""Seconds that a test may take between a look and the next."""


@pytest.fixture
def failing(team: Team) -> Iterator[Team]:
    """A team whose deployments fail, quickly."""
    team.simulator.timing(pending=0.1, downloading=0.1, initializing=0.1, deleting=0.1)
    team.simulator.stage(outcome="fail", message="CUDA out of memory", terminationMessage="worker 0 died")
    yield team
    assert not [each for each in team.journal("DELETE") if "ignoreChecks" in each.query], "nothing is ever forced"


def _failed(team: Team, count: int) -> Json | None:
    """The resource once it has failed so many times."""
    resource = team.get()
    attempt = resource["status"].get("lastAttempt", {})
    told = condition(resource, "Stalled").get("reason") == "DeploymentFailed"
    return resource if told and (attempt.get("action"), attempt.get("count")) == ("Replace", count) else None


def _failed_ago(team: Team, seconds: float) -> None:
    """Let the last failure be that old."""
    attempt = team.status()["lastAttempt"]
    time = datetime.now(UTC) - timedelta(seconds=seconds)
    team.set_status("chat", {"lastAttempt": {**attempt, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ")}})


@pytest.mark.proof
def test_a_deployment_that_fails_again_and_again_is_replaced_after_pauses_that_grow(failing: Team) -> None:
    failing.create()
    for count, pause in enumerate(PAUSES, 1):
        resource = failing.eventually(partial(_failed, failing, count), f"it has failed {count} times")
        stalled = condition(resource, "Stalled")
        assert "CUDA out of memory; worker 0 died" in stalled["message"]
        assert (condition(resource, "Ready")["status"], condition(resource, "Reconciling")["status"]) == (
            "False",
            "False",
        )
        assert resource["status"]["lastAttempt"]["reason"] == "DeploymentFailed"
        _failed_ago(failing, pause - SPARE)
        failing.polls()
        assert len(failing.posts()) == count, f"the pause after failure {count} is not over"
        _failed_ago(failing, pause + 1)
    failing.eventually(partial(_failed, failing, len(PAUSES) + 1), "it has failed once more")
    expected = ["POST", *(["DELETE", "POST"] * len(PAUSES))]
    assert [each.method for each in failing.writes() if each.committed] == expected
    assert {each.query.get("hard") for each in failing.journal("DELETE")} == {"true"}
    assert len(failing.simulator.deployments()) == 1


@pytest.mark.proof
def test_a_replacement_that_serves_ends_the_matter(failing: Team) -> None:
    failing.create()
    failing.eventually(partial(_failed, failing, 1), "it has failed")
    failing.simulator.clear_stages()
    _failed_ago(failing, PAUSES[0] + 1)
    failing.eventually(lambda: len(failing.posts()) == 2, "it is replaced")
    failing.eventually(lambda: "lastAttempt" not in failing.status(), "the failure is forgotten")
    failing.until_ready()
    assert len(failing.deployments()) == 1


@pytest.mark.proof
def test_the_pause_goes_on_after_a_restart_and_ends_in_its_time(failing: Team) -> None:
    operator = failing.operator
    assert operator is not None
    failing.create()
    failing.eventually(partial(_failed, failing, 1), "it has failed")
    _failed_ago(failing, PAUSES[0] - SPARE)
    failing.polls()
    before = failing.get()
    seen = failing.simulator.last_sequence()
    operator.restart()
    failing.eventually(lambda: len(failing.journal("GET", "/deployments$", since=seen)) >= 3, "it is observed")
    assert failing.get() == before
    assert failing.writes(since=seen) == []
    operator.stop()
    _failed_ago(failing, PAUSES[0] + 1)
    operator.start()
    failing.eventually(lambda: len(failing.posts()) == 2, "it is replaced")


def test_the_annotation_reconcile_at_replaces_a_failed_deployment_at_once(failing: Team) -> None:
    failing.create()
    failing.eventually(partial(_failed, failing, 1), "it has failed")
    failing.simulator.clear_stages()
    failing.annotate("chat", "reconcile-at", "now")
    failing.eventually(lambda: len(failing.posts()) == 2, "it is replaced")
    failing.until_ready()


@pytest.mark.proof
def test_a_paused_resource_keeps_its_failed_deployment(failing: Team) -> None:
    failing.create()
    failing.eventually(partial(_failed, failing, 1), "it has failed")
    failing.change(paused=True)
    failing.eventually(lambda: failing.status()["observedGeneration"] == 2, "the pause is seen")
    _failed_ago(failing, PAUSES[-1] + 1)
    failing.polls()
    assert [each.method for each in failing.writes()] == ["POST"]


@pytest.mark.proof
def test_a_failed_deployment_whose_replicas_serve_is_reported_and_left_alone(team: Team) -> None:
    team.create()
    team.until_ready()
    seen = team.simulator.last_sequence()
    team.simulator.edit(team.deployment_id(), state="FAILED", readyReplicas=1, statusMessage="node lost")
    resource = team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    assert condition(resource, "Available")["status"] == "True", "its replicas answer"
    _failed_ago(team, PAUSES[-1] + 1)
    team.annotate("chat", "reconcile-at", "now")
    team.polls()
    assert team.writes(since=seen) == []
    assert condition(team.get(), "Available")["status"] == "True"


@pytest.mark.proof
def test_a_failed_deployment_that_was_used_lately_is_not_forced_away_but_replaced_later(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.simulator.fail(team.deployment_id(), "node lost")
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    _failed_ago(team, PAUSES[0] + 1)
    team.eventually(lambda: team.journal("DELETE"), "it is tried")
    team.polls()
    assert [(each.status, dict(each.query)) for each in team.journal("DELETE")] == [(400, {"hard": "true"})]
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    team.simulator.advance(HOUR + 1)
    _failed_ago(team, PAUSES[-1] + 1)
    team.eventually(lambda: len(team.posts()) == 2, "it is replaced")
    team.until_ready()
    assert len(team.simulator.deployments()) == 1
