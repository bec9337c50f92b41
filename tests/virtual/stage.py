"""The operator's process, Kubernetes and Fireworks on one clock: it runs as in a cluster, and waiting costs nothing."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TypeVar

from fireworks_operator.controller.accounts.accounts import Limits
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.measure.repricing import Repricing
from fireworks_operator.controller.passes.surroundings import Identity
from fireworks_operator.core.prices import Prices
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.price_file import published
from fireworks_simulator.app import Simulator
from fireworks_simulator.clock import VirtualClock
from fireworks_simulator.settings import AccountSettings, Settings, Timing
from testkit.clock import tenth_of_month
from testkit.virtual.api_server import ApiServer, Raw
from testkit.virtual.fireworks import Fireworks
from testkit.virtual.gate import Lease
from testkit.virtual.process import CLUSTER, CLUSTER_UID, PLENTY, Process, Surroundings
from testkit.virtual.simulator import URL, MemorySimulator
from tests.virtual.loop import MemoryLoop

OWN_ACCOUNT, OWN_KEY = "acme", "fw_the-operators-own"
"""The operator's own account and key, as FIREWORKS_API_KEY."""
PATIENCE = 120.0
"""Seconds of the virtual clock to wait at most, unless said otherwise."""
TOLD_AFTER = 0.01
"""Seconds until the watch tells of a change."""
FREED_EVERY = 30.0
"""Seconds between two looks for accounts and keys that nobody uses any more."""
TIMING = Timing(pending=1, downloading=2, initializing=1, updating=4, deleting=4, addon=2, preparing=2)
OWN = OwnCredential(ApiKey(OWN_KEY))
T = TypeVar("T")


class _Clock(VirtualClock):
    """The simulator's clock runs with the loop's; `advance` moves it alone."""

    def __init__(self, loop: MemoryLoop, began: float) -> None:
        super().__init__(stepped=True)
        self._loop = loop
        self._virtual = began - loop.time()

    def now(self) -> float:
        return self._virtual + self._loop.time()


class Kubernetes(ApiServer):
    """The API server, whose watch tells of each change."""

    watched: Callable[[], None] = staticmethod(lambda: None)

    def _changed(self, raw: Raw) -> None:
        super()._changed(raw)
        self.watched()

    def _remove(self, ref: str) -> None:
        super()._remove(ref)
        self.watched()

    def _budget_changed(self, raw: Raw, *, deleted: bool = False) -> None:
        super()._budget_changed(raw, deleted=deleted)
        self.watched()


class _Live(Fireworks):
    """The simulator, which needs nobody to move its clock."""

    def catch_up(self) -> None:
        """It has always caught up."""


class Operator(Process):
    """The operator's process with its own loops: the queue's, the watch's, and one for each account."""

    def __init__(self, server: Kubernetes, fireworks: Fireworks, loop: MemoryLoop, around: Surroundings) -> None:
        super().__init__(server, fireworks, loop, around)  # type: ignore[arg-type]  # the same methods

        def tell() -> None:
            loop.call_later(TOLD_AFTER, self.watch)

        server.watched = tell
        self._tasks = [loop.create_task(each) for each in (self.controller.run(), self.keeper.run(), self._free())]

    async def _free(self) -> None:
        while True:
            await asyncio.sleep(FREED_EVERY)
            await self.accounts.free_unused()

    async def end(self) -> None:
        """Stop it; nothing that it has begun gets any further."""
        self.gate.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.client.aclose)
            await self.accounts.stop()


class _Errors(logging.Handler):
    """Collects what must never be logged: unexpected failures, and keys."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.unexpected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        self.lines.append(line)
        if record.levelno >= logging.ERROR or record.exc_info:
            self.unexpected.append(line)


class Stage:
    """Where stories are told.

    Attributes:
        loop: everybody's clock.
        server: Kubernetes.
        simulator: Fireworks, with the operator's own account.
        operator: its process; None while it does not run.
        identity, own, limits: what the next process is started with.
        prices: what a GPU-hour costs.
        tolerated: a part of errors that may be logged in this story.
        onlookers: called after each jump of the clock, to assert what holds at any moment.
    """

    def __init__(self, limits: Limits = PLENTY, own: OwnCredential = OWN, *, began: datetime | None = None) -> None:
        """Set it up; `began`: when the story begins, far from the end of a month if it does not matter."""
        self.loop = MemoryLoop()
        self.limits, self.own, self.prices = limits, own, published()
        account = AccountSettings(id=OWN_ACCOUNT, api_key=OWN_KEY)
        simulator = Simulator(Settings(stepped=True, accounts=(account,), timing=TIMING))
        start = tenth_of_month(time.time()) if began is None else began.timestamp()
        simulator.worlds.shared.clock = _Clock(self.loop, start)
        self._offset = start - self.loop.time()
        self.simulator = MemorySimulator(simulator, OWN_ACCOUNT)
        self.loop.serve = self.simulator.server(self.loop)
        self.server = Kubernetes(self.now)
        self.identity = Identity(
            CLUSTER,
            inference_url=f"{URL}/inference/v1",
            create_query={"acceptShapelessRisk": "true"},
            cluster_uid=CLUSTER_UID,
        )
        self.teams = 0
        self.tolerated: str | None = None
        self.onlookers: list[Callable[[], None]] = []
        self._log = _Errors()
        logger = logging.getLogger("fireworks_operator")
        logger.addHandler(self._log)
        self._level = logger.level
        logger.setLevel(logging.INFO)
        self.operator: Operator | None = None
        self.start()

    def now(self) -> float:
        """The time of day as POSIX seconds, the same for all."""
        return self._offset + self.loop.time()

    def log(self) -> str:
        """Return what the operator has logged."""
        return "\n".join(self._log.lines)

    # The operator

    def start(self) -> None:
        """Start the operator; it knows nothing of any process before it."""
        assert self.operator is None
        lease = Lease(self.loop.time)
        around = Surroundings(
            lease, self.now, identity=self.identity, own=self.own, limits=self.limits, prices=lambda: self.prices
        )

        async def begin() -> Operator:
            return Operator(self.server, _Live(self.simulator, self.loop.time), self.loop, around)

        self.operator = self.run(begin())

    def stop(self) -> None:
        """End the operator's process on the spot."""
        assert self.operator is not None
        self.server.watched = lambda: None
        operator, self.operator = self.operator, None
        self.run(operator.end())

    def reprice(self, prices: Prices) -> None:
        """Have other prices, and the operator find out."""
        self.prices = prices
        assert self.operator is not None
        self.loop.call_soon(Repricing(lambda: True, self.operator.store, self.operator.queue).look)

    def restart(self) -> None:
        """End the operator and start another one."""
        self.stop()
        self.start()

    def run(self, work: Awaitable[T]) -> T:
        """Return what comes of work in the loop of all."""
        task = asyncio.ensure_future(work, loop=self.loop)
        self.loop.settle()
        while not task.done():
            self.step(self.loop.time() + PATIENCE)
        return task.result()

    def close(self) -> None:
        """End the story, and see that nothing unexpected has happened."""
        if self.operator is not None:
            self.stop()
        self.run(self.loop.shutdown_asyncgens())
        self.loop.settle()
        self.loop.close()
        logger = logging.getLogger("fireworks_operator")
        logger.removeHandler(self._log)
        logger.setLevel(self._level)
        unexpected = [each for each in self._log.unexpected if self.tolerated is None or self.tolerated not in each]
        assert not unexpected, unexpected
        without_mask = [each for each in self.simulator.journal(method="PATCH") if each.mask_missing]
        assert not without_mask, "a PATCH without updateMask overwrites everything"

    # Time

    def step(self, until: float) -> None:
        """Let the clock jump once, not beyond `until`, and have everybody look who wants to see each moment."""
        self.loop.step(until)
        for look in self.onlookers:
            look()

    def wait(self, seconds: float) -> None:
        """Let time pass, and everything happen that is due in it."""
        until = self.loop.time() + seconds
        self.loop.settle()
        while self.loop.time() < until:
            self.step(until)

    def leap(self, seconds: float) -> None:
        """Let much time pass in which the operator does nothing, as if its node had slept."""
        self.loop.settle()
        self.loop.advance(seconds)
        self.loop.settle()

    def eventually(
        self,
        look: Callable[[], T | None],
        what: str,
        *,
        within: float = PATIENCE,
        explain: Callable[[], str] = lambda: "",
    ) -> T:
        """Let time pass until there is something true, and return it.

        Args:
            look: what to ask, whenever something may have happened; an AssertionError of it counts as "not yet".
            what: ends the sentence "did not happen: ".
            within: seconds to wait at most.
            explain: describes the situation for the failure message.
        """
        until = self.loop.time() + within
        self.loop.settle()
        while True:
            value, trouble = None, ""
            try:
                value = look()
            except AssertionError as error:
                trouble = str(error)
            if value:
                return value
            if self.loop.time() >= until:
                raise AssertionError(f"did not happen within {within:g} s: {what}\n{trouble}\n{explain()}".rstrip())
            self.step(until)

    def steadily(
        self, look: Callable[[], bool], what: str, *, seconds: float, explain: Callable[[], str] = lambda: ""
    ) -> None:
        """Let time pass; whenever something may have happened, it must hold."""
        until = self.loop.time() + seconds
        self.loop.settle()
        while True:
            assert look(), f"did not stay so: {what}\n{explain()}".rstrip()
            if self.loop.time() >= until:
                return
            self.step(until)
