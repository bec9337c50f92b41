"""Handlers of `/v1/accounts/{account}/routers`."""

from fireworks_simulator import schema_account as schema
from fireworks_simulator.entities import Deployment
from fireworks_simulator.masks import merge, update_paths
from fireworks_simulator.protojson import Parsed, parse
from fireworks_simulator.query import apply_mask, list_resources, parse_mask
from fireworks_simulator.routing import Router
from fireworks_simulator.rules import check_id
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, JsonValue, Reply, invalid, not_found, ok
from fireworks_simulator.wire import precondition as refused
from fireworks_simulator.world import World

_STRATEGIES = ("weightedRandom", "evenLoad")


def create(world: World, call: Call) -> Reply:
    """POST: a router that serves after a while."""
    config = _writable(parse(schema.ROUTER, call.body))
    router_id = call.query.get("routerId") or world.generate_id()
    check_id(router_id, world.assumptions, kind="router")
    return ok(add(world, call.account, router_id, config, call.now, created_by=call.identity.email).to_wire(call.now))


def add(
    world: World,
    account: str,
    router_id: str,
    config: JsonObject,
    now: float,
    *,
    created_by: str,
    auto_generated: bool = False,
) -> Router:
    """Make a router.

    Raises:
        ApiError: 409 for an id that is taken; what its deployments do not allow.
    """
    routers = world.routers.of(account)
    name = f"accounts/{account}/routers/{router_id}"
    if router_id in routers:
        raise ApiError(Code.ALREADY_EXISTS, f"router {name} already exists")
    if not any(strategy in config for strategy in _STRATEGIES):
        config = {**config, "weightedRandom": {}}
    _check(world, account, config)
    router = Router(name, config, now, now + world.stages.timing.router, created_by, auto_generated)
    routers[router_id] = router
    return router


def list_routers(world: World, call: Call) -> Reply:
    """GET: all of the account, by name."""
    resources = [router.to_wire(call.now) for router in world.routers.of(call.account).values()]
    return ok(list_resources(call, "routers", resources, schema.ROUTER.fields))


def get(world: World, call: Call) -> Reply:
    """GET one."""
    mask = parse_mask(call.query.get("readMask", ""), schema.ROUTER.fields)
    return ok(apply_mask(_find(world, call).to_wire(call.now), mask))


def update(world: World, call: Call) -> Reply:
    """PATCH: change the paths of the mask, or those of the body's keys; requests follow after a while."""
    router = _editable(_find(world, call))
    parsed = parse(schema.ROUTER, call.body)
    paths = update_paths(call, schema.ROUTER, parsed)
    merged = merge(router.config, _writable(parsed), paths)
    for strategy, other in (_STRATEGIES, _STRATEGIES[::-1]):
        if any(path[0] == strategy for path in paths) and strategy in merged:
            merged.pop(other, None)
    _check(world, call.account, merged)
    if merged != router.config:
        router.change(merged, call.now, call.now + world.stages.timing.router)
    return ok(router.to_wire(call.now))


def delete(world: World, call: Call) -> Reply:
    """DELETE: gone at once; its deployments stay."""
    _editable(_find(world, call))
    del world.routers.of(call.account)[call.params["router"]]
    return ok({})


def check_unrouted(world: World, d: Deployment) -> None:
    """Refuse to delete a deployment that a router sends requests to, where the service is assumed to.

    Raises:
        ApiError: 400 code 9.
    """
    if world.assumptions.delete_with_router == "refuse":
        for router in world.routers.of(d.account).values():
            if d.name in router.deployments:
                raise refused(f"deployment {d.name} is used by router {router.name}")


def _find(world: World, call: Call) -> Router:
    router = world.routers.of(call.account).get(call.params["router"])
    if router is None:
        raise not_found(f"router accounts/{call.account}/routers/{call.params['router']} not found")
    return router


def _editable(router: Router) -> Router:
    if router.auto_generated:
        raise refused(f"router {router.name} is auto-generated and cannot be edited")
    return router


def _writable(parsed: Parsed) -> JsonObject:
    fields = schema.ROUTER.fields
    return {name: value for name, value in parsed.value.items() if not fields[name].output_only}


def _check(world: World, account: str, config: JsonObject) -> None:
    """What a router asks of its deployments: that they exist, are multi-region, and serve one model."""
    text = config.get("displayName")
    if isinstance(text, str) and len(text) > 63:
        raise invalid("display_name must be fewer than 64 characters")
    names = config.get("deployments")
    if not isinstance(names, list) or not names:
        raise invalid("deployments is required")
    found = [_deployment(world, account, name) for name in names]
    assumptions = world.assumptions
    if assumptions.router_multi_region_only:
        for d in found:
            if not _multi_region(d):
                raise invalid(f"deployment {d.name} is not a multi-region deployment")
    models = {d.base_model for d in found}
    if assumptions.router_one_model and len(models) > 1:
        raise invalid(f"deployments of a router must have the same base model, found {', '.join(sorted(models))}")
    model = config.get("model")
    if isinstance(model, str) and model and model not in models:
        raise invalid(f"model {model} is not deployed to the deployments of the router")


def _deployment(world: World, account: str, name: JsonValue) -> Deployment:
    prefix, _, deployment_id = str(name).rpartition("/")
    d = world.accounts[account].deployments.get(deployment_id)
    if d is None or d.gone or prefix != f"accounts/{account}/deployments":
        raise not_found(f"deployment {name} not found")
    return d


def _multi_region(d: Deployment) -> bool:
    placement = d.config.get("placement")
    if not isinstance(placement, dict):
        return True
    regions = placement.get("regions")
    return not placement.get("region") and not (isinstance(regions, list) and len(regions) == 1)
