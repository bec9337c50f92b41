"""Namespaces and the CRD that are deleted along with their resources: no finalizer hangs, no team is torn down."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from fireworks_operator.api.kinds import DEPLOYMENTS
from testkit.factories import Cluster, MakeTeam, StartOperator
from testkit.kubernetes import GivenCluster
from testkit.kubernetes.definitions import apply_crds, until_gone
from testkit.kubernetes_api import KubernetesApi, KubernetesError, condition
from testkit.processes import Operator
from testkit.team import SECRET, Team
from testkit.waiting import eventually

HOUR = 3600
LEFT = "fireworks_operator_deployments_left_running_total"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{DEPLOYMENTS.crd}"


def _doomed(team: Team) -> Team:
    """The same team in a namespace that may go before the test is over."""
    name = f"{team.namespace}-doomed"
    team.api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    doomed = replace(team, namespace=name)
    doomed.put_secret(SECRET, apiKey=team.api_key)
    return doomed


def _delete_namespace(team: Team) -> None:
    """Delete a namespace; its resources too, since a cluster of an API server alone has nobody who does."""
    team.assert_no_secret()
    team.delete_secret()
    team.api.request("DELETE", f"/api/v1/namespaces/{team.namespace}")
    with suppress(KubernetesError):  # it may be gone already
        team.delete()


def test_a_namespace_that_is_deleted_with_its_secret_takes_its_deployment_along_however_long_it_takes(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = _doomed(make_team(operator))
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    _delete_namespace(team)
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    team.simulator.advance(HOUR + 1)
    # It is tried again after a minute; by then the Secret is no longer in the cache, only its key is remembered.
    team.until_gone(within=90)
    assert team.deployments() == []
    assert [(each.method, each.committed) for each in team.writes()] == [
        ("POST", True),
        ("DELETE", False),
        ("DELETE", True),
    ]
    assert operator.metric(LEFT) == 0


def test_what_a_deleted_namespace_leaves_running_is_a_warning_and_a_metric(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = _doomed(make_team(operator))
    team.create(deletionPolicy="Retain")
    name = team.until_ready()["status"]["deploymentName"]
    _delete_namespace(team)
    team.until_gone()
    assert team.deployment()["state"] == "READY"
    assert any(name in line and '"warning"' in line for line in operator.log().splitlines())
    assert operator.metric(LEFT, cause="Retain") == 1


def test_a_restart_after_the_secret_went_says_what_runs_on_and_lets_go_by_annotation(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = _doomed(make_team(operator))
    team.create()
    team.until_ready()
    operator.stop()
    _delete_namespace(team)
    seen = team.simulator.last_sequence()
    operator.start()
    resource = team.until("chat", "Stalled", "True", "CredentialsMissing", says="fireworks.ai/abandon")
    assert "cannot be deleted" in condition(resource, "Stalled")["message"]
    team.annotate("chat", "abandon", "true")
    team.until_gone()
    assert len(team.deployments()) == 1
    assert team.writes(since=seen) == []
    assert operator.metric(LEFT, cause="Abandon") == 1


@pytest.fixture
def crd_restored(cluster: Cluster, kubernetes: KubernetesApi, crds: Path) -> Iterator[None]:
    """Bring the CRD back for the tests that follow."""
    if isinstance(cluster, GivenCluster):
        pytest.skip("the CRD of somebody else's cluster is not deleted")
    yield
    crd = kubernetes.find(CRD)
    if crd is not None and "deletionTimestamp" in crd["metadata"]:
        until_gone(cluster, DEPLOYMENTS.crd)
    apply_crds(cluster, crds)


def _ended(operator: Operator) -> bool:
    return not operator.running


@pytest.mark.usefixtures("crd_restored")
def test_deleting_the_crd_deletes_no_deployment_and_a_reinstall_takes_them_up_again(
    start_operator: StartOperator, make_team: MakeTeam, kubernetes: KubernetesApi, cluster: Cluster, crds: Path
) -> None:
    operator = start_operator()
    teams = [make_team(operator), make_team(operator, own=True)]
    for team in teams:
        team.create(displayName="Chat")
    before = {team.namespace: team.until_ready()["status"] for team in teams}
    kubernetes.request("DELETE", CRD)
    until_gone(cluster, DEPLOYMENTS.crd)
    for team in teams:
        assert team.deployment()["state"] == "READY"
        assert team.deployment()["annotations"]["custom/released"] == "true"
        assert team.journal("DELETE") == []
        assert f"The CRD is being deleted: {before[team.namespace]['deploymentName']}" in operator.log()
    eventually(lambda: _ended(operator), "an operator without its CRD ends", within=60, explain=operator.tail)
    apply_crds(cluster, crds)
    for team in teams:
        team.create(displayName="Chat")
    operator.start()
    for team in teams:
        status = team.until_ready()["status"]
        assert status["deploymentName"] == before[team.namespace]["deploymentName"]
        assert status["createTime"] == before[team.namespace]["createTime"]
        assert len(team.posts()) == 1
        team.delete()
        team.until_gone()
        assert team.deployments() == []
