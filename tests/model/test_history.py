"""What was set at Fireworks before is known, or nothing of it is reset; and what was taken over is never destroyed."""

from collections.abc import Iterator
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from testkit.promises.invariants import condition, holds
from testkit.promises.specs import H200, new_spec
from testkit.virtual.fireworks import identifier
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

REF = "team-b/chat"
BY_HAND: dict[str, Any] = {
    "minReplicaCount": 2,
    "maxReplicaCount": 4,
    "displayName": "production",
    "autoscalingPolicy": {"scaleToZeroWindow": "7200s"},
}
"""What the makers of a deployment have set."""


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world in which nothing exists yet but the deployments of others."""
    world = World(loop, simulator)
    yield world
    world.close()


def _live(world: World, seconds: float = 130.0) -> None:
    for _ in range(int(seconds / 10)):
        world.advance(10.0)
        world.poll()


def _status(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.server.objects[REF]["status"]
    return found


def _deployment(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.fireworks.state().deployments[_status(world)["deploymentName"]]
    return found


def _create(world: World) -> None:
    world.server.create(REF, new_spec("team-b", []))
    _live(world)
    world.fireworks.simulator.edit(identifier(_status(world)["deploymentName"]), BY_HAND)
    world.judge_later(_status(world)["deploymentName"])


def _adopt(world: World) -> None:
    world.fireworks.simulator.edit("unowned-0", BY_HAND)
    world.server.create(REF, {**new_spec("team-b", []), "deploymentId": "unowned-0", "adoptionPolicy": "Unowned"})


HOW = pytest.mark.parametrize("begin", [_create, _adopt], ids=["created", "taken over"])


@HOW
def test_a_production_deployment_is_not_scaled_down_when_the_status_is_lost(world: World, begin: Any) -> None:  # noqa: ANN401
    begin(world)
    _live(world)
    before = {name: _deployment(world)[name] for name in BY_HAND}
    assert before["minReplicaCount"] == 2
    world.server.restore(REF, new_uid=False)
    _live(world)
    assert {name: _deployment(world)[name] for name in BY_HAND} == before
    assert not world.fireworks.simulator.journal(method="PATCH", path="/v1/")
    assert holds(_status(world), "Ready")
    told = " ".join(_status(world)["notices"])
    assert "The status does not record which settings were applied to Fireworks before" in told
    assert "spec.minReplicaCount (is 2)" in told


def test_what_was_scaled_by_hand_while_it_was_let_go_stays_so(world: World) -> None:
    spec = {**new_spec("team-b", []), "minReplicaCount": 1}
    world.server.create(REF, spec)
    _live(world)
    world.server.edit(REF, {**spec, "managementPolicy": "Observe"})
    _live(world)
    world.fireworks.simulator.edit(identifier(_status(world)["deploymentName"]), BY_HAND)
    world.server.edit(REF, new_spec("team-b", []))
    _live(world)
    assert _deployment(world)["minReplicaCount"] == 2
    assert "custom/released" not in _deployment(world)["annotations"]
    assert holds(_status(world), "Ready")


@HOW
@pytest.mark.parametrize("lost", [False, True], ids=["status kept", "status lost"])
def test_only_what_was_created_here_is_deleted_for_good_to_make_room(world: World, begin: Any, lost: bool) -> None:  # noqa: ANN401
    begin(world)
    _live(world)
    name = _status(world)["deploymentName"]
    world.fireworks.simulator.vanish(identifier(name), soft=True)
    world.judge_later(name)
    world.server.edit(REF, {**world.server.objects[REF]["spec"], "acceleratorType": H200})
    if lost:
        world.server.restore(REF, new_uid=False)
    _live(world)
    deletions = world.fireworks.simulator.journal(method="DELETE")
    if begin is _create:
        assert [each.query.get("hard") for each in deletions] == ["true"]
        assert _deployment(world)["acceleratorType"] == H200
        return
    assert not deletions
    stalled = condition(_status(world), "Stalled")
    assert stalled is not None
    assert (stalled["status"], stalled["reason"]) == ("True", Reason.REPLACE_REQUIRED)
    assert "Put the old value back" in stalled["message"]
    world.server.edit(
        REF, {**world.server.objects[REF]["spec"], "acceleratorType": _deployment(world)["acceleratorType"]}
    )
    _live(world)
    assert holds(_status(world), "Ready"), "brought back"
    assert _deployment(world)["minReplicaCount"] == 2


def test_applied_again_within_seven_days_it_comes_back_as_the_spec_says(world: World) -> None:
    """Created for this name and used by nobody: it comes back as a new one would be."""
    world.server.create(REF, {**new_spec("team-b", []), "displayName": "former", "minReplicaCount": 1})
    _live(world)
    world.server.delete(REF)
    _live(world)
    assert REF not in world.server.objects
    world.server.create(REF, new_spec("team-b", []))
    _live(world)
    assert holds(_status(world), "Ready")
    assert (_deployment(world).get("displayName", ""), _deployment(world).get("minReplicaCount", 0)) == ("", 0)
    assert sum(each.committed for each in world.fireworks.simulator.journal(method="POST", path="/deployments$")) == 1


def test_taken_over_and_applied_again_within_seven_days_it_comes_back_as_its_makers_had_it(world: World) -> None:
    _adopt(world)
    _live(world)
    spec = world.server.objects[REF]["spec"]
    world.server.delete(REF)
    _live(world)
    assert REF not in world.server.objects
    world.server.create(REF, spec)
    _live(world)
    assert holds(_status(world), "Ready")
    assert {name: _deployment(world)[name] for name in BY_HAND} | {"autoscalingPolicy": 0} == BY_HAND | {
        "autoscalingPolicy": 0
    }
