"""An account that is observed, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.keyring import Credential
from fireworks_operator.controller.accounts.poller import Pace
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.request_budget import Circuit, RequestBudget
from testkit.builders import NAME, a_deployment
from testkit.virtual.loop import run
from tests.unit.controller.fakes import GOOD, Changes, FakeFireworks

STEADY = Pace(jitter=0.0)
OTHER_NAME = "accounts/acme/deployments/other"


class KnownBindings(Bindings):
    """Bindings as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.in_use = True
        self.replaced: set[str] = set()
        self.watched = {NAME}

    def uses(self, account: str) -> bool:
        return self.in_use

    def uses_key(self, credential: Credential) -> bool:
        return credential.api_key.reveal() not in self.replaced

    def watches(self, name: str) -> bool:
        return name in self.watched


class Scene:
    """An account that is observed, and the API it sees."""

    def __init__(self, *, rate: float = 600.0) -> None:
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        self.fireworks = FakeFireworks()
        self.fireworks.deployments[NAME] = a_deployment()
        self.changes, self.bindings = Changes(), KnownBindings()
        self.account = Account(
            "acme",
            cast("FireworksClient", self.fireworks),
            budget=RequestBudget(rate_per_minute=rate, burst=100, clock=loop.time),
            pace=STEADY,
            clock=loop.time,
            bindings=self.bindings,
            handler=self.changes,
        )

    def credential(self, text: str = GOOD) -> Credential:
        """Register a key, as a resource that uses it does."""
        return self.account.credential(ApiKey(text), Circuit(self.clock))

    def lists(self, api_key: str | None = None) -> int:
        """Return how often the deployments were listed, with any key or with one."""
        return self.fireworks.calls["list_deployments" if api_key is None else f"list_deployments {api_key}"]

    def observe(self) -> object:
        return self.account.observer.observe(NAME, with_addons=False)


def play(scenario: Callable[[Scene], Awaitable[None]], *, rate: float = 600.0, start: bool = True) -> None:
    """Run a scenario with an account that is being observed."""

    async def whole() -> None:
        scene = Scene(rate=rate)
        if start:
            scene.account.start()
        try:
            await scenario(scene)
        finally:
            await scene.account.stop()

    run(whole())
