"""Backups and rebuilt clusters: a resource that comes back finds the deployment that it had."""

from dataclasses import replace

import pytest

from testkit.virtual.process import CLUSTER
from tests.virtual.team import Team

NEW_CLUSTER = "rebuilt"


def _lose(team: Team) -> None:
    """Let the resource go as it does with its cluster, while no operator runs: the deployment stays."""
    team.stage.server.objects[team.ref("chat")]["metadata"]["finalizers"].clear()
    team.delete()
    assert team.find() is None


def _start_in_new_cluster(team: Team, *previous: str) -> None:
    if team.stage.operator is not None:
        team.stage.stop()
    identity = team.stage.identity
    team.stage.identity = replace(identity, cluster_id=NEW_CLUSTER, previous_cluster_ids=previous, cluster_uid="other")
    team.stage.start()


def _marked_anew(team: Team) -> bool:
    return bool(team.deployment()["annotations"]["custom/cluster"] == NEW_CLUSTER)


@pytest.mark.parametrize("backup", ["with its status", "without its status"])
def test_a_cluster_rebuilt_from_backup_finds_its_deployment_and_marks_it_anew(team: Team, backup: str) -> None:
    team.create(displayName="Chat")
    status = team.until_ready()["status"]
    team.stage.stop()
    _lose(team)
    team.create(displayName="Chat")
    if backup == "with its status":
        team.set_status("chat", status)
    seen = team.seen()
    _start_in_new_cluster(team, "older", CLUSTER)
    team.eventually(lambda: _marked_anew(team), "the marker names the new cluster")
    found = team.until_ready()["status"]
    assert found["deploymentName"] == status["deploymentName"]
    assert found["createTime"] == status["createTime"]
    assert team.methods(since=seen) == ["setTags"], "and nothing else"
    _start_in_new_cluster(team)
    team.change(displayName="Talk")
    team.until_ready()
    team.delete()
    team.until_gone()
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"], "from then on it is its own"


def test_a_cluster_that_does_not_know_its_former_id_leaves_the_deployment_alone(team: Team) -> None:
    team.create()
    team.until_ready()
    before, seen = team.deployment(), team.seen()
    _start_in_new_cluster(team)
    team.until("chat", "Stalled", "True", "Conflict", says="custom/namespace")
    team.delete()
    team.until_gone()
    assert "no longer carries this resource's owner marker" in team.stage.log()
    assert team.deployment() == before
    assert team.writes(since=seen) == []


def test_a_resource_restored_under_a_new_uid_and_without_status_has_its_deployment_again(team: Team) -> None:
    team.create(displayName="Chat", description="For the help desk.", maxReplicaCount=2)
    resource = team.until_ready()
    uid, status = resource["metadata"]["uid"], resource["status"]
    team.stage.stop()
    _lose(team)
    team.create(description="For the help desk.", minReplicaCount=None)
    seen = team.seen()
    team.stage.start()
    restored = team.until_ready()
    assert restored["metadata"]["uid"] != uid
    assert restored["status"]["deploymentName"] == status["deploymentName"]
    (patch,) = team.writes(since=seen)
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "min_replica_count", "max_replica_count"}
    deployment = team.deployment()
    assert (deployment.get("minReplicaCount", 0), deployment["maxReplicaCount"]) == (0, 1), "as the restored spec says"
    assert deployment["description"] == "For the help desk."
    assert len(team.posts()) == 1


def test_a_restored_resource_keeps_to_the_deployment_in_its_status_whatever_its_name_derives(team: Team) -> None:
    team.create(deploymentId="chat-prod")
    status = team.until_ready()["status"]
    team.stage.stop()
    _lose(team)
    team.create()  # the manifest of today no longer names the id
    team.set_status("chat", status)
    seen = team.seen()
    team.stage.start()
    team.polls(1)
    team.until_ready()
    assert team.status()["deploymentName"].endswith("/deployments/chat-prod")
    team.wait(120)
    assert team.writes(since=seen) == []


@pytest.mark.parametrize(
    ("found", "requests"),
    [("in the list", 1), ("by a create request, as its id is taken", 2), ("by the name of a former cluster", 1)],
)
def test_a_resource_whose_status_was_wiped_finds_its_deployment(team: Team, found: str, requests: int) -> None:
    team.create(displayName="Chat")
    status = team.until_ready()["status"]
    team.stage.stop()
    team.stage.server.restore(team.ref("chat"), new_uid=False)
    if found != "in the list":
        team.fault("omit_from_list", names=[status["deploymentName"]], times=2)
    if found == "by the name of a former cluster":
        _start_in_new_cluster(team, CLUSTER)
    else:
        team.stage.start()
    again = team.until_ready()["status"]
    assert again["deploymentName"] == status["deploymentName"], team.explain()
    assert again["createTime"] == status["createTime"]
    assert len(team.simulator.deployments()) == 1
    assert [each.committed for each in team.posts()] == [True, False][:requests]
