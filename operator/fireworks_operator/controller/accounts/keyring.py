"""The API keys of one account: which of them list it, which are tried next, and what a refusal means."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.diagnosis import Diagnosis, diagnose
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.request_budget import Circuit, RequestBudget

from .denials import Denials

MOST_STRANGERS = 3
"""Keys that have yet to list the account which are tried in a row: each may take a whole deadline."""
TRIAL_SHARE = 0.1
"""Part of the budget that keys may take which do not list the account."""
CREDENTIAL_ERRORS = frozenset({ErrorKind.UNAUTHENTICATED, ErrorKind.PERMISSION_DENIED, ErrorKind.NOT_FOUND})
"""Errors of a LIST that are the fault of the key, or of the account id that came with it."""
RATE_LIMIT_PAUSE = 10.0
"""Seconds of silence after a 429 that does not say how long."""

_NEVER = float("-inf")
_REFUSED = Diagnosis(Reason.CREDENTIALS_INVALID, "", needs_user=True)


@dataclass(slots=True)
class Credential:
    """An API key in use and its circuit; times are monotonic seconds.

    `listed_at`: when it last listed the account; None until it has, and once it was refused. `tried_at`: when that was
    last tried while it did not. `namespace`: whose resources use it. `trusted`: it is the operator's own, or has
    listed the account before. `extent`: how many deployments its last two LISTs had. `refusal`: why the circuit is
    open. `belongs`: it has shown that it sees the account, since an empty LIST may be what Fireworks tells strangers.
    `seen`: the deployments that its own last LIST, a GET or an answer to a change has shown to this very key.
    """

    api_key: ApiKey
    circuit: Circuit
    listed_at: float | None = None
    tried_at: float = _NEVER
    namespace: str = ""
    trusted: bool = False
    extent: int = 0
    refusal: Diagnosis = _REFUSED
    denials: Denials = field(default_factory=Denials)
    belongs: bool = False
    seen: set[str] = field(default_factory=set)

    @property
    def lists(self) -> bool:
        """Whether the account can be listed with it."""
        return self.listed_at is not None and self.circuit.retry_at is None

    def saw(self, name: str) -> None:
        """Note that Fireworks has shown a deployment to this key."""
        self.belongs = True
        self.seen.add(name)
        self.denials.clear(name)

    def listed(self, names: set[str], started: float) -> None:
        """Note a LIST with this key; one that is shorter than the one before may be a slip."""
        self.listed_at, self.trusted = started, True
        self.extent, self.seen = max(len(names), len(self.seen)), names
        self.belongs = self.belongs or bool(names)

    def refuse(self, diagnosis: Diagnosis) -> None:
        """Stop its use, and remember why."""
        self.listed_at = None
        self.refusal = diagnosis
        self.circuit.open(diagnosis.message)


class Keyring:
    """The keys of one account. Those that do not list it are strangers: anybody may put its id beside any key."""

    def __init__(
        self, account: str, budget: RequestBudget, clock: Callable[[], float], *, shortest_pause: float
    ) -> None:
        """Start without any; `shortest_pause` seconds are at least between two rounds of trials."""
        self._account = account
        self._budget = budget
        self._clock = clock
        self._credentials: dict[ApiKey, Credential] = {}
        self._turns: dict[str, float] = {}
        self._tried_at = _NEVER
        # Strangers get no more than a tenth of the budget.
        self.trial_pause = max(shortest_pause, MOST_STRANGERS * 60.0 / (TRIAL_SHARE * budget.rate_per_minute))

    def __iter__(self) -> Iterator[Credential]:
        """Iterate over the keys in use."""
        return iter(tuple(self._credentials.values()))

    def get(self, api_key: ApiKey) -> Credential | None:
        """Return a key that is in use."""
        return self._credentials.get(api_key)

    def add(self, api_key: ApiKey, circuit: Circuit, *, own: bool) -> Credential:
        """Register a key; the newest is the first that lists. `own`: it is the operator's."""
        added = self._credentials[api_key] = Credential(api_key, circuit, trusted=own)
        return added

    def keep(self, api_keys: Collection[ApiKey]) -> None:
        """Forget all other keys: no resource uses them any more."""
        self._credentials = {api_key: each for api_key, each in self._credentials.items() if api_key in api_keys}

    def forget_replaced(self, is_used: Callable[[Credential], bool]) -> None:
        """Ask no more for keys that were refused and that no resource uses any more."""
        for each in self:
            if each.circuit.retry_at is not None and not is_used(each):
                del self._credentials[each.api_key]

    def listers(self) -> list[Credential]:
        """Return the keys that list the account, in the order in which they do.

        First the one that sees most and is no stranger, so that nothing looks gone to others since one key may see
        less; of equals the newest, since the older ones were replaced by it.
        """
        newest_first = [each for each in reversed(self._credentials.values()) if each.lists]
        return sorted(newest_first, key=lambda each: (not each.belongs, -each.extent))

    def has_untried(self) -> bool:
        """Tell whether a new key waits to be tried."""
        return any(each.tried_at == _NEVER and not each.lists for each in self._credentials.values())

    def has_due(self) -> bool:
        """Tell whether any key is to be tried."""
        return self._next_stranger() is not None

    def rests(self) -> bool:
        """Tell whether the pause between two rounds of trials is running."""
        return self._clock() - self._tried_at < self.trial_pause

    def begin_trial(self) -> Credential | None:
        """Return the key whose turn it is to be tried, and note that it is; None if there is none."""
        credential = self._next_stranger()
        if credential is not None:
            now = self._clock()
            self._tried_at = credential.tried_at = self._turns[credential.namespace] = now
            credential.circuit.try_probe()
        return credential

    def refused(self, credential: Credential, error: FireworksError, *, listing: bool = False) -> None:
        """Draw the account-wide and credential-wide consequences of an error; `listing`: of a LIST of the account."""
        if error.kind is ErrorKind.UNAUTHENTICATED or (listing and error.kind in CREDENTIAL_ERRORS):
            credential.refuse(explain_list(error, self._account) if listing else diagnose(error))
        elif error.kind is ErrorKind.RATE_LIMITED:
            self._budget.pause(error.retry_after or RATE_LIMIT_PAUSE)

    def blame(self, failures: Iterable[tuple[Credential, FireworksError]]) -> None:
        """Take what failed for the keys' own trouble, whatever it is: another key lists the account."""
        for credential, error in failures:
            credential.refuse(explain_list(error, self._account))

    def refused_keys(self) -> set[ApiKey]:
        """Return the keys that are refused now."""
        return {each.api_key for each in self._credentials.values() if each.circuit.retry_at is not None}

    def take_due_denials(self) -> set[str]:
        """Return, once, the deployments that were denied to any key and are worth asking for again."""
        return {name for each in self._credentials.values() for name in each.denials.take_due(self._clock())}

    def forget_gone(self, seen: set[str]) -> None:
        """Where most of what a key has seen is not among what one has listed, that is gone."""
        for each in self._credentials.values():
            if len(each.seen) > 2 * len(each.seen & seen) + 100:
                each.seen &= seen

    def _next_stranger(self) -> Credential | None:
        """Return the key to try next: one that has listed the account before, then each namespace's in turn.

        Within a namespace the one that was tried least recently comes first, so that each gets its turn.
        """
        due = [each for each in self._credentials.values() if not each.lists and self._is_due(each)]
        self._turns = {each.namespace: self._turns.get(each.namespace, _NEVER) for each in self._credentials.values()}
        turns = self._turns
        return min(due, key=lambda each: (not each.trusted, turns[each.namespace], each.tried_at), default=None)

    def _is_due(self, credential: Credential) -> bool:
        now, retry_at = self._clock(), credential.circuit.retry_at
        return now - credential.tried_at >= self.trial_pause if retry_at is None else now >= retry_at


def explain_list(error: FireworksError, account: str) -> Diagnosis:
    """Say why an account cannot be listed."""
    if error.kind is ErrorKind.NOT_FOUND:
        return Diagnosis(
            Reason.CREDENTIALS_INVALID,
            f'Fireworks has no account "{account}" for this API key: correct the account id next to the key '
            "(accountId in the Secret, or FIREWORKS_ACCOUNT_ID).",
            needs_user=True,
        )
    return diagnose(error)
