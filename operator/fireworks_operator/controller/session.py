"""One resource's way to Fireworks: its account, its key, its turn in the budget."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import (
    DESTRUCTIVE,
    Adopt,
    Create,
    Delete,
    LoadAddon,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.identity import TAG_ADOPTED, TAG_RELEASED
from fireworks_operator.core.model_notices import models_to_ask
from fireworks_operator.core.observed import Observed, Present, Unknown
from fireworks_operator.fireworks.budget import Lane
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Deployment, Model

from .account import Account, Credential
from .ports import MutationFence

Mutation = Create | Adopt | Update | Undelete | Delete | LoadAddon | UpdateAddon | UnloadAddon


class FencedError(Exception):
    """A change was not sent, since the Lease might end before it does."""


@dataclass(frozen=True, slots=True)
class Session:
    """Observes and changes one deployment.

    `key` is the resource's, which stands in line for the budget; `deleting` puts it before others there. Before
    anything that may take long, `make_room` tells that others may work meanwhile. The `fence` is asked right before
    each request that changes something: between two of them, or before the first, the Lease may have run short.
    """

    account: Account
    using: Credential
    name: str
    key: str
    make_room: Callable[[], None]
    fence: MutationFence
    deleting: bool = False

    def observe(self, *, with_addons: bool) -> Observed:
        """Return what is known without asking.

        Nothing before this very key has listed the account, and nothing that only other keys have seen.
        """
        self.account.observer.want_addons(self.key, self.name if with_addons else None)
        if self.using.listed_at is None:
            return Unknown()
        observed = self.account.observer.observe(self.name, with_addons=with_addons)
        return Unknown() if self._is_others(observed) else observed

    def must_look(self) -> bool:
        """Tell whether others' keys have seen the deployment, and this one has yet to ask whether it may."""
        listed = self.using.listed_at is not None
        return listed and self._is_others(self.account.observer.observe(self.name, with_addons=False))

    def _is_others(self, observed: Observed) -> bool:
        shows = isinstance(observed, Present) or (isinstance(observed, Unknown) and observed.unreadable)
        return shows and self.name not in self.using.seen

    async def look(self) -> Observed:
        """Ask for the deployment now; a failure is raised as a FireworksError."""
        self.make_room()
        return await self.account.look(self.using, self.name, self.key, lane=self._lane)

    async def look_at_addon(self, observed: Present, name: str) -> Present:
        """Ask for one loaded addon now; a failure is raised as a FireworksError."""
        return await self.account.look_at_addon(self.using, observed, name, self.key)

    async def explain_failure(self, observed: Observed) -> Observed:
        """Add why a FAILED deployment's replica died, which its own status often hides."""
        if not isinstance(observed, Present) or observed.deployment.state != "FAILED":
            return observed
        self.make_room()
        message = await self.account.termination_message(self.using, observed.deployment, self.key)
        return replace(observed, termination=message)

    async def models(self, resource: FireworksDeployment) -> dict[str, Model]:
        """Return the records of the models that may speak against the spec; a deletion does not wait for them."""
        if self.deleting:
            return {}
        names = tuple(models_to_ask(resource, self.account.name))
        if not self.account.catalogue.knows(names):
            self.make_room()
        return await self.account.models(self.using, names, self.key)

    async def reserve(self, action: Mutation) -> None:
        """Wait for this change's turn in the account's budget."""
        self.make_room()
        await self.account.budget.acquire(lane=Lane.FINISH if looked_at(action) else self._lane, key=self.key)
        if isinstance(action, Adopt) and action.remove:
            await self.account.budget.acquire(lane=Lane.FINISH, key=self.key)  # it takes two requests

    async def carry_out(self, action: Mutation) -> Observed | None:
        """Send one change; return what its answer says of the deployment, None if it says nothing.

        Raises:
            FencedError: the Lease is too short for a request, which was not sent.
            FireworksError: as sent by Fireworks; a create that finds the id taken, and a delete that finds
                nothing, are not errors but answers: the next look tells.
        """
        try:
            answer = await self._send(action)
        except FireworksError as error:
            self.account.refused(self.using, error)
            exists = isinstance(action, Create | LoadAddon) and error.kind is ErrorKind.ALREADY_EXISTS
            gone = isinstance(action, Delete | UnloadAddon) and error.kind is ErrorKind.NOT_FOUND
            if exists or gone or not error.definite:
                self.account.observer.wrote(self.name)
            if gone or (exists and isinstance(action, Create)):
                return None
            raise
        finally:
            self.account.touch()
        self.account.observer.wrote(self.name)
        self.using.saw(self.name)
        if answer is None:
            return None
        present = Present(answer)
        self.account.observer.learn(self.name, present, asked=self.account.observer.clock())
        return present

    async def release(self) -> None:
        """Mark the deployment, which was just looked at, as let go, so that it can be taken over.

        Whoever takes it over has not created it: others may have made it theirs in between.

        Raises:
            FencedError: the Lease is too short for it.
            FireworksError: it was not marked, which costs nothing.
        """
        self.make_room()
        await self.account.budget.acquire(lane=Lane.FINISH, key=self.key)
        self._check_fence()
        await self.account.client.set_tags(self.using.key, self.name, {TAG_RELEASED: "true", TAG_ADOPTED: "true"})
        self.account.observer.wrote(self.name)

    @property
    def _lane(self) -> Lane:
        return Lane.DELETE if self.deleting else Lane.OTHER

    def _check_fence(self) -> None:
        if not self.fence.may_mutate():
            raise FencedError

    async def _send(self, action: Mutation) -> Deployment | None:
        self._check_fence()
        client, key = self.account.client, self.using.key
        match action:
            case Create(body, query):
                identifier = self.name.rsplit("/", 1)[-1]
                return await client.create_deployment(key, self.account.name, identifier, body, query=query)
            case Update(body, mask):
                return await client.update_deployment(key, self.name, body, mask)
            case Undelete():
                return await client.undelete_deployment(key, self.name)
            case Delete(hard, ignore_checks):
                await client.delete_deployment(key, self.name, hard=hard, ignore_checks=ignore_checks)
            case Adopt(tags, remove):
                await client.set_tags(key, self.name, tags)
                if remove:
                    self._check_fence()
                    await client.delete_tags(key, self.name, remove)
            case LoadAddon(_, body):
                await client.load_addon(key, self.account.name, body)
            case UpdateAddon(deployed_model, body, mask):
                await client.update_deployed_model(key, deployed_model, body, mask)
            case UnloadAddon(_, deployed_model):
                await client.unload_addon(key, deployed_model)
        return None


def looked_at(action: Mutation) -> bool:
    """Tell whether a change is only made right after a GET."""
    return isinstance(action, (*DESTRUCTIVE, Update, Adopt, Undelete))


class Sessions:
    """Which resource looks at which deployment of which account."""

    def __init__(self) -> None:
        """Start without any."""
        self._accounts: dict[str, Account] = {}
        self._users: defaultdict[Account, dict[str, None]] = defaultdict(dict)
        self._names: dict[str, str] = {}
        self._keys: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, key: str, account: Account, name: str | None) -> None:
        """Remember what a resource looks at; `name` None while it cannot be said."""
        before = self._accounts.get(key)
        if before is not account:
            account.touch()  # something new is about to happen there, perhaps after nobody used it for a while
            self._forget_account(key)
            self._users[account][key] = None
        if before is not None and before is not account:
            before.observer.want_addons(key, None)
        self._accounts[key] = account
        if self._names.get(key) == name:
            return
        self._forget_name(key)
        if name is not None:
            self._names[key] = name
            self._keys[name].add(key)

    def forget(self, key: str) -> None:
        """Forget a resource that is gone."""
        account = self._forget_account(key)
        name = self._forget_name(key)
        if account is not None:
            account.observer.want_addons(key, None)
        if account is not None and name is not None and name not in self._keys:
            account.observer.forget(name)

    def of_account(self, account: Account) -> list[str]:
        """Return the keys that look at an account."""
        return list(self._users.get(account, ()))

    def of_deployments(self, names: Iterable[str]) -> set[str]:
        """Return the keys that look at any of these deployments."""
        return {key for name in names for key in self._keys.get(name, ())}

    def account_of(self, key: str) -> Account | None:
        """Return the account that a resource looks at, None if that is not known."""
        return self._accounts.get(key)

    def uses(self, account: Account) -> bool:
        """Tell whether any resource looks at an account."""
        return account in self._users

    def _forget_account(self, key: str) -> Account | None:
        account = self._accounts.pop(key, None)
        if account is not None:
            del self._users[account][key]
            if not self._users[account]:
                del self._users[account]
        return account

    def _forget_name(self, key: str) -> str | None:
        name = self._names.pop(key, None)
        if name is not None:
            self._keys[name].discard(key)
            if not self._keys[name]:
                del self._keys[name]
        return name
