"""What reached deployments in the last minutes: the source of the metrics endpoint."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from fireworks_simulator.entities import Deployment

WINDOW_SECONDS = 60.0
"""Metrics are rates and distributions over one minute (documentation of the metrics endpoint)."""
_KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Answered:
    """One inference request: when it came, how it was answered, and its tokens."""

    moment: float
    status: int
    prompt_tokens: int = 0
    generated_tokens: int = 0


@dataclass(slots=True)
class Traffic:
    """Requests of late by deployment, and the scrapes of metrics by account; all times are virtual."""

    _requests: dict[Deployment, deque[Answered]] = field(default_factory=dict)
    _scrapes: dict[str, deque[float]] = field(default_factory=dict)

    def note(self, d: Deployment, request: Answered) -> None:
        """A request reached a deployment."""
        kept = self._requests.setdefault(d, deque())
        kept.append(request)
        while kept[0].moment < request.moment - _KEPT_SECONDS:
            kept.popleft()

    def forget(self, d: Deployment) -> None:
        """A deployment ceases to exist."""
        self._requests.pop(d, None)

    def within(self, d: Deployment, end: float) -> list[Answered]:
        """Requests of the minute before `end`."""
        return [each for each in self._requests.get(d, ()) if end - WINDOW_SECONDS < each.moment <= end]

    def admit(self, account: str, now: float, per_minute: int) -> bool:
        """Whether an account may scrape once more within a minute; 0 is no limit."""
        scrapes = self._scrapes.setdefault(account, deque())
        while scrapes and scrapes[0] <= now - WINDOW_SECONDS:
            scrapes.popleft()
        if per_minute and len(scrapes) >= per_minute:
            return False
        scrapes.append(now)
        return True


def by_status(requests: Iterable[Answered]) -> Counter[int]:
    """Numbers of failed requests by HTTP status."""
    return Counter(each.status for each in requests if each.status >= 400)
