"""A shard in which two operators run under leader election: either may be killed, or stand still for too long."""

import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from benchmarks.chaos.kubernetes_side import KubernetesSide
from benchmarks.chaos.operators import ForkedOperator
from benchmarks.chaos.plan import ANY_MOMENT, START, WRITE, Aim, Life
from benchmarks.chaos.shard import START_SECONDS, Shard
from benchmarks.chaos.tally import LEADER, Tally
from benchmarks.chaos.verdict import BrokenPromiseError
from testkit.team import Team

STANDBY, BOTH, STOPPED = "the standby", "both", "the leader stands still"
FATES = (LEADER, LEADER, STOPPED, STANDBY, BOTH)
"""What happens to whom at the end of each life of a round, in an order drawn from the seed.

Whoever led is waited for until its Lease has expired, which costs a quarter of a minute each time, but no work.
"""
LEASE_SECONDS, RENEW_SECONDS = 15.0, 10.0
"""How long a Lease lasts after it was renewed, and how long its holder goes on without renewing it."""
TAKE_OVER_SECONDS = LEASE_SECONDS + START_SECONDS
"""Seconds within which a standby goes to work once the leader is gone or stands still."""
_LOOK_SECONDS = 0.05
Seat = tuple[ForkedOperator, KubernetesSide]


class PairShard(Shard):
    """Two seats; whoever sits there and holds the Lease acts."""

    lives = len(FATES)

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
        self._fates: list[str] = []
        self._fate = LEADER

    def round(self, number: int) -> None:
        fates = random.Random(f"{self._seed}/{self.number}/{number}/fates")  # noqa: S311 - to be repeated
        self._fates = fates.sample(FATES, len(FATES))
        super().round(number)

    def _live(self, life: Life) -> None:
        self._fate = self._fates.pop()
        for operator, _ in self.seats:
            operator.blow = signal.SIGSTOP if self._fate == STOPPED else signal.SIGKILL
        super()._live(replace(life, aim=_suited(life.aim, self._fate)))

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
            if self._struck() is not None:
                return True
            time.sleep(0.02)
        return False

    def _struck(self) -> ForkedOperator | None:
        return next((operator for operator, kubernetes in self.seats if kubernetes.struck.is_set()), None)

    def _struck_at(self) -> float:
        """Return when one was struck, or now if none was: users may have gone on meanwhile."""
        return next((side.struck_at for _, side in self.seats if side.struck.is_set()), time.monotonic())

    def _await_work(self) -> None:
        self._await_leader()

    def _await_leader(self, *, but: ForkedOperator | None = None) -> ForkedOperator | None:
        """Wait until one leads, which must not be `but`; return it, or None if that takes too long.

        One that is struck has led, even if it was too fast to be seen: its successor is waited for by those who ask.
        """
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while (leader := self._leader(but=but)) is None and time.monotonic() < deadline:
            if self._struck() not in (None, but):
                return None
            self._launch_ended(but=but)
            time.sleep(_LOOK_SECONDS)
        return leader

    def _launch_ended(self, *, but: ForkedOperator | None = None) -> None:
        """Do as the kubelet does with those that have ended by themselves; who was struck at a write is dead."""
        for operator, kubernetes in self.seats:
            if not operator.running and not kubernetes.struck.is_set() and operator is not but:
                if operator.pid_known:
                    self._bury(operator)
                operator.launch()

    def _leader(self, *, but: ForkedOperator | None = None) -> ForkedOperator | None:
        return next((operator for operator, _ in self.seats if operator is not but and operator.works), None)

    # --- their end ---------------------------------------------------------------------------------------------------

    def _end(self, life: Life, moment: str, sequence: int, writes: int) -> None:
        for _, kubernetes in self.seats:
            kubernetes.disarm()  # who takes over may write
        struck = self._struck()
        leader = struck or self._leader()
        fate = self._fate if leader is not None else BOTH
        self._note(f"{fate}, {'led by one' if leader is not None else 'led by nobody'}: {moment}")
        if fate == STOPPED and leader is not None:
            self._stand_still(leader)
            return
        began = self._struck_at()
        for operator, _ in self.seats:
            if fate == BOTH or (operator is leader) == (fate == LEADER):
                self._kill_one(operator, moment, sequence, writes, leads=operator is leader, struck=operator is struck)
        with self._tally.lock:
            self._tally.ends[f"{fate} killed" if leader is not None else "both killed before either led"] += 1
        if fate == LEADER and leader is not None:
            self._see_take_over(leader, began)

    def _kill_one(
        self, operator: ForkedOperator, moment: str, sequence: int, writes: int, *, leads: bool, struck: bool
    ) -> None:
        if not operator.pid_known:
            return
        if not operator.running and not struck:
            self._bury(operator)
            return
        operator.kill()
        if leads:
            asked = any(team.simulator.journal(account=team.account, since=sequence) for team in self.teams)
            self._tally.killed(moment, acted=asked or self._writes() > writes, of=LEADER)

    def _see_take_over(self, dead: ForkedOperator, began: float) -> None:
        """Wait until the other one acts; the dead one is not started before.

        Raises:
            BrokenPromiseError: it acts while the dead one's Lease cannot be over.
        """
        taken = self._await_leader(but=dead) is not None
        took = time.monotonic() - began
        if taken:
            judge_take_over(took)
        with self._tally.lock:
            if taken:
                self._tally.take_overs.append(round(took, 1))
            else:
                self._tally.ends[f"nobody led {TAKE_OVER_SECONDS:g} s after the leader was killed"] += 1

    def _stand_still(self, leader: ForkedOperator) -> None:
        """Stop the leader for longer than its Lease, let the other one take over, and then let it go on.

        Raises:
            BrokenPromiseError: it does not end, although its Lease is over.
        """
        began = self._struck_at()
        leader.freeze()
        taken = self._await_leader(but=leader) is not None
        took = round(time.monotonic() - began, 1)
        leader.thaw()
        self._note(f"it goes on, and {'another has' if taken else 'nobody has'} taken its place")
        see_it_end(leader, START_SECONDS)
        with self._tally.lock:
            if taken:
                self._tally.ends["the leader stopped beyond its Lease, and continued when another led"] += 1
                self._tally.take_overs_from_stopped.append(took)
            else:
                self._tally.ends[f"nobody led {TAKE_OVER_SECONDS:g} s after the leader was stopped"] += 1

    def _end_round(self, sequence: int, writes: int) -> None:
        """Let them live: to start the next round with both dead would cost another Lease."""

    def _count_round(self, seconds: float) -> None:
        self._tally.settling_of_pairs.append(seconds)

    def _troubles_met(self) -> Mapping[str, int]:
        for _, kubernetes in self.seats[1:]:
            self._kubernetes.met.update(kubernetes.met)
            kubernetes.met.clear()
        return self._kubernetes.met


def judge_take_over(seconds: float) -> None:
    """Check how long after the death of a leader another one acts.

    Raises:
        BrokenPromiseError: the Lease of a leader that was alive cannot have been over.
    """
    if seconds < LEASE_SECONDS - RENEW_SECONDS:
        raise BrokenPromiseError(f"another one acts {seconds:.1f} s after the leader's death: two have led at a time")


def see_it_end(operator: ForkedOperator, within: float) -> None:
    """Wait for the end of an operator whose Lease is over.

    Raises:
        BrokenPromiseError: it goes on for more than `within` seconds.
    """
    deadline = time.monotonic() + within
    while operator.running:
        if time.monotonic() >= deadline:
            raise BrokenPromiseError(f"an operator goes on {within:g} s after its Lease was over")
        time.sleep(_LOOK_SECONDS)
    operator.wait()


def _suited(aim: Aim, fate: str) -> Aim:
    """Return an aim that makes sense for two: they are rarely started together, and a standby writes nothing."""
    return replace(aim, at=ANY_MOMENT) if aim.at == START or (aim.at, fate) == (WRITE, STANDBY) else aim
