"""An event loop with a clock of its own: it jumps to the next timer as soon as everybody waits."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

from testkit.virtual.network import MemoryNetwork

Result = TypeVar("Result")


class _Selector(selectors.DefaultSelector):
    """Turns waiting for a timer into a jump of the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that never happens")
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(MemoryNetwork):
    """`time()` is the clock of everything: the operator's, the simulator's and the API server's."""

    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.now

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that became due run with the next turn of the loop."""
        self._waiting.now += seconds


def run(scenario: Coroutine[object, object, Result]) -> Result:
    """Run a scenario that talks to nobody: hours pass in no time, and always the same way."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)
