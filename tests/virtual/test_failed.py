"""FAILED: told at once, replaced after pauses that grow, and never by force."""

from collections.abc import Iterator

import pytest

from testkit.virtual.api_server import Raw
from tests.virtual.team import Team, condition, holds

HOUR = 3600
PAUSES = (300, 900, HOUR, 3 * HOUR, 6 * HOUR)
"""Seconds from each failure to the replacement: a broken image must not cost a start each minute."""
NOTICED = 61.0
"""Seconds until a poll at rest has noticed something, at most."""


@pytest.fixture
def failing(team: Team) -> Iterator[Team]:
    """A team whose deployments fail."""
    team.simulator.stage(outcome="fail", message="CUDA out of memory", terminationMessage="worker 0 died")
    yield team
    assert not [each for each in team.journal("DELETE") if "ignoreChecks" in each.query], "nothing is ever forced"


def _until_failed(team: Team, count: int = 1, within: float = 120) -> Raw:
    """Let time pass until it has failed so many times."""

    def look() -> Raw | None:
        resource = team.get()
        attempt = resource["status"].get("lastAttempt", {})
        told = condition(resource, "Stalled").get("reason") == "DeploymentFailed"
        return resource if told and (attempt.get("action"), attempt.get("count")) == ("Replace", count) else None

    return team.eventually(look, f"it has failed {count} times", within=within)


def test_a_deployment_that_fails_again_and_again_is_replaced_after_pauses_that_grow(failing: Team) -> None:
    failing.create()
    for count, pause in enumerate(PAUSES, 1):
        resource = _until_failed(failing, count)
        failed = failing.stage.now()
        stalled = condition(resource, "Stalled")
        assert "CUDA out of memory; worker 0 died" in stalled["message"]
        assert (holds(resource, "Ready"), holds(resource, "Reconciling")) == ("False", "False")
        assert resource["status"]["lastAttempt"]["reason"] == "DeploymentFailed"
        failing.wait(pause - 5)
        assert len(failing.posts()) == count, f"the pause after failure {count} is not over"
        failing.eventually(lambda: len(failing.posts()) > count, "it is replaced", within=15)  # noqa: B023
        assert failing.posts()[-1].virtual - failed >= pause - 1
    _until_failed(failing, len(PAUSES) + 1)
    assert failing.methods() == ["POST", *(["DELETE", "POST"] * len(PAUSES))]
    assert {each.query.get("hard") for each in failing.journal("DELETE")} == {"true"}
    assert len(failing.simulator.deployments()) == 1


def test_a_failure_is_reported_at_once_in_fireworks_words_and_nothing_is_done_about_it_yet(failing: Team) -> None:
    failing.create()
    resource = failing.until("chat", "Stalled", "True", "DeploymentFailed", says="CUDA out of memory")
    assert resource["status"]["state"] == "FAILED"
    assert holds(resource, "Available") == "False"
    version = resource["metadata"]["resourceVersion"]
    failing.wait(PAUSES[0] - 10)
    assert failing.methods() == ["POST"]
    assert failing.get()["metadata"]["resourceVersion"] == version, "nothing is written while it is waited"


def test_a_replacement_that_serves_ends_the_matter(failing: Team) -> None:
    failing.create()
    _until_failed(failing)
    failing.simulator.clear_stages()
    failing.until_ready(within=PAUSES[0] + NOTICED)
    failing.eventually(lambda: "lastAttempt" not in failing.status(), "the failure is forgotten")
    assert failing.methods() == ["POST", "DELETE", "POST"]
    assert len(failing.deployments()) == 1


def test_the_pause_goes_on_after_a_restart_and_ends_in_its_time(failing: Team) -> None:
    failing.create()
    before, failed = _until_failed(failing), failing.stage.now()
    failing.wait(PAUSES[0] / 2)
    before = failing.get()
    seen = failing.seen()
    failing.stage.restart()
    failing.polls(3)
    assert failing.get() == before
    assert failing.writes(since=seen) == []
    failing.eventually(lambda: len(failing.posts()) == 2, "it is replaced", within=PAUSES[0])
    assert PAUSES[0] - 1 <= failing.posts()[-1].virtual - failed <= PAUSES[0] + 15


@pytest.mark.parametrize("how", ["the annotation reconcile-at", "a corrected spec"])
def test_who_asks_for_it_gets_the_replacement_at_once(failing: Team, how: str) -> None:
    failing.create(acceleratorCount=1)
    _until_failed(failing)
    failing.simulator.clear_stages()
    if how == "a corrected spec":
        failing.change(acceleratorCount=2)
    else:
        failing.annotate("chat", "reconcile-at", "now")
    failing.until_ready(within=40)
    assert failing.methods() == ["POST", "DELETE", "POST"]
    assert failing.deployment()["acceleratorCount"] == (2 if how == "a corrected spec" else 1)


def test_a_paused_resource_keeps_its_failed_deployment(failing: Team) -> None:
    failing.create()
    _until_failed(failing)
    failing.change(paused=True)
    failing.wait(2 * PAUSES[0])
    assert failing.status()["observedGeneration"] == 2
    assert failing.methods() == ["POST"]


def test_a_failed_deployment_whose_replicas_serve_is_reported_and_left_alone(team: Team) -> None:
    team.create()
    team.until_ready()
    seen = team.seen()
    team.simulator.edit(team.deployment_id(), state="FAILED", readyReplicas=1, statusMessage="node lost")
    resource = team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    assert holds(resource, "Available") == "True", "its replicas answer"
    team.annotate("chat", "reconcile-at", "now")
    team.steadily(lambda: holds(team.get(), "Available") == "True", "it is available", seconds=PAUSES[1])
    assert team.writes(since=seen) == []


def test_a_failed_deployment_that_was_used_lately_is_not_forced_away_but_replaced_later(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.simulator.fail(team.deployment_id(), "node lost")
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    team.eventually(lambda: team.journal("DELETE"), "it is tried", within=PAUSES[0] + NOTICED)
    team.polls(2)
    assert [(each.status, dict(each.query)) for each in team.journal("DELETE")] == [(400, {"hard": "true"})]
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    team.until_ready(within=HOUR + PAUSES[2])
    assert len(team.simulator.deployments()) == 1
    refused = [each for each in team.journal("DELETE") if each.status == 400]
    assert all(each.query == {"hard": "true"} for each in refused)


def test_an_adopted_deployment_that_fails_later_is_never_deleted_by_the_operator(team: Team) -> None:
    team.simulator.create_foreign(prefix="old")
    team.create(deploymentId="old-0", adoptionPolicy="Unowned")
    team.until_ready()
    team.simulator.fail("old-0", "node lost")
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    team.wait(2 * PAUSES[0])
    assert team.journal("DELETE") == []
