"""What docs/how-to/autoscale.md says of HorizontalPodAutoscalers, by Kubernetes' own controller for them."""

from collections.abc import Iterator

import pytest
import yaml

from testkit.conditions import condition
from testkit.documentation.pages import DOCS, blocks
from testkit.factories import Cluster
from testkit.kubernetes_api import Json
from testkit.team import Team
from tests.integration.autoscaler import Metrics, autoscaling

pytestmark = pytest.mark.proof  # compiles the controller

METRIC = "documents_waiting"
PAGE = (DOCS / "how-to/autoscale.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def metrics(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    with autoscaling(cluster.kubeconfig, tmp_path_factory.mktemp("autoscaler") / "autoscaler.log") as metrics:
        yield metrics


@pytest.fixture
def waiting(metrics: Metrics) -> Metrics:
    """The metrics, with nothing waiting."""
    metrics.set(METRIC, "0")
    return metrics


def path(team: Team, name: str = "") -> str:
    return f"/apis/autoscaling/v2/namespaces/{team.namespace}/horizontalpodautoscalers/{name}"


def autoscale(team: Team, **spec: object) -> None:
    """Create the autoscaler of the page."""
    found = [yaml.safe_load(block) for block in blocks(PAGE, "yaml")]
    (manifest,) = [each for each in found if each.get("kind") == "HorizontalPodAutoscaler"]
    team.api.request("POST", path(team), {**manifest, "spec": {**manifest["spec"], **spec}})


def until_minimum(team: Team, replicas: int) -> None:
    """Wait until the deployment at Fireworks runs so many replicas at least, and they are ready."""
    team.eventually(lambda: team.get()["spec"].get("minReplicaCount") == replicas, f"the autoscaler sets {replicas}")
    team.eventually(lambda: team.deployment().get("minReplicaCount", 0) == replicas, f"Fireworks has {replicas}")
    team.until_ready()


def until_said(team: Team, kind: str, value: str, reason: str, says: str = "") -> Json:
    """Wait for a condition of the autoscaler."""

    def look() -> Json | None:
        found = condition(team.api.request("GET", path(team, "chat")), kind)
        met = (found.get("status"), found.get("reason")) == (value, reason)
        return found if met and says in found["message"] else None

    return team.eventually(look, f"the autoscaler: {kind}={value} {reason}")


def test_an_autoscaler_has_as_many_replicas_as_the_metric_asks_for_within_its_bounds(
    team: Team, waiting: Metrics
) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=4)
    before = team.until_ready()["spec"]
    autoscale(team)
    until_said(team, "ScalingActive", "True", "ValidMetricFound")
    for documents, replicas in (("120", 3), ("1000", 4), ("70", 2), ("0", 1)):
        waiting.set(METRIC, documents)
        until_minimum(team, replicas)
    team.eventually(lambda: replicas_seen(team) == (1, 1), "it sees how many are ready")
    assert team.get()["spec"] == before


def replicas_seen(team: Team) -> tuple[int, int]:
    """Return how many replicas there are by the autoscaler, and how many it wants."""
    status = team.api.request("GET", path(team, "chat"))["status"]
    return status["currentReplicas"], status["desiredReplicas"]


def test_without_a_minimum_the_autoscaler_cannot_read_the_scale(team: Team, waiting: Metrics) -> None:
    team.create(minReplicaCount=None, maxReplicaCount=4)
    autoscale(team)
    until_said(team, "AbleToScale", "False", "FailedGetScale")
    team.change(minReplicaCount=1)
    until_said(team, "AbleToScale", "True", "ReadyForNewScale")


def test_above_the_maximum_of_the_spec_it_is_refused(team: Team, waiting: Metrics) -> None:
    team.create(minReplicaCount=1, maxReplicaCount=2)
    team.until_ready()
    waiting.set(METRIC, "1000")
    autoscale(team)
    until_said(team, "AbleToScale", "False", "FailedUpdateScale", "spec.maxReplicaCount must not be less than")
    assert team.get()["spec"]["minReplicaCount"] == 1


def test_while_the_minimum_is_0_it_does_nothing(team: Team, waiting: Metrics) -> None:
    team.create(minReplicaCount=0, maxReplicaCount=4)
    team.until_ready()
    waiting.set(METRIC, "1000")
    autoscale(team)
    until_said(team, "ScalingActive", "False", "ScalingDisabled")
    assert team.get()["spec"]["minReplicaCount"] == 0
