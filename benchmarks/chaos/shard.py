"""One operator with its namespaces and accounts: it lives many short lives, and in between the world must converge."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.chaos.faults import CHANGES, LATE_SECONDS, ROUTES, FaultsInForce
from benchmarks.chaos.kubernetes_side import KubernetesSide
from benchmarks.chaos.operators import ForkedOperator
from benchmarks.chaos.plan import ANY_MOMENT, CHANGE, START, WRITE, Aim, Life, draw_round
from benchmarks.chaos.tally import Tally
from benchmarks.chaos.users import Step, Users, patiently, slots_of
from benchmarks.chaos.verdict import BrokenPromiseError, Snapshot, accept, judge_journal, leaks, unsettled, untouched
from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes_api import Json, condition
from testkit.team import Team

LIVES = 10
"""Kills per round."""
START_SECONDS = 15.0
"""Seconds that an operator may take to begin its work."""
AIM_SECONDS = 4.0
"""Seconds that an operator may work until what it is killed at has happened."""
PAGE_SIZE = 200
"""Deployments per page of the operator's LIST."""
SETTLES_WITHIN = 150.0
"""Seconds within which all must be as it must be, once nothing goes wrong any more."""
_HELP_AFTER = 20.0
"""Seconds after which users say `reconcile-at` where nothing else is left to wait for but a pause."""


class Shard:
    """A shard of the stage.

    Args:
        number: of the shard.
        seed: of the run.
        teams: its namespaces.
        operator: not started yet.
        kubernetes: what is between the operator and its API server.
        tally: where is counted.
        say: tells what happens.
    """

    def __init__(
        self,
        number: int,
        seed: str,
        teams: Sequence[Team],
        operator: ForkedOperator,
        kubernetes: KubernetesSide,
        tally: Tally,
        say: Callable[[str], None],
    ) -> None:
        self.number = number
        self.teams = teams
        self.operator = operator
        self.users = Users(slots_of(teams))
        self.story: list[str] = []
        self._seed = seed
        self._kubernetes = kubernetes
        self._tally = tally
        self._say = say
        self._began = time.monotonic()
        self._chance = random.Random()  # noqa: S311 - to be repeated, not to be secret
        self._helped: set[tuple[str, int]] = set()
        self._at_first = self.before = self.look()
        self._faults = [FaultsInForce(team, self._has_pages(team)) for team in teams]
        self._sequence = self._simulator.last_sequence()

    @property
    def _simulator(self) -> SimulatorClient:
        return self.teams[0].simulator

    lives = LIVES

    def round(self, number: int) -> None:
        """Live some short lives in a bad world, then one in which all becomes well.

        Raises:
            BrokenPromiseError: something happened that must not, or the world does not converge.
        """
        self._chance.seed(f"{self._seed}/{self.number}/{number}/forgets")
        seed = f"{self._seed}/{self.number}/{number}"
        plan = draw_round(seed, self.lives, len(self.users.slots), len(self.teams))
        for life in plan:
            self._live(life)
        self._settle(number)

    # --- a life ----------------------------------------------------------------------------------------------------

    def _live(self, life: Life) -> None:
        for step in life.before:
            self._do(step)
        for team, fault in life.faults:
            self._note(str(fault))
            self._faults[team].begin(fault, [each for each in self._names() if "chat" in each])
        sequence, writes = self._simulator.last_sequence(), self._writes()
        rules = self._arm(life.aim)
        self._launch()
        for step in life.meanwhile:
            self._do(step)
        if life.trouble is not None:
            self._note(life.trouble)
            self._trouble(life.trouble)
        self._end(life, self._await(life.aim, rules), sequence, writes)
        for rule in rules:
            self._simulator.clear_fault(rule)
        self._calm()

    def _do(self, step: Step) -> None:
        self._note(str(step))
        self.users.do(step)
        with self._tally.lock:
            self._tally.steps[step.kind] += 1

    def _arm(self, aim: Aim) -> dict[str, str]:
        """Prepare what shows that the moment has come; return the simulator's rules for it, and what each is about."""
        self._note(str(aim))
        if aim.at in (ANY_MOMENT, START):
            return {}
        if aim.at == WRITE:
            self._plan_kill(aim.nth, before=aim.before)
            return {}
        routes = CHANGES if aim.at == CHANGE else (aim.at,)
        return {
            team.fault("latency", method=method, path=path, times=1, seconds=aim.held): route
            for team in self.teams
            for route, (method, path) in ((each, ROUTES[each]) for each in routes)
        }

    def _await(self, aim: Aim, rules: Mapping[str, str]) -> str:
        """Wait until it is time to kill; return what that moment was."""
        if aim.at == START:
            time.sleep(aim.delay)
            return START
        self._await_work()
        if aim.at == WRITE:
            return WRITE if self._is_struck(AIM_SECONDS) else ANY_MOMENT
        if aim.at == ANY_MOMENT:
            time.sleep(aim.delay)
            return ANY_MOMENT
        deadline = time.monotonic() + AIM_SECONDS
        while time.monotonic() < deadline:
            found: Any = self._simulator.call("GET", "/faults")["rules"]
            met = next((rules[each["id"]] for each in found if each["id"] in rules and each["hits"]), None)
            if met is not None:
                time.sleep(aim.delay)
                return met
            time.sleep(0.01)
        return ANY_MOMENT

    def _end(self, life: Life, moment: str, sequence: int, writes: int) -> None:
        """End a life, at the moment that has come."""
        self._kill(moment, sequence, writes)

    def _kill(self, aim: str, sequence: int, writes: int) -> None:
        if not self.operator.running and not self._kubernetes.struck.is_set():
            self._bury(self.operator)
            return
        self.operator.kill()  # one that was struck at a write is dead already
        asked = any(team.simulator.journal(account=team.account, since=sequence) for team in self.teams)
        self._tally.killed(aim, acted=asked or self._kubernetes.writes > writes)
        self._note("killed")

    # --- what two operators do otherwise ----------------------------------------------------------------------------

    def _launch(self) -> None:
        self.operator.launch()

    def _await_work(self) -> None:
        self.operator.await_work(START_SECONDS)

    def _writes(self) -> int:
        return self._kubernetes.writes

    def _calm(self) -> None:
        self._kubernetes.calm()

    def _trouble(self, name: str) -> None:
        self._kubernetes.trouble(name)

    def _plan_kill(self, writes: int, *, before: bool) -> None:
        self._kubernetes.plan_kill(writes, before=before)

    def _is_struck(self, within: float) -> bool:
        return self._kubernetes.struck.wait(within)

    def _launch_ended(self) -> None:
        """Do as the kubelet does with an operator that has ended by itself."""
        if not self.operator.running:
            self._bury(self.operator)
            self.operator.launch()

    def _end_round(self, sequence: int, writes: int) -> None:
        self._kill(ANY_MOMENT, sequence, writes)

    def _count_round(self, seconds: float) -> None:
        """Note how long all took to become as it must be; the tally is locked."""
        self._tally.settling.append(seconds)

    def _troubles_met(self) -> Mapping[str, int]:
        return self._kubernetes.met

    # --- the end of a round ----------------------------------------------------------------------------------------

    def _settle(self, number: int) -> None:
        """End all trouble, start the operator once more, and wait until all is as it must be."""
        for each in self._faults:
            met = each.end()
            with self._tally.lock:
                self._tally.faults.update(met)
        self._calm()
        self._helped.clear()
        sequence, writes = self._simulator.last_sequence(), self._writes()
        self._launch()
        began = time.monotonic()
        self._note(f"round {number}: all is well again")
        late = began + LATE_SECONDS + 0.5
        while True:
            self._launch_ended()
            self.users.attend()
            seen = self._simulator.last_sequence()  # before the look: what comes in between is judged with what follows
            snapshot = self.look()
            open_points = self._open_points(snapshot)
            if not open_points and time.monotonic() > late:
                break
            self._help(snapshot, open_points, time.monotonic() - began)
            if time.monotonic() - began > SETTLES_WITHIN:
                raise BrokenPromiseError(
                    f"round {number}: the world does not converge:\n" + "\n".join(open_points.values())
                )
            time.sleep(0.3)
        self._judge(snapshot, seen)
        with self._tally.lock:
            self._tally.rounds += 1
            self._count_round(round(time.monotonic() - began, 1))
            self._tally.troubles.update(self._troubles_met())
            self._kubernetes.met.clear()
        self._end_round(sequence, writes)

    def _bury(self, operator: ForkedOperator) -> None:
        """Take note of an operator that has ended by itself; that is no kill."""
        self._note(f"the operator has ended with {operator.wait()}")
        with self._tally.lock:
            self._tally.endings[operator.last_words()] += 1

    def _open_points(self, snapshot: Snapshot) -> dict[str, str]:
        """Return what is not yet as it must be, by resource."""
        found = {slot.ref: unsettled(slot, snapshot) for slot in self.users.slots}
        points = {ref: f"{ref}: {what}" for ref, what in found.items() if what is not None}
        return points | {f"leak {number}": each for number, each in enumerate(leaks(self.users.slots, snapshot))}

    def _help(self, snapshot: Snapshot, open_points: dict[str, str], waited: float) -> None:
        """Say the user's word where a person must act, once; and where a pause is all that is waited for."""
        for slot in self.users.slots:
            raw = snapshot.resources.get(slot.ref)
            if raw is None or (raw["metadata"]["uid"], waited > _HELP_AFTER) in self._helped:
                continue
            going = "deletionTimestamp" in raw["metadata"]
            stalled = condition(raw, "Stalled")
            needs = stalled.get("status") == "True" and (going or slot.ref in open_points)
            if not needs and not (slot.ref in open_points and waited > _HELP_AFTER):
                continue
            self._helped.add((raw["metadata"]["uid"], waited > _HELP_AFTER))
            reason = str(stalled["reason"] if needs else condition(raw, "Ready").get("reason"))
            self._note(f"help {slot.ref}: {reason} {open_points.get(slot.ref)}")
            with self._tally.lock:
                self._tally.helped[reason] += 1
            if going:
                self.users.force(raw)
            else:
                self.users.wish(raw)

    def _judge(self, snapshot: Snapshot, seen: int) -> None:
        """Judge the requests up to a sequence number, and what there is since."""
        for team in self.teams:
            found = self._simulator.journal(account=team.account, since=self._sequence)
            entries = [each for each in found if each.sequence <= seen]
            judge_journal(entries, self.before, {each.ref: each for each in self.users.slots})
            with self._tally.lock:
                self._tally.requests.update(f"{each.method} {each.route}" for each in entries if each.committed)
        untouched(self._at_first, snapshot)
        accept(self.users.slots, snapshot)
        self._forget_deleted(snapshot)
        self.before, self._sequence = snapshot, seen

    def _forget_deleted(self, snapshot: Snapshot) -> None:
        """Let Fireworks forget some of what is deleted, as it does after 7 days: its names can be created anew."""
        used = {raw.get("status", {}).get("deploymentName") for raw in snapshot.resources.values()}
        for team in self.teams:
            for name, each in snapshot.deployments.items():
                ours = name.startswith(f"accounts/{team.account}/") and name not in used
                if ours and each["state"] == "DELETED" and self._chance.random() < 0.6:
                    team.simulator.vanish(name.rsplit("/", 1)[-1])

    # --- looking ---------------------------------------------------------------------------------------------------

    def look(self) -> Snapshot:
        """Return all that there is of this shard."""
        resources: dict[str, Json] = {}
        deployments: dict[str, Json] = {}
        addons: dict[str, Json] = {}
        for team in self.teams:
            for each in patiently(team.resources):
                resources[f"{team.namespace}/{each['metadata']['name']}"] = each
        accounts: Any = self._simulator.state()["accounts"]
        for team in self.teams:
            deployments |= {each["name"]: each for each in accounts[team.account]["deployments"]}
            addons |= {each["name"]: each for each in accounts[team.account]["deployedModels"]}
        return Snapshot(resources, deployments, addons)

    def _has_pages(self, team: Team) -> bool:
        return sum(f"/{team.account}/" in name for name in self._at_first.deployments) > PAGE_SIZE

    def _names(self) -> list[str]:
        return [name for name, each in self.before.deployments.items() if each["state"] == "READY"]

    def _note(self, what: str) -> None:
        self.story.append(f"{time.monotonic() - self._began:8.3f} {what}")
