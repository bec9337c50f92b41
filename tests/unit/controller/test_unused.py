"""What no resource refers to any more is freed: keys, circuits, accounts, and what is known of them."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.controller.accounts.accounts import UNUSED_FOR, Accounts, Limits, Resolved
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.accounts.poller import Pace
from fireworks_operator.core.context import Usable
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import a_deleted_resource, a_resource
from testkit.virtual.loop import run
from tests.unit.controller.fakes import GOOD, OTHER, Changes, FakeFireworks, FakeSecrets

REFERENCE = {"credentialsSecretRef": {"name": "key"}}
RESOURCE = a_resource(REFERENCE)


class Scene:
    """Accounts, and resources that use them."""

    def __init__(self) -> None:
        self.fireworks, self.secrets, self.bindings = FakeFireworks(), FakeSecrets(), Bindings()
        self.accounts = Accounts(
            cast("FireworksClient", self.fireworks),
            self.secrets,
            OwnCredential(),
            limits=Limits(),
            pace=Pace(jitter=0.0),
            bindings=self.bindings,
            handler=Changes(),
            clock=asyncio.get_running_loop().time,
        )

    def store(self, api_key: str, account: str | None = None, *, name: str = "key") -> None:
        """Put a key, and perhaps an account id, into a Secret of team-a."""
        data = {"apiKey": api_key.encode()} | ({} if account is None else {"accountId": account.encode()})
        self.secrets.stored[f"team-a/{name}"] = data

    async def use(self, resource: FireworksDeployment = RESOURCE) -> Resolved:
        """Have a resource look for its key and account, as a pass does."""
        resolved = await self.accounts.resolve(resource)
        if resolved.account is not None:
            self.bindings.note(resource.ref, resolved.account, None)
            self.bindings.switch_key(resource.ref, resolved.credential)
        return resolved

    def forget(self, resource: FireworksDeployment = RESOURCE) -> None:
        """Have a resource go."""
        self.bindings.forget(resource.ref)
        self.accounts.forget(resource.ref)

    def names(self) -> set[str]:
        """The accounts that there are."""
        return {account.name for account in self.accounts}

    def keys(self) -> set[str]:
        """The keys that are remembered in any way."""
        accounts = self.accounts
        kept = [
            *(api_key for api_key, _ in accounts._circuits),
            *accounts._discovery._accounts,
            *accounts._discovery._failures,
            *accounts._discovery._asking,
            *(found.api_key for found in (*accounts._used.values(), *accounts._keys.remembered())),
            *(each.api_key for account in accounts for each in account.credentials()),
        ]
        return {api_key.reveal() for api_key in kept}


def play(scenario: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        scene = Scene()
        try:
            await scenario(scene)
        finally:
            await scene.accounts.stop()

    run(whole())


@pytest.mark.parametrize("known", [True, False], ids=["a valid key", "a bogus key"])
@pytest.mark.parametrize("named", [True, False], ids=["accountId", "found out"])
def test_a_secret_that_is_rotated_a_thousand_times_leaves_its_last_key(known: bool, named: bool) -> None:
    async def scenario(scene: Scene) -> None:
        if not known:
            scene.fireworks.fail("list_accounts", ErrorKind.UNAUTHENTICATED)
            scene.fireworks.fail("list_deployments", ErrorKind.UNAUTHENTICATED)
        for number in range(1000):
            scene.store(f"fw_key_number_{number}", "acme" if named else None)
            await scene.use()
            if number % 10 == 9:
                await asyncio.sleep(30)
                await scene.accounts.free_unused()
                assert scene.keys() == {f"fw_key_number_{number}"}
        scene.forget()
        await scene.accounts.free_unused()
        assert scene.keys() == set()

    play(scenario)


def test_an_account_id_that_is_rotated_a_thousand_times_leaves_one_account() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_deployments", ErrorKind.NOT_FOUND)
        before = len(asyncio.all_tasks())
        for number in range(1000):
            scene.store(GOOD, f"account-{number}")
            await scene.use()
            if number % 10 == 9:
                await asyncio.sleep(5)
                await scene.accounts.free_unused()
                assert scene.names() == {f"account-{number}"}
                assert len(scene.accounts._circuits) == 1
                assert len(asyncio.all_tasks()) == before + 1
        scene.forget()
        await scene.accounts.free_unused()
        assert not scene.names()
        assert not scene.accounts._circuits
        assert len(asyncio.all_tasks()) == before

    play(scenario)


def test_resources_that_name_a_thousand_secrets_one_after_another_leave_one() -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(1000):
            scene.store(GOOD, name=f"key-{number}")
            resource = a_resource({"credentialsSecretRef": {"name": f"key-{number}"}})
            await scene.use(resource)
            await asyncio.sleep(1)
            await scene.use(resource)
            await scene.use(a_resource({"credentialsSecretRef": {"name": f"missing-{number}"}}, name="other"))
        await scene.accounts.free_unused()
        assert list(scene.accounts._keys._worked) == [("team-a", "key-999", "apiKey")]
        assert set(scene.accounts._keys._reread_at) == {("team-a", "missing-999")}
        for name in ("chat", "other"):
            scene.forget(a_resource(name=name))
        await scene.accounts.free_unused()
        assert not scene.accounts._keys._worked
        assert not scene.accounts._keys._reread_at

    play(scenario)


def test_a_key_that_is_freed_is_in_no_ones_hands() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(GOOD)
        used = (await scene.use()).credential
        assert used is not None
        watched = weakref.ref(used.api_key)
        del used
        await asyncio.sleep(100)
        scene.store(OTHER)
        await scene.use()
        await asyncio.sleep(100)
        await scene.accounts.free_unused()
        gc.collect()
        assert watched() is None

    play(scenario)


def test_an_account_that_was_listed_is_kept_until_its_budget_has_recovered() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(GOOD)
        account = (await scene.use()).account
        assert account is not None
        await asyncio.sleep(1)
        scene.forget()
        for _ in range(int(UNUSED_FOR / 10)):
            await scene.accounts.free_unused()
            assert scene.names() == {"acme"}
            await asyncio.sleep(10)
        account.budget.pause(1000.0)
        await asyncio.sleep(100)
        await scene.accounts.free_unused()
        assert scene.names() == {"acme"}, "who leaves and comes back would ask again during the pause"
        assert (await scene.use()).account is account
        await scene.accounts.free_unused()
        await asyncio.sleep(2 * UNUSED_FOR)
        await scene.accounts.free_unused()
        assert scene.names() == {"acme"}, "it is used again"
        scene.forget()
        await scene.accounts.free_unused()
        await asyncio.sleep(UNUSED_FOR)
        await scene.accounts.free_unused()
        assert not scene.names()
        lists = scene.fireworks.calls["list_deployments"]
        await asyncio.sleep(1000)
        assert scene.fireworks.calls["list_deployments"] == lists, "nobody observes it any more"

    play(scenario)


def test_the_key_that_worked_last_deletes_however_long_the_secret_is_gone() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(GOOD)
        await scene.use()
        await asyncio.sleep(1)
        await scene.use()
        scene.secrets.stored.clear()
        for _ in range(100):
            await asyncio.sleep(60)
            await scene.use()
            await scene.accounts.free_unused()
        resolved = await scene.use(a_deleted_resource(REFERENCE))
        assert resolved.state == Usable("acme")
        assert resolved.credential is not None
        assert resolved.credential.api_key == ApiKey(GOOD)
        assert resolved.credential.listed_at is not None, "what is known of it is known still"

    play(scenario)


def test_what_other_resources_use_stays_as_it_is() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(GOOD)
        scene.store(OTHER, "acme", name="other")
        other = a_resource({"credentialsSecretRef": {"name": "other"}}, name="other")
        first, second = await scene.use(), await scene.use(other)
        await asyncio.sleep(5)
        scene.forget()
        await scene.accounts.free_unused()
        again = await scene.use(other)
        assert first.account is second.account is again.account
        assert second.credential is again.credential
        assert scene.keys() == {OTHER}
        assert scene.accounts.is_proven("acme")
        assert not scene.accounts.is_proven("nobody")

    play(scenario)
