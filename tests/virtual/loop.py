"""One event loop for client and server, whose clock jumps while everybody waits.

Nothing here depends on how busy the machine is: the clock moves only when no byte is on its way and no task can go on.
"""

import selectors
from collections.abc import Callable

from testkit.virtual.network import MemoryNetwork

_START = 1000.0
"""Where the clock begins, in seconds."""


class _Selector(selectors.DefaultSelector):
    """Makes one jump of the clock for each wait for a timer, up to a limit, and stops the loop at the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.now = _START
        self.limit: float | None = None
        self.idle: Callable[[], None] = lambda: None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            if self.limit is None:
                self.idle()
            else:
                due = self.limit if timeout is None else min(self.limit, self.now + timeout)
                self.now, self.limit = max(self.now, due), None
        return super().select(0)


class MemoryLoop(MemoryNetwork):
    """`time()` is everybody's clock, and each jump of it is a step."""

    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)
        self._waiting.idle = self.stop

    def time(self) -> float:
        return self._waiting.now

    def settle(self) -> None:
        """Let everything happen that can happen now."""
        self.run_forever()

    def step(self, until: float) -> None:
        """Jump to the next timer, but not beyond `until`, and let everything happen that can happen then."""
        self._waiting.limit = until
        self.run_forever()

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that became due run with the next turn of the loop."""
        self._waiting.now += seconds
