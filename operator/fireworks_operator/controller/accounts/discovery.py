"""Which account an API key is for, asked of Fireworks where nobody says so."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from weakref import WeakValueDictionary

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Account
from fireworks_operator.fireworks.request_budget import Circuit, RequestBudget
from fireworks_operator.ports import ACCOUNT_ID_KEY
from fireworks_operator.timing import Backoff

PAUSES = Backoff(15.0, 300.0)
"""Seconds until a key that has not told its account is asked about again."""
MOST_TOLD = 10
"""Accounts of a key that are named in a message."""
LONGEST_SILENCE = 3600.0
"""Whatever a server asks for, it is asked again after so many seconds."""


@dataclass(frozen=True, slots=True)
class _Failure:
    told: Unusable
    count: int
    until: float


class Discovery:
    """Asks once for each key, however many resources use it, and ever more rarely where that fails.

    `budget` bounds the requests about all keys together: before the answer nobody knows whose account pays for them.
    """

    def __init__(self, client: FireworksClient, budget: RequestBudget, clock: Callable[[], float]) -> None:
        """Start without knowing any key."""
        self._client = client
        self._budget = budget
        self._clock = clock
        self._accounts: dict[ApiKey, str] = {}
        self._failures: dict[ApiKey, _Failure] = {}
        self._asking: WeakValueDictionary[ApiKey, asyncio.Lock] = WeakValueDictionary()

    def known(self, api_key: ApiKey) -> str | None:
        """Return the id of a key's account, None if it has to be asked for."""
        return self._accounts.get(api_key)

    def keep(self, api_keys: Collection[ApiKey]) -> None:
        """Forget all other keys: no resource uses them any more."""
        self._accounts = {api_key: account for api_key, account in self._accounts.items() if api_key in api_keys}
        self._failures = {api_key: failure for api_key, failure in self._failures.items() if api_key in api_keys}

    def withdraw(self, ref: str) -> None:
        """End a resource's wait for its turn, if it is waiting."""
        self._budget.withdraw(ref)

    async def find(self, api_key: ApiKey, circuit: Circuit, ref: str) -> str | Unusable:
        """Return the id of a key's account, or why it is not known.

        Raises:
            WithdrawnError: `withdraw` was called for the resource.
        """
        async with self._asking.setdefault(api_key, asyncio.Lock()):
            known, failure = self.known(api_key), self._failures.get(api_key)
            if known is not None:
                return known
            if failure is not None and (self._clock() < failure.until or not circuit.try_probe()):
                return failure.told
            await self._budget.acquire(ref=ref)
            try:
                found = _only(await self._client.list_accounts(api_key))
                circuit.close()
            except FireworksError as error:
                return self._failed(api_key, circuit, error)
            if isinstance(found, Unusable):
                self._note(api_key, found)
            else:
                self._accounts[api_key] = found
                self._failures.pop(api_key, None)
            return found

    def _failed(self, api_key: ApiKey, circuit: Circuit, error: FireworksError) -> Unusable:
        diagnosis = diagnose(error)
        if diagnosis.needs_user:
            circuit.open(diagnosis.message)
        asked = min(error.retry_after or 0.0, LONGEST_SILENCE) if error.kind is ErrorKind.RATE_LIMITED else 0.0
        return self._note(api_key, Unusable(diagnosis.reason, diagnosis.message, diagnosis.needs_user), silence=asked)

    def _note(self, api_key: ApiKey, told: Unusable, *, silence: float = 0.0) -> Unusable:
        before = self._failures.get(api_key)
        count = 1 if before is None else before.count + 1
        self._failures[api_key] = _Failure(told, count, self._clock() + max(PAUSES.pause(count), silence))
        return told


def _only(accounts: tuple[Account, ...]) -> str | Unusable:
    """Return the id of the one account that a key can see."""
    if len(accounts) == 1:
        return accounts[0].id
    ids = sorted(each.id for each in accounts)
    more = f" and {len(ids) - MOST_TOLD} more" if len(ids) > MOST_TOLD else ""
    seen = f"the accounts {', '.join(ids[:MOST_TOLD])}{more}" if ids else "no account"
    return Unusable(
        Reason.CREDENTIALS_INVALID,
        f"The API key can see {seen}: specify one with the key {ACCOUNT_ID_KEY} in the Secret, or with "
        "FIREWORKS_ACCOUNT_ID for the operator's own API key.",
    )
