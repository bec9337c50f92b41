"""The virtual clock that all of the simulated service lives by."""

import time
from datetime import UTC, datetime


class VirtualClock:
    """Maps real time to virtual time, at a speed or in steps.

    Virtual time is a POSIX timestamp in seconds. It begins at the real time of construction, so that timestamps
    look familiar, and never runs backwards.
    """

    def __init__(self, speed: float = 1.0, *, stepped: bool = False) -> None:
        self.speed = speed
        self.stepped = stepped
        self._real = time.monotonic()
        self._virtual = time.time()

    def now(self) -> float:
        """Current virtual time in seconds."""
        if self.stepped:
            return self._virtual
        return self._virtual + (time.monotonic() - self._real) * self.speed

    def advance(self, seconds: float) -> float:
        """Jump ahead by `seconds` (not negative) and return the new virtual time.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError("the clock cannot go backwards")
        self._virtual += seconds
        return self.now()

    def configure(self, *, speed: float | None = None, stepped: bool | None = None) -> None:
        """Change speed or mode from now on; the present moment stays what it is.

        Raises:
            ValueError: `speed` is not above 0.
        """
        if speed is not None and speed <= 0:
            raise ValueError("the speed must be above 0")
        self._virtual, self._real = self.now(), time.monotonic()
        if speed is not None:
            self.speed = speed
        if stepped is not None:
            self.stepped = stepped


def timestamp(moment: float) -> str:
    """A moment as RFC 3339 in UTC with microseconds, as Fireworks prints it."""
    return datetime.fromtimestamp(moment, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
