"""Which resource looks at which deployment of which account, and with which API key."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from fireworks_operator.fireworks.request_budget import RequestBudget

from .keyring import Credential
from .observer import Observer
from .routers import Routers


class Bound(Protocol):
    """An account, as far as it must know that it is used, and for what."""

    @property
    def name(self) -> str:
        """Its id."""
        ...

    @property
    def budget(self) -> RequestBudget:
        """Where the resources wait for their turns."""
        ...

    @property
    def observer(self) -> Observer:
        """What is known of its deployments."""
        ...

    @property
    def routers(self) -> Routers:
        """What is known of its routers."""
        ...

    def touch(self) -> None:
        """Observe often for a while."""
        ...


class Bindings:
    """Which resource looks at which deployment of which account; `ref` is a resource's `namespace/name`."""

    def __init__(self) -> None:
        """Start without any."""
        self._accounts: dict[str, Bound] = {}
        self._users: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._names: dict[str, frozenset[str]] = {}
        self._refs: defaultdict[str, set[str]] = defaultdict(set)
        self._credentials: dict[str, Credential] = {}

    def note(self, ref: str, account: Bound, *names: str | None) -> None:
        """Remember what a resource looks at: one deployment, or two while it is replaced; None while not known."""
        before, known = self._accounts.get(ref), frozenset(name for name in names if name is not None)
        if before is not account:
            account.touch()  # something new is about to happen there, perhaps after nobody used it for a while
            self._forget_account(ref)
            self._users[account.name][ref] = None
        if before is not None and before is not account:
            _want_nothing_of(before, ref)
        self._accounts[ref] = account
        if self._names.get(ref, frozenset()) == known:
            return
        for name in self._forget_names(ref) - known:
            account.observer.unwant_addons(ref, name)
        if known:
            self._names[ref] = known
        for name in known:
            self._refs[name].add(ref)

    def switch_key(self, ref: str, credential: Credential | None) -> bool:
        """Remember which API key a resource uses, None if it has none now; True if it used another one before."""
        before = self._credentials.get(ref)
        if credential is not None:
            self._credentials[ref] = credential
        return before is not None and credential is not None and before is not credential

    def forget(self, ref: str) -> None:
        """Forget a resource that is gone."""
        self._credentials.pop(ref, None)
        account = self._forget_account(ref)
        names = self._forget_names(ref)
        if account is None:
            return
        _want_nothing_of(account, ref)
        for name in names - self._refs.keys():
            account.observer.forget(name)

    def of_account(self, account: str) -> list[str]:
        """Return the resources that look at an account."""
        return list(self._users.get(account, ()))

    def of_deployments(self, names: Iterable[str]) -> set[str]:
        """Return the resources that look at any of these deployments."""
        return {ref for name in names for ref in self._refs.get(name, ())}

    def account_of(self, ref: str) -> Bound | None:
        """Return the account that a resource looks at, None if that is not known."""
        return self._accounts.get(ref)

    def uses(self, account: str) -> bool:
        """Tell whether any resource looks at an account; one that none does is not observed."""
        return account in self._users

    def uses_key(self, credential: Credential) -> bool:
        """Tell whether any resource used an API key last."""
        return any(each is credential for each in self._credentials.values())

    def watches(self, name: str) -> bool:
        """Tell whether any resource looks at a deployment: most of an account may belong to others."""
        return name in self._refs

    def _forget_account(self, ref: str) -> Bound | None:
        account = self._accounts.pop(ref, None)
        if account is not None:
            del self._users[account.name][ref]
            if not self._users[account.name]:
                del self._users[account.name]
        return account

    def _forget_names(self, ref: str) -> frozenset[str]:
        names = self._names.pop(ref, frozenset())
        for name in names:
            self._refs[name].discard(ref)
            if not self._refs[name]:
                del self._refs[name]
        return names


def _want_nothing_of(account: Bound, ref: str) -> None:
    account.observer.unwant_addons(ref)
    account.routers.want(ref, None, None)
