"""A shard in which two operators run under leader election: either may be killed, or stand still for too long."""

import random
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.chaos.kubernetes_side import KubernetesSide
from benchmarks.chaos.operators import ForkedOperator
from benchmarks.chaos.plan import ANY_MOMENT, WRITE, Life
from benchmarks.chaos.shard import START_SECONDS, Shard
from benchmarks.chaos.tally import Tally
from integration.team import Team

LEADER, STANDBY, BOTH, FROZEN = "the leader", "the standby", "both", "the leader stands still"
ENDS = (LEADER, FROZEN, STANDBY, LEADER, BOTH)
"""What happens to whom at the end of a life."""
LEASE_SECONDS = 15.0
TAKE_OVER_SECONDS = LEASE_SECONDS + START_SECONDS
"""Seconds within which a standby goes to work once the leader is gone or stands still."""
AWAKE_SECONDS = 3.0
"""Seconds for which one that stood still, and another has taken its place, is let alone."""
Seat = tuple[ForkedOperator, KubernetesSide]


class PairShard(Shard):
    """Two seats; whoever sits there and holds the Lease acts."""

    lives = len(ENDS)

    def __init__(
        self,
        number: int,
        seed: str,
        teams: Sequence[Team],
        seats: Sequence[Seat],
        tally: Tally,
        say: Callable[[str], None],
    ) -> None:
        super().__init__(number, seed, teams, *seats[0], tally, say)
        self.seats = tuple(seats)
        self._ends: list[str] = []

    def round(self, number: int, *, lives: int | None = None) -> None:
        ends = random.Random(f"{self._seed}/{self.number}/{number}/ends")  # noqa: S311 - to be repeated
        self._ends = ends.sample(ENDS, len(ENDS))
        super().round(number, lives=lives)

    # --- two in the place of one -------------------------------------------------------------------------------------

    def _launch(self) -> None:
        for operator, _ in self.seats:
            if not operator.running:
                if operator.pid_known:
                    self._bury(operator)
                operator.launch()

    def _writes(self) -> int:
        return sum(kubernetes.writes for _, kubernetes in self.seats)

    def _calm(self) -> None:
        for _, kubernetes in self.seats:
            kubernetes.calm()

    def _trouble(self, name: str) -> None:
        leader = self._leader()
        next((kubernetes for operator, kubernetes in self.seats if operator is leader), self._kubernetes).trouble(name)

    def _plan_kill(self, writes: int, *, before: bool) -> None:
        for _, kubernetes in self.seats:
            kubernetes.plan_kill(writes, before=before)

    def _is_struck(self, within: float) -> bool:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if any(kubernetes.struck.is_set() for _, kubernetes in self.seats):
                return True
            time.sleep(0.02)
        return False

    def _await_work(self, within: float = TAKE_OVER_SECONDS) -> None:
        deadline = time.monotonic() + within
        while self._leader() is None and time.monotonic() < deadline:
            self._launch_ended()
            time.sleep(0.05)

    def _launch_ended(self) -> None:
        """Do as the kubelet does with those that have ended by themselves; who was struck at a write is dead."""
        for operator, kubernetes in self.seats:
            if not operator.running and not kubernetes.struck.is_set():
                if operator.pid_known:
                    self._bury(operator)
                operator.launch()

    def _leader(self, *, but: ForkedOperator | None = None) -> ForkedOperator | None:
        return next((operator for operator, _ in self.seats if operator is not but and operator.works), None)

    # --- their end ---------------------------------------------------------------------------------------------------

    def _end(self, life: Life, moment: str, sequence: int, writes: int) -> None:
        leader, end = self._leader(), self._ends.pop() if self._ends else LEADER
        if moment == WRITE or leader is None:
            end = LEADER if moment == WRITE else BOTH
        self._note(f"{end}: {moment}")
        if end == FROZEN and leader is not None:
            self._stand_still(leader)
            end = BOTH
        for operator, kubernetes in self.seats:
            struck = kubernetes.struck.is_set()
            meant = end == BOTH or (operator is leader if end == LEADER else operator is not leader)
            if struck or (meant and moment != WRITE):
                self._kill_one(operator, moment, sequence, writes, acted=struck or operator is leader)
        with self._tally.lock:
            self._tally.ends[end if end != BOTH else "both at once"] += 1
        if end == LEADER:
            self._see_take_over()

    def _stand_still(self, leader: ForkedOperator) -> None:
        """Stop the leader for longer than its Lease, let the other one take over, and then let it go on."""
        leader.freeze()
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while self._leader(but=leader) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        taken = self._leader(but=leader) is not None
        leader.thaw()
        self._note(f"it goes on, and {'another has' if taken else 'nobody has'} taken its place")
        time.sleep(AWAKE_SECONDS)
        with self._tally.lock:
            self._tally.ends["the leader stood still beyond its Lease, then went on"] += 1
            self._tally.ends["of these: beside another that had taken over"] += taken

    def _see_take_over(self) -> None:
        """Wait until the other one acts."""
        began = time.monotonic()
        self._await_work()
        if self._leader() is not None:
            with self._tally.lock:
                self._tally.take_overs.append(round(time.monotonic() - began, 1))

    def _kill_one(self, operator: ForkedOperator, moment: str, sequence: int, writes: int, *, acted: bool) -> None:
        if not operator.running and not operator.pid_known:
            return
        ended = not operator.running and moment != WRITE
        if ended:
            self._bury(operator)
            return
        operator.kill()
        asked = any(team.simulator.journal(account=team.account, since=sequence) for team in self.teams)
        self._tally.killed(moment, acted=acted and (asked or self._writes() > writes))

    def _end_round(self, sequence: int, writes: int) -> None:
        leader = self._leader()
        for operator, _ in self.seats:
            self._kill_one(operator, ANY_MOMENT, sequence, writes, acted=operator is leader)

    def _troubles_met(self) -> Mapping[str, int]:
        for _, kubernetes in self.seats[1:]:
            self._kubernetes.met.update(kubernetes.met)
            kubernetes.met.clear()
        return self._kubernetes.met
