"""The ledger: what is granted to whom, so that many passes at a time never sell the same room twice.

All of it happens in one event loop without waiting in between. After a restart it is filled again from what the
resources say; for as long as a request of the former process may still take effect, what their specs ask for counts,
too.
"""

import asyncio
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fireworks_operator.api.budget import FireworksBudget
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.budgets import NOTHING, ZERO, Ceiling, Committed, Room, refusal, stored_ceiling
from fireworks_operator.core.decisions.growth import is_waiting, possible_ceiling, spec_ceiling
from fireworks_operator.core.pauses import POST_SETTLES
from fireworks_operator.core.prices import Prices

from .tally import Age, Entry, Tally, age_of, total

_NONE = Committed()


@dataclass(slots=True)
class _Namespace:
    """The resources and budgets of one namespace.

    Attributes:
        entries: the resources by `namespace/name`.
        tallies: the budgets by name.
        line: those that wait, oldest first.
        version: another one whenever room was made.
        room_made: room may have been made for those that wait.
        filled: all resources that there were when somebody first asked have been taken in.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    line: list[tuple[Age, str]] = field(default_factory=list)
    version: int = 0
    room_made: bool = False
    filled: bool = False

    def of(self, ref: str) -> list[Tally]:
        """Return the tallies of the budgets that select a resource, by name."""
        return [each for _, each in sorted(self.tallies.items()) if ref in each.members]

    def parked(self) -> set[str]:
        """Return the resources that budgets have parked, as far as these have been told."""
        parking = (each for each in self.tallies.values() if each.parks and each.told_spent)
        return {ref for each in parking for ref in each.members}


class Ledger:
    """Knows what each budget has left, grants it, and says whose turn it is when room is made.

    Attributes:
        changed: set when there is something to hand out or to tell.
    """

    def __init__(
        self,
        budgets: Callable[[str], Iterable[FireworksBudget]],
        resources: Callable[[], Iterable[FireworksDeployment]],
        prices: Callable[[], Prices],
        clock: Callable[[], datetime],
    ) -> None:
        """Connect it.

        Args:
            budgets: returns the budgets of a namespace.
            resources: returns all resources as they are known, for namespaces that get their first budget.
            prices: what a GPU-hour costs by now.
            clock: wall time, UTC.
        """
        self._budgets = budgets
        self._resources = resources
        self._prices = prices
        self._clock = clock
        self._namespaces: dict[str, _Namespace] = {}
        self._freed: set[str] = set()
        self.changed = asyncio.Event()

    def __iter__(self) -> Iterator[Tally]:
        """Iterate over all budgets."""
        for namespace in self._namespaces.values():
            yield from namespace.tallies.values()

    # What changes from outside

    def on_budgets(self, namespace: str) -> None:
        """Take in that budgets of a namespace have appeared, changed or gone."""
        found = {each.metadata.name: each for each in self._budgets(namespace)}
        place = self._namespaces.get(namespace)
        if place is None:
            if not found:
                return
            place = self._namespaces[namespace] = _Namespace()
        parked = place.parked()
        for name in place.tallies.keys() - found.keys():
            del place.tallies[name]
        for name, budget in found.items():
            before = place.tallies.get(name)
            same = before is not None and before.budget.metadata.uid == budget.metadata.uid
            if before is not None and same and before.budget.spec == budget.spec:
                before.budget = budget
            else:
                place.tallies[name] = Tally.of(budget, place.entries, before if same else None)
        self._freed |= parked - place.parked()
        self._make_room(place)
        if not place.tallies and not any(entry.waiting for entry in place.entries.values()):
            del self._namespaces[namespace]

    def see(self, resource: FireworksDeployment) -> None:
        """Take in a resource as it is now: its labels, its age, what it has cost."""
        place = self._namespaces.get(resource.metadata.namespace)
        if place is None:
            return
        entry = place.entries.get(resource.ref)
        if entry is None or entry.resource.metadata.uid != resource.metadata.uid:
            if entry is not None:
                self._drop(place, resource.ref, entry)
            place.entries[resource.ref] = entry = self._entry(resource)
            if is_waiting(resource):
                self._set_waiting(place, resource.ref, entry, spec_ceiling(resource, self._prices(), self._clock()))
        if entry.resource.status.cost != resource.status.cost:
            self.changed.set()
        entry.resource = resource
        for tally in place.tallies.values():
            takes, counts = tally.takes(resource), resource.ref in tally.members
            if takes and not counts:
                tally.members.add(resource.ref)
                tally.committed = tally.committed.plus(entry.counted)
            elif counts and not takes:
                tally.members.remove(resource.ref)
                tally.committed = tally.committed.minus(entry.counted)
                self._make_room(place)

    def forget(self, ref: str) -> None:
        """Take in that a resource is gone; what it has cost this month stays counted."""
        place = self._namespaces.get(ref.split("/", 1)[0])
        entry = None if place is None else place.entries.pop(ref, None)
        if place is not None and entry is not None:
            self._drop(place, ref, entry)

    # What passes ask and do

    def rooms(self, resource: FireworksDeployment) -> tuple[Room, ...]:
        """Return what each budget that selects a resource leaves to it."""
        place = self._namespaces.get(resource.metadata.namespace)
        if place is None:
            return ()
        self._fill(resource.metadata.namespace)
        self.see(resource)
        now, entry = self._clock(), place.entries[resource.ref]
        entry.version = place.version
        self._count(place, resource.ref, entry)
        _, taken = self._turns(place, before=entry.age) if place.room_made else ([], {})
        return self._rooms_of(place, resource.ref, entry, taken, now)

    def granted(self, ref: str) -> Ceiling:
        """Return the ceiling that a resource has been granted."""
        entry = self._entry_of(ref)
        return NOTHING if entry is None else entry.granted

    def observe(self, ref: str, ceiling: Ceiling, seen: datetime) -> None:
        """Take in that a resource has this ceiling: what was granted beyond it is free again.

        `seen` is when Fireworks was asked; what may have taken effect since then counts all the same.
        """
        place = self._namespaces.get(ref.split("/", 1)[0])
        entry = self._entry_of(ref)
        if place is None or entry is None:
            return
        entry.granted = ceiling
        if seen >= entry.possible_until:
            entry.possible = NOTHING
        self._count(place, ref, entry)

    def reserve(self, resource: FireworksDeployment, asked: Ceiling) -> bool:
        """Grant a resource a ceiling, if all its budgets have room for it."""
        place = self._namespaces.get(resource.metadata.namespace)
        if place is None:
            return True
        rooms, entry = self.rooms(resource), place.entries[resource.ref]
        if refusal(rooms, asked, entry.granted) is not None:
            return False
        entry.granted = entry.granted.grown_to(asked)
        self._set_waiting(place, resource.ref, entry, None)
        self._count(place, resource.ref, entry)
        return True

    def doubt(self, ref: str) -> None:
        """Take in that a request had no answer: what was granted for it counts until it can no longer take effect."""
        entry = self._entry_of(ref)
        if entry is not None:
            entry.possible, entry.possible_until = entry.granted, self._clock() + POST_SETTLES
            entry.looked_for = None

    def wait(self, ref: str, asked: Ceiling | None) -> None:
        """Take in what a resource waits for; None if for nothing."""
        place, entry = self._namespaces.get(ref.split("/", 1)[0]), self._entry_of(ref)
        if place is None or entry is None:
            return
        entry.called = False
        if entry.waiting == asked:
            return
        self._set_waiting(place, ref, entry, asked)
        if entry.version != place.version:
            self._make_room(place)  # it was while the pass was under way
        self.changed.set()

    def _set_waiting(self, place: _Namespace, ref: str, entry: Entry, asked: Ceiling | None) -> None:
        """Put a resource into the line, or take it out."""
        stands = (entry.age, ref)
        if entry.waiting is None and asked is not None:
            insort(place.line, stands)
        elif entry.waiting is not None and asked is None:
            place.line.remove(stands)
        entry.waiting = asked

    # Whose turn it is

    def turns(self) -> list[str]:
        """Return the resources that room was made for since the last time, those that came first before others.

        Before them come those that no budget has parked any more, since it is gone or has changed.
        """
        due, now = sorted(self._freed), self._clock()
        self._freed.clear()
        for name, place in list(self._namespaces.items()):
            self._fill(name)
            due += self._settle_doubts_and_months(place, now)
            if not place.room_made:
                continue
            turns, _ = self._turns(place)
            place.room_made = bool(turns)
            for ref in turns:
                if not place.entries[ref].called:  # who is called looks once, whatever comes of it
                    place.entries[ref].called = True
                    due.append(ref)
            if not place.tallies and not turns:
                del self._namespaces[name]
        return due

    def due(self) -> datetime | None:
        """Return when to look again although nothing changes; None where time alone changes nothing."""
        now, times = self._clock(), []
        for place in self._namespaces.values():
            times += [*filter(None, (each.look_due(now) for each in place.entries.values()))]
            for tally in place.tallies.values():
                times += [*filter(None, [tally.month_due(place.entries, now)])]
        return min(times, default=None)

    def entries(self, tally: Tally) -> dict[str, Entry]:
        """Return the resources that a budget selects."""
        place = self._namespaces[tally.budget.metadata.namespace]
        return {ref: place.entries[ref] for ref in tally.members}

    def _settle_doubts_and_months(self, place: _Namespace, now: datetime) -> list[str]:
        """Look at what comes about by time alone: requests that can no longer take effect, limits of the month."""
        due: list[str] = []
        for ref, entry in place.entries.items():
            look = entry.look_due(now)
            if look is not None and look <= now:
                entry.looked_for = now
                due.append(ref)
        for tally in place.tallies.values():
            limit = tally.limits.monthly
            spent = limit is not None and tally.spent(place.entries, now) >= limit
            if spent != tally.told_spent:
                tally.told_spent = spent
                self._make_room(place)
                due += sorted(tally.members) if tally.parks else []
        return due

    def _turns(self, place: _Namespace, before: Age | None = None) -> tuple[list[str], dict[str, Committed]]:
        """Go through those that wait, oldest first, and give each the room that it asks for, if there is.

        Returns who gets its turn, and what they take of each budget together.
        """
        turns: list[str] = []
        taken: dict[str, Committed] = {}
        for age, ref in place.line:
            if before is not None and age >= before:
                break
            entry, tallies = place.entries[ref], place.of(ref)
            if all(each.fits(entry, taken.get(each.budget.metadata.name, _NONE)) for each in tallies):
                turns.append(ref)
                more = total([entry.waiting or NOTHING]).minus(entry.counted)
                for each in tallies:
                    name = each.budget.metadata.name
                    taken[name] = _sum(taken.get(name), more)
        return turns, taken

    def _rooms_of(
        self, place: _Namespace, ref: str, entry: Entry, taken: Mapping[str, Committed], now: datetime
    ) -> tuple[Room, ...]:
        """Return what each budget leaves to a resource, when so much of each is taken by others that come first."""
        return tuple(
            each.room(
                _sum(taken.get(each.budget.metadata.name), each.committed.minus(entry.counted)), place.entries, now
            )
            for each in place.of(ref)
        )

    # Counting

    def _fill(self, namespace: str) -> None:
        """Take in all resources of a namespace, once; not before anybody asks, since budgets are listed first."""
        place = self._namespaces[namespace]
        if place.filled:
            return
        place.filled = True
        for resource in self._resources():
            if resource.metadata.namespace == namespace:
                self.see(resource)

    def _entry(self, resource: FireworksDeployment) -> Entry:
        """Return an entry by what a resource says, nobody having looked at its deployment yet."""
        now, stored = self._clock(), stored_ceiling(resource)
        possible = possible_ceiling(resource, self._prices(), now)
        entry = Entry(resource, stored, possible, now + POST_SETTLES, age=age_of(resource))
        entry.counted = entry.counts
        return entry

    def _entry_of(self, ref: str) -> Entry | None:
        place = self._namespaces.get(ref.split("/", 1)[0])
        return None if place is None else place.entries.get(ref)

    def _count(self, place: _Namespace, ref: str, entry: Entry) -> None:
        counts = entry.counts
        if counts == entry.counted:
            return
        less = not counts.exceeds(entry.counted)
        for tally in place.of(ref):
            tally.committed = tally.committed.minus(entry.counted).plus(counts)
        entry.counted = counts
        self.changed.set()
        if less:
            self._make_room(place)

    def _drop(self, place: _Namespace, ref: str, entry: Entry) -> None:
        now = self._clock()
        self._set_waiting(place, ref, entry, None)
        for tally in place.of(ref):
            tally.members.remove(ref)
            tally.committed = tally.committed.minus(entry.counted)
            tally.add_deleted(entry.resource.metadata.uid, entry.resource.status.cost, now)
            tally.recount()
        self._make_room(place)

    def _make_room(self, place: _Namespace) -> None:
        place.room_made = True
        place.version += 1
        self.changed.set()


def _sum(taken: Committed | None, more: Committed) -> Committed:
    """Return the sum of what is taken, which is nothing for None, and more; who needs less gives nothing away yet."""
    if taken is None:
        return more
    return Committed(taken.gpus + max(more.gpus, 0), taken.hourly + max(more.hourly, ZERO), taken.unpriced)
