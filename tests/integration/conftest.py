"""The operator as a real process between a real API server and the simulator.

One simulator serves the whole session and starts over before each test. A team is a namespace with an account and
an API key of its own, so tests do not meet. Operators are either shared by a module (`operator`, `team`) or belong
to one test (`start_operator`, `make_team`), which may then stop, kill and configure them.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fireworks_simulator.testing import SimulatorClient
from integration.factories import OWN_ACCOUNT, OWN_KEY, Cluster, Kubectl, MakeTeam, NewTeam, StartOperator
from integration.kubernetes_api import KubernetesApi
from integration.processes import Operator, SimulatorProcess
from integration.team import Team

_shared: list[Operator] = []
"""The module's operator while it runs."""


@pytest.fixture(scope="session")
def kubernetes(cluster: Cluster, crd_file: Path) -> KubernetesApi:
    """The API server, with the CRD established."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd_file))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd_file))
    return KubernetesApi(cluster.kubeconfig)


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """The Fireworks API of the session."""
    log = tmp_path_factory.mktemp("simulator") / "simulator.log"
    process = SimulatorProcess(log, account=OWN_ACCOUNT, api_key=OWN_KEY).start()
    yield process
    process.stop()


@pytest.fixture
def simulator(simulator_process: SimulatorProcess) -> Iterator[SimulatorClient]:
    """The simulator as if it had just been started."""
    client = SimulatorClient(simulator_process.url, OWN_ACCOUNT)
    client.reset()
    yield client
    patches = client.journal(method="PATCH")
    assert not [each for each in patches if each.mask_missing], "a PATCH without updateMask overwrites everything"


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster,
    kubernetes: KubernetesApi,
    simulator_process: SimulatorProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """An operator that the tests of a module share."""
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    process = Operator(cluster.kubeconfig, simulator_process.url, log, api_key=OWN_KEY, settings={})
    _shared.append(process.start())
    yield process
    _shared.remove(process)
    process.stop()
    process.check_log(OWN_KEY)


@pytest.fixture
def start_operator(
    cluster: Cluster, kubernetes: KubernetesApi, simulator_process: SimulatorProcess, tmp_path: Path
) -> Iterator[StartOperator]:
    """Start operators of this test alone, one after the other; not in a module that shares one."""
    assert not _shared, "two operators would manage the same resources"
    started: list[Operator] = []

    def start(*, api_key: str | None = OWN_KEY, base_url: str | None = None, **settings: str) -> Operator:
        log = tmp_path / f"operator-{len(started)}.log"
        process = Operator(
            cluster.kubeconfig, base_url or simulator_process.url, log, api_key=api_key, settings=settings
        )
        started.append(process)
        return process.start()

    yield start
    for process in started:
        if process.running:
            process.stop()
        process.check_log(OWN_KEY)


@pytest.fixture
def make_team(
    start_operator: StartOperator, kubernetes: KubernetesApi, simulator: SimulatorClient
) -> Iterator[MakeTeam]:
    """Make teams; at the end their resources are removed and their keys searched for where they must not be."""
    yield from _teams(kubernetes, simulator)


@pytest.fixture
def team(operator: Operator, kubernetes: KubernetesApi, simulator: SimulatorClient) -> Iterator[Team]:
    """A team of the shared operator."""
    teams = _teams(kubernetes, simulator)
    yield next(teams)(operator)
    next(teams, None)


@pytest.fixture
def new_team(operator: Operator, kubernetes: KubernetesApi, simulator: SimulatorClient) -> Iterator[NewTeam]:
    """Make teams of the shared operator."""
    teams = _teams(kubernetes, simulator)
    yield partial(next(teams), operator)
    next(teams, None)


@pytest.fixture(scope="module")
def stage(operator: Operator, kubernetes: KubernetesApi, simulator_process: SimulatorProcess) -> Iterator[NewTeam]:
    """Make teams of the shared operator for a whole module; not in one whose tests reset the simulator."""
    simulator = SimulatorClient(simulator_process.url, OWN_ACCOUNT)
    simulator.reset()
    teams = _teams(kubernetes, simulator)
    yield partial(next(teams), operator)
    next(teams, None)


@pytest.fixture
def own_team(operator: Operator, kubernetes: KubernetesApi, simulator: SimulatorClient) -> Iterator[Team]:
    """A team that uses the shared operator's own account."""
    teams = _teams(kubernetes, simulator)
    yield next(teams)(operator, own=True)
    next(teams, None)


@pytest.fixture
def sharing_teams(operator: Operator, kubernetes: KubernetesApi, simulator: SimulatorClient) -> Iterator[list[Team]]:
    """Two teams that share the operator's own key, and so its account."""
    teams = _teams(kubernetes, simulator)
    make = next(teams)
    yield [make(operator, own=True), make(operator, own=True)]
    next(teams, None)


def _teams(kubernetes: KubernetesApi, simulator: SimulatorClient) -> Iterator[MakeTeam]:
    made: list[Team] = []

    def make(operator: Operator | None, *, own: bool = False) -> Team:
        team = Team.begin(kubernetes, simulator, own=(OWN_ACCOUNT, OWN_KEY) if own else None)
        team.operator = operator
        made.append(team)
        return team

    yield make
    for team in made:
        try:
            team.assert_no_secret()
        finally:
            team.clean()
        if team.operator is not None:
            team.operator.check_log(team.api_key)


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    """The command, where what it prints matters."""
    return cluster.kubectl
