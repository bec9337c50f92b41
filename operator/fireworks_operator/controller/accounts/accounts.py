"""Which account a resource's API key belongs to, and whether the key may be used."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.context import CredentialState, Unusable, Usable
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.request_budget import Circuit, RequestBudget
from fireworks_operator.ports import SecretReader

from .account import Account
from .bindings import Bindings
from .discovery import Discovery
from .key_source import Found, KeySource, OwnCredential
from .keyring import Credential
from .observer import ChangeHandler
from .poller import Pace
from .route_keys import RouteKeys, read_route_keys

KEYS_TROUBLE = frozenset({Reason.CREDENTIALS_INVALID, Reason.PERMISSION_DENIED})
UNTRIED = (
    "This API key has not been tried at Fireworks yet: keys for the same account are tried one after the other. The "
    "operator continues automatically within minutes."
)

UNUSED_FOR = 600.0
"""Seconds for which an account that no resource uses is kept, so that nobody gets a full budget by leaving it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per minute and in a burst that one account may be sent."""

    rate_per_minute: float = 600.0
    burst: int = 100


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resource's credential in the words of the core, and what to act with if it is usable."""

    state: CredentialState
    account: Account | None = None
    credential: Credential | None = None


class Accounts:
    """All accounts in use, by id, and the way from a resource to its account; `ref` is its `namespace/name`."""

    def __init__(
        self,
        client: FireworksClient,
        secrets: SecretReader,
        own: OwnCredential,
        *,
        limits: Limits,
        pace: Pace,
        bindings: Bindings,
        handler: ChangeHandler,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without any account; they come with the resources that use them."""
        self._client = client
        self._secrets = secrets
        self._limits = limits
        self._pace = pace
        self._bindings = bindings
        self._handler = handler
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._circuits: dict[tuple[ApiKey, str | None], Circuit] = {}
        self._discovery = Discovery(client, self._budget(), clock)
        self._unused_since: dict[str, float] = {}
        self._keys = KeySource(secrets, own, clock)
        self._used: dict[str, Found] = {}

    def __iter__(self) -> Iterator[Account]:
        """Iterate over the accounts in use."""
        return iter(tuple(self._accounts.values()))

    async def stop(self) -> None:
        """Stop observing all accounts."""
        for account in self:
            await account.stop()

    def is_proven(self, name: str) -> bool:
        """Tell whether Fireworks has listed the deployments of an account: other names are somebody's words."""
        account = self._accounts.get(name)
        return account is not None and account.proven

    def forget(self, ref: str) -> None:
        """Forget which Secret and which key a resource used, since it is gone."""
        self._keys.forget(ref)
        self._used.pop(ref, None)

    async def free_unused(self) -> None:
        """Forget keys, circuits and accounts that no resource refers to any more, and stop observing those."""
        self._keys.free_unused()
        used = {(found.api_key, found.account) for found in (*self._used.values(), *self._keys.remembered())}
        self._circuits = {each: circuit for each, circuit in self._circuits.items() if each in used}
        self._discovery.keep({api_key for api_key, _ in used})
        of_account: defaultdict[str | None, set[ApiKey]] = defaultdict(set)
        for api_key, name in used:
            of_account[name or self._discovery.known(api_key)].add(api_key)
        for account in self:
            account.keep(of_account[account.name])
        for account in [each for each in self if self._is_left(each)]:
            del self._accounts[account.name]
            self._unused_since.pop(account.name, None)
            await account.stop()

    def _is_left(self, account: Account) -> bool:
        """Tell whether an account can be freed: at once if nobody has listed it, else when its budget has recovered."""
        if account.in_use:
            self._unused_since.pop(account.name, None)
            return False
        since = self._unused_since.setdefault(account.name, self._clock())
        if not account.proven:
            return True
        return self._clock() - since >= UNUSED_FOR and account.budget.paused_until is None

    def withdraw(self, ref: str) -> None:
        """End the wait of a resource for its turn, to ask for its key's account or in its account's budget."""
        self._discovery.withdraw(ref)
        account = self._bindings.account_of(ref)
        if account is not None:
            account.budget.withdraw(ref)

    async def resolve(self, resource: FireworksDeployment, release_slot: Callable[[], None] = lambda: None) -> Resolved:
        """Find a resource's API key and account; `release_slot` is called before Fireworks is asked for the account.

        Raises:
            KubernetesUnavailableError: the Secret cannot be read now.
            WithdrawnError: `withdraw` was called for the resource.
        """
        found = await self._keys.find(resource, fresh=False)
        resolved = await self._use(found, resource.ref, release_slot)
        if not _works(resource, resolved.state) and self._keys.begin_reread(resource):
            found = await self._keys.find(resource, fresh=True)
            resolved = await self._use(found, resource.ref, release_slot)
        if _works(resource, resolved.state):
            credential = resolved.credential
            if isinstance(found, Found) and credential is not None and credential.listed_at is not None:
                self._keys.works(resource.ref, found)
            return resolved
        if isinstance(found, Unusable) and resource.metadata.deletion_timestamp is not None:
            last = self._keys.last_that_worked(resource.ref)
            return resolved if last is None else await self._use(last, resource.ref, release_slot)
        return resolved

    async def route_keys(self, resource: FireworksDeployment) -> RouteKeys | Unusable | None:
        """Find the API keys of a resource's direct route; None if it names none.

        Raises:
            KubernetesUnavailableError: the Secret cannot be read now.
        """
        return await read_route_keys(self._secrets, resource)

    async def _use(self, found: Found | Unusable, ref: str, release_slot: Callable[[], None]) -> Resolved:
        if isinstance(found, Unusable):
            return Resolved(found)
        self._used[ref] = found
        # Per account, too: a wrong accountId beside a key must not harm those who use the key rightly.
        circuit = self._circuits.setdefault((found.api_key, found.account), Circuit(self._clock))
        name = found.account or self._discovery.known(found.api_key)
        if name is None:
            release_slot()
            discovered = await self._discovery.find(found.api_key, circuit, ref)
            if isinstance(discovered, Unusable):
                return Resolved(discovered)
            name = discovered
        account = self._account(name)
        credential = account.credential(found.api_key, circuit, namespace=ref.partition("/")[0], own=found.own)
        credential.belongs = credential.belongs or found.account is None  # Fireworks itself has named the account
        account.start()
        if credential.circuit.retry_at is not None:
            refusal = Unusable(credential.refusal.reason, credential.circuit.reason, credential.refusal.needs_user)
            return Resolved(refusal, account, credential)
        failure = account.observer.failure
        if failure is not None and credential.listed_at is None and failure.diagnosis.reason in KEYS_TROUBLE:
            # What has been refused is somebody else's key.
            return Resolved(Unusable(Reason.API_UNAVAILABLE, UNTRIED, needs_user=False), account, credential)
        if failure is not None and failure.diagnosis.needs_user:
            return Resolved(Unusable(failure.diagnosis.reason, failure.diagnosis.message), account, credential)
        proven = found.account is None or credential.listed_at is not None
        return Resolved(Usable(name, own=found.own, proven=proven), account, credential)

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = self._new_account(name)
        return account

    def _new_account(self, name: str) -> Account:
        return Account(
            name,
            self._client,
            budget=self._budget(),
            pace=self._pace,
            clock=self._clock,
            bindings=self._bindings,
            handler=self._handler,
        )

    def _budget(self) -> RequestBudget:
        return RequestBudget(rate_per_minute=self._limits.rate_per_minute, burst=self._limits.burst, clock=self._clock)


def _works(resource: FireworksDeployment, state: CredentialState) -> bool:
    """Tell whether a credential is usable, and of the account that the resource's deployment lives in."""
    return isinstance(state, Usable) and resource.status.account in (None, state.account)
