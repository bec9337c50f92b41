"""Everything together: the API server, Fireworks and the operator's process, on one clock."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS
from fireworks_operator.fireworks.request import Call
from fireworks_simulator.testing import JournalEntry
from testkit.promises.budgets import NeverOversold
from testkit.promises.invariants import Promises, holds, is_answered
from testkit.promises.specs import FOREIGN, UNOWNED, loaded_addons, named, new_spec
from testkit.virtual.api_server import ApiServer, Raw
from testkit.virtual.conduct import BY_HAND, BYSTANDER, Conduct, owner_ref
from testkit.virtual.copying import copied
from testkit.virtual.fireworks import ACCOUNT, CALM_KEY, KEYS, OTHER_ACCOUNT, Fireworks, identifier
from testkit.virtual.gate import KilledError, Lease
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.neighbour import NEIGHBOUR, Neighbour
from testkit.virtual.process import AGENT, Process, Surroundings
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.unexpected import Unexpected

_SETTLING = (1, 3, 5, 15, 30, 60, 120, 300, 900, 3600, 3 * 3600, 4 * 3600)
"""Seconds that go by, in this order, until nothing happens any more: longer than every pause of the operator."""
_CONFIRMED = 60.0
"""Seconds after which what no LIST shows must count as gone."""
_MOST_ROUNDS = 60
_ENOUGH_ROUNDS = 15
"""From here on, what is refused again and again no longer counts as unrest."""


def _lists_addons(entry: JournalEntry) -> bool:
    """Tell whether a request has told the operator which addons are loaded."""
    lists = entry.method == "GET" and entry.path.endswith("/deployedModels")
    return lists and entry.status == 200 and not entry.fault and entry.user_agent not in (BY_HAND, NEIGHBOUR)


class World:
    """One scene: what users, Fireworks and the operator do to each other, and whether promises are kept.

    Attributes:
        lease: for how long the operator may act.
        clock_off: seconds by which the clock of the operator's node is ahead.
        neighbour: another cluster with a key of the same account, if there is one.
        kills: processes that have come to their end, one way or the other.
        faults: requests that went wrong.
        creations: deployments that have come into being, whoever asked for them.
    """

    def __init__(self, loop: VirtualLoop, simulator: MemorySimulator) -> None:
        self.loop = loop
        loop.serve = simulator.server(loop)
        self.fireworks = Fireworks(simulator, loop.time)
        self.fireworks.reset()
        self.server = ApiServer(self.fireworks.now)
        self.promises = Promises(self.server, self.fireworks)
        self.oversold = NeverOversold(self.server, self.fireworks)
        self.conduct = Conduct()
        self.server.on_release, self.server.on_status = self.promises.on_release, self.promises.on_status
        self.lease = Lease(loop.time)
        self.clock_off = 0.0
        self.promises.operator_clock = self._wall_clock
        self.neighbour: Neighbour | None = None
        self.kills = self.faults = self.creations = 0
        self._missed: dict[str, float] = {}
        self.restore_secret()
        self._add_foreign()
        self._unexpected = Unexpected()
        logging.getLogger("fireworks_operator").addHandler(self._unexpected)
        self.before = self.fireworks.state()
        self.objects_before: dict[str, Raw] = {}
        self.process = self._start()

    def close(self) -> None:
        """End the scene."""
        logging.getLogger("fireworks_operator").removeHandler(self._unexpected)
        self.loop.run_until_complete(self.process.close())
        if self.neighbour is not None:
            self.neighbour.close()

    # The operator

    def _start(self) -> Process:
        around = Surroundings(self.lease, self._wall_clock, on_change=self._on_change)

        async def start() -> Process:
            return Process(self.server, self.fireworks, self.loop, around)

        return self.loop.run_until_complete(start())

    def _on_change(self, ref: str, call: Call) -> None:
        self.promises.on_change(ref, call)
        self.oversold.on_change(ref, call)

    def _wall_clock(self) -> float:
        return self.fireworks.now() + self.clock_off

    def restart(self) -> None:
        """End the operator's process wherever it is, and start a new one."""
        self.kills += 1
        self.loop.run_until_complete(self.process.close())
        self.process = self._start()

    def run(self, doing: Callable[[Process], Awaitable[None]], *, armed: bool = False) -> None:
        """Let the operator do something; if it is killed on the way, another process takes its place.

        `armed`: what is planned to happen on the way stays planned if it has not happened by the end.
        """

        async def do() -> bool:
            try:
                await doing(self.process)
            except KilledError:
                return False
            return True

        alive = self.loop.run_until_complete(do())
        if not armed:
            self.process.gate.disarm()
        if not alive:
            self.restart()
        for record in self._unexpected.records:
            assert record.exc_info is not None
            raise AssertionError("the pass failed unexpectedly") from record.exc_info[1]

    def work(self, *, armed: bool = False) -> None:
        """Let the operator hear the watch and do what is due."""

        async def work(process: Process) -> None:
            for _ in range(2):  # its own writes come back
                process.watch()
                await process.work()

        self.run(work, armed=armed)

    def poll(self, *, armed: bool = False) -> None:
        """Let the operator observe its accounts, and do what comes of it."""
        seen = frozenset(self.promises.unseen)

        async def poll(process: Process) -> None:
            before = process.pictures()
            await process.poll()
            if process.pictures() != before:  # one LIST that is shorter than another key's does not count
                self._looked(seen)
            await process.work()

        self.run(poll, armed=armed)

    def _looked(self, names: frozenset[str]) -> None:
        """What is there was seen by a LIST; what is not may have been left out of one."""
        there, now = self.fireworks.state().deployments, self.loop.time()
        missing = {name for name in names if name not in there}
        self._missed = {name: self._missed.get(name, now) for name in missing}
        self.promises.unseen -= names - {name for name in missing if now - self._missed[name] < _CONFIRMED}

    def poll_overtaken(self) -> None:
        """Let a poll's answer arrive only after the passes that are due."""

        async def poll(process: Process) -> None:
            process.watch()
            process.client.hold_lists = held = asyncio.Event()
            polling = asyncio.ensure_future(process.poll())
            process.client.list_held.clear()
            reached = asyncio.ensure_future(process.client.list_held.wait())
            await asyncio.wait({polling, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            process.client.hold_lists = None
            try:
                await process.work()
            finally:
                held.set()
                await polling
            await process.work()

        self.run(poll)

    def look_overtaken(self, happens: Callable[[], None]) -> None:
        """Let the answer to a GET arrive only after something has happened and a poll has seen it."""

        async def look(process: Process) -> None:
            process.watch()
            process.client.hold_looks = held = asyncio.Event()
            process.client.list_held.clear()
            working = asyncio.ensure_future(process.work())
            reached = asyncio.ensure_future(process.client.list_held.wait())
            await asyncio.wait({working, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            process.client.hold_looks = None
            try:
                if not working.done():
                    happens()
                    self.loop.advance(2.0)
                    await process.poll()
            finally:
                held.set()
                await working
            await process.work()

        self.run(look)

    # Others

    def overwrite_status(self, ref: str, status: Mapping[str, Any]) -> None:
        """Have somebody else write a status: what it says is not the operator's word, and none is broken by it."""
        self.server.put_status(ref, status)
        self.objects_before[ref] = copied(self.server.objects[ref])

    def _add_foreign(self, claimed: Collection[str] = ()) -> None:
        marks = {"custom/managed-by": "fireworks-operator", "custom/cluster": "another", "custom/namespace": "x"}
        for name, annotations in ((FOREIGN, {**marks, "custom/name": "y"}), (UNOWNED, {})):
            if f"accounts/{ACCOUNT}/deployments/{name}" not in claimed:
                self.fireworks.simulator.create_foreign(prefix=name.removesuffix("-0"), annotations=annotations)

    def clear_up(self) -> None:
        """Delete for good whatever no resource claims, and have others' deployments as in the beginning."""
        claimed = {name for each in self.server.objects.values() for name in named(each["status"])}
        everything = {name for name in self.fireworks.state().deployments if f"/{ACCOUNT}/" in name}
        gone = everything - claimed
        for name, router in self.fireworks.state().routers.items():
            if gone.issuperset(router["deployments"]):
                self.fireworks.by_hand("DELETE", name)
        for name in gone:
            self.fireworks.simulator.vanish(identifier(name))
        for name in gone | (self.conduct.holders.keys() - everything):
            self.conduct.forget(name)
            if self.neighbour is not None:
                self.neighbour.forget(name)
        self._add_foreign(claimed)
        for names in (self.promises.left, self.promises.given, self.promises.others):
            names -= gone
        self.judge_later(*everything)

    def add_bystander(self) -> None:
        """Let there be a resource that serves, with a key of its own for the account that all others use."""
        namespace = BYSTANDER.split("/")[0]
        self.server.secrets[namespace, "fireworks"] = {"apiKey": CALM_KEY.encode()}
        self.server.create(BYSTANDER, new_spec("team-a", [("minReplicaCount", 1)]))
        for seconds in (0.0, 3.0, 62.0):
            self.advance(seconds)
            self.poll()
        self.judge()
        assert holds(self.server.objects[BYSTANDER]["status"], "Ready")

    def add_neighbour(self, *, cluster: str, uid: str) -> Neighbour:
        """Let there be another cluster with a key of the same account, or return the one that there is."""
        if self.neighbour is None:
            holders = self.conduct.holders
            self.neighbour = Neighbour(self.fireworks, self.loop, cluster=cluster, uid=uid, holders=holders)
        return self.neighbour

    # Time and trouble

    def advance(self, seconds: float, *, armed: bool = False) -> None:
        """Let time pass for all of them, and the operator do what its timers ask for."""
        self.loop.advance(seconds)
        self.fireworks.catch_up()
        self.work(armed=armed)

    def heal(self) -> None:
        """End every trouble."""
        self.fireworks.heal()
        self.server.calm()
        self.lease.renewed()
        self.clock_off = 0.0
        self.restore_secret()

    def restore_secret(self, api_key: str = KEYS[ACCOUNT], **others: bytes) -> None:
        """Put an API key into the Secret of team-a."""
        self.server.secrets["team-a", "fireworks"] = {"apiKey": api_key.encode(), **others}

    def remove_secret(self) -> None:
        """Delete the Secret of team-a."""
        self.server.secrets.pop(("team-a", "fireworks"), None)

    def exchange_secret(self) -> None:
        """Put a key of another account into the Secret of team-a."""
        self.restore_secret(KEYS[OTHER_ACCOUNT])

    # Judgement

    def judge_later(self, *names: str) -> None:
        """Note that somebody has changed deployments which the operator has not looked at since.

        What the operator does from now on is judged by what it finds, and not by what was there before; what somebody
        changes in the middle of a pass is judged with that.
        """
        self.promises.unseen |= set(names)
        if not self.loop.is_running():
            self.judge()

    def ours(self) -> list[str]:
        """Return the names of deployments that exist and that a resource of this cluster owns or claims."""
        claimed = {name for each in self.server.objects.values() for name in named(each["status"])}
        calm = self.server.objects.get(BYSTANDER, {}).get("status", {}).get("deploymentName")
        there = self.fireworks.state().live()
        return [
            each["name"]
            for each in there
            if (each["name"] in claimed or owner_ref(each.get("annotations", {})) is not None)
            and each["name"] not in self.promises.others
            and each["name"] != calm
        ]

    def brought_back(self, name: str) -> int:
        """Return how often a deployment was created or undeleted within a day."""
        collection, _, deployment = name.rpartition("/")
        found = self.fireworks.simulator.journal(method="POST", account=name.split("/")[1])
        return sum(
            each.committed
            and each.virtual > self.fireworks.now() - 86_400.0
            and (each.path == f"/v1/{name}:undelete" or each.query.get("deploymentId") == deployment)
            for each in found
            if each.path.startswith(f"/v1/{collection}")
        )

    def judge(self) -> int:
        """Check all promises as of now; return how many requests since last time were changes.

        Raises:
            AssertionError: one is broken.
        """
        entries = self.fireworks.journal()
        self.faults += sum(bool(each.fault) for each in entries)
        self.creations += sum(map(_creates, entries))
        after = self.fireworks.state()
        self.conduct.raced = self.promises.raced
        self.conduct.judge(entries, self.before, self.server)
        if self.neighbour is not None:
            self.neighbour.judge(entries, self.before)
        mine = {None, AGENT, BY_HAND}
        self.promises.others = {name for name, each in self.conduct.holders.items() if each not in mine}
        self.promises.raced.clear()
        if any(map(_lists_addons, entries)):
            self.promises.listed = loaded_addons(after.addons.values())
        self.promises.check(after)
        self.promises.check_serving(self.objects_before, self.before, after)
        self.promises.check_one_of_two_serves(self.objects_before, self.before, after)
        self.objects_before = copied(self.server.objects)
        self.before = after
        return sum(each.method != "GET" and each.user_agent not in (BY_HAND, NEIGHBOUR) for each in entries)

    def settle(self) -> bool:
        """Let time pass until nothing happens any more, or nothing but tries that are refused again and again.

        Returns:
            Whether all is silent now.

        Raises:
            AssertionError: it never ends, or a promise is broken on the way.
        """
        for number in range(_MOST_ROUNDS):
            if not self._goes_on():
                return True
            resources = self.server.objects.values()
            if number >= _ENOUGH_ROUNDS and all(map(is_answered, resources)) and not any(map(_is_removing, resources)):
                return False
        raise AssertionError("it does not settle")

    def _goes_on(self) -> bool:
        writes, changes = self.server.writes, 0
        for seconds in _SETTLING:
            self.advance(seconds)
            self.poll()
            self.work()
            if self.neighbour is not None:
                self.neighbour.live()
            changes += self.judge()
            if changes or self.server.writes != writes:
                return True
        return False

    def delete_all(self) -> None:
        """Delete every resource, by force, and wait until all is gone."""
        for ref in list(self.server.objects):
            self.server.annotate(ref, ANNOTATION_IGNORE_CHECKS, "true")
            if ref.startswith("mallory/"):  # whose keys are no keys
                self.server.annotate(ref, ANNOTATION_ABANDON, "true")
            self.server.delete(ref)
        if self.neighbour is not None:
            self.neighbour.delete_all()
        self.settle()
        if self.server.objects:  # created in the other account while its key was in the Secret
            self.exchange_secret()
            self.settle()


def _is_removing(raw: Raw) -> bool:
    """Tell whether the second of two deployments is on its way out, and Fireworks lets it go."""
    second = raw["status"].get("replacement", {})
    blocked = second.get("lastAttempt", {}).get("reason") == Reason.DELETION_BLOCKED
    return second.get("phase") in ("Draining", "Discarding") and not blocked


def _creates(entry: JournalEntry) -> bool:
    """Tell whether a request made a deployment, and did not only ask whether it could be made."""
    return entry.committed and entry.path.endswith("/deployments") and "validateOnly" not in entry.query
