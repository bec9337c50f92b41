"""GPUs that an account has turned out not to have lately, so that not every resource has to find out for itself."""

from collections.abc import Callable
from typing import Final

from fireworks_operator.core.decisions.fallback import COLD_FOR
from fireworks_operator.core.demand import Demand

MOST_KEPT: Final = 100
"""Demands of an account; of more the oldest go, and are found out again."""


class Cold:
    """Remembers them for `COLD_FOR`, in this process only."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start without any; `clock` gives monotonic seconds."""
        self._clock = clock
        self._until: dict[Demand, float] = {}

    def note(self, demand: Demand) -> None:
        """Remember that these GPUs were not to be had just now."""
        self._until.pop(demand, None)
        while len(self._until) >= MOST_KEPT:
            del self._until[next(iter(self._until))]
        self._until[demand] = self._clock() + COLD_FOR.total_seconds()

    def demands(self) -> frozenset[Demand]:
        """Return what was not to be had within the last hour."""
        now = self._clock()
        self._until = {each: until for each, until in self._until.items() if until > now}
        return frozenset(self._until)
