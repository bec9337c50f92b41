"""`helm --wait` of Helm 4, which waits as Flux does (kstatus), with resources in a chart of the user's own."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from testkit.chart.binaries import find_helm
from testkit.chart.helm import Helm, HelmError
from testkit.factories import Cluster
from testkit.kubernetes_api import condition
from testkit.team import Team

Release = Callable[..., None]


@pytest.fixture
def helm(cluster: Cluster, tmp_path: Path) -> Helm:
    """Helm 4, for the cluster of the tests."""
    return Helm(find_helm(4), 4, tmp_path / "helm", cluster.kubeconfig)


@pytest.fixture
def release(helm: Helm, team: Team, tmp_path: Path) -> Release:
    """Install or upgrade a release that holds the resource `chat`, with these fields in its spec."""
    chart = tmp_path / "models"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: models\nversion: 0.1.0\n")

    def run(verb: str, **spec: object) -> None:
        manifest: Mapping[str, object] = team.manifest("chat", {}, spec)
        (chart / "templates/chat.yaml").write_text(yaml.safe_dump(manifest))
        helm.run(verb, "models", str(chart), "--namespace", team.namespace, "--wait", "--timeout=60s")

    return run


def test_install_upgrade_and_uninstall_return_when_it_is_done_at_fireworks(
    helm: Helm, release: Release, team: Team
) -> None:
    team.simulator.timing(downloading=1.5, updating=1.5, deleting=1.5)
    release("install", acceleratorCount=1)
    assert condition(team.get(), "Ready")["status"] == "True"
    assert team.deployment()["state"] == "READY"
    release("upgrade", acceleratorCount=2)
    assert (team.deployment()["acceleratorCount"], team.deployment()["state"]) == (2, "READY")
    helm.run("uninstall", "models", "--namespace", team.namespace, "--wait", "--timeout=60s")
    assert team.resources() == []
    assert [each["state"] for each in team.simulator.deployments()] == ["DELETED"]


def test_what_needs_a_person_fails_at_once_in_the_operators_words(release: Release, team: Team) -> None:
    started = time.monotonic()
    with pytest.raises(HelmError, match=r"status: Failed, message: Fireworks refuses to create the deployment: .*"):
        release("install", acceleratorType="NVIDIA_H100_90GB")
    assert time.monotonic() - started < 40, "long before the time-out of 60 s"
    release("upgrade", acceleratorType="NVIDIA_H100_80GB")
    assert team.deployment()["state"] == "READY", "the corrected chart waits again, and needs no force"


def test_a_deployment_that_sleeps_or_wakes_does_not_keep_an_upgrade_waiting(release: Release, team: Team) -> None:
    spec = {"minReplicaCount": 0, "autoscalingPolicy": {"scaleToZeroWindow": "5m"}}
    release("install", **spec)
    team.simulator.advance(301)
    team.until("chat", "Ready", "True", "ScaledToZero")
    release("upgrade", **spec)
    team.simulator.edit(team.deployment_id(), stockedOut=True)
    team.simulator.load(team.deployment_id(), 1)
    team.until("chat", "Ready", "True", "Waking", says="waiting for GPUs")
    release("upgrade", **spec)
    assert condition(team.get(), "Available")["reason"] == "Waking", "it still waits, and nobody waits for it"
