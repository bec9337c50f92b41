"""What Fireworks last said about the deployments of one account: one LIST for all, a GET where that is not enough."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.heirs import Heirs
from fireworks_operator.core.identity import Owner
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.fireworks.models import DeployedModel, Deployment

LAG_PATIENCE = 120.0
"""Seconds for which a LIST entry older than the newest answer for its deployment is ignored: lists lag."""
STALE_AFTER = 600.0
"""Seconds for which the last observation counts while newer ones fail."""

WORDS_LAST = 300.0
"""Seconds for which the words of a failure that lasts are kept: each change of them writes every resource."""

SILENCE = 60.0
"""Seconds without a LIST from which on replicas may have come and gone unseen."""

_MOVING = frozenset({"CREATING", "UPDATING", "DELETING"})


@dataclass(frozen=True, slots=True)
class Changed:
    """What looks different in an account than before.

    Attributes:
        account: its id.
        names: of deployments; None: all of the account.
        in_progress: those of them that are being created, so that what is new of them is how far that has come.
    """

    account: str
    names: frozenset[str] | None
    in_progress: frozenset[str] = frozenset()


class ChangeHandler(Protocol):
    """Is told what looks different."""

    def on_change(self, changed: Changed) -> None:
        """Have it taken notice of, without waiting."""
        ...


@dataclass(frozen=True, slots=True)
class Listing:
    """One complete LIST of an account's deployments."""

    started: float
    deployments: Mapping[str, Deployment]
    unreadable: frozenset[str]


@dataclass(frozen=True, slots=True)
class AddonListing:
    """One complete LIST of an account's loaded addons, by deployment."""

    started: float
    addons: Mapping[str, tuple[DeployedModel, ...]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a GET or the answer to our own write said. `at` is when that request began."""

    at: float
    observed: Present | Absent

    @property
    def to_be_listed(self) -> Deployment | None:
        """What a LIST has under the name while the answer still holds: nothing of what is deleted."""
        if isinstance(self.observed, Absent) or self.observed.deployment.state == "DELETED":
            return None
        return self.observed.deployment


@dataclass(slots=True)
class ListFailure:
    """Why the account, or its loaded addons, cannot be listed, and since when: not by the clock, which may be set.

    `worded`: when the explanation was taken over.
    """

    since: float
    diagnosis: Diagnosis
    worded: float

    def keeps_its_words(self, diagnosis: Diagnosis, now: float) -> bool:
        """Tell whether what is said of it stands, whatever failed last; that a person must act comes first."""
        first_needs_user = diagnosis.needs_user and not self.diagnosis.needs_user
        return self.diagnosis == diagnosis or (now - self.worded < WORDS_LAST and not first_needs_user)


@dataclass(slots=True)
class Observer:
    """The picture of one account, put together from LISTs, GETs and answers to our own writes.

    Pure bookkeeping: `Account` does the requests. Times are seconds of a monotonic clock. Deployments and loaded
    addons are two LISTs: what goes wrong with the second concerns only those who want addons. `resumed` is when the
    first LIST began, or the first after a silence.
    """

    account: str
    handler: ChangeHandler
    clock: Callable[[], float]
    failure: ListFailure | None = None
    listing: Listing | None = None
    resumed: float | None = None
    addons_failure: ListFailure | None = None
    _addon_listing: AddonListing | None = None
    _addon_users: dict[str, frozenset[str]] = field(default_factory=dict)
    _addons_asked: set[str] = field(default_factory=set)
    _answers: dict[str, _Answer] = field(default_factory=dict)
    _written: dict[str, float] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    _told_stale: bool = False
    _heirs: Heirs | None = None
    """What the last LIST has by its markers; made when somebody asks: who has no status, or replaces by BlueGreen."""

    def observe(self, name: str, *, with_addons: bool) -> Observed:
        """Return what is known of a deployment now; who gets Unknown is told of the next LIST.

        A LIST counts only if it began after our last write for the name, and not where it is older than an
        answer that we had ourselves.
        """
        observed = self._observe(name, with_addons=with_addons)
        if isinstance(observed, Unknown):
            self.ask(name)
        elif isinstance(observed, Present) and with_addons and observed.addons is None:
            self._addons_asked.add(name)  # only their LIST has news for it
        return observed

    def ask(self, name: str) -> None:
        """Have the next LIST told for a deployment, whether or not it looks different there."""
        self._asked.add(name)

    @property
    def addons_wanted(self) -> bool:
        """Tell whether any resource wants to know the loaded addons of its deployment."""
        return bool(self._addon_users)

    def want_addons(self, ref: str, name: str) -> None:
        """Note that a resource wants to know the loaded addons of a deployment."""
        self._addon_users[ref] = self._addon_users.get(ref, frozenset()) | {name}

    def unwant_addons(self, ref: str, name: str | None = None) -> None:
        """Note that a resource no longer wants to know the addons of a deployment; None: of any."""
        left = self._addon_users.get(ref, frozenset()) - {name} if name is not None else frozenset()
        if left:
            self._addon_users[ref] = left
        elif self._addon_users.pop(ref, None) is not None and not self._addon_users:
            self._addon_listing = self.addons_failure = None
            self._addons_asked.clear()

    def heir(self, owner: Owner, name: str, previous: Collection[str] = ()) -> str | None:
        """Return the deployment with a resource's marker that stands in for one of this name, which has ended.

        None if that one is alive, or if there is none, or before the first LIST. Of several, the one that serves, and
        the oldest. `previous` are ids and uids that the cluster had before.
        """
        heirs = self._by_marker()
        return None if heirs is None else heirs.find(owner, name, previous)

    def leftovers(self, owner: Owner, name: str) -> list[str]:
        """Return which deployments beside the one of this name were created for a resource and are not being deleted.

        Without those that an answer of our own tells otherwise about than the last LIST.
        """
        heirs = self._by_marker()
        return [] if heirs is None else [each for each in heirs.beside(owner, name) if self._is_still_left(owner, each)]

    def _by_marker(self) -> Heirs | None:
        if self._heirs is None and self.listing is not None:
            self._heirs = Heirs(self.listing.deployments)
        return self._heirs

    def _is_still_left(self, owner: Owner, name: str) -> bool:
        """Tell whether a deployment is there, and still is this owner's, by an answer of our own if there is one."""
        observed = self._observe(name, with_addons=False)
        return isinstance(observed, Present) and bool(Heirs({name: observed.deployment}).beside(owner, ""))

    def _observe(self, name: str, *, with_addons: bool) -> Observed:
        listing, answer = self.listing, self._answers.get(name)
        if (
            listing is None
            or listing.started <= self._written_at(name)
            or (answer is not None and listing.started <= answer.at)
        ):
            return self._from_answer(name, answer, with_addons=with_addons)
        if self.failure is not None and self.clock() - listing.started > STALE_AFTER:
            return Unknown()
        deployment = listing.deployments.get(name)
        if name in listing.unreadable:
            return Unknown(unreadable=True)
        if answer is not None and self._lags(deployment, answer):
            return self._from_answer(name, answer, with_addons=with_addons)
        if deployment is None:
            return Absent()
        return Present(deployment, self._addons(name) if with_addons else None)

    def under_way(self) -> list[str]:
        """Return the deployments that are on their way to another state, or were just changed by us."""
        listed = self.listing.deployments if self.listing is not None else {}
        moving = [name for name, deployment in listed.items() if deployment.state in _MOVING]
        return [name for name in dict.fromkeys((*moving, *self._answers, *self._written)) if self._moves(name)]

    def _moves(self, name: str) -> bool:
        observed = self._observe(name, with_addons=False)
        if isinstance(observed, Present):
            return observed.deployment.state in _MOVING
        return isinstance(observed, Unknown) and name in self._written

    def tell(self, names: frozenset[str] | None) -> None:
        """Hand out which deployments look different than before; None: all of the account."""
        in_progress = frozenset(name for name in names or () if self._is_being_created(name))
        self.handler.on_change(Changed(self.account, names, in_progress))

    def _is_being_created(self, name: str) -> bool:
        observed = self._observe(name, with_addons=False)
        return isinstance(observed, Present) and observed.deployment.state == "CREATING"

    def has(self, name: str) -> bool:
        """Tell whether the last LIST has the deployment."""
        return self.listing is not None and name in self.listing.deployments

    def learn(self, name: str, observed: Present | Absent, *, asked: float) -> None:
        """Take in the answer to a GET, or to our own write, that was asked for at a time."""
        if asked < self._written_at(name):
            return  # a GET that our own write has overtaken
        self._answers[name] = _Answer(asked, observed)

    def wrote(self, name: str) -> None:
        """Note the end of our own write: what was heard before it no longer counts."""
        self._written[name] = self.clock()
        self._answers.pop(name, None)

    def forget(self, name: str) -> None:
        """Drop what is remembered of a deployment beside the LIST.

        When it was last written stays known until the next LIST: a new resource of that name must not take the
        one from before for the truth.
        """
        self._answers.pop(name, None)

    def listed(self, listing: Listing) -> None:
        """Take in a complete LIST, and tell which deployments look different than in the one before."""
        before, self.listing, self._heirs = self.listing, listing, None
        healed, self.failure, self._told_stale = self.failure, None, False
        if before is None or (healed is not None and listing.started - healed.since > SILENCE):
            self.resumed = listing.started
        self._written = {name: at for name, at in self._written.items() if self._still_counts(at, listing)}
        if before is None or healed is not None:
            self.tell(None)
            return
        changed = self._asked | _differences(before.deployments, listing.deployments)
        self._asked = set()
        changed |= before.unreadable ^ listing.unreadable
        for name, answer in tuple(self._answers.items()):
            outlived = listing.started - answer.at > LAG_PATIENCE
            # The LIST before may have held the same, but did not count: it was looked at with the answer in view.
            counts_from_now = before.started <= answer.at < listing.started
            if (outlived or counts_from_now) and listing.deployments.get(name) != answer.to_be_listed:
                changed.add(name)
            if outlived:
                del self._answers[name]
        if changed:
            self.tell(frozenset(changed))

    def failed(self, diagnosis: Diagnosis) -> bool:
        """Take in that a LIST failed; the picture before it stands for a while, and its end is told like a change.

        Returns whether the words are news: those of a failure that lasts are taken over now and then only.
        """
        before, told_stale, now = self.failure, self._told_stale, self.clock()
        self._told_stale = self.listing is not None and now - self.listing.started > STALE_AFTER
        is_news = before is None or not before.keeps_its_words(diagnosis, now)
        if is_news:
            self.failure = ListFailure(now if before is None else before.since, diagnosis, now)
        if is_news or self._told_stale != told_stale:
            self.tell(None)
        return is_news

    def addons_listed(self, listing: AddonListing) -> None:
        """Take in a complete LIST of the loaded addons, and tell who wants them what looks different."""
        before, self._addon_listing = self._addon_listing, listing
        healed, self.addons_failure = self.addons_failure, None
        users = self._addon_names()
        if before is None or healed is not None:
            changed = users
        else:
            changed = users & (_differences(before.addons, listing.addons) | self._addons_asked)
        self._addons_asked.clear()
        if changed:
            self.tell(changed)

    def addons_failed(self, diagnosis: Diagnosis) -> bool:
        """Take in that the loaded addons cannot be listed: they are unknown, and nothing else is.

        Returns whether the words are news, like `failed`.
        """
        before, self._addon_listing, now = self.addons_failure, None, self.clock()
        if before is not None and before.keeps_its_words(diagnosis, now):
            return False
        self.addons_failure = ListFailure(now if before is None else before.since, diagnosis, now)
        if self._addon_users:
            self.tell(self._addon_names())
        return True

    def _addon_names(self) -> frozenset[str]:
        return frozenset().union(*self._addon_users.values())

    def _from_answer(self, name: str, answer: _Answer | None, *, with_addons: bool) -> Observed:
        if answer is None or self.clock() - answer.at > STALE_AFTER:
            return Unknown()
        if isinstance(answer.observed, Absent):
            return Absent()  # confirmed only in the pass that asked
        addons = self._addons(name) if with_addons else None
        return Present(answer.observed.deployment, addons)

    def _lags(self, listed: Deployment | None, answer: _Answer) -> bool:
        """Tell whether a LIST is behind what we were told directly before it began."""
        if self.clock() - answer.at > LAG_PATIENCE or not isinstance(answer.observed, Present):
            return False
        known = answer.observed.deployment
        if listed is None:
            return False  # it may just as well be deleted by now: a GET tells
        if listed.update_time is None or known.update_time is None:
            return False
        return listed.update_time < known.update_time

    def _written_at(self, name: str) -> float:
        return self._written.get(name, float("-inf"))

    def _still_counts(self, written: float, listing: Listing) -> bool:
        """Tell whether a LIST that is known, or under way, may have begun before a write of ours."""
        if written >= listing.started:
            return True
        addons = self._addon_listing.started if self._addon_listing is not None else self.clock() - STALE_AFTER
        return self.addons_wanted and written >= addons

    def _addons(self, name: str) -> tuple[DeployedModel, ...] | None:
        listing = self._addon_listing
        if listing is None or listing.started <= self._written_at(name):
            return None
        return listing.addons.get(name, ())


def _differences(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    """Return the names with different values; most values of two LISTs are the very same objects."""
    changed = {name for name, value in after.items() if (old := before.get(name)) is not value and old != value}
    return changed | (before.keys() - after.keys())
