"""A release's life on a real API server: install, upgrade, roll back, uninstall; and what must survive it."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireworks_operator.api.kinds import DEPLOYMENTS, KINDS
from testkit.chart.helm import CHART, NAMESPACE, RELEASE, Helm, HelmError
from testkit.chart.rendered import Json
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import until_established, until_gone
from tests.chart.versions import with_both

CRD = DEPLOYMENTS.crd
ALL_CRDS = tuple(each.crd for each in KINDS)
FULL_NAME = "fireworks-fireworks-operator"
RESOURCE = {
    "apiVersion": "fireworks.ai/v1alpha1",
    "kind": "FireworksDeployment",
    "metadata": {"name": "chat", "namespace": "default"},
    "spec": {"baseModel": "accounts/fireworks/models/llama-v3p1-8b-instruct"},
}


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster | GivenCluster) -> Cluster | GivenCluster:
    """One of these tests' own, since they delete the CRD."""
    return own_cluster


@pytest.fixture
def release(helm: Helm, cluster: Cluster | GivenCluster) -> Iterator[Helm]:
    """Helm for a cluster without the chart and its CRD."""
    found = replace(helm, kubeconfig=cluster.kubeconfig)
    yield found
    found.run("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found")
    cluster.kubectl("delete", "crd", *ALL_CRDS, "--ignore-not-found", "--wait=false")
    until_gone(cluster, *ALL_CRDS)


def install(release: Helm, *arguments: str, chart: Path = CHART, values: dict[str, Any] | None = None) -> str:
    """Install the chart without waiting for pods, which this cluster cannot run; return the notes."""
    where = ("--namespace", NAMESPACE, "--create-namespace")
    return release.run("install", RELEASE, str(chart), *where, *arguments, values=values)


def upgrade(release: Helm, *arguments: str, values: dict[str, Any] | None = None) -> str:
    """Upgrade to the chart as it is."""
    return release.run("upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE, *arguments, values=values)


def uninstall(release: Helm) -> None:
    release.run("uninstall", RELEASE, "--namespace", NAMESPACE)


def find(cluster: Cluster | GivenCluster, *arguments: str) -> Json | None:
    """Return an object, None if it does not exist."""
    text = cluster.kubectl("get", *arguments, "--ignore-not-found", "--output", "json").stdout
    found: Json | None = json.loads(text) if text else None
    return found


def read(cluster: Cluster | GivenCluster, *arguments: str) -> Json:
    """Return an object that exists."""
    found = find(cluster, *arguments)
    assert found is not None, f"there is no {' '.join(arguments)}"
    return found


def deployment(cluster: Cluster | GivenCluster) -> Json | None:
    """Return the operator's Deployment, None if there is none."""
    return find(cluster, "deployment", FULL_NAME, "--namespace", NAMESPACE)


def replicas(cluster: Cluster | GivenCluster) -> object:
    """Return how many pods of the operator are wanted."""
    found = deployment(cluster)
    return found and found["spec"]["replicas"]


def make_resource(cluster: Cluster | GivenCluster) -> None:
    """Create a resource as soon as its kind is served."""
    until_established(cluster, f"crd/{CRD}")
    cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(RESOURCE))


def test_the_notes_tell_the_clusters_id_a_first_resource_and_the_way_back(
    release: Helm, cluster: Cluster | GivenCluster
) -> None:
    notes = install(release)
    assert read(cluster, "namespace", "kube-system")["metadata"]["uid"] in notes
    found = re.search(r"^kubectl apply -f - <<EOF\n(.*?)^EOF$", notes, re.DOTALL | re.MULTILINE)
    assert found is not None
    until_established(cluster, f"crd/{CRD}")
    done = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=found[1])
    assert "llama created" in done.stdout
    assert "kubectl delete fireworksdeployment llama --namespace default" in notes[: notes.index("To uninstall")]
    commands = ("kubectl delete fireworksdeployments --all", f"helm uninstall {RELEASE} --namespace {NAMESPACE}")
    assert notes.index(commands[0]) < notes.index(commands[1])


@with_both
def test_an_upgrade_and_a_rollback_change_the_operator_and_leave_resources_alone(
    release: Helm, cluster: Cluster | GivenCluster
) -> None:
    install(release)
    make_resource(cluster)
    before = read(cluster, "fireworksdeployment", "chat")
    upgrade(release, values={"replicaCount": 3, "settings": {"pollIntervalIdle": 120}})
    assert replicas(cluster) == 3
    release.run("rollback", RELEASE, "1", "--namespace", NAMESPACE)
    assert replicas(cluster) == 2
    assert read(cluster, "fireworksdeployment", "chat") == before


def test_an_upgrade_brings_the_crd_of_the_new_version(
    release: Helm, cluster: Cluster | GivenCluster, tmp_path: Path
) -> None:
    """Charts with the CRD in Helm's folder crds/ never do, and lose status fields of a new operator."""
    shutil.copytree(CHART, tmp_path / "older")
    file = tmp_path / "older/files" / DEPLOYMENTS.crd_file
    crd = yaml.safe_load(file.read_text())
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    del status["notices"]
    file.write_text(yaml.safe_dump(crd))

    def served() -> Json:
        version = read(cluster, "crd", CRD)["spec"]["versions"][0]
        fields: Json = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
        return fields

    install(release, chart=tmp_path / "older")
    assert "notices" not in served()
    upgrade(release)
    assert "notices" in served()


def test_uninstalling_keeps_crd_and_resources_and_installing_again_finds_them(
    release: Helm, cluster: Cluster | GivenCluster
) -> None:
    install(release)
    make_resource(cluster)
    before = read(cluster, "fireworksdeployment", "chat")
    uninstall(release)
    assert deployment(cluster) is None
    assert read(cluster, "crd", CRD)["metadata"].get("deletionTimestamp") is None
    assert read(cluster, "fireworksdeployment", "chat") == before
    install(release)
    assert deployment(cluster) is not None
    assert read(cluster, "fireworksdeployment", "chat") == before


def test_without_keep_the_crd_goes_with_the_release(release: Helm, cluster: Cluster | GivenCluster) -> None:
    notes = install(release, values={"crds": {"keep": False}})
    assert "crds.keep is false" in notes
    uninstall(release)
    until_gone(cluster, *ALL_CRDS)


def test_a_crd_that_was_applied_by_hand_is_taken_over_on_demand(
    release: Helm, cluster: Cluster | GivenCluster, crds: Path
) -> None:
    cluster.kubectl("apply", "--server-side", "-f", str(crds))
    with pytest.raises(HelmError, match="cannot be imported into the current release"):
        install(release)
    install(release, "--take-ownership", *_force_conflicts(release))
    assert read(cluster, "crd", CRD)["metadata"]["annotations"]["meta.helm.sh/release-name"] == RELEASE


def test_without_the_crd_the_chart_installs_beside_one_applied_by_hand(
    release: Helm, cluster: Cluster | GivenCluster, crds: Path
) -> None:
    cluster.kubectl("apply", "--server-side", "-f", str(crds))
    install(release, values={"crds": {"install": False}})
    uninstall(release)
    assert "meta.helm.sh/release-name" not in read(cluster, "crd", CRD)["metadata"].get("annotations", {})


def _force_conflicts(release: Helm) -> tuple[str, ...]:
    """Helm 4 applies server-side, where what kubectl set belongs to kubectl."""
    return ("--force-conflicts",) if release.major == 4 else ()
