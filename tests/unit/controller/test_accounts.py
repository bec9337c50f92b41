"""From a resource to an API key and its account, and what users are told on the way; in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.controller.accounts.accounts import Accounts, Limits, Resolved
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.accounts.poller import Pace
from fireworks_operator.core.context import Unusable, Usable
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.request_budget import WithdrawnError
from testkit.builders import a_deleted_resource, a_resource
from testkit.virtual.loop import run
from tests.unit.controller.fakes import GOOD, OTHER, AllInUse, Changes, FakeFireworks, FakeSecrets

REFERENCE: Mapping[str, Any] = {"credentialsSecretRef": {"name": "key"}}
RESOURCE = a_resource(REFERENCE)
WITHOUT_SECRET = a_resource()


class Scene:
    """The accounts, and the API and Secrets they see."""

    def __init__(self, own: OwnCredential) -> None:
        self.fireworks = FakeFireworks()
        self.secrets = FakeSecrets()
        self.accounts = Accounts(
            cast("FireworksClient", self.fireworks),
            self.secrets,
            own,
            limits=Limits(),
            pace=Pace(jitter=0.0),
            bindings=AllInUse(),
            handler=Changes(),
            clock=asyncio.get_running_loop().time,
        )

    def store(self, api_key: str = GOOD, **others: str) -> None:
        """Put an API key, and what else is given, into the Secret of the resource."""
        self.secrets.stored["team-a/key"] = {
            name: text.encode() for name, text in {"apiKey": api_key, **others}.items()
        }

    async def refused(self) -> Unusable:
        """Resolve the resource with the Secret, and expect that it has no usable key."""
        return unusable(await self.accounts.resolve(RESOURCE))


def unusable(resolved: Resolved) -> Unusable:
    assert isinstance(resolved.state, Unusable), resolved.state
    return resolved.state


def play(scenario: Callable[[Scene], Awaitable[None]], own: OwnCredential | None = None) -> None:
    async def whole() -> None:
        scene = Scene(own or OwnCredential())
        try:
            await scenario(scene)
        finally:
            await scene.accounts.stop()

    run(whole())


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (None, Reason.CREDENTIALS_MISSING, 'The Secret "key" does not exist: kubectl create secret generic key'),
        ({}, Reason.CREDENTIALS_MISSING, "it has: nothing"),
        ({"apiKey": b""}, Reason.CREDENTIALS_MISSING, 'has no value under "apiKey"'),
        ({"apiKey": b" \n"}, Reason.CREDENTIALS_MISSING, 'has no value under "apiKey"'),
        ({"key": b"fw_x", "b": b""}, Reason.CREDENTIALS_MISSING, "(it has: b, key)"),
        ({"apiKey": b"two words"}, Reason.CREDENTIALS_INVALID, "does not hold an API key"),
        ({"apiKey": b"x" * 1_000_000}, Reason.CREDENTIALS_INVALID, "at most 512 printable"),
        ({"apiKey": b"x" + b" " * 5000 + b"y"}, Reason.CREDENTIALS_INVALID, "does not hold an API key"),
        ({"apiKey": b"\xff\xfe"}, Reason.CREDENTIALS_INVALID, "printable ASCII"),
        ({"apiKey": b'"fw_x"'}, Reason.CREDENTIALS_INVALID, 'under "apiKey": it is in quotes; provide only the key'),
        ({"apiKey": b"Bearer fw_x"}, Reason.CREDENTIALS_INVALID, "it is a header (Bearer …); provide only the key"),
        ({"apiKey": b"FIREWORKS_API_KEY=fw_x"}, Reason.CREDENTIALS_INVALID, "it is an assignment (NAME=…)"),
        ({"apiKey": b'{"apiKey":"fw_x"}'}, Reason.CREDENTIALS_INVALID, "it is JSON; provide only the key"),
        ({"apiKey": b"ZndfU2VjcmV0"}, Reason.CREDENTIALS_INVALID, "it is base64-encoded; provide the key itself"),
        ({"apiKey": "schlüssel".encode()}, Reason.CREDENTIALS_INVALID, "printable ASCII"),
    ],
)
def test_a_secret_without_a_key_is_told_with_what_to_do(
    data: Mapping[str, bytes] | None, reason: Reason, words: str
) -> None:
    async def scenario(scene: Scene) -> None:
        if data is not None:
            scene.secrets.stored["team-a/key"] = data
        found = await scene.refused()
        assert (found.reason, found.needs_user) == (reason, True)
        assert words in found.message
        assert not any(value.decode("latin-1") in found.message for value in (data or {}).values() if len(value) > 5)
        assert sum(scene.fireworks.calls.values()) == 0

    play(scenario)


@pytest.mark.parametrize(
    "account",
    ["a" * 129, "a" * 700_000, "accounts/acme", "../acme", "-", "ac me", "größe", "x\ud7ff", "a\nb", "a" * 5000 + "\n"],
)
def test_an_account_id_that_cannot_be_one_is_told_without_being_quoted_and_costs_nothing(account: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(accountId=account)
        found = await scene.refused()
        assert (found.reason, found.needs_user) == (Reason.CREDENTIALS_INVALID, True)
        assert 'does not hold a valid account id under "accountId"' in found.message
        assert account not in found.message or account == "-"
        assert len(found.message) < 400
        assert not list(scene.accounts)
        assert sum(scene.fireworks.calls.values()) == 0

    play(scenario)


@pytest.mark.parametrize("account", ["acmeInc", "a", "a.b_c-1", "a" * 128, " acme\n"])
def test_an_account_id_that_can_be_one_is_taken_as_it_is(account: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(accountId=account)
        assert (await scene.accounts.resolve(RESOURCE)).state == Usable(account.strip(), proven=False)

    play(scenario)


def test_a_secret_with_thousands_of_keys_is_told_in_a_few_words() -> None:
    async def scenario(scene: Scene) -> None:
        scene.secrets.stored["team-a/key"] = {"long" * 63: b"", **{f"key-{number:04}": b"" for number in range(3000)}}
        found = await scene.refused()
        assert "(it has: key-0000, key-0001," in found.message
        assert "and 2991 more)" in found.message
        assert len(found.message) < 1000

    play(scenario)


def test_a_secret_that_may_not_be_read_names_the_permission() -> None:
    async def scenario(scene: Scene) -> None:
        scene.secrets.forbidden = True
        found = await scene.refused()
        assert found.reason is Reason.CREDENTIALS_MISSING
        assert 'get Secrets in namespace "team-a"' in found.message

    play(scenario)


@pytest.mark.parametrize("text", [GOOD, f"{GOOD}\n", f"  {GOOD}\r\n"])
def test_a_key_works_also_with_the_newline_that_echo_adds(text: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(text)
        resolved = await scene.accounts.resolve(RESOURCE)
        assert resolved.state == Usable("acme", own=False)
        assert resolved.credential is not None
        assert resolved.credential.api_key == ApiKey(GOOD)
        assert resolved.account is not None
        assert [each.name for each in scene.accounts] == ["acme"]

    play(scenario)


def test_another_key_of_the_secret_can_be_named() -> None:
    async def scenario(scene: Scene) -> None:
        scene.secrets.stored["team-a/key"] = {"mine": GOOD.encode()}
        resource = a_resource({"credentialsSecretRef": {"name": "key", "key": "mine"}})
        assert (await scene.accounts.resolve(resource)).state == Usable("acme")

    play(scenario)


def test_an_account_id_in_the_secret_needs_no_discovery() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(accountId="other\n")
        assert (await scene.accounts.resolve(RESOURCE)).state == Usable("other", proven=False)
        assert scene.fireworks.calls["list_accounts"] == 0

    play(scenario)


@pytest.mark.parametrize(
    ("own", "resource", "expected"),
    [
        (OwnCredential(ApiKey(GOOD)), WITHOUT_SECRET, Usable("acme", own=True)),
        (OwnCredential(ApiKey(GOOD), "other"), WITHOUT_SECRET, Usable("other", own=True, proven=False)),
        (
            OwnCredential(ApiKey(GOOD), "other", frozenset({"team-a"})),
            WITHOUT_SECRET,
            Usable("other", own=True, proven=False),
        ),
    ],
)
def test_the_operators_own_key(own: OwnCredential, resource: FireworksDeployment, expected: Usable) -> None:
    async def scenario(scene: Scene) -> None:
        assert (await scene.accounts.resolve(resource)).state == expected

    play(scenario, own)


@pytest.mark.parametrize(
    ("own", "reason", "words"),
    [
        (OwnCredential(), Reason.CREDENTIALS_MISSING, "FIREWORKS_API_KEY"),
        (OwnCredential(ApiKey(GOOD), "acme", frozenset()), Reason.CREDENTIALS_NOT_ALLOWED, "credentialNamespaces"),
        (OwnCredential(ApiKey(GOOD), "acme", frozenset({"b"})), Reason.CREDENTIALS_NOT_ALLOWED, "credentialsSecretRef"),
    ],
)
def test_where_the_operators_own_key_does_not_serve(own: OwnCredential, reason: Reason, words: str) -> None:
    async def scenario(scene: Scene) -> None:
        found = unusable(await scene.accounts.resolve(WITHOUT_SECRET))
        assert found.reason is reason
        assert words in found.message
        assert sum(scene.fireworks.calls.values()) == 0

    play(scenario, own)


def test_a_broken_secret_does_not_fall_back_on_the_operators_own_key() -> None:
    async def scenario(scene: Scene) -> None:
        assert (await scene.refused()).reason is Reason.CREDENTIALS_MISSING

    play(scenario, OwnCredential(ApiKey(OTHER), "acme"))


@pytest.mark.parametrize(
    ("seen", "words"),
    [((), "can see no account"), (("a", "b"), "can see the accounts a, b"), (("b", "a"), "accountId in the Secret")],
)
def test_a_key_that_does_not_tell_its_account(seen: tuple[str, ...], words: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.accounts[GOOD] = seen
        scene.store()
        found = await scene.refused()
        assert (found.reason, found.needs_user) == (Reason.CREDENTIALS_INVALID, True)
        assert words in found.message
        scene.store(accountId="a")
        assert (await scene.accounts.resolve(RESOURCE)).state == Usable("a", proven=False)

    play(scenario)


def test_an_account_is_found_out_once_however_many_ask() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store()
        await asyncio.gather(*(scene.accounts.resolve(RESOURCE) for _ in range(50)))
        assert scene.fireworks.calls["list_accounts"] == 1

    play(scenario)


@pytest.mark.parametrize(
    ("kind", "reason", "final"),
    [
        (ErrorKind.UNAUTHENTICATED, Reason.CREDENTIALS_INVALID, True),
        (ErrorKind.PERMISSION_DENIED, Reason.PERMISSION_DENIED, True),
        (ErrorKind.NO_ANSWER, Reason.API_UNAVAILABLE, False),
        (ErrorKind.RATE_LIMITED, Reason.RATE_LIMITED, False),
    ],
)
def test_a_failed_discovery_is_told_and_not_repeated_by_each_of_a_thousand_resources(
    kind: ErrorKind, reason: Reason, final: bool
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_accounts", kind)
        scene.store()
        found = [await scene.refused() for _ in range(100)]
        assert {(each.reason, each.needs_user) for each in found} == {(reason, final)}
        assert scene.fireworks.calls["list_accounts"] == 1
        scene.fireworks.heal()
        await asyncio.sleep(31)
        assert (await scene.accounts.resolve(RESOURCE)).state == Usable("acme")

    play(scenario)


@pytest.mark.parametrize(
    "kind", [ErrorKind.NO_ANSWER, ErrorKind.RATE_LIMITED, ErrorKind.UNAUTHENTICATED, "sees two accounts"]
)
def test_a_key_that_does_not_tell_its_account_is_asked_about_ever_more_rarely(kind: ErrorKind | str) -> None:
    async def scenario(scene: Scene) -> None:
        if isinstance(kind, ErrorKind):
            scene.fireworks.fail("list_accounts", kind)
        else:
            scene.fireworks.accounts[GOOD] = ("a", "b")
        scene.store()
        told = {(await scene.refused()).message}
        for _ in range(720):
            await asyncio.sleep(5)
            told.add((await scene.refused()).message)
        assert len(told) == 1
        assert 10 <= scene.fireworks.calls["list_accounts"] <= 16, "in an hour, every five minutes in the end"
        scene.fireworks.heal()
        scene.fireworks.accounts.clear()
        await asyncio.sleep(301)
        assert (await scene.accounts.resolve(RESOURCE)).state == Usable("acme")

    play(scenario)


def test_a_key_is_not_asked_about_before_fireworks_allows_it() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.errors["list_accounts"] = FireworksError(ErrorKind.RATE_LIMITED, "slowly", retry_after=600.0)
        scene.store()
        for _ in range(119):
            await scene.refused()
            await asyncio.sleep(5)
        assert scene.fireworks.calls["list_accounts"] == 1

    play(scenario)


def test_a_thousand_keys_that_fail_do_not_go_beyond_the_budget() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_accounts", ErrorKind.NO_ANSWER)
        resources = [a_resource(REFERENCE, namespace=f"team-{number}") for number in range(1000)]
        for number in range(1000):
            scene.secrets.stored[f"team-{number}/key"] = {"apiKey": f"fw_key_number_{number}".encode()}
        asking = [asyncio.create_task(scene.accounts.resolve(each)) for each in resources]
        await asyncio.sleep(60)
        limits = Limits()
        assert scene.fireworks.calls["list_accounts"] <= limits.burst + limits.rate_per_minute
        scene.accounts.withdraw(resources[-1].ref)
        ended = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(each) for each in ended].count(WithdrawnError) == 1, "who changes its mind does not wait"

    play(scenario)


def test_a_refused_key_is_not_asked_again_before_its_pause() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_accounts", ErrorKind.UNAUTHENTICATED)
        scene.store()
        for _ in range(29):
            assert (await scene.refused()).reason is Reason.CREDENTIALS_INVALID
            await asyncio.sleep(1)
        assert scene.fireworks.calls["list_accounts"] == 1
        await asyncio.sleep(2)
        await scene.refused()
        assert scene.fireworks.calls["list_accounts"] == 2

    play(scenario)


def test_a_key_that_lists_no_more_is_unusable_for_its_users_alone() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store(accountId="acme")
        scene.secrets.stored["team-b/key"] = {"apiKey": OTHER.encode(), "accountId": b"acme"}
        neighbour = a_resource(REFERENCE, namespace="team-b")
        for resource in (RESOURCE, neighbour):
            await scene.accounts.resolve(resource)
        scene.fireworks.fail(f"list_deployments {GOOD}", ErrorKind.UNAUTHENTICATED)
        resolved = await scene.accounts.resolve(RESOURCE)
        assert resolved.account is not None
        assert resolved.credential is not None
        resolved.account.refused(resolved.credential, scene.fireworks.errors[f"list_deployments {GOOD}"])
        assert (await scene.refused()).reason is Reason.CREDENTIALS_INVALID
        await asyncio.sleep(60)
        assert (await scene.accounts.resolve(neighbour)).state == Usable("acme")

    play(scenario)


def test_an_account_in_trouble_is_told_to_all_its_users() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store()
        scene.fireworks.fail("list_deployments", ErrorKind.SUSPENDED)
        assert isinstance((await scene.accounts.resolve(RESOURCE)).state, Usable)
        await asyncio.sleep(1)
        assert (await scene.refused()).reason is Reason.ACCOUNT_SUSPENDED
        scene.fireworks.heal()
        await asyncio.sleep(60)
        assert (await scene.accounts.resolve(RESOURCE)).state == Usable("acme")

    play(scenario)


def test_a_secret_whose_key_does_not_work_is_read_past_the_cache_every_fifteen_seconds_at_most() -> None:
    async def scenario(scene: Scene) -> None:
        for _ in range(30):
            await scene.refused()
            await asyncio.sleep(1)
        assert scene.secrets.fresh == 2
        scene.store()
        await scene.accounts.resolve(RESOURCE)
        assert scene.secrets.fresh == 2

    play(scenario)


@pytest.mark.parametrize("loss", ["gone", "emptied", "forbidden"])
def test_the_last_key_that_worked_still_deletes(loss: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.store()
        await scene.accounts.resolve(RESOURCE)
        await asyncio.sleep(1)
        await scene.accounts.resolve(RESOURCE)
        scene.store("fw_wrong_key_1234567890", accountId="acme")  # taken for a good one until it is tried
        await scene.accounts.resolve(RESOURCE)
        if loss == "gone":
            scene.secrets.stored.clear()
        elif loss == "emptied":
            scene.store("")
        else:
            scene.secrets.forbidden = True
        assert (await scene.refused()).reason is Reason.CREDENTIALS_MISSING
        resolved = await scene.accounts.resolve(a_deleted_resource(REFERENCE))
        assert resolved.state == Usable("acme")
        assert resolved.credential is not None
        assert resolved.credential.api_key == ApiKey(GOOD)

    play(scenario)


def test_another_namespaces_last_key_does_not_delete() -> None:
    async def scenario(scene: Scene) -> None:
        scene.store()
        await scene.accounts.resolve(RESOURCE)
        stranger = a_deleted_resource(REFERENCE, namespace="team-b")
        assert unusable(await scene.accounts.resolve(stranger)).reason is Reason.CREDENTIALS_MISSING

    play(scenario)


def test_no_message_and_no_text_form_shows_a_key() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_accounts", ErrorKind.UNAUTHENTICATED)
        scene.store()
        resolved = await scene.accounts.resolve(RESOURCE)
        working = await scene.accounts.resolve(a_resource({"credentialsSecretRef": {"name": "other"}}))
        assert GOOD not in f"{resolved} {working} {scene.accounts!r}"

    play(scenario)
