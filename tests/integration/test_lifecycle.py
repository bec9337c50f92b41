"""A deployment's life: drift, loss, failure, and the policies that say what to do about them."""

from functools import partial

import pytest

from testkit.kubernetes_api import condition
from testkit.processes import POLL_SECONDS
from testkit.team import Team
from testkit.waiting import steadily


def _posted(team: Team, times: int) -> bool:
    return len(team.posts()) == times


def _shows(team: Team) -> bool:
    """Whether the resource is Ready by the deployment that there is now."""
    resource, deployments = team.get(), team.deployments()
    created = resource["status"].get("createTime", "-")
    ready = condition(resource, "Ready").get("status") == "True"
    return ready and len(deployments) == 1 and str(deployments[0]["createTime"]).startswith(created[:19])


@pytest.mark.proof
def test_a_field_changed_in_the_console_is_put_back_within_a_poll(team: Team) -> None:
    team.create(displayName="Chat", maxReplicaCount=2)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"displayName": "changed", "maxReplicaCount": 5})
    team.eventually(
        lambda: (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("Chat", 2),
        "both are put back",
        within=POLL_SECONDS * 1.1 + 1.5,
    )
    (patch,) = team.journal("PATCH")
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "max_replica_count"}


@pytest.mark.proof
def test_a_field_that_the_spec_does_not_name_may_be_changed_in_the_console(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"displayName": "by hand", "description": "mine"})
    team.polls()
    assert team.deployment()["displayName"] == "by hand"
    assert team.journal("PATCH") == []


@pytest.mark.proof
def test_a_minimum_that_is_removed_from_the_spec_is_reset_to_zero(team: Team) -> None:
    team.create(minReplicaCount=1)
    team.until_ready()
    team.change(minReplicaCount=None)
    status = team.until_ready()["status"]
    assert team.deployment().get("minReplicaCount", 0) == 0
    assert any("7 days" in notice for notice in status["notices"])


@pytest.mark.proof
def test_scaled_to_zero_is_ready_but_not_available(team: Team) -> None:
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until_ready()
    team.simulator.advance(301)
    resource = team.until("chat", "Ready", "True", "ScaledToZero")
    assert condition(resource, "Available")["status"] == "False"
    team.simulator.load(team.deployment_id(), 1)
    team.until("chat", "Available", "True")


@pytest.mark.proof
def test_a_deployment_deleted_softly_behind_our_back_is_undeleted(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.eventually(lambda: team.journal("POST", ":undelete$"), "it is undeleted")
    team.until_ready()
    assert len(team.simulator.deployments()) == 1
    assert len(team.posts()) == 1


@pytest.mark.proof
def test_a_deployment_that_vanished_is_created_again(team: Team) -> None:
    team.create()
    first = team.until_ready()["status"]["createTime"]
    team.simulator.vanish(team.deployment_id())
    team.eventually(lambda: len(team.posts()) == 2, "it is created again")
    team.eventually(partial(_shows, team), "status tells of the new one")
    assert team.until_ready()["status"]["createTime"] != first
    assert len(team.deployments()) == 1


@pytest.mark.proof
def test_a_deployment_that_is_deleted_again_and_again_is_given_up_after_three_times(team: Team) -> None:
    team.create()
    for count in range(1, 5):
        team.eventually(partial(_posted, team, count), f"created {count} times")
        team.eventually(partial(_shows, team), "status tells of it")
        team.simulator.vanish(team.deployment_id())
    team.until("chat", "Stalled", "True", "DeploymentLost", says="3 times")
    assert len(team.posts()) == 4
    team.annotate("chat", "reconcile-at", "now")
    team.until_ready()


@pytest.mark.proof
@pytest.mark.parametrize("soft", [True, False], ids=["softly", "without trace"])
def test_with_the_policy_report_a_lost_deployment_is_only_reported(team: Team, soft: bool) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    seen = team.simulator.last_sequence()
    team.simulator.vanish(team.deployment_id(), soft=soft)
    resource = team.until("chat", "Stalled", "True", "DeploymentLost", says="externalDeletionPolicy")
    assert condition(resource, "Available")["status"] == "False"
    team.polls()
    assert team.writes(since=seen) == []
    team.change(externalDeletionPolicy="Recreate")
    team.until_ready()


@pytest.mark.proof
def test_a_paused_resource_withholds_changes_and_says_what_goes_on_costing(team: Team) -> None:
    team.create(displayName="before")
    team.until_ready()
    team.change(paused=True)
    team.until_ready()
    team.change(displayName="after")
    resource = team.until("chat", "Stalled", "True", "Paused", says="still running 1 x 1 NVIDIA_H100_80GB")
    assert condition(resource, "Available")["status"] == "True"
    assert team.journal("PATCH") == []
    team.change(paused=None)
    team.until_ready()
    assert team.deployment()["displayName"] == "after"


@pytest.mark.proof
def test_observing_what_does_not_exist_says_so(team: Team) -> None:
    team.create(managementPolicy="Observe", deploymentId="nothing")
    team.until("chat", "Stalled", "True", "DeploymentLost", says="spec.deploymentId")
    assert team.writes() == []


@pytest.mark.proof
def test_a_resource_that_has_nothing_and_is_only_observed_from_now_on_says_so(team: Team) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.change(managementPolicy="Observe")
    team.until("chat", "Stalled", "True", "DeploymentLost", says="to observe")


@pytest.mark.proof
def test_a_failed_deployment_is_reported_in_fireworks_words_and_not_replaced_at_once(team: Team) -> None:
    team.simulator.stage(outcome="fail", message="CUDA out of memory", terminationMessage="worker 0 died")
    team.create()
    resource = team.until("chat", "Stalled", "True", "DeploymentFailed", says="CUDA out of memory")
    assert resource["status"]["state"] == "FAILED"
    assert condition(resource, "Available")["status"] == "False"
    team.polls()
    assert [each.method for each in team.writes()] == ["POST"]


@pytest.mark.proof
def test_a_failed_deployment_is_replaced_at_once_when_the_spec_is_corrected(team: Team) -> None:
    team.simulator.stage(outcome="fail", message="CUDA out of memory")
    team.create(acceleratorCount=1)
    team.until("chat", "Stalled", "True", "DeploymentFailed")
    team.simulator.clear_stages()
    team.change(acceleratorCount=2)
    team.until_ready()
    assert [each.method for each in team.writes()] == ["POST", "DELETE", "POST"]
    assert team.journal("DELETE")[0].query == {"hard": "true"}
    assert team.deployment()["acceleratorCount"] == 2


@pytest.mark.proof
def test_a_serving_deployment_that_fails_later_is_never_deleted_by_the_operator(team: Team) -> None:
    team.simulator.create_foreign(prefix="old")
    team.create(deploymentId="old-0", adoptionPolicy="Unowned")
    team.until_ready()
    team.simulator.fail("old-0", "node lost")
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="node lost")
    team.polls()
    assert team.journal("DELETE") == []


def test_a_resource_that_changes_nothing_for_many_polls_is_not_written(team: Team) -> None:
    team.create()
    version = team.until_ready()["metadata"]["resourceVersion"]
    steadily(lambda: team.get()["metadata"]["resourceVersion"] == version, "no write", seconds=POLL_SECONDS * 4)
