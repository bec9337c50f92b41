"""The loaded addons cannot be listed: that is the trouble of resources with addons, and of nobody else."""

from collections.abc import Iterator
from typing import Any

import pytest

from fireworks_operator.api.v1alpha1 import ANNOTATION_IGNORE_CHECKS
from testkit.promises.invariants import condition, holds
from testkit.promises.specs import new_spec
from testkit.virtual.fireworks import ADDONS
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

PLAIN, TUNED, NEW = "team-b/plain", "team-a/tuned", "team-b/new"
TROUBLES = [
    pytest.param("status", {"code": "PERMISSION_DENIED"}, id="forbidden"),
    pytest.param("status", {"code": "UNAUTHENTICATED"}, id="the key is refused"),
    pytest.param("status", {"code": "NOT_FOUND"}, id="not found"),
    pytest.param("status", {"code": "INTERNAL"}, id="internal error"),
    pytest.param("status", {"code": "UNIMPLEMENTED"}, id="unimplemented"),
    pytest.param("status", {"code": "FAILED_PRECONDITION"}, id="failed precondition"),
    pytest.param("status", {"status": 412, "body": "{}"}, id="suspended"),
    pytest.param("rate_limit", {"retryAfter": 3600.0}, id="too many requests"),
    pytest.param("drop_before_commit", {}, id="connection lost"),
    pytest.param("wrong_json", {}, id="not JSON"),
    pytest.param("html_502", {}, id="a proxy's page"),
    pytest.param("plain_404", {}, id="the edge's 404"),
    pytest.param("status", {"status": 200, "body": '{"deployedModels": 7}'}, id="another form"),
]


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world with one resource without addons and one with an addon, both of which serve."""
    world = World(loop, simulator)
    for ref in (PLAIN, TUNED):
        spec = {**new_spec(ref.partition("/")[0], []), "minReplicaCount": 1}
        world.server.create(ref, spec | ({"addons": [{"model": ADDONS[0]}]} if ref == TUNED else {}))
    live(world, 300.0)
    assert holds(status(world, PLAIN), "Ready")
    assert holds(status(world, TUNED), "AddonsReady")
    yield world
    world.close()


def status(world: World, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = world.server.objects[ref]["status"]
    return found


def live(world: World, seconds: float) -> None:
    """Let time go by, with a poll every twenty seconds."""
    for _ in range(int(seconds / 20)):
        world.advance(20.0)
        world.poll()
        world.judge()


def break_addon_lists(world: World, kind: str, action: dict[str, Any]) -> None:
    world.fireworks.simulator.fault(kind, match={"method": "GET", "path": "/deployedModels$"}, **action)


@pytest.mark.parametrize(("kind", "action"), TROUBLES)
def test_other_tenants_are_served_as_ever(world: World, kind: str, action: dict[str, Any]) -> None:
    break_addon_lists(world, kind, action)
    writes = world.server.writes
    live(world, 300.0)
    assert world.server.writes == writes, "at rest, all is as it was seen last for ten minutes"
    world.server.create(NEW, {**new_spec("team-b", []), "minReplicaCount": 1})
    live(world, 100.0)
    assert holds(status(world, NEW), "Ready")
    world.server.edit(PLAIN, {**world.server.objects[PLAIN]["spec"], "displayName": "Changed"})
    live(world, 100.0)
    assert holds(status(world, PLAIN), "Ready")
    world.server.delete(PLAIN)
    live(world, 100.0)
    assert PLAIN not in world.server.objects
    live(world, 300.0)
    told = condition(status(world, TUNED), "AddonsReady")
    assert told is not None
    assert told["status"] == "Unknown"
    assert "cannot be listed" in told["message"]
    assert holds(status(world, TUNED), "Ready"), "it serves on"
    writes = world.server.writes
    live(world, 600.0)
    assert world.server.writes == writes, "told once"
    world.heal()
    live(world, 400.0)
    assert holds(status(world, TUNED), "AddonsReady") or action.get("retryAfter")


@pytest.mark.parametrize(("kind", "action"), TROUBLES)
def test_a_resource_with_addons_goes_at_the_users_word(world: World, kind: str, action: dict[str, Any]) -> None:
    break_addon_lists(world, kind, action)
    live(world, 40.0)
    world.server.annotate(TUNED, ANNOTATION_IGNORE_CHECKS, "true")
    world.server.delete(TUNED)
    live(world, 100.0)
    assert TUNED not in world.server.objects


def test_a_resource_with_addons_goes_at_the_users_word_also_if_the_addon_itself_cannot_be_asked_for(
    world: World,
) -> None:
    world.fireworks.simulator.fault("status", match={"method": "GET", "path": "/deployedModels/"}, code="INTERNAL")
    world.server.annotate(TUNED, ANNOTATION_IGNORE_CHECKS, "true")
    world.server.delete(TUNED)
    live(world, 100.0)
    assert TUNED not in world.server.objects


def test_a_deletion_that_waits_for_addons_says_so_and_how_to_go_on(world: World) -> None:
    break_addon_lists(world, "status", {"code": "PERMISSION_DENIED"})
    live(world, 20.0)
    world.server.delete(TUNED)
    world.work()
    told = condition(status(world, TUNED), "Ready")
    assert told is not None
    assert "cannot be listed" in told["message"]
    assert ANNOTATION_IGNORE_CHECKS in told["message"]
    live(world, 160.0)
    told = condition(status(world, TUNED), "Ready")
    assert told is not None
    assert told["reason"] == "DeletionBlocked"
    assert "1 loaded addon" in told["message"]
    assert ANNOTATION_IGNORE_CHECKS in told["message"]
    world.heal()
    live(world, 900.0)
    assert TUNED not in world.server.objects


def test_a_deletion_goes_through_if_fireworks_says_that_no_addon_is_in_its_way(world: World) -> None:
    break_addon_lists(world, "status", {"code": "UNIMPLEMENTED"})
    world.fireworks.simulator.assume(delete_with_addons="unload")
    try:
        live(world, 20.0)
        world.server.delete(TUNED)
        live(world, 300.0)
        assert TUNED not in world.server.objects
    finally:
        world.fireworks.simulator.assume(delete_with_addons="refuse")


def test_addons_are_listed_no_more_once_nobody_has_any(world: World) -> None:
    world.server.annotate(TUNED, ANNOTATION_IGNORE_CHECKS, "true")
    world.server.delete(TUNED)
    live(world, 100.0)
    assert TUNED not in world.server.objects
    seen = world.fireworks.simulator.last_sequence()
    live(world, 300.0)
    assert not world.fireworks.simulator.journal(path="/deployedModels", since=seen)


def test_an_addon_that_is_added_meanwhile_is_told_to_be_unknown_and_loaded_afterwards(world: World) -> None:
    break_addon_lists(world, "status", {"code": "INTERNAL"})
    live(world, 20.0)
    spec = world.server.objects[TUNED]["spec"]
    world.server.edit(TUNED, {**spec, "addons": [{"model": each} for each in ADDONS]})
    live(world, 40.0)
    told = condition(status(world, TUNED), "AddonsReady")
    assert told is not None
    assert (told["status"], told["reason"]) == ("Unknown", "ApiUnavailable")
    ready = condition(status(world, TUNED), "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("Unknown", "ApiUnavailable"), "nobody has seen the new one loaded"
    assert holds(status(world, TUNED), "Available")
    world.heal()
    live(world, 400.0)
    assert holds(status(world, TUNED), "AddonsReady")
    assert holds(status(world, TUNED), "Ready")
