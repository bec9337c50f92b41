"""A reader of the documentation, with a cluster and a Fireworks of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.documentation.reader import ACCOUNT, KEY, Reader
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import apply_crds
from testkit.processes import Operator, SimulatorProcess
from testkit.team import Team


@pytest.fixture(scope="module")
def fireworks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """The simulator with the account that the documentation speaks of."""
    log = tmp_path_factory.mktemp("simulator") / "simulator.log"
    process = SimulatorProcess(log, account=ACCOUNT, api_key=KEY).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def home(
    own_cluster: Cluster | GivenCluster, fireworks: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Reader:
    """The reader, for the whole module."""
    return Reader(tmp_path_factory.mktemp("reader") / "home", own_cluster, fireworks)


@pytest.fixture
def reader(home: Reader) -> Iterator[Reader]:
    """The reader before the first page."""
    yield home
    home.tidy_up()


@pytest.fixture(scope="module")
def crd(own_cluster: Cluster | GivenCluster, crds: Path) -> None:
    """The CRD, established."""
    apply_crds(own_cluster, crds)


@pytest.fixture(scope="module")
def operator(home: Reader, crd: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator of a module's pages."""
    process = home.operator(tmp_path_factory.mktemp("operator") / "operator.log").start()
    yield process
    process.stop()
    process.check_log(KEY)


@pytest.fixture
def team(reader: Reader, operator: Operator) -> Team:
    """The reader's namespace, looked after by the operator."""
    return reader.team(operator)
