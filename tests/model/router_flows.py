"""What the operator does about a router, to be killed at every await point of it."""

from testkit.virtual.fireworks import ACCOUNT, ADDONS
from testkit.virtual.world import World
from tests.model import flows
from tests.model.flows import REF, Flow

_ROUTER: flows.Edit = ("router", {"id": "chat"})
_PATH = f"accounts/{ACCOUNT}/routers"


def _routed(world: World, router: str = "chat") -> bool:
    """The deployment serves, and the router is the only one, leads to it, and is in the status."""
    status = world.server.objects[REF]["status"]
    found = {name: each["deployments"] for name, each in world.fireworks.state().routers.items()}
    identifiers = [each["value"] for each in status.get("identifiers", ()) if each["kind"] == "Router"]
    name = f"{_PATH}/{router}"
    return flows.serves(world) and found == {name: [status["deploymentName"]]} and identifiers == [name]


def _unrouted(world: World) -> bool:
    return flows.serves(world) and not world.fireworks.state().routers


def _gone(world: World) -> bool:
    return flows.is_gone(world) and not world.fireworks.state().routers


def _serve_routed(world: World, *edits: flows.Edit) -> None:
    flows.create(world, _ROUTER, *edits)
    flows.drive(world, _routed)


def _move(world: World) -> None:
    """Somebody renames it, so that it has to be changed."""
    world.fireworks.by_hand("PATCH", f"{_PATH}/chat", {"displayName": "Chat"}, updateMask="display_name")


def _is_named_again(world: World) -> bool:
    routers = world.fireworks.state().routers.values()
    return _routed(world) and all(each["displayName"].startswith("fireworks-operator: ") for each in routers)


ROUTER_FLOWS = (
    Flow("create with a router", flows.nothing, lambda world: flows.create(world, _ROUTER), _routed, creates=1),
    Flow("create the router", flows.serve, lambda world: flows.edit(world, _ROUTER), _routed, creates=0),
    Flow("change the router", _serve_routed, _move, _is_named_again, creates=0),
    Flow(
        "rename the router",
        _serve_routed,
        lambda world: flows.edit(world, ("router", {"id": "talk"})),
        lambda world: _routed(world, "talk"),
        creates=0,
    ),
    Flow("remove the router", _serve_routed, lambda world: flows.edit(world, ("router", None)), _unrouted, creates=0),
    Flow("delete with a router", _serve_routed, flows.delete, _gone, creates=0),
    Flow(
        "delete with a router and addons",
        lambda world: _serve_routed(world, ("addons", ADDONS)),
        flows.delete,
        _gone,
        creates=0,
    ),
)
