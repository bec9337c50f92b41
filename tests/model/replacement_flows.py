"""Deployments that are replaced while they serve (`replacePolicy: BlueGreen`), and what may come in between."""

from testkit.promises.specs import H100, H200
from testkit.virtual.fireworks import ADDONS, identifier
from testkit.virtual.world import World
from tests.model.flows import LORA, REF, Edit, Flow, delete, drive, edit, is_gone, nothing, serve, serves

B200 = "NVIDIA_B200_180GB"
_REPLACEABLE: tuple[Edit, ...] = (("minReplicaCount", 1), ("replacePolicy", {"type": "BlueGreen", "drain": "1m"}))


def _serve(world: World, *edits: Edit) -> None:
    serve(world, *_REPLACEABLE, *edits)


def _ask_for_another(world: World) -> None:
    edit(world, ("acceleratorType", H200))


def _begin(world: World, *edits: Edit) -> None:
    """The successor exists, and the present deployment serves."""
    _serve(world, *edits)
    _ask_for_another(world)
    drive(world, lambda world: _second(world, "Preparing").get("state") == "CREATING")


def _switch(world: World) -> None:
    """The successor serves, and the former deployment drains."""
    _serve(world)
    _ask_for_another(world)
    drive(world, lambda world: _second(world, "Draining") != {})


def _fail(world: World) -> None:
    """The first successor has failed; the next one will not."""
    _serve(world)
    world.fireworks.simulator.stage(outcome="fail", message="no luck", accelerator=H200)
    _ask_for_another(world)
    drive(world, lambda world: _second(world, "Preparing").get("state") == "FAILED")
    world.fireworks.simulator.clear_stages()


def _fail_in_place(world: World) -> None:
    name = world.server.objects[REF]["status"]["deploymentName"]
    world.fireworks.simulator.fail(identifier(name), "no luck")
    world.judge_later(name)


def _is_replaced_anew(world: World) -> bool:
    """The successor that failed was deleted, and serves."""
    return _is_replaced(world) and world.server.objects[REF]["spec"]["acceleratorType"] == H200


def _second(world: World, phase: str) -> dict[str, object]:
    second: dict[str, object] = world.server.objects[REF]["status"].get("replacement", {})
    return second if second.get("phase") == phase else {}


def _is_replaced(world: World) -> bool:
    """One deployment is left, as the spec says, and nothing replaces it."""
    return "replacement" not in world.server.objects[REF]["status"] and serves(world)


REPLACEMENT_FLOWS = (
    Flow("replace while it serves", _serve, _ask_for_another, _is_replaced, creates=1),
    Flow(
        "replace while it serves, with addons",
        lambda world: _serve(world, LORA),
        _ask_for_another,
        _is_replaced,
        creates=1,
    ),
    Flow(
        "replace while it serves, and put the old value back half-way",
        _begin,
        lambda world: edit(world, ("acceleratorType", H100)),
        _is_replaced,
        creates=0,
    ),
    Flow(
        "replace while it serves, and put the old value back while the former drains",
        _switch,
        lambda world: edit(world, ("acceleratorType", H100)),
        _is_replaced,
        creates=0,
    ),
    Flow(
        "replace while it serves, and ask for something else half-way",
        _begin,
        lambda world: edit(world, ("acceleratorType", B200), ("displayName", "Other"), ("addons", ADDONS[:1])),
        _is_replaced,
        creates=1,
    ),
    Flow("replace while it serves, and delete half-way", _begin, delete, is_gone, creates=0),
    Flow("replace while it serves, and delete while the former drains", _switch, delete, is_gone, creates=0),
    Flow("replace while it serves, and the successor fails", _switch, _fail_in_place, _is_replaced_anew, creates=1),
    Flow("replace while it serves, the first successor having failed", _fail, nothing, _is_replaced, creates=1),
)
