"""What users, or somebody at Fireworks, do, and what must come of it, however often the operator is killed."""

from collections.abc import Callable
from dataclasses import dataclass

from fireworks_operator.api.v1alpha1 import FINALIZER
from testkit.promises.invariants import condition, holds
from testkit.promises.specs import H100, H200, UNOWNED, changed, chosen, mismatches, new_spec
from testkit.virtual.api_server import Raw
from testkit.virtual.fireworks import ADDONS, identifier
from testkit.virtual.world import World

REF = "team-a/chat"
_PAUSES = (0.0, 1.0, 3.0, 5.0, 15.0, 31.0, 62.0, 62.0, 125.0, 310.0, 310.0, 610.0, 910.0, 3700.0)
"""Seconds that go by, in this order, until a flow is done: longer than every pause of the operator."""
Edit = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Flow:
    """What a user, or somebody at Fireworks, does, and what must come of it.

    Attributes:
        name: of the flow.
        prepare: sets the scene; nobody is killed there.
        act: what the operator has to answer.
        done: whether all has come to its end.
        creates: deployments that may come into being on the way.
        key_patches: how often the API keys of a direct route are sent by PATCH; after a kill once more at most.
    """

    name: str
    prepare: Callable[[World], None]
    act: Callable[[World], None]
    done: Callable[[World], bool]
    creates: int
    key_patches: int = 0


def drive(world: World, done: Callable[[World], bool]) -> None:
    """Let time go by, and the operator live in it, until a flow is done.

    Raises:
        AssertionError: it never is, or a promise is broken on the way.
    """
    for seconds in _PAUSES:
        world.advance(seconds, armed=True)
        world.poll(armed=True)
        world.judge()
        if done(world):
            return
    raise AssertionError(f"it does not end: {world.server.objects} {world.ours()}")


# --- what happens -----------------------------------------------------------------------------------------------------


def nothing(world: World) -> None: ...


def create(world: World, *edits: Edit) -> None:
    world.server.create(REF, new_spec("team-a", list(edits)))


def serve(world: World, *edits: Edit) -> None:
    create(world, *edits)
    drive(world, serves)


def _begin(world: World) -> None:
    create(world)
    drive(world, lambda world: world.server.objects[REF]["status"].get("state") == "CREATING")


def edit(world: World, *edits: Edit) -> None:
    spec = world.server.objects[REF]["spec"]
    for each in edits:
        spec = changed(spec, *each)
    world.server.edit(REF, spec)


def _rotate(world: World) -> None:
    world.server.secrets[_ROUTE_SECRET] = {"apiKey": b"route-key-of-tomorrow"}


def _put_keys(world: World) -> None:
    world.server.secrets[_ROUTE_SECRET] = {"apiKey": b"route-key-of-today"}


def _serve_with_route(world: World) -> None:
    _put_keys(world)
    serve(world, *_ROUTE)


def delete(world: World) -> None:
    world.server.delete(REF)


def _serve_and_delete(world: World) -> None:
    serve(world)
    delete(world)
    drive(world, is_gone)


def _vanish(world: World, *, soft: bool) -> None:
    name = world.server.objects[REF]["status"]["deploymentName"]
    world.fireworks.simulator.vanish(identifier(name), soft=soft)
    world.judge_later(name)


def _no_stock(world: World) -> None:
    world.fireworks.simulator.stage(outcome="stockout", accelerator=H100)


def _no_quota(world: World) -> None:
    world.fireworks.simulator.quota("global--h100-count", 0)


def _wait_in_vain(world: World) -> None:
    """A deployment waits for GPUs, and nobody has named any others."""
    _no_stock(world)
    create(world)
    drive(world, lambda world: _reason(world, "Ready") == "CapacityPending")


def _serves_on_fallback(world: World) -> bool:
    """One deployment, on what the spec asks for instead."""
    choice = world.server.objects[REF].get("status", {}).get("choice", {})
    return choice.get("index") == 1 and "replaces" not in choice and serves(world)


def _fail(world: World) -> None:
    world.fireworks.simulator.stage(outcome="fail", message="no luck")
    create(world)
    drive(world, lambda world: _reason(world, "Stalled") == "DeploymentFailed")
    world.fireworks.simulator.clear_stages()


def _serve_replaceable(world: World, *, in_use: bool = False) -> None:
    serve(world, ("replacePolicy", {"type": "Recreate"}))
    if in_use:
        world.fireworks.simulator.traffic(identifier(world.server.objects[REF]["status"]["deploymentName"]))


def _begin_replacement(world: World) -> None:
    """It is deleted softly, and no more."""
    _serve_replaceable(world)
    name = world.server.objects[REF]["status"]["deploymentName"]
    edit(world, ("acceleratorType", H200))
    drive(world, lambda world: world.fireworks.state().deployments[name]["state"] != "READY")


# --- what must come of it ---------------------------------------------------------------------------------------------


def _reason(world: World, kind: str) -> str:
    found = condition(world.server.objects[REF]["status"], kind)
    return str(found["reason"]) if found is not None else ""


def serves(world: World) -> bool:
    """One deployment, as the spec says, and the resource says so."""
    raw = world.server.objects.get(REF)
    if raw is None or not holds(raw["status"], "Ready"):
        return False
    if raw["status"]["observedGeneration"] != raw["metadata"]["generation"]:
        return False
    names = world.ours()
    deployment = world.fireworks.state().deployments.get(raw["status"]["deploymentName"])
    spec = chosen(raw["spec"], raw["status"])
    if names != [raw["status"]["deploymentName"]] or deployment is None or mismatches(spec, deployment):
        return False
    if "directRoute" in raw["spec"] and not _has_route_keys(world, raw):
        return False
    return _addons(world, deployment["name"]) == {each["model"] for each in raw["spec"].get("addons", ())}


def _has_route_keys(world: World, raw: Raw) -> bool:
    """The API keys of the Secret as it is now are those that Fireworks was sent last, and the status says so."""
    sent = [
        each.body["directRouteApiKeys"]
        for each in world.fireworks.simulator.journal()
        if each.committed and isinstance(each.body, dict) and "directRouteApiKeys" in each.body
    ]
    wanted = world.server.secrets[_ROUTE_SECRET]["apiKey"].decode()
    version = raw["status"].get("directRouteSecret", {}).get("resourceVersion")
    return sent[-1:] == [[wanted]] and version == world.server.secrets.versions[_ROUTE_SECRET][1]


def _addons(world: World, deployment: str) -> set[str]:
    addons = world.fireworks.state().addons.values()
    loaded = {each["model"] for each in addons if each["deployment"] == deployment and each["state"] == "DEPLOYED"}
    return loaded & set(ADDONS)


def _is_blocked(world: World) -> bool:
    """The old one serves on, and the resource says why."""
    status = world.server.objects[REF]["status"]
    return _reason(world, "Stalled") == "DeletionBlocked" and holds(status, "Available")


def is_gone(world: World) -> bool:
    return REF not in world.server.objects and not world.ours()


def _is_let_go(world: World) -> bool:
    """The resource is gone, and its deployment goes on."""
    return REF not in world.server.objects and len(list(world.fireworks.state().live())) == _OTHERS + 1


def _serve_with_bounds_of_others(world: World) -> None:
    """What the spec leaves open somebody else has set, so that only the status knows what to give back."""
    serve(world)
    name = world.server.objects[REF]["status"]["deploymentName"]
    world.fireworks.simulator.edit(identifier(name), _BOUNDS)
    world.judge_later(name)


def _serve_and_expire(world: World) -> None:
    _serve_with_bounds_of_others(world)
    edit(world, ("expiresAfter", "1m"))
    drive(world, _is_expired)


def _is_expired(world: World) -> bool:
    """It is parked, and the status says what it gets back."""
    status = world.server.objects[REF]["status"]
    deployment = world.fireworks.state().deployments[status["deploymentName"]]
    off = not (deployment.get("minReplicaCount") or deployment.get("maxReplicaCount"))
    kept = {name: status.get("parked", {}).get(name) for name in _BOUNDS}
    return off and kept == _BOUNDS and holds(status, "Ready") and _reason(world, "Ready") == "Expired"


def _is_renewed(world: World) -> bool:
    """It has what it had before, and nothing is left to be given back."""
    status = world.server.objects[REF]["status"]
    deployment = world.fireworks.state().deployments[status["deploymentName"]]
    back = {name: deployment.get(name) for name in _BOUNDS} == _BOUNDS
    return back and "parked" not in status and serves(world)


def is_observed(world: World) -> bool:
    raw: Raw = world.server.objects[REF]
    observed = raw["status"]["observedGeneration"] == raw["metadata"]["generation"]
    return observed and holds(raw["status"], "Ready") and FINALIZER not in raw["metadata"]["finalizers"]


_OTHERS = 2
"""Deployments of others that each scene has."""
_ROUTE_SECRET = ("team-a", "route")
_ROUTE: tuple[Edit, ...] = (
    ("placement", {"region": "US_IOWA_1"}),
    ("directRoute", {"type": "INTERNET", "apiKeysSecretRef": {"name": "route"}}),
)
_BOUNDS = {"minReplicaCount": 1, "maxReplicaCount": 3}
_FALLBACK: tuple[Edit, ...] = (
    ("acceleratorType", H100),
    ("fallbacks", [{"acceleratorType": H200}]),
    ("fallbackAfter", "5m"),
)
LORA: Edit = ("addons", ADDONS)
_ADOPT: tuple[Edit, ...] = (("deploymentId", UNOWNED), ("adoptionPolicy", "Unowned"), ("displayName", "Chat"))

FLOWS = (
    Flow("create", nothing, create, serves, creates=1),
    Flow("create with addons", nothing, lambda world: create(world, LORA), serves, creates=1),
    Flow("adopt", nothing, lambda world: create(world, *_ADOPT), serves, creates=0),
    Flow("update", serve, lambda world: edit(world, ("displayName", "New"), ("minReplicaCount", 1)), serves, creates=0),
    Flow(
        "change tags",
        lambda world: serve(world, ("tags", {"team": "search", "project": "chat"})),
        lambda world: edit(world, ("tags", {"team": "ads"})),
        serves,
        creates=0,
    ),
    Flow("create with a direct route", _put_keys, lambda world: create(world, *_ROUTE), serves, creates=1),
    Flow("rotate the keys of a direct route", _serve_with_route, _rotate, serves, creates=0, key_patches=1),
    Flow("load addons", serve, lambda world: edit(world, LORA), serves, creates=0),
    Flow("unload addons", lambda world: serve(world, LORA), lambda world: edit(world, ("addons", None)), serves, 0),
    Flow("delete", serve, delete, is_gone, creates=0),
    Flow("delete with addons", lambda world: serve(world, LORA), delete, is_gone, creates=0),
    Flow("delete while it is created", _begin, delete, is_gone, creates=0),
    Flow("undelete", _serve_and_delete, lambda world: create(world, ("displayName", "Again")), serves, creates=0),
    Flow("replace a deleted one", _serve_and_delete, lambda world: create(world, ("acceleratorType", H200)), serves, 1),
    Flow("deleted elsewhere, softly", serve, lambda world: _vanish(world, soft=True), serves, creates=0),
    Flow("deleted elsewhere, for good", serve, lambda world: _vanish(world, soft=False), serves, creates=1),
    Flow("replace a failed one", _fail, nothing, serves, creates=1),
    Flow("fall back for lack of stock", _no_stock, lambda world: create(world, *_FALLBACK), _serves_on_fallback, 2),
    Flow("fall back for lack of quota", _no_quota, lambda world: create(world, *_FALLBACK), _serves_on_fallback, 1),
    Flow(
        "fall back, named later",
        _wait_in_vain,
        lambda world: edit(world, *_FALLBACK),
        _serves_on_fallback,
        1,
    ),
    Flow(
        "recreate for other GPUs", _serve_replaceable, lambda world: edit(world, ("acceleratorType", H200)), serves, 1
    ),
    Flow(
        "recreate, and put the old value back half-way",
        _begin_replacement,
        lambda world: edit(world, ("acceleratorType", H100)),
        serves,
        creates=0,
    ),
    Flow(
        "recreate, and ask for something else half-way",
        _begin_replacement,
        lambda world: edit(world, ("acceleratorType", H200), ("displayName", "Other")),
        serves,
        creates=1,
    ),
    Flow("recreate, and delete half-way", _begin_replacement, delete, is_gone, creates=0),
    Flow(
        "refuse to recreate what is in use",
        lambda world: _serve_replaceable(world, in_use=True),
        lambda world: edit(world, ("acceleratorType", H200)),
        _is_blocked,
        creates=0,
    ),
    Flow("retain", lambda world: serve(world, ("deletionPolicy", "Retain")), delete, _is_let_go, creates=0),
    Flow(
        "expire",
        _serve_with_bounds_of_others,
        lambda world: edit(world, ("expiresAfter", "1m")),
        _is_expired,
        creates=0,
    ),
    Flow("renew", _serve_and_expire, lambda world: edit(world, ("expiresAfter", None)), _is_renewed, creates=0),
    Flow("observe", serve, lambda world: edit(world, ("managementPolicy", "Observe")), is_observed, creates=0),
)
