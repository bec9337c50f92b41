"""The operator killed at every await point of what it does about a router (see test_every_await_point)."""

from collections.abc import Callable

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.virtual.fireworks import ACCOUNT, ADDONS
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.world import World
from tests.model.flows import REF, Edit, Flow, create, delete, drive, edit, is_gone, nothing, serve, serves
from tests.model.test_every_await_point import NEVER, tell

pytestmark = pytest.mark.slow

_ROUTER: Edit = ("router", {"id": "chat"})
_PATH = f"accounts/{ACCOUNT}/routers"


def _routed(world: World, router: str = "chat") -> bool:
    """The deployment serves, and the router is the only one, leads to it, and is in the status."""
    status = world.server.objects[REF]["status"]
    found = {name: each["deployments"] for name, each in world.fireworks.state().routers.items()}
    identifiers = [each["value"] for each in status.get("identifiers", ()) if each["kind"] == "Router"]
    name = f"{_PATH}/{router}"
    return serves(world) and found == {name: [status["deploymentName"]]} and identifiers == [name]


def _unrouted(world: World) -> bool:
    return serves(world) and not world.fireworks.state().routers


def _gone(world: World) -> bool:
    return is_gone(world) and not world.fireworks.state().routers


def _serve_routed(world: World, *edits: Edit) -> None:
    create(world, _ROUTER, *edits)
    drive(world, _routed)


def _move(world: World) -> None:
    """Somebody renames it, so that it has to be changed."""
    world.fireworks.by_hand("PATCH", f"{_PATH}/chat", {"displayName": "Chat"}, updateMask="display_name")


def _is_named_again(world: World) -> bool:
    routers = world.fireworks.state().routers.values()
    return _routed(world) and all(each["displayName"].startswith("fireworks-operator: ") for each in routers)


FLOWS = (
    Flow("create with a router", nothing, lambda world: create(world, _ROUTER), _routed, creates=1),
    Flow("create the router", serve, lambda world: edit(world, _ROUTER), _routed, creates=0),
    Flow("change the router", _serve_routed, _move, _is_named_again, creates=0),
    Flow(
        "rename the router",
        _serve_routed,
        lambda world: edit(world, ("router", {"id": "talk"})),
        lambda world: _routed(world, "talk"),
        creates=0,
    ),
    Flow("remove the router", _serve_routed, lambda world: edit(world, ("router", None)), _unrouted, creates=0),
    Flow("delete with a router", _serve_routed, delete, _gone, creates=0),
    Flow(
        "delete with a router and addons",
        lambda world: _serve_routed(world, ("addons", ADDONS)),
        delete,
        _gone,
        creates=0,
    ),
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_killed_at_every_await_point_a_router_is_neither_lost_nor_left_behind(
    flow: Flow, loop: VirtualLoop, simulator: SimulatorClient, record_property: Callable[[str, object], None]
) -> None:
    found = tell(flow, loop, simulator, kill_at=NEVER)
    assert found >= 4, "at least a request and a write, before and after each"
    for point in range(1, found + 1):
        tell(flow, loop, simulator, kill_at=point)
    record_property(flow.name, found)
