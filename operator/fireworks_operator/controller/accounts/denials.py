"""Deployments that one API key is told not to exist, while that cannot be believed."""

from dataclasses import dataclass
from typing import Final

from fireworks_operator.timing import Backoff

PATIENCE: Final = 120.0
"""Seconds for which a LIST and a GET that contradict each other are put down to one of them being late."""
FORGOTTEN_AFTER: Final = 900.0
"""Seconds after which a 404 has nothing to do with the next one."""
PAUSES: Final = Backoff(3.0, 300.0)
"""Seconds until a deployment is asked for again; the first time at once."""


@dataclass(slots=True)
class _Denial:
    since: float
    last: float
    asked: int = 0
    due: float | None = None


class Denials:
    """Remembers since when each is denied, and when it is worth asking again; times are monotonic seconds."""

    def __init__(self) -> None:
        """Start without any."""
        self._denials: dict[str, _Denial] = {}

    def note(self, name: str, now: float) -> bool:
        """Note a 404; return whether that has gone on for too long to heal by itself."""
        known = self._denials.get(name)
        if known is None or now - known.last > FORGOTTEN_AFTER:
            known = self._denials[name] = _Denial(now, now)
        lasts = now - known.since >= PATIENCE
        if known.due is None:
            # The first time the very next LIST may tell more; and when patience ends, that is to be said.
            due = now + (PAUSES.pause(known.asked) if known.asked else 0.0)
            known.due = due if lasts else min(due, known.since + PATIENCE)
            known.asked += 1
        known.last = now
        return lasts

    def clear(self, name: str) -> None:
        """Forget a deployment that is no longer denied."""
        self._denials.pop(name, None)

    def take_due(self, now: float) -> list[str]:
        """Return, once, those to be asked for again; those that nobody has asked for in a long time are forgotten."""
        self._denials = {name: each for name, each in self._denials.items() if now - each.last <= FORGOTTEN_AFTER}
        names = [name for name, each in self._denials.items() if each.due is not None and each.due <= now]
        for name in names:
            self._denials[name].due = None
        return names
