"""An event loop with a clock of its own that still talks to real sockets: it jumps only when no answer is due."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")

_PATIENCE = 5.0
"""Real seconds to wait for an answer that is due."""


class _Selector(selectors.DefaultSelector):
    """Waits for sockets while an answer is due; else turns waiting for a timer into a jump of the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.answers_due = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.answers_due > 0:
            # No timer is due as long as the clock stands still.
            at_once = timeout is not None and timeout <= 0
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(0 if at_once else _PATIENCE)
            if not ready and not at_once:
                raise RuntimeError("an answer is due and does not come")
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits for something that never happens")
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is the clock of everything: the operator's, the simulator's and the API server's."""

    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)

    def time(self) -> float:
        return self._waiting.now

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that became due run with the next turn of the loop."""
        self._waiting.now += seconds

    def expect_answer(self) -> None:
        """Hold the clock until `answered()`: a socket will bring something."""
        self._waiting.answers_due += 1

    def answered(self) -> None:
        """Let the clock jump again."""
        self._waiting.answers_due -= 1


def run(scenario: Coroutine[object, object, Result]) -> Result:
    """Run a scenario that talks to nobody: hours pass in no time, and always the same way."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)
