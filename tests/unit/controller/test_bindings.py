"""Which resources look at what, and who is told of a change."""

from typing import cast

from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.keyring import Credential
from fireworks_operator.controller.accounts.observer import Changed
from fireworks_operator.controller.enqueue import EnqueueBound
from fireworks_operator.controller.queue import WorkQueue
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.request_budget import Circuit
from testkit.virtual.loop import run
from tests.unit.controller.fakes import GOOD, OTHER

NAME = "accounts/acme/deployments/x"


def test_bindings_know_who_uses_an_account() -> None:
    first, second = (cast("Account", FakeAccount(name)) for name in ("first", "second"))
    bindings = Bindings()
    bindings.note("team-a/one", first, None)
    bindings.note("team-a/two", first, None)
    bindings.note("team-a/one", second, None)
    bindings.note("team-a/one", second, "accounts/acme/deployments/x")
    assert (bindings.of_account("first"), bindings.of_account("second")) == (["team-a/two"], ["team-a/one"])
    bindings.forget("team-a/two")
    bindings.forget("team-a/two")
    assert (bindings.uses("first"), bindings.uses("second")) == (False, True)
    assert bindings.account_of("team-a/two") is None
    bindings.forget("team-a/one")
    assert not bindings._users


class FakeAccount:
    """An account of which nothing is asked but that it may change."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.observer = self
        self.routers = self

    def touch(self) -> None:
        """Something changes."""

    def unwant_addons(self, ref: str, name: str | None = None) -> None:
        """A resource has no addons."""

    def want(self, ref: str, router: str | None, deployment: str | None) -> None:
        """A resource has no router."""

    def forget(self, name: str) -> None:
        """A deployment is looked at no more."""


def test_a_deployment_is_watched_for_as_long_as_any_resource_looks_at_it() -> None:
    account, bindings = cast("Account", FakeAccount("acme")), Bindings()
    bindings.note("team-a/one", account, NAME)
    bindings.note("team-a/two", account, NAME)
    bindings.forget("team-a/one")
    assert bindings.watches(NAME)
    bindings.note("team-a/two", account, None)
    assert not bindings.watches(NAME)


def test_a_resource_that_is_replaced_looks_at_two_deployments_and_then_at_one() -> None:
    account, bindings, former = cast("Account", FakeAccount("acme")), Bindings(), f"{NAME}-former"
    bindings.note("team-a/one", account, NAME, former)
    assert bindings.of_deployments([former]) == bindings.of_deployments([NAME]) == {"team-a/one"}
    bindings.note("team-a/one", account, NAME, None)
    assert (bindings.watches(NAME), bindings.watches(former)) == (True, False)


def test_another_key_than_before_is_noticed_and_none_at_all_is_no_other() -> None:
    first, second = (Credential(ApiKey(text), Circuit()) for text in (GOOD, OTHER))
    bindings = Bindings()
    told = [bindings.switch_key("team-a/one", each) for each in (first, first, None, first, second)]
    assert told == [False, False, False, False, True]
    assert (bindings.uses_key(first), bindings.uses_key(second)) == (False, True)
    bindings.forget("team-a/one")
    assert not bindings.uses_key(second)


def test_who_looks_at_an_account_is_told_of_what_concerns_all_of_it_and_only_of_its_own_deployment() -> None:
    async def scenario() -> list[set[str]]:
        account, bindings, told = cast("Account", FakeAccount("acme")), Bindings(), []
        bindings.note("team-a/one", account, NAME)
        bindings.note("team-a/two", account, None)
        bindings.note("team-b/other", cast("Account", FakeAccount("other")), NAME.replace("acme", "other"))
        for names in (None, frozenset({NAME}), frozenset({"accounts/acme/deployments/nobodys"})):
            queue = WorkQueue()
            EnqueueBound(queue, bindings).on_change(Changed("acme", names))
            told.append({(await queue.get())[0] for _ in range(len(queue))})
        return told

    assert run(scenario()) == [{"team-a/one", "team-a/two"}, {"team-a/one"}, set()]
