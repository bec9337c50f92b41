"""A clock that is set wrong and set right again, while pauses and Ready's patience are running."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from testkit.promises.invariants import condition, holds
from testkit.promises.outcome import check_settled
from testkit.promises.specs import new_spec
from testkit.virtual.fireworks import identifier
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

REF = "team-b/chat"
DAY = 86_400.0


class Clock:
    """The clock of the operator's node: the world's, off by some seconds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.off = 0.0

    def now(self) -> datetime:
        """What the operator takes for the time of day."""
        return datetime.fromtimestamp(self._world.fireworks.now() + self.off, tz=UTC)

    def set(self, off: float) -> None:
        """Set the clock wrong by some seconds, or right again; the operator goes on with it."""
        self.off = off
        reconciler = self._world.process.reconciler
        reconciler._wall_clock = reconciler._actor._wall_clock = self.now


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world in which nothing exists yet."""
    world = World(loop, simulator)
    yield world
    world.close()


@pytest.fixture
def clock(world: World) -> Clock:
    """The operator's clock, right so far."""
    clock = Clock(world)
    clock.set(0.0)
    return clock


def _live(world: World, seconds: float, *, step: float = 20.0) -> None:
    """Let time go by as it does, with polls on the way."""
    for _ in range(int(seconds / step)):
        world.advance(step)
        world.poll()
        world.judge()


def _serve(world: World) -> None:
    world.server.create(REF, new_spec("team-b", []))
    _live(world, 80.0)
    assert holds(world.server.objects[REF]["status"], "Ready")


def _reason(world: World, kind: str) -> str:
    found = condition(world.server.objects[REF]["status"], kind)
    return str(found["reason"]) if found is not None else ""


JUMPS = pytest.mark.parametrize("off", [DAY, -DAY], ids=["forwards by a day", "backwards by a day"])


@JUMPS
def test_at_rest_nothing_happens_when_the_clock_jumps_there_and_back(world: World, clock: Clock, off: float) -> None:
    _serve(world)
    writes = world.server.writes
    for each in (off, 0.0):
        clock.set(each)
        _live(world, 300.0)
    assert world.server.writes == writes, "nothing is written"
    assert len(world.ours()) == 1


@JUMPS
@pytest.mark.parametrize("answer", ["late", "drop_after_commit", "drop_before_commit"])
def test_a_lost_create_is_sorted_out_when_the_clock_jumps_there_and_back(
    world: World, clock: Clock, off: float, answer: str
) -> None:
    if answer == "late":
        world.fireworks.hang("POST", late=True)
    else:
        world.fireworks.fault(answer, method="POST")
    world.server.create(REF, new_spec("team-b", []))
    world.work()
    world.poll()
    clock.set(off)
    _live(world, 60.0)
    clock.set(0.0)
    _live(world, 120.0)
    assert holds(world.server.objects[REF]["status"], "Ready")
    assert len(world.ours()) == 1


@JUMPS
def test_a_refused_create_is_tried_again_in_time_when_the_clock_jumps_there_and_back(
    world: World, clock: Clock, off: float
) -> None:
    world.fireworks.simulator.quota("global--h100-count", 0)
    clock.set(off)
    world.server.create(REF, new_spec("team-b", []))
    _live(world, 40.0)
    assert _reason(world, "Stalled") == "QuotaExceeded"
    clock.set(0.0)
    world.fireworks.simulator.quota("global--h100-count", 8)
    _live(world, 400.0)
    assert holds(world.server.objects[REF]["status"], "Ready"), "it waits minutes, not a day"
    assert len(world.ours()) == 1


@JUMPS
def test_a_deletion_after_a_lost_create_ends_in_time_when_the_clock_jumps_there_and_back(
    world: World, clock: Clock, off: float
) -> None:
    clock.set(off)
    world.fireworks.fault("drop_before_commit", method="POST", times=3)
    world.server.create(REF, new_spec("team-b", []))
    world.work()
    world.poll()
    world.server.delete(REF)
    clock.set(0.0)
    _live(world, 300.0)
    assert REF not in world.server.objects, "it waits a minute for what may still come, not a day"
    assert world.ours() == []


@JUMPS
def test_ready_is_kept_for_ten_minutes_of_an_outage_not_for_a_day(world: World, clock: Clock, off: float) -> None:
    _serve(world)
    clock.set(off)
    world.fireworks.simulator.fault("status", match={"keyId": "acme-key-1"}, code="UNAVAILABLE")
    _live(world, 300.0)
    assert holds(world.server.objects[REF]["status"], "Ready"), "an outage of five minutes"
    clock.set(0.0)
    _live(world, 600.0)
    assert _reason(world, "Ready") == "ApiUnavailable", "an outage of a quarter of an hour"
    world.heal()
    _live(world, 300.0)
    assert holds(world.server.objects[REF]["status"], "Ready")
    assert len(world.ours()) == 1


@JUMPS
def test_a_failed_deployment_is_not_replaced_before_its_pause_when_the_clock_jumps_back_and_forth(
    world: World, clock: Clock, off: float
) -> None:
    world.fireworks.simulator.stage(outcome="fail", message="no luck")
    clock.set(off)
    world.server.create(REF, new_spec("team-b", []))
    _live(world, 100.0)
    assert _reason(world, "Stalled") == "DeploymentFailed"
    world.fireworks.simulator.clear_stages()
    clock.set(0.0)
    _live(world, 1200.0)
    assert holds(world.server.objects[REF]["status"], "Ready"), "it is replaced after minutes, not a day"
    assert len(world.ours()) == 1


@JUMPS
def test_a_deletion_under_way_is_finished_when_the_clock_jumps_there_and_back(
    world: World, clock: Clock, off: float
) -> None:
    _serve(world)
    clock.set(off)
    world.server.delete(REF)
    _live(world, 40.0)
    clock.set(0.0)
    check_settled(world)


def test_a_deployment_that_is_deleted_elsewhere_comes_back_whatever_the_clock_said_before(
    world: World, clock: Clock
) -> None:
    _serve(world)
    deployment = identifier(world.server.objects[REF]["status"]["deploymentName"])
    clock.set(30 * DAY)
    for _ in range(4):
        _live(world, 180.0)
        world.fireworks.simulator.vanish(deployment, soft=False)
        world.judge_later(f"accounts/acme/deployments/{deployment}")
    _live(world, 180.0)
    assert _reason(world, "Stalled") == "DeploymentLost", "three times a day and no more"
    clock.set(0.0)
    _live(world, 60.0)
    assert _reason(world, "Stalled") == "DeploymentLost"
    _live(world, 2 * DAY + 1200.0, step=600.0)
    assert holds(world.server.objects[REF]["status"], "Ready"), "the pause begins again at its end, and lasts a day"
    assert len(world.ours()) == 1
