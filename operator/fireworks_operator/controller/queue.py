"""The work queue: which resource is looked at next, by whom, and when again."""

import asyncio
import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from enum import IntEnum
from itertools import count

from fireworks_operator.timing import Backoff

PAUSES = Backoff(1.0, 300.0, jitter=0.5)
"""Seconds until a resource is looked at again that has failed."""
POLLS_PER_USER = 3
"""So many resources that polls found follow one of a user: a flood of changes hides nothing that is READY."""
STALE_DATES = 64
"""So many dates may no longer hold, besides as many as do: taking each out at once would cost more."""


class Priority(IntEnum):
    """Who asks: what users change goes first, then three resources that polls found before the next one.

    How far a deployment's creation has come waits until nothing else does: in a flood it is READY before.
    """

    USER = 0
    POLL = 1
    PROGRESS = 2


class WorkQueue:
    """Resources to be looked at, by `namespace/name`: each waits at most once, and is held by at most one worker.

    One added while a worker holds it is handed out once more when the worker is done with it. Within a
    priority, namespaces take turns, so that one with a thousand resources delays none with a single one.
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
        """Return how many resources wait for a worker now."""
        return len(self._waiting)

    def holds(self, ref: str) -> bool:
        """Tell whether a worker has a resource now."""
        return ref in self._held

    def add(self, ref: str, priority: Priority = Priority.POLL) -> None:
        """Have a resource looked at as soon as a worker is free."""
        if ref in self._held:
            self._again[ref] = min(priority, self._again.get(ref, priority))
            return
        before = self._waiting.get(ref)
        if before is not None and before <= priority:
            return
        if before is not None:
            self._take(before, ref)
        else:
            self._since[ref] = asyncio.get_running_loop().time()
        self._waiting[ref] = priority
        self._ready[priority].setdefault(_namespace(ref), deque()).append(ref)
        self._wake()

    def add_after(self, ref: str, seconds: float) -> None:
        """Have a resource looked at after a while; an earlier date that already stands is kept."""
        due = asyncio.get_running_loop().time() + max(seconds, 0.0)
        if self._due.get(ref, float("inf")) <= due:
            return
        self._due[ref] = due
        heapq.heappush(self._delayed, (due, next(self._order), ref))
        self._tidy()
        self._arm()

    def add_failed(self, ref: str) -> float:
        """Have a resource looked at after a pause that grows with its failures; return the pause in seconds."""
        failures = self._failures[ref] = self._failures.get(ref, 0) + 1
        pause = PAUSES.pause(failures, self._jitter)
        self.add_after(ref, pause)
        return pause

    def forget(self, ref: str) -> None:
        """Start the pauses of a resource anew."""
        self._failures.pop(ref, None)

    def drop(self, ref: str) -> None:
        """Remove all that is planned for a resource, since it is gone."""
        self.forget(ref)
        self._due.pop(ref, None)
        self._tidy()

    async def get(self) -> tuple[str, float]:
        """Wait for a resource and hold it; return it with the seconds it waited. Give it back with `done()`."""
        while not self._waiting:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # hand the wake-up on, or a resource would wait without a worker
                raise
        ref = self._next()
        self._held.add(ref)
        return ref, asyncio.get_running_loop().time() - self._since.pop(ref)

    def done(self, ref: str) -> None:
        """Give a resource back; it is handed out again if it was added in the meantime."""
        self._held.discard(ref)
        priority = self._again.pop(ref, None)
        if priority is not None:
            self.add(ref, priority)

    def _next(self) -> str:
        lanes = self._ready[self._next_priority()]
        namespace, refs = next(iter(lanes.items()))
        ref = refs.popleft()
        if refs:
            lanes.move_to_end(namespace)
        else:
            del lanes[namespace]
        del self._waiting[ref]
        # What was planned for later is due again only if this look says so.
        self._due.pop(ref, None)
        return ref

    def _next_priority(self) -> Priority:
        user, poll = self._ready[Priority.USER], self._ready[Priority.POLL]
        if poll and (self._polls_due > 0 or not user):
            self._polls_due = max(self._polls_due - 1, 0)
            return Priority.POLL
        if user:
            self._polls_due = POLLS_PER_USER
            return Priority.USER
        return Priority.PROGRESS

    def _take(self, priority: Priority, ref: str) -> None:
        lane = self._ready[priority]
        refs = lane[_namespace(ref)]
        refs.remove(ref)
        if not refs:
            del lane[_namespace(ref)]

    def _wake(self) -> None:
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _tidy(self) -> None:
        """Take out the dates that no longer hold once they are most: one is left at each look that plans another."""
        if len(self._delayed) > 2 * len(self._due) + STALE_DATES:
            self._delayed = [(due, next(self._order), ref) for ref, due in self._due.items()]
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
            due, _, ref = heapq.heappop(self._delayed)
            if self._due.get(ref) == due:
                del self._due[ref]
                self.add(ref)
        self._arm()


def _namespace(ref: str) -> str:
    return ref.split("/", 1)[0]
