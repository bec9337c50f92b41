"""A real API server takes what the chart and deploy/ hold, word for word and without a warning."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from testkit.chart.helm import NAMESPACE, ROOT, Helm
from testkit.chart.rendered import Json, Manifests
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import until_established

DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "base"
STRICT = ("apply", "--server-side", "--force-conflicts", "--validate=strict")


@pytest.fixture(scope="module")
def server(cluster: Cluster | GivenCluster) -> Cluster | GivenCluster:
    """The API server, with a namespace that warns of each pod that is not "restricted"; it stays for others."""
    metadata = {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/warn": "restricted"}}
    namespace: Json = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    cluster.kubectl("apply", "--server-side", "-f", "-", input=stream([namespace]))
    return cluster


def test_rendered_manifests_are_accepted_without_a_warning(
    helm4: Helm, server: Cluster | GivenCluster, values_file: Path
) -> None:
    rendered = helm4.template("--values", str(values_file))
    # The kinds of the Prometheus operator are not served here.
    served = [each for each in rendered if not each["apiVersion"].startswith("monitoring.coreos.com/")]
    done = server.kubectl(*STRICT, "--dry-run=server", "-f", "-", input=stream(served))
    assert done.stdout.count("(server dry run)") == len(served)
    assert done.stderr == ""


def test_a_misspelt_field_or_a_looser_pod_would_be_noticed(helm4: Helm, server: Cluster | GivenCluster) -> None:
    text = helm4.template_text()
    misspelt = text.replace("terminationGracePeriodSeconds:", "terminationGracePeriodSecond:")
    refused = server.kubectl(*STRICT, "--dry-run=server", "-f", "-", input=misspelt, check=False)
    assert "terminationGracePeriodSecond" in refused.stderr
    loose = text.replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    warned = server.kubectl(*STRICT, "--dry-run=server", "-f", "-", input=loose)
    assert "would violate PodSecurity" in warned.stderr


def test_plain_yaml_installs_as_it_is(server: Cluster | GivenCluster) -> None:
    """What is stored is what stands in the file."""
    try:
        done = server.kubectl(*STRICT, "-f", str(BASE / "install.yaml"))
        assert done.stderr == ""
        assert server.kubectl("diff", "--server-side", "-f", str(BASE / "install.yaml"), check=False).stdout == ""
        until_established(server, "crd/fireworksdeployments.fireworks.ai")
    finally:
        _delete(server, Manifests.parse((BASE / "install.yaml").read_text()))


@pytest.mark.parametrize("folder", [BASE, DEPLOY / "example"], ids=["base", "example"])
def test_kustomize_builds_what_the_api_server_accepts(server: Cluster | GivenCluster, folder: Path) -> None:
    """At once, although the example's namespace only comes with it."""
    built = Manifests.parse(server.kubectl("kustomize", str(folder)).stdout)
    try:
        assert server.kubectl(*STRICT, "-k", str(folder)).stderr == ""
    finally:
        _delete(server, built)


def test_an_overlay_moves_everything_to_its_namespace_and_sets_image_and_settings(
    server: Cluster | GivenCluster,
) -> None:
    built = Manifests.parse(server.kubectl("kustomize", str(DEPLOY / "example")).stdout)
    assert {each["metadata"].get("namespace") for each in built} == {None, "inference-operator"}
    bindings = built.of("ClusterRoleBinding") + built.of("RoleBinding")
    assert {subject["namespace"] for each in bindings for subject in each["subjects"]} == {"inference-operator"}
    assert built.container["image"] == "registry.example.com/fireworks-operator:0.1.0"
    environment = built.environment()
    assert environment["FIREWORKS_OPERATOR_POLL_INTERVAL_IDLE"] == "120"
    assert environment["FIREWORKS_OPERATOR_CREDENTIAL_NAMESPACES"] == "team-a,team-b"
    assert environment["FIREWORKS_OPERATOR_LEADER_ELECTION"] == "true"


def stream(objects: Iterable[Json]) -> str:
    """Return objects as kubectl takes them; JSON, since PyYAML leaves texts such as 0815 without quotes."""
    return "\n---\n".join(map(json.dumps, objects))


def _delete(server: Cluster | GivenCluster, manifests: Manifests) -> None:
    """Delete all but the CRD and the namespace, which other tests use."""
    kept = ("fireworksdeployments.fireworks.ai", NAMESPACE)
    doomed = [each for each in manifests if each["metadata"]["name"] not in kept]
    server.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", input=stream(doomed))
