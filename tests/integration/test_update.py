"""Changes of the spec: one PATCH with the changed fields alone, and everything else stays as it is."""

import pytest

from fireworks_simulator.testing import JournalEntry
from testkit.kubernetes_api import condition
from testkit.team import MODEL, Team


def _mask(patch: JournalEntry) -> set[str]:
    return set(patch.query["updateMask"].split(","))


def test_several_changes_arrive_as_one_patch_that_names_them(team: Team) -> None:
    team.create(displayName="Chat", maxReplicaCount=2, autoscalingPolicy={"scaleUpWindow": "1m"})
    team.until_ready()
    team.change(displayName="Talk", maxReplicaCount=3, enableSessionAffinity=True)
    team.until_ready()
    (patch,) = team.patches()
    assert _mask(patch) == {"display_name", "max_replica_count", "enable_session_affinity"}
    assert patch.body == {
        "baseModel": MODEL,
        "displayName": "Talk",
        "maxReplicaCount": 3,
        "enableSessionAffinity": True,
    }
    deployment = team.deployment()
    assert (deployment["displayName"], deployment["maxReplicaCount"]) == ("Talk", 3)
    assert deployment["autoscalingPolicy"]["scaleUpWindow"] == "60s"


@pytest.mark.proof
def test_parts_of_the_autoscaling_policy_that_are_not_modelled_survive_a_change_of_it(team: Team) -> None:
    team.create(autoscalingPolicy={"scaleUpWindow": "1m", "loadTargets": {"default": 0.5}})
    team.until_ready()
    morning = {"minReplicaCount": 1, "schedule": "0 7 * * *", "duration": "36000s", "timezone": "Europe/Berlin"}
    schedule = {"mornings": morning}
    policy = {**team.deployment()["autoscalingPolicy"], "scalingSchedules": schedule}
    team.simulator.edit(team.deployment_id(), {"autoscalingPolicy": policy})
    team.change(autoscalingPolicy={"scaleUpWindow": "2m"})
    team.until_ready()
    (patch,) = team.patches()
    assert _mask(patch) == {"autoscaling_policy"}
    kept = team.deployment()["autoscalingPolicy"]
    assert kept["scaleUpWindow"] == "120s"
    assert kept["loadTargets"] == {"default": 0.5}
    assert kept["scalingSchedules"] == schedule


@pytest.mark.proof
def test_what_leaves_the_spec_returns_to_what_fireworks_has_without_it(team: Team) -> None:
    team.create(
        displayName="Chat",
        minReplicaCount=1,
        maxReplicaCount=3,
        enableSessionAffinity=True,
        autoscalingPolicy={"scaleDownWindow": "20m", "loadTargets": {"default": 0.5}},
    )
    team.until_ready()
    team.change(
        displayName=None, minReplicaCount=None, maxReplicaCount=None, enableSessionAffinity=None, autoscalingPolicy=None
    )
    team.until_ready()
    deployment = team.deployment()
    assert deployment.get("displayName", "") == ""
    assert deployment.get("minReplicaCount", 0) == 0
    assert deployment["maxReplicaCount"] == 1
    assert deployment.get("enableSessionAffinity", False) is False
    assert deployment["autoscalingPolicy"]["scaleDownWindow"] == "600s"
    assert deployment["autoscalingPolicy"]["loadTargets"]["default"] in (0.8, 0.800000011920929)
    assert set(team.status()["appliedFields"]) == {"acceleratorType", "baseModel"}


@pytest.mark.proof
def test_what_fireworks_has_no_default_for_stays_and_a_notice_says_so(team: Team) -> None:
    team.create(acceleratorCount=2)
    team.until_ready()
    team.change(acceleratorCount=None)
    status = team.until_ready()["status"]
    assert team.deployment()["acceleratorCount"] == 2
    assert any("spec.acceleratorCount" in notice for notice in status["notices"])
    assert team.patches() == []


@pytest.mark.proof
def test_the_maximum_follows_a_minimum_above_it_where_the_spec_leaves_it_open(team: Team) -> None:
    team.create(minReplicaCount=1)
    team.until_ready()
    team.change(minReplicaCount=3)
    team.until_ready()
    (patch,) = team.patches()
    assert _mask(patch) == {"min_replica_count", "max_replica_count"}
    assert team.deployment()["maxReplicaCount"] == 3


@pytest.mark.proof
def test_a_draft_model_is_exchanged_for_ngrams_in_one_step(team: Team) -> None:
    team.create(draftModel="accounts/fireworks/models/llama-v3p2-1b-instruct", draftTokenCount=4)
    team.until_ready()
    team.change(draftModel=None, ngramSpeculationLength=8)
    team.until_ready()
    deployment = team.deployment()
    assert deployment["ngramSpeculationLength"] == 8
    assert deployment.get("draftModel", "") == ""
    assert len(team.patches()) == 1


@pytest.mark.proof
def test_while_a_change_rolls_out_the_old_replicas_serve_on(team: Team) -> None:
    team.simulator.timing(updating=2)
    team.create(acceleratorCount=1)
    team.until_ready()
    team.change(acceleratorCount=2)
    resource = team.eventually(
        lambda: team.get() if team.status()["state"] == "UPDATING" else None, "status says UPDATING"
    )
    assert condition(resource, "Ready")["status"] == "False"
    assert condition(resource, "Available")["status"] == "True"
    assert condition(resource, "Reconciling")["status"] == "True"
    team.until_ready()


@pytest.mark.proof
def test_a_refused_change_leaves_the_deployment_serving_and_heals_when_corrected(team: Team) -> None:
    team.create()
    team.until_ready()
    team.change(autoscalingPolicy={"loadTargets": {"no_such_measure": 1}})
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="no_such_measure")
    assert condition(resource, "Available")["status"] == "True"
    assert condition(resource, "Ready")["status"] == "False"
    team.change(autoscalingPolicy={"loadTargets": {"no_such_measure": None, "requests_per_second": 2}})
    team.until_ready()


@pytest.mark.proof
def test_other_hardware_needs_a_replacement_and_the_old_deployment_serves_on(team: Team) -> None:
    team.create()
    team.until_ready()
    seen = team.simulator.last_sequence()
    team.change(acceleratorType="NVIDIA_H200_141GB")
    resource = team.until("chat", "Stalled", "True", "ReplaceRequired", says="spec.acceleratorType")
    assert condition(resource, "Available")["status"] == "True"
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()
    assert team.writes(since=seen) == []
