"""Kubernetes Events about resources: queued, aggregated, rate-limited, and never in anybody's way."""

import asyncio
import contextlib
import hashlib
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from fireworks_operator.api.budget import FireworksBudget
from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.kinds import kind_of
from fireworks_operator.api.resource import GROUP, VERSION
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.ports import (
    EventType,
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)
from fireworks_operator.timing import Backoff, TokenBucket

from .client import MERGE_PATCH, Json, KubernetesClient
from .writer import FIELD_MANAGER, OnWrite, WriteResult, result_of

log = logging.getLogger(__name__)

AGGREGATION: Final = timedelta(minutes=10)
"""The same event again within this time raises the count of the one before."""

MESSAGE_BYTES: Final = 1024
"""Longest message, in bytes of UTF-8: the limit of the events API, which counts as Go does."""

QUEUE_LIMIT: Final = 1000
"""Events that may wait; of more, those of the namespace with the most are dropped and counted."""

DROPS_TOLD: Final = 60.0
"""Seconds between two log lines that say how many events were dropped."""

BURST: Final = 50
RATE: Final = 10.0
"""Events written at once, and then per second."""

DRAIN: Final = 2.0
"""Seconds that `stop` gives to what still waits."""

_REMEMBERED: Final = 4096
_RETRIES: Final = 3
_RETRY: Final = Backoff(1.0, 4.0)
_SHORTEST_PAUSE: Final = 0.01
_WRITE_ERRORS: Final = (
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What makes two events the same."""

    of: str
    namespace: str
    name: str
    uid: str
    kind: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class _Record:
    """One Event object, waiting or written: how often it happened, and when."""

    subject: _Subject
    resource_version: str
    first: datetime
    last: datetime
    count: int = 1

    def again(self, now: datetime, times: int) -> "_Record":
        return replace(self, last=now, count=self.count + times)

    @property
    def object_name(self) -> str:
        """A name that a repeated POST finds taken, and no other event has."""
        subject = self.subject
        parts = (subject.uid, subject.kind, subject.reason, subject.message, self.first.isoformat())
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        return f"{subject.name}.{digest[:16]}"


class _Waiting:
    """The events that wait, by namespace: these take turns, and a full queue drops those of who has most in it."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[_Subject, _Record]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, subject: _Subject) -> _Record | None:
        """Return what waits about a subject."""
        records = self._tenants.get(subject.namespace)
        return None if records is None else records.get(subject)

    def replace(self, record: _Record) -> None:
        """Put a record into the place of the one that waits about the same."""
        self._tenants[record.subject.namespace][record.subject] = record

    def add(self, record: _Record) -> bool:
        """Have a record wait as the last of its namespace; False if it, or another one, is dropped for it."""
        namespace = record.subject.namespace
        full = self._count >= QUEUE_LIMIT
        if full:
            most = max(self._tenants, key=lambda each: len(self._tenants[each]))
            if len(self._tenants.get(namespace, ())) >= len(self._tenants[most]):
                return False
            self._tenants[most].popitem()
            self._count -= 1
        self._tenants.setdefault(namespace, OrderedDict())[record.subject] = record
        self._count += 1
        return not full

    def pop(self) -> _Record:
        """Take out the first record of the namespace whose turn it is."""
        namespace, records = self._tenants.popitem(last=False)
        _, record = records.popitem(last=False)
        if records:
            self._tenants[namespace] = records
        self._count -= 1
        return record


class KubernetesEvents:
    """Implements `EventRecorder` with core/v1 Events, whose count and age `kubectl describe` shows.

    Args:
        client: where to write.
        on_write: called with `event` and the result of each write that was sent.
        now: wall clock, time-zone aware.
        clock: seconds, monotonic.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        client: KubernetesClient,
        on_write: OnWrite | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._on_write = on_write
        self._now = now
        self._sleep = sleep
        self._clock = clock
        self._bucket = TokenBucket(RATE, float(BURST), clock())
        self._drops = _Drops(clock)
        self._waiting = _Waiting()
        self._written: OrderedDict[_Subject, _Record] = OrderedDict()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; what was recorded before is written too."""
        self._task = asyncio.create_task(self._write_all(), name="events")

    async def stop(self) -> None:
        """Write what still waits, for at most two seconds, then end."""
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), DRAIN)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self._drops.tell()
        if self._waiting:
            log.warning("%d events were not written before shutdown.", len(self._waiting))

    def record(
        self, resource: FireworksDeployment | FireworksBudget, kind: EventType, reason: Reason, message: str
    ) -> None:
        """Queue an event about a resource; must be called in the event loop that `start` was called in."""
        metadata = resource.metadata
        subject = _Subject(
            kind_of(resource).name,
            metadata.namespace,
            metadata.name,
            metadata.uid,
            kind,
            reason.value,
            shorten(message, MESSAGE_BYTES),
        )
        now = self._now()
        waiting = self._waiting.get(subject)
        if waiting is not None:
            self._waiting.replace(waiting.again(now, 1))
            return
        if not self._waiting.add(_Record(subject, metadata.resource_version, first=now, last=now)):
            self._drops.add()
        self._idle.clear()
        self._wake.set()

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._sleep_for_token()
                record = self._waiting.pop()
                try:
                    await self._write(record)
                except Exception:
                    log.exception("The event %s was lost.", record.subject.reason)
                if self._drops.due:
                    self._drops.tell()
            self._drops.tell()
            self._idle.set()

    async def _sleep_for_token(self) -> None:
        while True:
            now = self._clock()
            self._bucket.advance(now)
            if self._bucket.has_token:
                self._bucket.take()
                return
            await self._sleep(max(_SHORTEST_PAUSE, self._bucket.ready_at - now))

    async def _write(self, record: _Record) -> None:
        """Write one event, again after an outage; whatever else goes wrong costs only this event."""
        for pause in (*islice(_RETRY, _RETRIES), None):
            try:
                await self._send(record)
            except _WRITE_ERRORS as error:
                result = result_of(error)
                self._report(result)
                # 403 is final: without permission, or in a namespace that is being deleted, none can be written.
                if pause is not None and result == "unavailable":
                    await self._sleep(pause)
                    continue
                subject = record.subject
                where = f"{subject.namespace}/{subject.name}"
                log.warning("The event %s of %s was lost: %s", subject.reason, where, error)
            else:
                self._report("ok")
            return

    async def _send(self, record: _Record) -> None:
        before = self._written.get(record.subject)
        if before is not None and record.last - before.last < AGGREGATION:
            merged = before.again(record.last, record.count)
            with contextlib.suppress(ResourceGoneError):  # expired or deleted: it begins anew
                await self._update(merged)
                self._remember(merged)
                return
        await self._create(record)
        self._remember(record)

    async def _update(self, record: _Record) -> None:
        path = f"/api/v1/namespaces/{record.subject.namespace}/events/{record.object_name}"
        body = {"count": record.count, "lastTimestamp": _timestamp(record.last)}
        await self._client.request(
            "PATCH", path, query={"fieldManager": FIELD_MANAGER}, body=body, content_type=MERGE_PATCH
        )

    async def _create(self, record: _Record) -> None:
        path = f"/api/v1/namespaces/{record.subject.namespace}/events"
        # A taken name is the same event, written by a POST whose answer was lost.
        with contextlib.suppress(ResourceChangedError):
            await self._client.request("POST", path, query={"fieldManager": FIELD_MANAGER}, body=_event(record))

    def _remember(self, record: _Record) -> None:
        self._written[record.subject] = record
        self._written.move_to_end(record.subject)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    def _report(self, result: WriteResult) -> None:
        if self._on_write is not None:
            self._on_write("event", result)


class _Drops:
    """Counts the events that found the queue full, and tells their number once in a while."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = 0
        self._since = 0.0

    def add(self) -> None:
        """Count one more."""
        if self._count == 0:
            self._since = self._clock()
        self._count += 1

    @property
    def due(self) -> bool:
        """Whether some were counted so long ago that it is time to tell."""
        return self._count > 0 and self._clock() - self._since >= DROPS_TOLD

    def tell(self) -> None:
        """Log how many there were since the last time, if any."""
        if self._count > 0:
            log.warning(
                "Too many events at once: %d were dropped. The conditions contain the same information.", self._count
            )
            self._count = 0


def shorten(text: str, limit: int) -> str:
    """Cut a text to `limit` bytes of UTF-8, with an ellipsis where something is missing."""
    if len(text.encode()) <= limit:
        return text
    ellipsis = "…"
    return text.encode()[: limit - len(ellipsis.encode())].decode(errors="ignore") + ellipsis


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(record: _Record) -> Json:
    subject = record.subject
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": record.object_name, "namespace": subject.namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": subject.of,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
            "resourceVersion": record.resource_version,
        },
        "type": subject.kind,
        "reason": subject.reason,
        "message": subject.message,
        "firstTimestamp": _timestamp(record.first),
        "lastTimestamp": _timestamp(record.last),
        "count": record.count,
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": socket.gethostname(),
    }
