"""Keeps the budgets up to date beside the work: whose turn it is, and what their status says."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from logging import getLogger

from fireworks_operator.api.budget import FireworksBudget, FireworksBudgetStatus
from fireworks_operator.controller.store import Store
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError

from .ledger import Ledger
from .tally import Tally
from .telling import status_of

log = getLogger(__name__)

LOOK = 0.2
"""Seconds for which changes are gathered before turns are handed out."""
WRITE_GAP = 5.0
"""Seconds between two writes of the status of one budget, at least."""


WriteStatus = Callable[[FireworksBudget, FireworksBudgetStatus], Awaitable[FireworksBudget]]
"""Replaces the status of a budget as of the version that is given, and returns it as stored (`ResourceWriter`)."""


class Keeper:
    """Hands out turns, and writes what is committed and spent."""

    def __init__(
        self,
        ledger: Ledger,
        budgets: Store[FireworksBudget],
        write: WriteStatus,
        enqueue: Callable[[str], None],
        clock: Callable[[], datetime],
    ) -> None:
        """Connect the parts; `enqueue` has a resource looked at again, by `namespace/name`."""
        self._ledger = ledger
        self._budgets = budgets
        self._write = write
        self._enqueue = enqueue
        self._clock = clock
        self._written: dict[str, datetime] = {}

    async def run(self) -> None:
        """Keep them up to date until cancelled."""
        while True:
            self.wake()
            waits = await self.tell()
            await self._until_due(waits)

    def wake(self) -> None:
        """Have those looked at again whose turn it is."""
        self._ledger.changed.clear()
        for ref in self._ledger.turns():
            self._enqueue(ref)

    async def tell(self) -> bool:
        """Write the status of each budget that has anything new to say; tell whether some have to wait with it."""
        now, tallies = self._clock(), {each.budget.ref: each for each in self._ledger}
        self._written = {ref: at for ref, at in self._written.items() if ref in tallies}
        waits = False
        for ref, tally in tallies.items():
            last = self._written.get(ref)
            if last is not None and 0 <= (now - last).total_seconds() < WRITE_GAP:
                waits = True
            else:
                waits = not await self._tell(ref, tally, now) or waits
        return waits

    async def _until_due(self, waits: bool) -> None:
        due = self._ledger.due()
        pause = None if due is None else max((due - self._clock()).total_seconds(), 0.0) + LOOK
        if waits:
            pause = WRITE_GAP if pause is None else min(pause, WRITE_GAP)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ledger.changed.wait(), pause)
        await asyncio.sleep(LOOK)

    async def _tell(self, ref: str, tally: Tally, now: datetime) -> bool:
        """Write the status of a budget if it says anything new; False if it has to be tried again."""
        budget = self._budgets.get(ref)
        if budget is None or budget.metadata.uid != tally.budget.metadata.uid:
            return True
        tally.budget = budget
        status = status_of(tally, self._ledger.entries(tally), now)
        if status == budget.status:
            return True
        self._written[ref] = now
        try:
            self._budgets.put(await self._write(budget, status))
        except ResourceGoneError:
            return True
        except ResourceChangedError:
            return False
        except KubernetesUnavailableError as error:
            log.warning("The status of FireworksBudget %s could not be written: %s", ref, error)
            return False
        return True
