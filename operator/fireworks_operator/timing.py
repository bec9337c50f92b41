"""Pauses that grow, and rates that are kept. All times are in seconds."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

_MOST_STEPS: Final = 64
"""Steps of growth, after which any pause is at its longest: more of them may be no number any more."""

# A timer may fire a hair early by the clock: keeps rounding from turning into a busy loop (tokens).
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pauses between tries that fail one after the other.

    Attributes:
        first: the first pause.
        last: the longest one.
        factor: how many times as long as the one before each pause is.
        jitter: the part of a pause that is left to chance, so that many do not come back in one instant: with 0.5
            it takes something from half of it to all.
    """

    first: float
    last: float
    factor: float = 2.0
    jitter: float = 0.0

    def pause(self, failures: int, chance: Callable[[], float] = random.random) -> float:
        """Return the pause after so many failures in a row, at least one; `chance` returns numbers in [0, 1)."""
        grown = min(self.last, self.first * self.factor ** min(failures - 1, _MOST_STEPS))
        return grown * (1.0 - self.jitter + self.jitter * chance()) if self.jitter else grown

    def __iter__(self) -> Iterator[float]:
        """Begin again with the first pause; there is always another one."""
        return map(self.pause, count(1))


class Patience:
    """The pauses after errors that come one after the other: growing, and short again after a quiet time."""

    def __init__(
        self, backoff: Backoff, *, quiet: float, free: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start with the shortest pause.

        Args:
            backoff: how they grow.
            quiet: after so long without an error, counted from the end of the last pause, they are short again.
            free: so many errors after a quiet time call for no pause.
            clock: seconds that only grow.
        """
        self._backoff = backoff
        self._quiet = quiet
        self._free = free
        self._clock = clock
        self._until = clock()
        self._errors = 0

    def next_pause(self) -> float:
        """Return how long to wait now, since there was another error."""
        now = self._clock()
        if now - self._until > self._quiet:
            self._errors = 0
        self._errors += 1
        pause = self._backoff.pause(self._errors - self._free) if self._errors > self._free else 0.0
        self._until = now + pause
        return pause


class TokenBucket:
    """Tokens that grow at a steady rate up to a capacity; it is full at first. `now` is the caller's clock."""

    def __init__(self, per_second: float, capacity: float, now: float) -> None:
        self.per_second = per_second
        self.capacity = capacity
        self.tokens = capacity
        self._at = now

    def advance(self, now: float) -> None:
        """Add what has grown since the last look; a time in the future (`drain`) is waited for."""
        if now > self._at:
            self.tokens = min(self.capacity, self.tokens + (now - self._at) * self.per_second)
            self._at = now

    def take(self) -> None:
        """Take one token out; look before whether there is one."""
        self.tokens -= 1.0

    def give_back(self) -> None:
        """Put one token back that was not needed."""
        self.tokens = min(self.capacity, self.tokens + 1.0)

    def drain(self, until: float) -> None:
        """Empty the bucket, to fill again from `until` on."""
        self.tokens = 0.0
        self._at = until

    @property
    def has_token(self) -> bool:
        """Whether there is a whole token."""
        return self.tokens >= 1.0 - _ROUNDING

    @property
    def ready_at(self) -> float:
        """When one token will be there."""
        return self._at + max(0.0, 1.0 - self.tokens) / self.per_second
