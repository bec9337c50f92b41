"""An event loop whose clock moves only when everybody waits: hours pass in no time, and always the same way."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")


class _NeverWaits(selectors.DefaultSelector):
    """Turns the loop's waiting for the next timer into a jump of its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits for something that never happens")
        self.now += max(timeout, 0.0)
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Use `loop.time` as the clock of what is tested."""

    def __init__(self) -> None:
        self._never_waits = _NeverWaits()
        super().__init__(self._never_waits)

    def time(self) -> float:
        return self._never_waits.now

    def jump(self, seconds: float) -> None:
        """Let time pass before anybody, even a timer, can do anything."""
        self._never_waits.now += seconds


def run(scenario: Coroutine[object, object, Result]) -> Result:
    """Run a scenario in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(scenario)
