"""A release of an earlier chart is upgraded in place on a real API server: nothing gets another name or is replaced."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from testkit.chart.helm import CHART, Helm
from testkit.chart.rendered import Json
from testkit.kubernetes import Cluster, GivenCluster

pytestmark = pytest.mark.slow

RELEASED = sorted(Path(__file__).with_name("released").glob("*.tgz"))
"""The charts as they were released."""
KINDS = "deployments,services,serviceaccounts,roles,rolebindings,poddisruptionbudgets,secrets,configmaps"
PLAIN: Mapping[str, Any] = {}
MANY: Mapping[str, Any] = {
    "fullnameOverride": "fw",
    "nameOverride": "operator",
    "commonLabels": {"team": "inference", "app.kubernetes.io/managed-by": "platform"},
    "commonAnnotations": {"owner": "inference"},
    "podLabels": {"app.kubernetes.io/version": "1"},
    "credentials": {"apiKey": "fw_not_a_real_key", "accountId": "acme"},
    "replicaCount": 1,
    "leaderElection": {"enabled": False},
    "podDisruptionBudget": {"maxUnavailable": "50%"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
    "podSecurityContext": {"runAsUser": None},
    "metrics": {"dashboard": {"enabled": True}},
}
DOTTED: Mapping[str, Any] = {"metrics": {"service": {"enabled": False}}}
"""With a Service, a release with a dot in its name could not be installed."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release in a namespace of its own."""

    cluster: Cluster | GivenCluster
    helm: Helm
    name: str
    namespace: str

    def run(self, command: str, chart: Path, *arguments: str, values: Mapping[str, Any] | None = None) -> None:
        """Install or upgrade."""
        where = ("--namespace", self.namespace, "--set", "crds.install=false")
        self.helm.run(command, self.name, str(chart), *where, *arguments, values=values)

    def objects(self) -> dict[tuple[str, str], Json]:
        """Return what the release consists of, by kind and name, without Helm's own records."""
        text = self.cluster.kubectl("get", KINDS, "--namespace", self.namespace, "--output", "json").stdout
        found = {(each["kind"], each["metadata"]["name"]): each for each in json.loads(text)["items"]}
        return {
            key: each
            for key, each in found.items()
            if "app.kubernetes.io/instance" in each["metadata"].get("labels", {})
        }

    def identities(self) -> dict[tuple[str, str], str]:
        """Return what tells one object from another that was put in its place."""
        return {key: each["metadata"]["uid"] for key, each in self.objects().items()}

    @property
    def deployment(self) -> Json:
        """The operator's Deployment."""
        (found,) = (each["spec"] for (kind, _), each in self.objects().items() if kind == "Deployment")
        spec: Json = found
        return spec


@pytest.fixture
def release(helm: Helm, cluster: Cluster | GivenCluster, request: pytest.FixtureRequest) -> Iterator[Release]:
    """A release that is not installed yet; its name is `fw`, or the parameter."""
    namespace = f"upgrade-{secrets.token_hex(3)}"
    cluster.kubectl("create", "namespace", namespace)
    made = Release(cluster, replace(helm, kubeconfig=cluster.kubeconfig), getattr(request, "param", "fw"), namespace)
    yield made
    made.helm.run("uninstall", made.name, "--namespace", namespace, "--ignore-not-found")
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("chart", RELEASED, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("release", "values", "how"),
    [
        ("fw", PLAIN, "--reuse-values"),
        ("fw", MANY, "--reuse-values"),
        ("fw", MANY, "--reset-then-reuse-values"),
        ("fw.prod", DOTTED, "--reset-values"),
    ],
    ids=["defaults", "many values", "many values and new defaults", "a dot in the name"],
    indirect=["release"],
)
def test_an_upgrade_replaces_nothing(release: Release, chart: Path, values: Mapping[str, Any], how: str) -> None:
    release.run("install", chart, values=values)
    before, selector = release.identities(), release.deployment["selector"]
    assert len(before) >= 4
    release.run("upgrade", CHART, how, values=values if how == "--reset-values" else None)
    assert release.identities() == before
    assert release.deployment["selector"] == selector


def test_the_strategy_changes_there_and_back(release: Release) -> None:
    """An API server fills in what the former strategy had, and refuses that in the new one."""
    release.run("install", CHART)
    name = ("Deployment", "fw-fireworks-operator")
    before = release.identities()[name]
    alone = {"replicaCount": 1, "leaderElection": {"enabled": False}}
    release.run("upgrade", CHART, values=alone)
    assert release.deployment["strategy"] == {"type": "Recreate"}
    slowly = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}
    release.run("upgrade", CHART, values=slowly)
    assert release.deployment["strategy"] == slowly["strategy"]
    release.run("upgrade", CHART, values={"strategy": {"type": "Recreate"}})
    assert release.deployment["strategy"] == {"type": "Recreate"}
    assert release.identities()[name] == before
