"""Helm in both versions, and the chart installed in a cluster."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.chart.binaries import find_helm
from testkit.chart.helm import CHART, Helm
from testkit.chart.installation import Installation
from testkit.kubernetes import Cluster, GivenCluster
from testkit.processes import SimulatorProcess
from testkit.team import new_api_key
from tests.chart.versions import NAMES, OF_PROOF

VALUES_FILES = sorted(CHART.glob("ci/*-values.yaml"))


@pytest.fixture(scope="session")
def helm_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder for what Helm keeps."""
    return tmp_path_factory.mktemp("helm")


# For each test anew, like `values_file`: parameters of a longer life would reorder the tests of all modules.
@pytest.fixture(params=OF_PROOF, ids=NAMES)
def helm(request: pytest.FixtureRequest, helm_home: Path) -> Helm:
    """Helm, without a cluster; tests that use it run with both versions, those of Helm 3 in `make proof`."""
    return Helm(find_helm(request.param), request.param, helm_home / str(request.param))


@pytest.fixture(scope="session")
def helm3(helm_home: Path) -> Helm:
    """Helm 3, without a cluster."""
    return Helm(find_helm(3), 3, helm_home / "3")


@pytest.fixture(scope="session")
def helm4(helm_home: Path) -> Helm:
    """Helm 4, without a cluster, where the version does not matter."""
    return Helm(find_helm(4), 4, helm_home / "4")


@pytest.fixture(params=VALUES_FILES, ids=lambda path: path.name.removesuffix("-values.yaml"))
def values_file(request: pytest.FixtureRequest) -> Path:
    """Each of the chart's ci/*-values.yaml."""
    path: Path = request.param
    return path


@pytest.fixture(scope="module", params=["all namespaces", "some namespaces"])
def installed(request: pytest.FixtureRequest, helm4: Helm, cluster: Cluster | GivenCluster) -> Iterator[Installation]:
    """The chart with leader election, for all namespaces or with Roles alone."""
    suffix = secrets.token_hex(3)
    own, managed, other = (f"{name}-{suffix}" for name in ("operator", "managed", "other"))
    values = {}
    if request.param == "some namespaces":
        values = {"watchNamespaces": [managed], "settings": {"clusterId": f"tests-{suffix}"}}
    installation = Installation(cluster, helm4.template("--namespace", own, values=values), own, managed, other)
    installation.apply()
    yield installation
    installation.remove()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """The Fireworks API, with an account that no test uses."""
    log = tmp_path_factory.mktemp("simulator") / "simulator.log"
    process = SimulatorProcess(log, account="nobody", api_key=new_api_key()).start()
    yield process
    process.stop()
