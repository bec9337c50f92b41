"""The work queue: which key is looked at next, by whom, and when again."""

import asyncio
import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import IntEnum
from itertools import count

from fireworks_operator.timing import Backoff

PAUSES = Backoff(1.0, 300.0, jitter=0.5)
"""Seconds until a key is looked at again that has failed."""
POLLS_PER_USER = 3
"""So many keys that polls found follow one that users asked for: a flood of changes hides nothing that is READY."""
STALE_DATES = 64
"""So many dates may no longer hold, besides as many as do: taking each out at once would cost more."""


class Priority(IntEnum):
    """Who asks: what users change goes first, then three keys that polls found before the next one.

    How far a deployment's creation has come waits until nothing else does: in a flood it is READY before.
    """

    USER = 0
    POLL = 1
    PROGRESS = 2


class WorkQueue:
    """Keys to be looked at: each waits at most once, and is held by at most one worker.

    A key added while a worker holds it is handed out once more when the worker is done with it. Within a
    priority, namespaces take turns, so that one with a thousand keys delays none with a single one.
    """

    def __init__(self, *, jitter: Callable[[], float] = random.random) -> None:
        """Create an empty queue; `jitter` returns numbers in [0, 1)."""
        self._jitter = jitter
        self._ready: dict[Priority, OrderedDict[str, deque[str]]] = {each: OrderedDict() for each in Priority}
        self._polls_due = 0
        self._waiting: dict[str, Priority] = {}
        self._held: set[str] = set()
        self._again: dict[str, Priority] = {}
        self._delayed: list[tuple[float, int, str]] = []
        self._due: dict[str, float] = {}
        self._order = count()
        self._failures: dict[str, int] = {}
        self._since: dict[str, float] = {}
        self._idle: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return how many keys wait for a worker now."""
        return len(self._waiting)

    def holds(self, key: str) -> bool:
        """Tell whether a worker has a key now."""
        return key in self._held

    def add(self, key: str, priority: Priority = Priority.POLL) -> None:
        """Have a key looked at as soon as a worker is free."""
        if key in self._held:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        before = self._waiting.get(key)
        if before is not None and before <= priority:
            return
        if before is not None:
            self._take(before, key)
        else:
            self._since[key] = asyncio.get_running_loop().time()
        self._waiting[key] = priority
        self._ready[priority].setdefault(_namespace(key), deque()).append(key)
        self._wake()

    def add_after(self, key: str, seconds: float) -> None:
        """Have a key looked at after a while; an earlier date that already stands is kept."""
        due = asyncio.get_running_loop().time() + max(seconds, 0.0)
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._delayed, (due, next(self._order), key))
        self._tidy()
        self._arm()

    def add_failed(self, key: str) -> float:
        """Have a key looked at after a pause that grows with its failures; return the pause in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = PAUSES.pause(failures, self._jitter)
        self.add_after(key, pause)
        return pause

    def forget(self, key: str) -> None:
        """Start the pauses of a key anew."""
        self._failures.pop(key, None)

    def drop(self, key: str) -> None:
        """Remove all that is planned for a key, since it is gone."""
        self.forget(key)
        self._due.pop(key, None)
        self._tidy()

    async def get(self) -> tuple[str, float]:
        """Wait for a key and hold it; return it with the seconds it waited. Give it back with `done()`."""
        while not self._waiting:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # hand the wake-up on, or a key would wait without a worker
                raise
        key = self._next()
        self._held.add(key)
        return key, asyncio.get_running_loop().time() - self._since.pop(key)

    def done(self, key: str) -> None:
        """Give a key back; it is handed out again if it was added in the meantime."""
        self._held.discard(key)
        priority = self._again.pop(key, None)
        if priority is not None:
            self.add(key, priority)

    def _next(self) -> str:
        lanes = self._ready[self._next_priority()]
        namespace, keys = next(iter(lanes.items()))
        key = keys.popleft()
        if keys:
            lanes.move_to_end(namespace)
        else:
            del lanes[namespace]
        del self._waiting[key]
        # What was planned for later is due again only if this look says so.
        self._due.pop(key, None)
        return key

    def _next_priority(self) -> Priority:
        user, poll = self._ready[Priority.USER], self._ready[Priority.POLL]
        if poll and (self._polls_due > 0 or not user):
            self._polls_due = max(self._polls_due - 1, 0)
            return Priority.POLL
        if user:
            self._polls_due = POLLS_PER_USER
            return Priority.USER
        return Priority.PROGRESS

    def _take(self, priority: Priority, key: str) -> None:
        lane = self._ready[priority]
        keys = lane[_namespace(key)]
        keys.remove(key)
        if not keys:
            del lane[_namespace(key)]

    def _wake(self) -> None:
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _tidy(self) -> None:
        """Take out the dates that no longer hold once they are most: one is left at each look that plans another."""
        if len(self._delayed) > 2 * len(self._due) + STALE_DATES:
            self._delayed = [(due, next(self._order), key) for key, due in self._due.items()]
            heapq.heapify(self._delayed)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._delayed:
            self._timer = asyncio.get_running_loop().call_at(self._delayed[0][0], self._promote)

    def _promote(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._delayed and self._delayed[0][0] <= now + 0.001:
            due, _, key = heapq.heappop(self._delayed)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._arm()


def _namespace(key: str) -> str:
    return key.split("/", 1)[0]
