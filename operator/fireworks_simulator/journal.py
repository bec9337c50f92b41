"""A bounded record of all requests, for assertions and benchmarks."""

import json
import re
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile

from fireworks_simulator.wire import JsonObject, JsonValue


@dataclass(slots=True)
class Entry:
    """One request and what became of it.

    `committed` says whether the service acted on it (whatever the client was told); `fault` names the rule that
    interfered; `status` is 0 while there is no answer, and stays 0 when none was sent. Times: `monotonic` and
    `wall` are real seconds, `virtual` is the simulated service's time.
    """

    sequence: int
    method: str
    path: str
    query: dict[str, str]
    route: str
    account: str
    key_id: str
    user_agent: str
    body: bytes
    virtual: float
    monotonic: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)
    status: int = 0
    committed: bool = False
    mask_missing: bool = False
    fault: str = ""

    def to_wire(self) -> JsonObject:
        """The entry as JSON; a body that is not JSON appears as text."""
        body: JsonValue = None
        if self.body:
            text = self.body.decode("utf-8", errors="replace")
            try:
                body = json.loads(text)
            except ValueError:
                body = text
        return {
            "sequence": self.sequence,
            "monotonic": self.monotonic,
            "wall": datetime.fromtimestamp(self.wall, tz=UTC).isoformat(),
            "virtual": self.virtual,
            "method": self.method,
            "path": self.path,
            "query": dict[str, JsonValue](self.query),
            "body": body,
            "status": self.status,
            "committed": self.committed,
            "maskMissing": self.mask_missing,
            "fault": self.fault,
            "route": self.route,
            "account": self.account,
            "keyId": self.key_id,
            "userAgent": self.user_agent,
        }


class Sequence:
    """Numbers requests in the order of their arrival, over all journals that share it."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """The next number."""
        self.last += 1
        return self.last


class Journal:
    """The latest requests, oldest first, and counts of all since the last clear."""

    def __init__(self, size: int, sequence: Sequence | None = None) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._sequence = sequence or Sequence()
        self._received: Counter[tuple[str, str]] = Counter()
        self._answered: Counter[tuple[str, str, int]] = Counter()

    def open(
        self,
        *,
        method: str,
        path: str,
        query: dict[str, str],
        route: str,
        account: str,
        key_id: str,
        user_agent: str,
        body: bytes,
        virtual: float,
    ) -> Entry:
        """Record a request as it arrives; the caller fills in what becomes of it."""
        number = self._sequence.next()
        entry = Entry(number, method, path, query, route, account, key_id, user_agent, body, virtual)
        self._entries.append(entry)
        self._received[method, route] += 1
        return entry

    def mention(self, entry: Entry) -> None:
        """Show a request here as well that another world's journal has recorded."""
        self._entries.append(entry)

    def close(self, entry: Entry, status: int) -> None:
        """Record the answer to a request."""
        entry.status = status
        self._answered[entry.method, entry.route, status] += 1

    def clear(self) -> None:
        """Forget entries and counts; sequence numbers go on."""
        self._entries.clear()
        self._received.clear()
        self._answered.clear()

    def find(
        self, *, method: str | None = None, path: str | None = None, account: str | None = None, since: int = 0
    ) -> Iterator[Entry]:
        """Entries with a sequence above `since` whose method, path (regular expression) and account match."""
        pattern = re.compile(path) if path else None
        recent = list(takewhile(lambda entry: entry.sequence > since, reversed(self._entries)))
        for entry in reversed(recent):
            if method is not None and entry.method != method:
                continue
            if account is not None and entry.account != account:
                continue
            if pattern is None or pattern.search(entry.path):
                yield entry

    def counts(self) -> JsonObject:
        """Requests received and answers sent, by route, since the last clear."""
        received: JsonObject = {f"{method} {route}": n for (method, route), n in sorted(self._received.items())}
        answered: JsonObject = {
            f"{method} {route} {status}": n for (method, route, status), n in sorted(self._answered.items())
        }
        return {
            "total": sum(self._received.values()),
            "last": self._sequence.last,
            "received": received,
            "answered": answered,
        }
