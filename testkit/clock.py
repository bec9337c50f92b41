"""A clock that stands still until a test moves it, and a day on which stories begin that last for days."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(slots=True)
class Clock:
    """Gives `now`, in monotonic seconds."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def tenth_of_month(earliest: float) -> float:
    """Return the next 10th of a month, 12:00 UTC; all in POSIX seconds.

    When a month ends, each resource's meter is written once, so that an operator at rest would seem to be at work.
    """
    now = datetime.fromtimestamp(earliest, UTC)
    found = now.replace(day=10, hour=12, minute=0, second=0, microsecond=0)
    if found < now:
        found = (found + timedelta(days=31)).replace(day=10)
    return found.timestamp()
