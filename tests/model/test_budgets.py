"""Budgets, with the operator killed wherever it waits for somebody else, and with answers that come late or never.

Whatever happens, no request oversells a budget (`NeverOversold` judges each before it is sent), and in the end exactly
what fits is there.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from testkit.promises.specs import H200, new_spec
from testkit.virtual.conduct import owner_ref
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

pytestmark = pytest.mark.slow

BUDGET = "team-a/team"
NAMES = ("team-a/one", "team-a/two", "team-a/three")
LIMIT, EACH = 8, 4
_NEVER = 1_000_000
_PAUSES = (0.0, 1.0, 3.0, 5.0, 15.0, 31.0, 62.0, 62.0, 125.0, 310.0, 310.0, 610.0)


@dataclass(frozen=True, slots=True)
class Flow:
    """What happens to a budget of 8 GPUs and resources of 4 each, and what must come of it."""

    name: str
    prepare: Callable[[World], None]
    act: Callable[[World], None]
    serving: int
    waiting: int
    done: Callable[[World], bool] = lambda world: True


def _limit(world: World, gpus: int = LIMIT) -> None:
    world.server.put_budget(BUDGET, {"limits": {"gpus": gpus}})


def _create(world: World, *refs: str, replicas: int = EACH) -> None:
    for ref in refs:
        spec = new_spec("team-a", [("acceleratorCount", 1), ("maxReplicaCount", replicas), ("minReplicaCount", 1)])
        world.server.create(ref, spec)


def _serve_two(world: World) -> None:
    _limit(world)
    _create(world, *NAMES)
    _until(world, 2, 1)


def _small_ones(world: World) -> None:
    _limit(world)
    _create(world, *NAMES, replicas=2)
    _until(world, 3, 0)


def _raise_all(world: World) -> None:
    for ref in NAMES:
        _raise(world, ref)


def _raise(world: World, ref: str) -> None:
    world.server.edit(ref, {**world.server.objects[ref]["spec"], "maxReplicaCount": EACH})


def _replace(world: World) -> None:
    """Ask for hardware that only another deployment can have; the present one goes once that serves."""
    policy = {"type": "BlueGreen", "drain": "0s"}
    spec = {**world.server.objects[NAMES[0]]["spec"], "acceleratorType": H200, "replacePolicy": policy}
    world.server.edit(NAMES[0], spec)


def _serve_beside_room(world: World) -> None:
    _limit(world, 3 * EACH)
    _create(world, *NAMES[:2])
    _until(world, 2, 0)


def _wait_for_room(world: World) -> None:
    _limit(world)
    _create(world, *NAMES[:2])
    _until(world, 2, 0)
    _replace(world)
    _until(world, 1, 0)
    assert _reason(world, NAMES[0]) == "ReplacementBlocked"


def _is_replaced(world: World) -> bool:
    """The first one has what it asks for, and its former deployment is gone."""
    status = world.server.objects[NAMES[0]]["status"]
    there = [each for each in world.fireworks.state().live() if owner_ref(each.get("annotations", {})) == NAMES[0]]
    return [(each["name"], each["acceleratorType"]) for each in there] == [(status["deploymentName"], H200)]


def _make_room(world: World) -> None:
    serving = next(ref for ref in NAMES if _reason(world, ref) != "BudgetExceeded")
    world.server.delete(serving)


FLOWS = (
    Flow("create", _limit, lambda world: _create(world, *NAMES), serving=2, waiting=1),
    Flow("make room", _serve_two, _make_room, serving=2, waiting=0),
    Flow("raise", _small_ones, _raise_all, serving=1, waiting=2),
    Flow("raise the limit", _serve_two, lambda world: _limit(world, 3 * EACH), serving=3, waiting=0),
    Flow("replace", _serve_beside_room, _replace, serving=2, waiting=0, done=_is_replaced),
    Flow(
        "replace once there is room",
        _wait_for_room,
        lambda world: world.server.delete(NAMES[1]),
        serving=1,
        waiting=0,
        done=_is_replaced,
    ),
    Flow("drop the budget", _serve_two, lambda world: world.server.delete_budget(BUDGET), serving=3, waiting=0),
)


def _reason(world: World, ref: str) -> str:
    conditions = world.server.objects[ref]["status"].get("conditions", [])
    return next((str(each["reason"]) for each in conditions if each["type"] == "Ready"), "")


def _stands(world: World) -> tuple[int, int]:
    """Return how many resources are as they ask to be, and how many wait."""
    reasons = [_reason(world, ref) for ref in NAMES if ref in world.server.objects]
    settled = sum(each in ("Serving", "ScaledToZero") for each in reasons)
    return settled, reasons.count("BudgetExceeded")


def _until(world: World, serving: int, waiting: int, done: Callable[[World], bool] = lambda world: True) -> None:
    for seconds in _PAUSES:
        world.advance(seconds, armed=True)
        world.poll(armed=True)
        if _stands(world) == (serving, waiting) and done(world):
            return
    raise AssertionError(f"it does not end: {_stands(world)}, {[_reason(world, ref) for ref in world.server.objects]}")


def _tell(flow: Flow, loop: VirtualLoop, simulator: MemorySimulator, *, kill_at: int) -> int:
    world = World(loop, simulator)
    try:
        flow.prepare(world)
        first = world.process
        first.gate.plan(kill_at, None)
        flow.act(world)
        _until(world, flow.serving, flow.waiting, flow.done)
        crossed = kill_at - first.gate.left
        world.advance(310.0)
        world.poll()
        assert _stands(world) == (flow.serving, flow.waiting), "and so it stays"
        return crossed
    finally:
        world.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_killed_at_every_await_point_nothing_is_oversold(
    flow: Flow, loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    points = _tell(flow, loop, simulator, kill_at=_NEVER)
    assert points >= 4
    for point in range(1, points + 1):
        _tell(flow, loop, simulator, kill_at=point)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
@pytest.mark.parametrize("kind", ["POST", "PATCH"])
@pytest.mark.parametrize("late", [True, False], ids=["late", "never"])
@pytest.mark.parametrize("restart", [True, False], ids=["restarted", "running"])
def test_a_request_without_an_answer_counts_until_it_can_no_longer_take_effect(
    flow: Flow, kind: str, late: bool, restart: bool, loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    world = World(loop, simulator)
    try:
        flow.prepare(world)
        world.fireworks.hang(kind, late=late)
        flow.act(world)
        world.advance(0.0)
        world.poll()
        if restart:
            world.restart()
        _until(world, flow.serving, flow.waiting, flow.done)
    finally:
        world.close()


def test_what_a_former_process_asked_for_counts_while_it_may_take_effect(
    loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    world = World(loop, simulator)
    try:
        _small_ones(world)
        world.fireworks.hang("PATCH", late=True)
        _raise(world, NAMES[2])
        world.advance(0.0)
        _raise(world, NAMES[0])
        world.restart()  # it looks at the first before it comes to the third, whose PATCH is still on its way
        _until(world, 2, 1)
    finally:
        world.close()
