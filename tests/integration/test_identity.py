"""Backups and rebuilt clusters: a resource that comes back finds the deployment that it had."""

import pytest

from testkit.factories import MakeTeam, StartOperator
from testkit.kubernetes_api import MERGE_PATCH, Json, KubernetesApi, resources_path
from testkit.processes import Operator
from testkit.team import Team
from testkit.waiting import steadily

NEW_CLUSTER = "rebuilt"


def _cluster_id(kubernetes: KubernetesApi) -> str:
    """What an operator without the setting clusterId calls this cluster."""
    return str(kubernetes.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])


def _lose(team: Team) -> None:
    """Let the resource go as it does with its cluster, while no operator runs: the deployment stays."""
    path = resources_path(team.namespace, "chat")
    team.api.request("PATCH", path, {"metadata": {"finalizers": []}}, content_type=MERGE_PATCH)
    team.delete()
    team.until_gone()


def _start_in_new_cluster(operator: Operator, **previous: str) -> None:
    operator.restart(FIREWORKS_OPERATOR_CLUSTER_ID=NEW_CLUSTER, **previous)


def _marked_anew(team: Team) -> Json | None:
    deployment = team.deployment()
    return deployment if deployment["annotations"]["custom/cluster"] == NEW_CLUSTER else None


@pytest.mark.proof
@pytest.mark.parametrize("backup", ["with its status", "without its status"])
def test_a_cluster_rebuilt_from_backup_finds_its_deployment_and_marks_it_anew(
    start_operator: StartOperator, make_team: MakeTeam, kubernetes: KubernetesApi, backup: str
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create(displayName="Chat")
    status = team.until_ready()["status"]
    operator.stop()
    _lose(team)
    team.create(displayName="Chat")
    if backup == "with its status":
        team.set_status("chat", status)
    seen = team.simulator.last_sequence()
    _start_in_new_cluster(operator, FIREWORKS_OPERATOR_PREVIOUS_CLUSTER_IDS=f"older {_cluster_id(kubernetes)}")
    team.eventually(lambda: _marked_anew(team), "the marker names the new cluster")
    found = team.until_ready()["status"]
    assert found["deploymentName"] == status["deploymentName"]
    assert found["createTime"] == status["createTime"]
    assert [each.path.rpartition(":")[2] for each in team.writes(since=seen)] == ["setTags"], "and nothing else"
    operator.restart(FIREWORKS_OPERATOR_PREVIOUS_CLUSTER_IDS="")
    team.change(displayName="Talk")
    team.until_ready()
    team.delete()
    team.until_gone()
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"], "from then on it is its own"


@pytest.mark.proof
def test_a_cluster_that_does_not_know_its_former_id_leaves_the_deployment_alone(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create()
    team.until_ready()
    before = team.deployment()
    seen = team.simulator.last_sequence()
    _start_in_new_cluster(operator)
    team.until("chat", "Stalled", "True", "Conflict", says="custom/namespace")
    team.delete()
    team.until_gone()
    assert "no longer carries this resource's owner marker" in operator.log()
    assert team.deployment() == before
    assert team.writes(since=seen) == []


def test_a_resource_restored_under_a_new_uid_and_without_status_has_its_deployment_again(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    uid = team.create(displayName="Chat", description="For the help desk.", maxReplicaCount=2)["metadata"]["uid"]
    status = team.until_ready()["status"]
    operator.stop()
    _lose(team)
    team.create(description="For the help desk.", minReplicaCount=None)
    seen = team.simulator.last_sequence()
    operator.start()
    restored = team.until_ready()
    assert restored["metadata"]["uid"] != uid
    assert restored["status"]["deploymentName"] == status["deploymentName"]
    (patch,) = team.writes(since=seen)
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "min_replica_count", "max_replica_count"}
    deployment = team.deployment()
    assert (deployment.get("minReplicaCount", 0), deployment["maxReplicaCount"]) == (0, 1), "as the restored spec says"
    assert deployment["description"] == "For the help desk."
    assert len(team.posts()) == 1


@pytest.mark.proof
def test_a_restored_resource_keeps_to_the_deployment_in_its_status_whatever_its_name_derives(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create(deploymentId="chat-prod")
    status = team.until_ready()["status"]
    operator.stop()
    _lose(team)
    team.create()  # the manifest of today no longer names the id
    team.set_status("chat", status)
    seen = team.simulator.last_sequence()
    operator.start()
    team.eventually(lambda: team.journal("GET", "/deployments$", since=seen), "the account is listed")
    team.until_ready()
    assert team.status()["deploymentName"].endswith("/deployments/chat-prod")
    steadily(lambda: team.writes(since=seen) == [], "nothing is written", seconds=1.0, explain=team.explain)


@pytest.mark.proof
@pytest.mark.parametrize(
    ("found", "requests"),
    [("in the list", 1), ("by a create request, as its id is taken", 2), ("by the name of a former cluster", 1)],
)
def test_a_resource_whose_status_was_wiped_finds_its_deployment(
    start_operator: StartOperator, make_team: MakeTeam, kubernetes: KubernetesApi, found: str, requests: int
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create(displayName="Chat")
    status = team.until_ready()["status"]
    operator.stop()
    team.set_status("chat", dict.fromkeys(status))
    if found != "in the list":
        team.fault("omit_from_list", names=[status["deploymentName"]], times=2)
    if found == "by the name of a former cluster":
        _start_in_new_cluster(operator, FIREWORKS_OPERATOR_PREVIOUS_CLUSTER_IDS=_cluster_id(kubernetes))
    else:
        operator.start()
    again = team.until_ready()["status"]
    assert again["deploymentName"] == status["deploymentName"], team.explain()
    assert again["createTime"] == status["createTime"]
    assert len(team.simulator.deployments()) == 1
    assert [each.committed for each in team.posts()] == [True, False][:requests]
