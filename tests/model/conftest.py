"""The stage of the model: one loop with its own clock, one simulator, and no polling but what the model asks for."""

from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

import pytest

from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.passes import acting, looking, reconciler
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.replacing.report import report_resource
from fireworks_simulator.app import Simulator
from fireworks_simulator.settings import AccountSettings, Settings
from testkit.virtual.fireworks import ACCOUNT, KEYS
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def twice(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """I13: have a function of the core asked twice, which must not make a difference."""

    def ask(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        first = function(*args, **kwargs)
        assert function(*args, **kwargs) == first, f"I13: {function.__name__} has two minds"
        return first

    return ask


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualLoop]:
    """The loop that everything runs in; accounts are polled by the model, not by their own timers."""
    monkeypatch.setattr(Account, "start", lambda self: None)
    for module in (looking, reconciler):
        monkeypatch.setattr(module, "decide", twice(decide))
    monkeypatch.setattr(acting, "report_resource", twice(report_resource))
    loop = VirtualLoop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(scope="session")
def simulator() -> MemorySimulator:
    """A Fireworks whose clock moves only when told to."""
    settings = Settings(stepped=True, accounts=(AccountSettings(id=ACCOUNT, api_key=KEYS[ACCOUNT]),))
    return MemorySimulator(Simulator(settings), ACCOUNT)
