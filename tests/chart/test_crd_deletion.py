"""Deleting the CRD, perhaps by mistake, deletes every resource of the cluster: their deployments go on serving."""

import secrets
import signal
from pathlib import Path
from typing import Any

import pytest

from testkit.chart.helm import Helm
from testkit.chart.installation import Installation
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import until_gone
from testkit.processes import SimulatorProcess
from testkit.waiting import eventually

pytestmark = pytest.mark.slow

CRD = "fireworksdeployments.fireworks.ai"


@pytest.mark.parametrize("everywhere", [True, False], ids=["all namespaces", "some namespaces and rbac.clusterReader"])
def test_deployments_go_on_when_the_crd_is_deleted(
    helm4: Helm, own_cluster: Cluster | GivenCluster, simulator: SimulatorProcess, tmp_path: Path, everywhere: bool
) -> None:
    suffix = secrets.token_hex(3)
    own, managed, other = (f"{name}-{suffix}" for name in ("operator", "managed", "other"))
    values: dict[str, Any] = {} if everywhere else {"watchNamespaces": [managed], "rbac": {"clusterReader": True}}
    manifests = helm4.template("--namespace", own, values=values)
    installed = Installation(own_cluster, manifests, own, managed, other)
    installed.apply()
    operator = installed.operator(simulator.url, tmp_path).start()
    try:
        team = installed.make_team(simulator, operator, managed)
        team.create()
        team.until_ready(within=60)
        own_cluster.kubectl("delete", "crd", CRD, "--wait=false")
        until_gone(own_cluster, CRD)
        eventually(lambda: "The CRD is being deleted" in operator.log(), "it says so", explain=operator.tail)
        assert team.deployment()["state"] == "READY"
        assert team.journal("DELETE") == []
        # Without the CRD there is nothing to watch: the process ends, and starts again when its pod does.
        eventually(lambda: not operator.running, "the operator ends", within=60, explain=operator.tail)
        assert f"The CRD {CRD} is not installed" in operator.log()
    finally:
        if operator.running:
            operator.end(signal.SIGTERM)
        installed.remove()
