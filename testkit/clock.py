"""A clock that stands still until a test moves it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """Gives `now`, in monotonic seconds."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now
