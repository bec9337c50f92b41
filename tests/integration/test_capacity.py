"""No GPUs free, quota used up, account suspended: what waits by itself, what a person must do, and who is spared."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from testkit.factories import Kubectl
from testkit.kubernetes_api import condition
from testkit.processes import Operator
from testkit.team import Team

PATIENCE = 180
"""Seconds for which replicas may wait for GPUs before status calls it a lack of capacity."""
OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"
HEALS_WITHIN = 40.0


def _listed_with(team: Team, fields: Mapping[str, object]) -> str:
    """Let Fireworks tell other facts of the account's deployment; the simulator's clock cannot go back."""
    page = {"deployments": [{**team.deployment(), **fields}], "nextPageToken": "", "totalSize": 1}
    return team.fault("status", method="GET", path="/deployments$", status=200, body=json.dumps(page))


@pytest.mark.proof
def test_replicas_that_wait_for_gpus_are_a_lack_of_capacity_and_no_failure(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create()
    team.until("chat", "Ready", "False", "Creating", says="waiting for GPUs")
    created, born = datetime.now(UTC) - timedelta(seconds=PATIENCE), team.get()["status"]["createTime"]
    rule = _listed_with(team, {"createTime": created.isoformat()})
    team.set_status("chat", {"createTime": created.strftime("%Y-%m-%dT%H:%M:%SZ")})
    resource = team.until("chat", "Ready", "False", "CapacityPending", says="NVIDIA_H100_80GB")
    assert condition(resource, "Reconciling")["status"] == "True", "it goes on by itself"
    assert condition(resource, "Stalled")["status"] == "False", "nobody has to act"
    assert resource["status"]["replicas"]["pendingScheduling"] == 1
    team.polls()
    assert [each.method for each in team.writes()] == ["POST"]
    team.simulator.clear_fault(rule)
    team.set_status("chat", {"createTime": born})
    team.simulator.clear_stages()
    team.until_ready()
    # With another time of creation it is another deployment for a moment.
    assert {each["type"] for each in team.events() if each["reason"] != "Conflict"} == {"Normal"}


def test_all_replicas_are_lost_with_min_replica_count_1_and_kubectl_wait_no_longer_says_ready(
    team: Team, kubectl: Kubectl, operator: Operator
) -> None:
    wait = ("wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=1s")
    team.create(minReplicaCount=1)
    team.until_ready()
    team.simulator.edit(team.deployment_id(), stockedOut=True, lostReplicas=1)
    team.until("chat", "Available", "False", "Recovering", says="waiting for GPUs")
    kubectl(*wait)
    # Since a while ago, as nobody here wants to wait for it.
    since = datetime.now(UTC) - timedelta(seconds=PATIENCE)
    team.set_status("chat", {"replicas": {"waitingSince": since.isoformat(timespec="seconds")}})
    team.annotate("chat", "reconcile-at", "now")
    resource = team.until("chat", "Ready", "False", "CapacityPending", says="No replica is left")
    assert condition(resource, "Stalled")["status"] == "False", "it heals by itself"
    assert condition(resource, "CapacityPending")["status"] == "True"
    assert kubectl(*wait, check=False).returncode != 0
    team.eventually(
        lambda: ("Warning", "CapacityPending") in {(each["type"], each["reason"]) for each in team.events()},
        "an event calls somebody",
    )
    down = "fireworks_operator_resources_without_replicas"
    team.eventually(lambda: operator.metric(down, account=team.account) == 1, "and so does an alert")
    team.simulator.edit(team.deployment_id(), stockedOut=False)
    team.until_ready()
    kubectl(*wait)


@pytest.mark.proof
def test_deletion_waits_for_a_suspended_account_and_says_so(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.suspend("CREDIT_DEPLETED")
    team.until("chat", "Stalled", "True", "AccountSuspended", says="billing")
    team.delete()
    team.until("chat", "Stalled", "True", "AccountSuspended", says="fireworks.ai/abandon")
    assert len(team.deployments()) == 1
    team.simulator.suspend("UNSUSPENDED")
    team.until_gone(within=HEALS_WITHIN)
    assert team.deployments() == []
