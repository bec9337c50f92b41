"""No GPUs free, quota used up, account suspended: what waits by itself, what a person must do, and who is spared."""

import pytest

from tests.virtual.team import OTHER_MODEL, Team, holds

PATIENCE = 180
"""Seconds for which the replicas of a new deployment may wait for GPUs before it is called a lack of capacity."""
LOSS = 120
"""Seconds for which none may be there where one always should be."""
PART = 600
"""Seconds for which some may be missing while others serve."""
H200 = {"baseModel": OTHER_MODEL, "acceleratorType": "NVIDIA_H200_141GB"}
REFUSED = (60, 300, 900, 3600)
"""Seconds between two tries of what was refused."""


def _lacks_capacity(team: Team) -> bool:
    return holds(team.get(), "CapacityPending") == "True"


def test_replicas_that_wait_for_gpus_are_a_lack_of_capacity_and_no_failure(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create()
    began = team.stage.now()
    resource = team.until("chat", "Ready", "False", "Creating", says="waiting for GPUs")
    assert resource["status"]["replicas"]["pendingScheduling"] == 1
    resource = team.until("chat", "Ready", "False", "CapacityPending", says="NVIDIA_H100_80GB", within=PATIENCE + 20)
    assert PATIENCE - 1 <= team.stage.now() - began <= PATIENCE + 4, "that is said in time, and not before"
    assert holds(resource, "Reconciling") == "True", "it goes on by itself"
    assert holds(resource, "Stalled") == "False", "nobody has to act"
    version = resource["metadata"]["resourceVersion"]
    team.wait(3600)
    assert team.get()["metadata"]["resourceVersion"] == version
    assert team.methods() == ["POST"]
    team.simulator.clear_stages()
    team.until_ready()
    assert {each.kind for each in team.events()} <= {"Normal", "Warning"}
    assert {each.reason for each in team.events() if each.kind == "Warning"} <= {"CapacityPending"}


def test_all_replicas_are_lost_with_min_replica_count_1_and_it_is_no_longer_ready_after_two_minutes(
    team: Team,
) -> None:
    team.create(minReplicaCount=1)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), stockedOut=True, lostReplicas=1)
    resource = team.until("chat", "Available", "False", "Recovering", says="waiting for GPUs")
    assert holds(resource, "Ready") == "True", "a moment without a replica rolls nothing back"
    lost = team.stage.now()
    resource = team.until("chat", "Ready", "False", "CapacityPending", says="No replica is left", within=LOSS + 10)
    assert team.stage.now() - lost >= LOSS - 4
    assert holds(resource, "Stalled") == "False", "it heals by itself"
    assert _lacks_capacity(team)
    told = [(each.kind, each.reason) for each in team.events()]
    assert ("Warning", "CapacityPending") in told, "an event calls somebody"
    team.simulator.edit(team.deployment_id(), stockedOut=False)
    team.until_ready()
    assert not _lacks_capacity(team)


def test_fewer_replicas_than_the_minimum_call_somebody_after_ten_minutes_and_ready_stays(team: Team) -> None:
    team.create(minReplicaCount=3)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), stockedOut=True, lostReplicas=2)
    team.eventually(lambda: team.status()["replicas"]["ready"] == 1, "two are lost", within=60)
    lost, told = team.stage.now(), len(team.events())
    team.until("chat", "CapacityPending", "True", "CapacityPending", says="the others are serving", within=PART + 20)
    assert team.stage.now() - lost >= PART - 10, "it is not said before"
    team.wait(3600)
    assert holds(team.get(), "Ready") == holds(team.get(), "Available") == "True"
    assert [(each.kind, each.reason) for each in team.events()[told:]] == [("Warning", "CapacityPending")]
    team.simulator.edit(team.deployment_id(), stockedOut=False)
    team.until("chat", "CapacityPending", "False", "AsDesired", within=300)
    assert [(each.kind, each.reason) for each in team.events()[told + 1 :]] == [("Normal", "Serving")]


@pytest.mark.parametrize("status", ["429", "403", "400"])
def test_a_used_up_quota_is_this_resources_trouble_alone(team: Team, status: str) -> None:
    team.simulator.assume(quota_status=status)
    team.simulator.quota("global--h100-count", 1)
    team.create("first")
    team.until_ready("first")
    team.create("second")
    team.until("second", "Stalled", "True", "QuotaExceeded", says="in use: 1, quota: 1")
    team.create("third", spec=H200)
    team.until_ready("third", within=10)
    team.delete("first")
    team.until_gone("first", within=20)
    team.until_ready("second", within=REFUSED[0] + 10)
    refused = [each for each in team.posts() if not each.committed]
    assert len(refused) == 1, "it was not asked in vain again and again"


def test_deletion_waits_for_a_suspended_account_and_says_so(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.suspend("CREDIT_DEPLETED")
    team.until("chat", "Stalled", "True", "AccountSuspended", says="billing")
    team.delete()
    team.until("chat", "Stalled", "True", "AccountSuspended", says="fireworks.ai/abandon")
    team.wait(600)
    assert len(team.deployments()) == 1
    assert team.find() is not None
    team.simulator.suspend("UNSUSPENDED")
    team.until_gone(within=70)
    assert team.deployments() == []
