"""Where the process of a scene can be killed, and for how long it may act."""

import math
from collections.abc import Callable
from dataclasses import dataclass


class KilledError(BaseException):
    """The process is dead: nothing of it goes on."""


class Gate:
    """Every call to the outside passes here twice, before it is sent and after it is answered."""

    def __init__(self) -> None:
        self.dead = False
        self.left = 0
        self._surprise: Callable[[], None] | None = None

    def plan(self, crossings: int, surprise: Callable[[], None] | None) -> None:
        """Have something happen at the n-th crossing from now; None: the process is killed there."""
        self.left, self._surprise = crossings, surprise or self.kill

    def disarm(self) -> None:
        """Forget what was planned."""
        self.left = 0

    def kill(self) -> None:
        """End the process, from here on."""
        self.dead = True

    def cross(self) -> None:
        """Pass, or find out that the process is dead."""
        if self.left > 0:
            self.left -= 1
            if self.left == 0 and self._surprise is not None:
                self._surprise()
        if self.dead:
            raise KilledError


@dataclass(slots=True)
class Lease:
    """How long the operator may act, by the model's clock; without end unless something happens to it."""

    clock: Callable[[], float]
    until: float = math.inf

    def left(self) -> float:
        """Seconds for which it is held."""
        return self.until - self.clock()

    def runs_out(self, seconds: float) -> None:
        """Have it end in so many seconds."""
        self.until = self.clock() + seconds

    def renewed(self) -> None:
        """Hold it for ever again."""
        self.until = math.inf
