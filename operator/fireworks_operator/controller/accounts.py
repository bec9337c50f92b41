"""Which account a resource's API key belongs to, and whether the key may be used."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, SecretKeyReference
from fireworks_operator.core.context import Credential as Usability
from fireworks_operator.core.context import Unusable, Usable
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.budget import AccountBudget, Circuit
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.key_form import odd_form
from fireworks_operator.fireworks.names import is_account_id

from .account import Account, Credential, Pace
from .discovery import ACCOUNT_ID_KEY, Discovery
from .ports import SecretExcerpt, SecretForbiddenError, SecretReader

KEYS_TROUBLE = frozenset({Reason.CREDENTIALS_INVALID, Reason.PERMISSION_DENIED})
UNTRIED = (
    "This API key has not been tried at Fireworks yet: keys that name the same account are tried one after the other. "
    "It goes on by itself, within minutes."
)

UNUSED_FOR = 600.0
"""Seconds for which an account that no resource uses is kept, so that nobody gets a full budget by leaving it."""
REREAD_SECONDS = 15.0
"""A Secret whose key does not work is read past the cache at most this often."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests per minute and in a burst that one account may be sent."""

    rate_per_minute: float = 600.0
    burst: int = 100


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """The operator's own API key, the account it is for (None: found out), and who may use it (None: everyone)."""

    key: ApiKey | None = None
    account: str | None = None
    namespaces: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resource's credential in the words of the core, and what to act with if it is usable."""

    credential: Usability
    account: Account | None = None
    using: Credential | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    key: ApiKey
    account: str | None
    own: bool


_Reference = tuple[str, str, str]
"""Namespace, name and key of a Secret."""


class Accounts:
    """All accounts in use, by id, and the way from a resource to its account."""

    def __init__(
        self,
        client: FireworksClient,
        secrets: SecretReader,
        own: OwnCredential,
        *,
        limits: Limits,
        pace: Pace,
        on_change: Callable[[Account, frozenset[str] | None], None],
        in_use: Callable[[Account], bool],
        uses_key: Callable[[Credential], bool],
        watches: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without any account; they come with the resources that use them."""
        self._client = client
        self._secrets = secrets
        self._own = own
        self._limits = limits
        self._pace = pace
        self._on_change = on_change
        self._in_use = in_use
        self._uses_key = uses_key
        self._watches = watches
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._circuits: dict[tuple[ApiKey, str | None], Circuit] = {}
        self._discovery = Discovery(client, self._budget(), clock)
        self._unused_since: dict[str, float] = {}
        self._reread_at: dict[tuple[str, str], float] = {}
        self._last_good: dict[_Reference, _Found] = {}
        # What each resource names, and which key it used last: all else is freed.
        self._references: dict[str, _Reference] = {}
        self._used: dict[str, _Found] = {}

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

    def forget(self, resource: str) -> None:
        """Forget which Secret and which key a resource used, since it is gone."""
        self._references.pop(resource, None)
        self._used.pop(resource, None)

    async def free_unused(self) -> None:
        """Forget keys, circuits and accounts that no resource refers to any more, and stop observing those."""
        references = set(self._references.values())
        self._last_good = {each: found for each, found in self._last_good.items() if each in references}
        named = {(namespace, name) for namespace, name, _ in references}
        self._reread_at = {each: at for each, at in self._reread_at.items() if each in named}
        used = {(found.key, found.account) for found in (*self._used.values(), *self._last_good.values())}
        keys = {key for key, _ in used}
        self._circuits = {each: circuit for each, circuit in self._circuits.items() if each in used}
        self._discovery.keep(keys)
        of_account: defaultdict[str | None, set[ApiKey]] = defaultdict(set)
        for key, name in used:
            of_account[name or self._discovery.known(key)].add(key)
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

    def withdraw(self, resource: str) -> None:
        """End the wait of a resource for its turn to ask for its key's account."""
        self._discovery.withdraw(resource)

    async def resolve(self, resource: FireworksDeployment, make_room: Callable[[], None] = lambda: None) -> Resolved:
        """Find a resource's API key and account; `make_room` is called before Fireworks is asked for the account.

        Raises:
            KubernetesUnavailableError: the Secret cannot be read now.
            WithdrawnError: `withdraw` was called for the resource.
        """
        reference = resource.spec.credentials_secret_ref
        self._refer(resource)
        found = await self._find(resource, fresh=False)
        resolved = await self._use(found, resource.key, make_room)
        works = _works(resource, resolved.credential)
        if not works and reference is not None and self._may_reread(resource.metadata.namespace, reference.name):
            found = await self._find(resource, fresh=True)
            resolved = await self._use(found, resource.key, make_room)
            works = _works(resource, resolved.credential)
        if works:
            self._remember(resource, found, resolved)
            return resolved
        if isinstance(found, Unusable) and resource.metadata.deletion_timestamp is not None:
            return await self._use_last_good(resource, resolved, make_room)
        return resolved

    def _refer(self, resource: FireworksDeployment) -> None:
        reference = resource.spec.credentials_secret_ref
        if reference is None:
            self._references.pop(resource.key, None)
        else:
            self._references[resource.key] = (resource.metadata.namespace, reference.name, reference.key)

    def _remember(self, resource: FireworksDeployment, found: _Found | Unusable, resolved: Resolved) -> None:
        reference = self._references.get(resource.key)
        proven = resolved.using is not None and resolved.using.listed_at is not None
        if reference is not None and isinstance(found, _Found) and proven:
            self._last_good[reference] = found

    async def _use_last_good(
        self, resource: FireworksDeployment, resolved: Resolved, make_room: Callable[[], None]
    ) -> Resolved:
        """Delete with the key that worked last: a namespace's Secret often goes before its resources."""
        reference = resource.spec.credentials_secret_ref
        if reference is None:
            return resolved
        last = self._last_good.get((resource.metadata.namespace, reference.name, reference.key))
        return resolved if last is None else await self._use(last, resource.key, make_room)

    def _may_reread(self, namespace: str, name: str) -> bool:
        now = self._clock()
        if now - self._reread_at.get((namespace, name), float("-inf")) < REREAD_SECONDS:
            return False
        self._reread_at[namespace, name] = now
        return True

    async def _find(self, resource: FireworksDeployment, *, fresh: bool) -> _Found | Unusable:
        reference = resource.spec.credentials_secret_ref
        namespace = resource.metadata.namespace
        if reference is None:
            return self._find_own(namespace)
        try:
            secret = await self._secrets.read(namespace, reference.name, (reference.key, ACCOUNT_ID_KEY), fresh=fresh)
        except SecretForbiddenError:
            return Unusable(
                Reason.CREDENTIALS_MISSING,
                f'The operator may not read the Secret "{reference.name}": give its service account the permission '
                f'to get Secrets in namespace "{namespace}".',
            )
        return _read_secret(namespace, reference, secret)

    def _find_own(self, namespace: str) -> _Found | Unusable:
        own = self._own
        if own.key is None:
            return Unusable(
                Reason.CREDENTIALS_MISSING,
                "The operator has no API key of its own: set spec.credentialsSecretRef to a Secret with the key "
                "apiKey, or start the operator with FIREWORKS_API_KEY.",
            )
        if own.namespaces is not None and namespace not in own.namespaces:
            return Unusable(
                Reason.CREDENTIALS_NOT_ALLOWED,
                f'The namespace "{namespace}" may not use the operator\'s own API key: set '
                "spec.credentialsSecretRef, or have the namespace added to the operator's setting "
                "credentialNamespaces.",
            )
        return _Found(own.key, own.account, own=True)

    async def _use(self, found: _Found | Unusable, resource: str, make_room: Callable[[], None]) -> Resolved:
        if isinstance(found, Unusable):
            return Resolved(found)
        self._used[resource] = found
        # Per account, too: a wrong accountId beside a key must not harm those who use the key rightly.
        circuit = self._circuits.setdefault((found.key, found.account), Circuit(self._clock))
        name = found.account or self._discovery.known(found.key)
        if name is None:
            make_room()
            discovered = await self._discovery.find(found.key, circuit, resource)
            if isinstance(discovered, Unusable):
                return Resolved(discovered)
            name = discovered
        account = self._account(name)
        using = account.credential(found.key, circuit, namespace=resource.partition("/")[0], own=found.own)
        using.belongs = using.belongs or found.account is None  # Fireworks itself has named the account
        account.start()
        if using.circuit.retry_at is not None:
            refusal = Unusable(using.refusal.reason, using.circuit.reason, using.refusal.final)
            return Resolved(refusal, account, using)
        trouble = account.observer.trouble
        if trouble is not None and using.listed_at is None and trouble.explanation.reason in KEYS_TROUBLE:
            # What has been refused is somebody else's key.
            return Resolved(Unusable(Reason.API_UNAVAILABLE, UNTRIED, final=False), account, using)
        if trouble is not None and trouble.explanation.final:
            return Resolved(Unusable(trouble.explanation.reason, trouble.explanation.message), account, using)
        return Resolved(Usable(name, own=found.own), account, using)

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = self._new_account(name)
        return account

    def _new_account(self, name: str) -> Account:
        account = Account(
            name,
            self._client,
            budget=self._budget(),
            pace=self._pace,
            rate_per_minute=self._limits.rate_per_minute,
            clock=self._clock,
            on_change=lambda names: self._on_change(account, names),
            in_use=lambda: self._in_use(account),
            uses_key=self._uses_key,
            watches=self._watches,
        )
        return account

    def _budget(self) -> AccountBudget:
        return AccountBudget(rate_per_minute=self._limits.rate_per_minute, burst=self._limits.burst, clock=self._clock)


def _works(resource: FireworksDeployment, credential: Usability) -> bool:
    """Tell whether a credential is usable, and of the account that the resource's deployment lives in."""
    return isinstance(credential, Usable) and resource.status.account in (None, credential.account)


def _read_secret(namespace: str, reference: SecretKeyReference, secret: SecretExcerpt | None) -> _Found | Unusable:
    if secret is None:
        return Unusable(
            Reason.CREDENTIALS_MISSING,
            f'The Secret "{reference.name}" does not exist: kubectl create secret generic {reference.name} '
            f"--namespace {namespace} --from-literal={reference.key}=YOUR_API_KEY",
        )
    value, named = secret.values.get(reference.key, b""), secret.values.get(ACCOUNT_ID_KEY, b"")
    if value is not None and not value.strip():
        return Unusable(
            Reason.CREDENTIALS_MISSING,
            f'The Secret "{reference.name}" has no value under "{reference.key}" (it has: {secret.has}): put the API '
            "key there, or name the right key in spec.credentialsSecretRef.key.",
        )
    odd = odd_form(value.decode(errors="replace")) if value is not None else None
    if odd is not None:
        return Unusable(
            Reason.CREDENTIALS_INVALID,
            f'The Secret "{reference.name}" does not hold an API key under "{reference.key}": {odd}.',
        )
    try:
        key = ApiKey(_text(value))
    except ValueError:
        return Unusable(
            Reason.CREDENTIALS_INVALID,
            f'The Secret "{reference.name}" does not hold an API key under "{reference.key}": a key is printable '
            "ASCII without blanks, at most 512 characters, such as fw_….",
        )
    try:
        account = _text(named).strip() or None
    except ValueError:
        account = ""
    if account is not None and not is_account_id(account):
        return Unusable(
            Reason.CREDENTIALS_INVALID,
            f'What the Secret "{reference.name}" has under "{ACCOUNT_ID_KEY}" cannot be the id of an account: that is '
            "1 to 128 letters, digits and dashes. Correct it, or remove it: then Fireworks is asked for the key's "
            "account.",
        )
    return _Found(key, account, own=False)


def _text(value: bytes | None) -> str:
    """Decode a value of a Secret.

    Raises:
        ValueError: it is no text, or too long.
    """
    if value is None:
        raise ValueError("too long")
    return value.decode()
