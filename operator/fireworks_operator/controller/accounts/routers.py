"""What Fireworks last said about the routers of one account: one LIST for all who want it, and our own writes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.fireworks.routers import Router

from .observer import STALE_AFTER, Observer


@dataclass(frozen=True, slots=True)
class RouterListing:
    """One complete LIST of an account's routers by name, and the names of those that cannot be read."""

    routers: Mapping[str, Router]
    unreadable: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _User:
    """What a resource wants to know: a router, and for which deployment it is told of it."""

    router: str
    deployment: str


@dataclass(slots=True)
class Routers:
    """The picture of an account's routers. Pure bookkeeping, like `Observer`, through which it tells what changes.

    Times are seconds of a monotonic clock.
    """

    observer: Observer
    clock: Callable[[], float]
    _listing: RouterListing | None = None
    _started: float = float("-inf")
    _diagnosis: Diagnosis | None = None
    _users: dict[str, _User] = field(default_factory=dict)
    _answers: dict[str, tuple[float, Router | None]] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    @property
    def wanted(self) -> bool:
        """Whether any resource wants to know a router."""
        return bool(self._users)

    def want(self, ref: str, router: str | None, deployment: str | None) -> None:
        """Note of which router a resource wants to know; None: of none any more."""
        if router is not None and deployment is not None:
            self._users[ref] = _User(router, deployment)
            return
        former = self._users.pop(ref, None)
        if former is not None and not self._users:
            self._listing = self._diagnosis = None
            self._started = float("-inf")
            self._asked.clear()
            self._answers.clear()

    def observe(self, name: str) -> SeenRouter | None:
        """Return what is known of a router now, None if nothing is; who gets no LIST's word is told of the next one."""
        answer = self._answers.get(name)
        if self._listing is not None and (answer is None or answer[0] < self._started):
            if name in self._listing.unreadable:
                return None
            return SeenRouter(name, self._listing.routers.get(name))
        self._asked.add(name)
        if answer is None or answer[1] is None:
            return None
        return SeenRouter(name, answer[1])

    def wrote(self, name: str, router: Router | None) -> None:
        """Note the end of our own write and its answer; what was heard before it no longer counts."""
        self._answers[name] = (self.clock(), router)

    def listed(self, started: float, found: RouterListing) -> None:
        """Take in a complete LIST, and tell who wants to know what looks different."""
        before, self._listing, self._started = self._listing, found, started
        self._diagnosis = None
        changed = self._asked if before is None else self._asked | _differences(before, found)
        self._asked = {name for name in self._asked if name in self._answers and self._answers[name][0] >= started}
        self._answers = {name: each for name, each in self._answers.items() if each[0] >= started}
        self._tell(each for each in self._users.values() if before is None or each.router in changed)

    def failed(self, diagnosis: Diagnosis) -> bool:
        """Take in that they cannot be listed: what the LIST before said counts for a while.

        Returns whether the words are news.
        """
        if self._listing is not None and self.clock() - self._started > STALE_AFTER:
            self._listing = None
        before, self._diagnosis = self._diagnosis, diagnosis
        return before != diagnosis

    def _tell(self, users: Iterable[_User]) -> None:
        deployments = frozenset(each.deployment for each in users)
        if deployments:
            self.observer.tell(deployments)


def _differences(before: RouterListing, after: RouterListing) -> set[str]:
    names = before.routers.keys() | after.routers.keys()
    changed = {name for name in names if before.routers.get(name) != after.routers.get(name)}
    return changed | (before.unreadable ^ after.unreadable)
