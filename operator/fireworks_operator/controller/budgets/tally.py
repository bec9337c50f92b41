"""One budget, counted: what it selects, and what is committed and spent of it."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from fireworks_operator.api.budget import FireworksBudget
from fireworks_operator.api.v1alpha1 import Cost, FireworksDeployment, ManagementPolicy
from fireworks_operator.core.budgets import NOTHING, ZERO, Ceiling, Committed, Limits, Room, amount, selects
from fireworks_operator.core.status.cost import dollars_per_hour, month_name, month_until, next_month

MOST_DELETED = 64
"""So many of those that were deleted last are remembered by uid."""
_MONTH_HOURS = 31 * 24.0
LOOK_AGAIN = timedelta(seconds=10)
"""How long a look that was asked for may take, before it is asked for again."""
Age = tuple[float, str]
"""Resources in the order in which they were created, those of one second by uid."""


@dataclass(slots=True)
class Entry:
    """One resource as its budgets count it.

    Attributes:
        resource: as seen last.
        granted: its ceiling: what it has, or may have since its budgets had room for it.
        possible: what a request without an answer, or of a former process, may still lead to until `possible_until`;
            it counts until the deployment has been looked at after that.
        counted: what the tallies count for it now.
        waiting: the ceiling that it waits for.
        called: it has been told that it is its turn, and has not looked yet.
        looked_for: when a look was last asked for that ends the doubt.
        age: tells who came first.
        version: of what its budgets leave, as it was told last.
    """

    resource: FireworksDeployment
    granted: Ceiling
    possible: Ceiling
    possible_until: datetime
    counted: Ceiling = field(default_factory=Ceiling)
    waiting: Ceiling | None = None
    called: bool = False
    looked_for: datetime | None = None
    age: Age = (0.0, "")
    version: int = 0

    @property
    def counts(self) -> Ceiling:
        """What has to be counted with."""
        return self.granted.grown_to(self.possible)

    def look_due(self, now: datetime) -> datetime | None:
        """Return when to look whether a request can still take effect; None if that makes no difference."""
        if not self.possible.exceeds(self.granted):
            return None
        asked = self.possible_until if self.looked_for is None else self.looked_for + LOOK_AGAIN
        return max(self.possible_until, asked, now)


def age_of(resource: FireworksDeployment) -> Age:
    """Return what tells who came first; without a time of creation, nobody did before."""
    created = resource.metadata.creation_timestamp
    return (0.0 if created is None else created.timestamp(), resource.metadata.uid)


@dataclass(slots=True)
class Tally:
    """What one budget selects, commits and has spent; `members` are `namespace/name`.

    Attributes:
        budget: as seen last.
        limits: its limits.
        members: the resources that it selects.
        committed: the sum of what they count as.
        month: the month that `of_deleted` is about.
        of_deleted: US dollars of this month of resources that are gone.
        deleted: the uids of those that went last.
        told_spent: whether the limit of the month was reached when it was looked at last.
    """

    budget: FireworksBudget
    limits: Limits
    members: set[str] = field(default_factory=set)
    committed: Committed = field(default_factory=Committed)
    month: str = ""
    of_deleted: Decimal = ZERO
    deleted: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_DELETED))
    told_spent: bool = False
    _spent: tuple[float, Decimal] = (0.0, ZERO)

    @classmethod
    def of(cls, budget: FireworksBudget, entries: Mapping[str, Entry], before: "Tally | None" = None) -> "Tally":
        """Count a budget anew; what is known of deleted resources is taken from `before`, or from its status."""
        tally = cls(budget, Limits.of(budget))
        for ref, entry in entries.items():
            if tally.takes(entry.resource):
                tally.members.add(ref)
                tally.committed = tally.committed.plus(entry.counted)
        known = budget.status.month
        if before is not None:
            tally.month, tally.of_deleted, tally.told_spent = before.month, before.of_deleted, before.told_spent
            tally.deleted.extend(before.deleted)
        elif known is not None:
            tally.month, tally.of_deleted = known.name, amount(known.of_deleted) or ZERO
            tally.deleted.extend(known.deleted or ())
        return tally

    @property
    def parks(self) -> bool:
        """Whether what it selects is parked at the limit of the month."""
        return self.budget.spec.on_monthly_limit == "Park"

    def takes(self, resource: FireworksDeployment) -> bool:
        """Tell whether the budget counts a resource: one that it selects and that is managed, not only observed."""
        managed = resource.spec.management_policy is ManagementPolicy.MANAGE
        return managed and selects(self.budget.spec.selector, resource.metadata.labels)

    def fits(self, entry: Entry, taken: Committed) -> bool:
        """Tell whether there is room for what a resource waits for, beside what others take that come first."""
        asked, has = entry.waiting or NOTHING, entry.granted
        gpus = self.committed.gpus - entry.counted.gpus + taken.gpus
        cost = self.committed.hourly - (entry.counted.hourly or ZERO) + taken.hourly
        return not (
            self.told_spent
            or self.limits.gpus_exceeded(gpus, asked, has)
            or self.limits.is_unpriced(asked)
            or self.limits.cost_exceeded(cost, asked, has)
        )

    def room(self, others: Committed, entries: Mapping[str, Entry], now: datetime) -> Room:
        """Return what the budget leaves to a resource, when so much is committed to others."""
        return Room(
            self.budget.metadata.name,
            self.limits,
            next_month(now),
            others,
            self.spent(entries, now) if self.limits.monthly is not None else ZERO,
            self.parks,
        )

    def spent(self, entries: Mapping[str, Entry], now: datetime) -> Decimal:
        """Return US dollars of this month by all members until now; at most a second old."""
        asked, known = self._spent
        if 0 <= now.timestamp() - asked < 1.0:
            return known
        costs = (entries[ref].resource.status.cost for ref in self.members)
        total = sum((month_until(each, now) for each in costs if each is not None), self.gone(now))
        self._spent = (now.timestamp(), total)
        return total

    def month_due(self, entries: Mapping[str, Entry], now: datetime) -> datetime | None:
        """Return when the limit of the month is reached as things are, or the month ends; None without such a limit."""
        limit, ends = self.limits.monthly, next_month(now)
        if limit is None:
            return None
        costs = (entries[ref].resource.status.cost for ref in self.members)
        rate = sum((dollars_per_hour(each)[0] or ZERO for each in costs if each is not None), ZERO)
        left = limit - self.spent(entries, now)
        if left <= 0 or not rate:
            return ends
        return min(ends, now + timedelta(hours=min(float(left / rate), _MONTH_HOURS)))

    def gone(self, now: datetime) -> Decimal:
        """Return US dollars of this month of resources that have been deleted."""
        return self.of_deleted if self.month == month_name(now) else ZERO

    def add_deleted(self, uid: str, cost: Cost | None, now: datetime) -> None:
        """Keep what a resource has cost this month that is gone now, once."""
        if uid in self.deleted or cost is None:
            return
        self.of_deleted = self.gone(now) + month_until(cost, now)
        self.month = month_name(now)
        self.deleted.append(uid)

    def recount(self) -> None:
        """Look at the spend again the next time that it is asked for."""
        self._spent = (0.0, ZERO)


def total(ceilings: Iterable[Ceiling]) -> Committed:
    """Return the sum of ceilings."""
    committed = Committed()
    for each in ceilings:
        committed = committed.plus(each)
    return committed
