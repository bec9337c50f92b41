"""Who may send the next request: a token bucket per account, and a circuit breaker per credential."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Final

from fireworks_operator.timing import Backoff, TokenBucket

Clock = Callable[[], float]
"""Seconds that only ever grow, such as `time.monotonic`."""

# Polls may use this part of an account's requests; the rest is for changes.
LIST_SHARE: Final = 0.2

# So many deletes go ahead of one other request, so that a thousand of them stop nobody's work.
DELETES_IN_A_ROW: Final = 3

# Whatever a server asks for, it is asked again after this time (seconds).
LONGEST_PAUSE: Final = 3600.0

# A timer may fire a hair early by the clock: keeps rounding from turning into a busy loop (seconds).
_SHORTEST_TIMER: Final = 0.001


class Lane(Enum):
    """What a request is for, in the order in which lanes are served."""

    LIST = "list"
    """Observing the account."""
    FINISH = "finish"
    """The change that a look was made for, while what was seen is fresh; the look has had its fair turn."""
    DELETE = "delete"
    """What begins a deletion."""
    OTHER = "other"
    """Everything else."""


class WithdrawnError(Exception):
    """The wait for a turn was ended by `withdraw`."""


class _FairQueue:
    """Waiting requests of one lane: tenants take turns, each tenant's own requests in order."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._tenants.values()))

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def push(self, tenant: str, waiter: asyncio.Future[None]) -> None:
        self._tenants.setdefault(tenant, deque()).append(waiter)

    def pop(self) -> asyncio.Future[None]:
        tenant, waiters = self._tenants.popitem(last=False)
        waiter = waiters.popleft()
        if waiters:
            self._tenants[tenant] = waiters
        return waiter

    def remove(self, tenant: str, waiter: asyncio.Future[None]) -> None:
        """Take a waiter out, unless its turn came after it was cancelled."""
        waiters = self._tenants.get(tenant, deque())
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._tenants[tenant]


class RequestBudget:
    """The request budget of one account, shared by all its credentials.

    In any window of t seconds at most `burst + rate_per_minute / 60 * t` requests are let through, and lists
    take no more than a fifth of both. Order: lists (within their fifth, so that observation never starves), then
    what is begun, then deletes (GPUs cost money until they are gone), then the rest, which gets every fourth turn
    even so; within a lane tenants take turns.
    """

    def __init__(self, *, rate_per_minute: float = 600.0, burst: int = 100, clock: Clock = time.monotonic) -> None:
        """Start with a full bucket.

        Args:
            rate_per_minute: requests per minute in the long run.
            burst: requests that may come at once after a quiet time.
            clock: seconds that only grow.

        Raises:
            ValueError: a rate that is not above 0, or a burst below 1.
        """
        if not rate_per_minute > 0 or burst < 1:
            raise ValueError("a budget needs a rate above 0 and a burst of at least 1")
        per_second, now = rate_per_minute / 60.0, clock()
        self.rate_per_minute = rate_per_minute
        self._clock = clock
        self._all = TokenBucket(per_second, float(burst), now)
        self._lists = TokenBucket(per_second * LIST_SHARE, max(1.0, burst * LIST_SHARE), now)
        self._waiting = {lane: _FairQueue() for lane in Lane}
        self._waiter_of: dict[str, asyncio.Future[None]] = {}
        self._deletes_in_a_row = 0
        self._paused_until = now
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, *, lane: Lane = Lane.OTHER, ref: str = "") -> None:
        """Wait until one request may be sent. A wait that ends otherwise costs nothing and holds nobody up.

        Args:
            lane: what the request is for.
            ref: `namespace/name` of the resource that it is for; namespaces are the tenants of a lane.

        Raises:
            WithdrawnError: `withdraw` was called for the resource.
        """
        waiter = self._waiter_of[ref] = asyncio.get_running_loop().create_future()
        tenant = ref.partition("/")[0]
        self._waiting[lane].push(tenant, waiter)
        self._serve()
        try:
            await waiter
        except (asyncio.CancelledError, WithdrawnError):
            if waiter.cancelled() or waiter.exception() is not None:
                self._waiting[lane].remove(tenant, waiter)
            else:
                self._give_back(lane)
            self._serve()
            raise
        finally:
            if self._waiter_of.get(ref) is waiter:
                del self._waiter_of[ref]

    def withdraw(self, ref: str) -> None:
        """End the wait of a resource, if it is waiting."""
        waiter = self._waiter_of.get(ref)
        if waiter is not None and not waiter.done():
            waiter.set_exception(WithdrawnError)

    def pause(self, seconds: float) -> None:
        """Let nothing through for so long (at most an hour), and start from an empty bucket after that.

        For an answer "too many requests": a full burst right after the pause would earn the next one.
        """
        if not seconds > 0:
            return
        until = self._clock() + min(seconds, LONGEST_PAUSE)
        if until > self._paused_until:
            self._paused_until = until
            self._all.drain(until)
            self._lists.drain(until)
            self._serve()

    @property
    def paused_until(self) -> float | None:
        """The end of the present pause by the budget's clock; None when there is none."""
        return self._paused_until if self._clock() < self._paused_until else None

    def available(self) -> float:
        """Requests that could be sent at once; 0 during a pause."""
        self._all.advance(self._clock())
        return self._all.tokens if self.paused_until is None else 0.0

    def waiting(self) -> int:
        """Requests that wait for their turn."""
        return sum(map(len, self._waiting.values()))

    def _give_back(self, lane: Lane) -> None:
        for bucket in (self._all, self._lists) if lane is Lane.LIST else (self._all,):
            bucket.give_back()

    def _serve(self) -> None:
        """Hand out what there is, then set a timer for the next token that somebody waits for."""
        now = self._clock()
        self._all.advance(now)
        self._lists.advance(now)
        while now >= self._paused_until and self._all.has_token and (lane := self._next_lane()) is not None:
            waiter = self._waiting[lane].pop()
            if waiter.done():
                continue
            waiter.set_result(None)
            self._spend(lane)
        self._set_timer(now)

    def _spend(self, lane: Lane) -> None:
        self._all.take()
        if lane is Lane.LIST:
            self._lists.take()
        elif lane is Lane.DELETE:
            self._deletes_in_a_row += 1
        elif lane is Lane.OTHER:
            self._deletes_in_a_row = 0

    def _next_lane(self) -> Lane | None:
        if self._waiting[Lane.LIST] and self._lists.has_token:
            return Lane.LIST
        if self._waiting[Lane.FINISH]:
            return Lane.FINISH
        delete, other = self._waiting[Lane.DELETE], self._waiting[Lane.OTHER]
        if delete and not (other and self._deletes_in_a_row >= DELETES_IN_A_ROW):
            return Lane.DELETE
        return Lane.OTHER if other else None

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = [
            max(self._all.ready_at, self._lists.ready_at) if lane is Lane.LIST else self._all.ready_at
            for lane, queue in self._waiting.items()
            if queue
        ]
        if due:
            delay = max(min(due) - now, _SHORTEST_TIMER)
            self._timer = asyncio.get_running_loop().call_later(delay, self._serve)


class CircuitState(StrEnum):
    """State of a circuit; the doc lines say what passes."""

    CLOSED = "Closed"
    """Everything passes."""
    OPEN = "Open"
    """Nothing passes until `retry_at`."""
    HALF_OPEN = "HalfOpen"
    """One probe is on its way; nothing else passes."""


class Circuit:
    """Stops the use of one credential after it was refused, and probes it at growing intervals.

    The pause doubles from 30 s to 5 min with every failed probe. A probe that never reports back (cancelled,
    or failed for another reason) is replaced after 30 s.
    """

    PAUSES: Final = Backoff(30.0, 300.0)
    PROBE_TIMEOUT: Final = 30.0

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._state = CircuitState.CLOSED
        self._refusals = 0
        self._retry_at: float | None = None
        self._reason = ""

    @property
    def state(self) -> CircuitState:
        """Whether requests pass; an open circuit stays open past `retry_at` until somebody probes."""
        return self._state

    @property
    def retry_at(self) -> float | None:
        """When the next probe may be sent, by the circuit's clock; None while closed."""
        return self._retry_at

    @property
    def reason(self) -> str:
        """Why the circuit was opened last; empty while closed."""
        return self._reason

    def try_probe(self) -> bool:
        """Tell whether a request may be sent now; if the circuit is not closed, that request is the probe."""
        if self._retry_at is None:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        self._state = CircuitState.HALF_OPEN
        self._retry_at = now + self.PROBE_TIMEOUT
        return True

    def open(self, reason: str) -> None:
        """Report that the credential was refused.

        Requests that were under way when it opened are refused too; only a probe lengthens the pause.
        """
        self._reason = reason
        if self._state is CircuitState.OPEN:
            return
        self._refusals = self._refusals + 1 if self._state is CircuitState.HALF_OPEN else 1
        self._state = CircuitState.OPEN
        self._retry_at = self._clock() + self.PAUSES.pause(self._refusals)

    def close(self) -> None:
        """Report that the credential was accepted: everything passes, and the next pause is short again."""
        self._state = CircuitState.CLOSED
        self._retry_at = None
        self._reason = ""
