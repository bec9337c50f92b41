"""Records of the models that specs name, and the shapes that fit them: asked for seldom, since they change seldom."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from logging import getLogger
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from fireworks_operator.fireworks.errors import FireworksError

log = getLogger(__name__)

KNOWN_FOR = 24 * 3600.0
"""Seconds for which a record counts."""
UNKNOWN_FOR = 600.0
"""Seconds until a record is asked for again that could not be had."""
MOST_KEPT = 500
"""Records of an account; of more the oldest go, and are asked for again if a spec still names them."""


Record = TypeVar("Record")


@dataclass(slots=True)
class Catalogue(Generic[Record]):
    """The records by name; `clock` gives monotonic seconds."""

    clock: Callable[[], float]
    _records: dict[str, tuple[float, Record | None]] = field(default_factory=dict)
    _asking: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def knows(self, names: Iterable[str]) -> bool:
        """Tell whether nobody has to be asked for these records."""
        now = self.clock()
        return all(name in self._records and now < self._records[name][0] for name in names)

    async def find(
        self, name: str, ask: Callable[[str], Awaitable[Record]], *, within: float = KNOWN_FOR
    ) -> Record | None:
        """Return a record, None if it cannot be had; asked for once however many want it.

        `within`: the most seconds for which a record counts here.
        """
        async with self._asking.setdefault(name, asyncio.Lock()):
            until, record = self._records.get(name, (float("-inf"), None))
            counts_for = UNKNOWN_FOR if record is None else KNOWN_FOR
            if self.clock() < until - counts_for + min(within, counts_for):
                return record
            try:
                record = await ask(name)
            except FireworksError as error:
                log.info("could not fetch the record of %s: %s", name, error)
                record = None
            self._keep(name, record)
            return record

    def _keep(self, name: str, record: Record | None) -> None:
        self._records.pop(name, None)
        while len(self._records) >= MOST_KEPT:
            del self._records[next(iter(self._records))]
        self._records[name] = (self.clock() + (UNKNOWN_FOR if record is None else KNOWN_FOR), record)
