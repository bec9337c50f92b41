"""The operator as a real process between a real API server and the simulator.

One simulator serves all workers of a run; each worker has a control plane. A team is a namespace with an account and
an API key of its own; at Fireworks it has a world to itself, so that tests do not meet and nothing need be reset.
Operators are either shared (`operator`, `team`), by one module after the other, or belong to one test
(`start_operator`, `make_team`), which may then stop, kill and configure them.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import OWN_ACCOUNT, OWN_KEY, Cluster, Kubectl, MakeTeam, NewTeam, StartOperator
from testkit.forked import ForkedOperator
from testkit.kubernetes.definitions import apply_crds
from testkit.kubernetes_api import KubernetesApi
from testkit.processes import Operator
from testkit.shared import shared_operator, simulator_of_the_run
from testkit.team import Team


@pytest.fixture(scope="session")
def kubernetes(cluster: Cluster, crds: Path) -> KubernetesApi:
    """The API server, with the CRD established."""
    apply_crds(cluster, crds)
    return KubernetesApi(cluster.kubeconfig)


@pytest.fixture(scope="session")
def fireworks() -> SimulatorClient:
    """The simulator of the run; its `url` is the Fireworks API. Only the worlds of accounts are for tests."""
    return simulator_of_the_run()


@pytest.fixture(scope="session")
def own_world(fireworks: SimulatorClient) -> SimulatorClient:
    """The world of the operators' own account."""
    return fireworks.add_world(OWN_ACCOUNT, OWN_KEY)


@pytest.fixture
def simulator(own_world: SimulatorClient) -> SimulatorClient:
    """The operators' own account as if it had just been opened."""
    own_world.reset()
    return own_world


# testkit.shared knows by its name which tests use it.
@pytest.fixture(scope="session")
def session_operator(
    cluster: Cluster, own_world: SimulatorClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    log = tmp_path_factory.mktemp("operator") / "operator.log"
    yield ForkedOperator(cluster.kubeconfig, own_world.url, log, api_key=OWN_KEY, settings={})
    shared_operator.rest()


@pytest.fixture(scope="module")
def operator(kubernetes: KubernetesApi, session_operator: Operator) -> Iterator[Operator]:
    """An operator that the tests of a module share."""
    with shared_operator.held(session_operator) as process:
        yield process
    process.check_log(OWN_KEY)


@pytest.fixture
def start_operator(
    cluster: Cluster, kubernetes: KubernetesApi, own_world: SimulatorClient, tmp_path: Path
) -> Iterator[StartOperator]:
    """Start operators of this test alone, one after the other; not in a module that shares one."""
    assert not shared_operator.is_held, "two operators would manage the same resources"
    shared_operator.rest()
    started: list[Operator] = []

    def start(*, api_key: str | None = OWN_KEY, base_url: str | None = None, **settings: str) -> Operator:
        log = tmp_path / f"operator-{len(started)}.log"
        process = ForkedOperator(cluster.kubeconfig, base_url or own_world.url, log, api_key=api_key, settings=settings)
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
def stage(operator: Operator, kubernetes: KubernetesApi, own_world: SimulatorClient) -> Iterator[NewTeam]:
    """Make teams of the shared operator for a whole module."""
    teams = _teams(kubernetes, own_world)
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
        team = Team.begin(kubernetes, simulator, own=(OWN_ACCOUNT, OWN_KEY) if own else None, apart=True)
        team.operator = operator
        made.append(team)
        return team

    yield make
    for team in made:
        try:
            team.assert_no_secret()
            patches = team.simulator.journal(method="PATCH")
            assert not [each for each in patches if each.mask_missing], (
                "a PATCH without updateMask overwrites everything"
            )
        finally:
            team.clean()
        if team.operator is not None:
            team.operator.check_log(team.api_key)


@pytest.fixture
def kubectl(cluster: Cluster) -> Kubectl:
    """The command, where what it prints matters."""
    return cluster.kubectl
