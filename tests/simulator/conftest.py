"""A simulator for all tests of this folder, as new for each of them, with a clock that moves when told."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from fireworks_simulator.app import running
from fireworks_simulator.settings import Settings
from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import API_KEY, Api


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[SimulatorClient]:
    with running(Settings(stepped=True)) as client:
        yield client


@pytest.fixture
def sim(shared_simulator: SimulatorClient) -> SimulatorClient:
    """The admin client of a simulator without past; account acme, key fw_simulator."""
    shared_simulator.reset()
    return shared_simulator


@pytest.fixture
def login(sim: SimulatorClient) -> Iterator[Callable[..., Api]]:
    """Gives API clients: `login(key, account="acme")`."""
    with contextlib.ExitStack() as stack:

        def enter(key: str = API_KEY, account: str = "acme") -> Api:
            api = Api(sim.url, account, key)
            stack.enter_context(api.http)
            return api

        yield enter


@pytest.fixture
def api(login: Callable[..., Api]) -> Api:
    return login()
