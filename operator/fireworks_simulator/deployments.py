"""Handlers of `/v1/accounts/{account}/deployments`."""

from fireworks_simulator import schema
from fireworks_simulator.deployed_models import auto_deploy, check_default
from fireworks_simulator.entities import Deployment, State
from fireworks_simulator.faults import FaultKind
from fireworks_simulator.masks import Path, look_up, merge, update_paths
from fireworks_simulator.protojson import Parsed, parse, without_zeros
from fireworks_simulator.query import apply_mask, parse_mask
from fireworks_simulator.quotas import check_quota, counted
from fireworks_simulator.routers import check_unrouted
from fireworks_simulator.rules import ConfigRules, check_id, check_tags
from fireworks_simulator.wire import (
    ApiError,
    Call,
    Code,
    JsonObject,
    Reply,
    invalid,
    not_found,
    ok,
    precondition,
)
from fireworks_simulator.world import World

_IMMUTABLE = frozenset({"baseModel", "placement", "preemptible", "annotations"})
_SERVING = frozenset(
    {
        "acceleratorType",
        "acceleratorCount",
        "precision",
        "enableAddons",
        "draftModel",
        "draftTokenCount",
        "ngramSpeculationLength",
        "enableSessionAffinity",
        "deploymentTemplate",
        "autoTune",
        "maxContextLength",
        "maxConcurrencyPerReplica",
        "deploymentShape",
        "enableHotLoad",
        "enableMtp",
        "targetModelVersion",
    }
)
_BOUNDS = frozenset({"minReplicaCount", "maxReplicaCount", "maxWithRevocableReplicaCount"})


def rules(world: World) -> ConfigRules:
    """The configuration rules of a world."""
    return ConfigRules(world.catalogue, world.assumptions)


def find(world: World, call: Call) -> Deployment:
    """The deployment in the path, deleted ones included.

    Raises:
        ApiError: 404 code 5; 403 code 7 for a contributor that did not create it and wants to change it.
    """
    account, deployment_id = call.account, call.params["deployment"]
    d = world.accounts[account].deployments.get(deployment_id)
    if d is None:
        raise not_found(f"deployment accounts/{account}/deployments/{deployment_id} not found")
    foreign = d.created_by != call.identity.email
    if call.method != "GET" and call.identity.role == "contributor" and foreign:
        raise ApiError(Code.PERMISSION_DENIED, f"permission denied: {d.name} was created by another user")
    return d


def answer(world: World, d: Deployment, call: Call) -> Reply:
    """200 with a deployment."""
    return Reply(200, world.encoded(d, call.now))


def create(world: World, call: Call) -> Reply:
    """POST: validate, fill in, start."""
    value = _writable(parse(schema.DEPLOYMENT, call.body))
    if world.assumptions.zero_is_absent_on_create:
        kept = {"maxReplicaCount": 0} if value.get("maxReplicaCount") == 0 and world.assumptions.create_parked else {}
        value = without_zeros(schema.DEPLOYMENT, value) | kept
    account = world.accounts[call.account]
    deployment_id = call.query.get("deploymentId") or world.generate_id()
    speculation_disabled = call.flag("disableSpeculativeDecoding")
    validate_only = call.flag("validateOnly")
    check_id(deployment_id, world.assumptions)
    annotations = value.get("annotations")
    check_tags(annotations if isinstance(annotations, dict) else {})
    config = rules(world).complete(
        value,
        call.account,
        call.now,
        speculation_disabled=speculation_disabled,
        shapeless_risk=call.flag("acceptShapelessRisk"),
    )
    d = world.new_deployment(call.account, deployment_id, config, call.now)
    d.speculation_disabled = speculation_disabled
    d.created_by = call.identity.email
    replicas = min(max(d.minimum, 1), d.maximum)
    with_quota = not validate_only or world.assumptions.validate_only_checks_quota
    if with_quota and world.assumptions.quota_before_exists:
        check_quota(world, account, d, replicas)
    if deployment_id in account.deployments:
        raise ApiError(Code.ALREADY_EXISTS, f"deployment {d.name} already exists")
    if with_quota:
        check_quota(world, account, d, replicas)
    if rules(world).unprepared(config):
        d.plan.outcome = "fail"
    world.lifecycle.start(d, State.CREATING, call.now)
    if validate_only:
        return ok(world.wire(d, call.now))
    if not call.flag("disableAutoDeploy"):
        auto_deploy(world, d, call.now)
    world.add(d, call.now)
    return answer(world, d, call)


def get(world: World, call: Call) -> Reply:
    """GET: also answers for deleted deployments until they are purged."""
    d = find(world, call)
    if call.query.get("readMask"):
        mask = parse_mask(call.query["readMask"], schema.DEPLOYMENT.fields)
        return ok(apply_mask(world.wire(d, call.now), mask))
    return answer(world, d, call)


def update(world: World, call: Call) -> Reply:
    """PATCH: change the paths of the mask, or those of the body's keys."""
    d = find(world, call)
    if d.gone:
        raise precondition(f"deployment {d.name} is deleted")
    parsed = parse(schema.DEPLOYMENT, call.body)
    given = _writable(parsed)
    paths = [path for path in update_paths(call, schema.DEPLOYMENT, parsed) if _changes(world, d, given, path)]
    if call.notes.get("fault") == FaultKind.IGNORE_PATCH:
        return answer(world, d, call)
    merged = merge(d.config, given, paths)
    if any(path[0] == "deploymentShape" for path in paths):
        _apply_shape(world, merged, call.account)
    changed = {name for name in merged.keys() | d.config.keys() if merged.get(name) != d.config.get(name)}
    rules(world).check(merged, call.account, call.now)
    _check_growth(world, d, merged)
    world.remember(d, call.now)
    d.config = merged
    d.update_time = call.now
    if changed & _SERVING or (changed & _BOUNDS and world.assumptions.bound_changes_roll_out):
        world.lifecycle.roll_out(d, call.now)
    if changed & (_BOUNDS | {"autoscalingPolicy"}):
        world.lifecycle.bounds_changed(d, call.now)
    world.changed(d, call.now)
    return answer(world, d, call)


def delete(world: World, call: Call) -> Reply:
    """DELETE: soft by default; `hard=true` frees the id, `ignoreChecks=true` skips the checks."""
    d = find(world, call)
    hard = call.flag("hard")
    ignore_checks = call.flag("ignoreChecks")
    if d.gone and not hard:
        if world.assumptions.delete_of_deleted == "not-found":
            raise not_found(f"deployment {d.name} not found")
        return ok({})
    if not d.gone:
        _check_delete(world, d, call.now, ignore_checks=ignore_checks)
    world.remember(d, call.now)
    world.lifecycle.delete(d, call.now, hard=hard)
    world.changed(d, call.now)
    return ok({})


def undelete(world: World, call: Call) -> Reply:
    """POST :undelete: bring a DELETED or FAILED deployment back to life."""
    parse(schema.EMPTY, call.body)
    d = find(world, call)
    if d.state not in (State.DELETED, State.FAILED):
        raise precondition(f"deployment {d.name} is in state {d.state}, must be DELETED or FAILED")
    check_quota(world, world.accounts[call.account], d, min(max(d.minimum, 1), d.maximum))
    world.remember(d, call.now)
    d.plan = world.replan(d)
    world.lifecycle.start(d, State(world.assumptions.undelete_state), call.now)
    auto_deploy(world, d, call.now)
    world.relist(d.account)
    world.changed(d, call.now)
    return answer(world, d, call)


def scale(world: World, call: Call) -> Reply:
    """PATCH :scale: set the replica count once; the autoscaler goes on from there."""
    d = find(world, call)
    count = parse(schema.SCALE, call.body).value.get("replicaCount", 0)
    if d.gone or d.state is State.FAILED:
        raise precondition(f"deployment {d.name} is in state {d.state}")
    if not isinstance(count, int) or count < 0:
        raise invalid("replica_count must be greater than or equal to 0")
    within = min(max(count, d.floor), d.ceiling)
    if within != count and world.assumptions.scale_out_of_bounds == "refuse":
        raise invalid(f"replica_count must be between {d.floor} and {d.ceiling}")
    if within > d.desired:
        check_quota(world, world.accounts[d.account], d, within)
    world.remember(d, call.now)
    world.lifecycle.set_desired(d, within, call.now)
    d.idle_since = call.now
    world.changed(d, call.now)
    return ok({})


def set_tags(world: World, call: Call) -> Reply:
    """POST :setTags: add or change annotations."""
    d = find(world, call)
    tags = parse(schema.SET_TAGS, call.body).value.get("tags")
    given = tags if isinstance(tags, dict) else {}
    present = d.config.get("annotations")
    merged: JsonObject = {**(present if isinstance(present, dict) else {}), **given}
    check_tags(merged)
    return _put_tags(world, d, merged, call)


def delete_tags(world: World, call: Call) -> Reply:
    """POST :deleteTags: remove annotations."""
    d = find(world, call)
    keys = parse(schema.DELETE_TAGS, call.body).value.get("keys")
    removed = keys if isinstance(keys, list) else []
    check_tags(dict.fromkeys(map(str, removed), "-"))
    present = d.config.get("annotations")
    kept: JsonObject = {
        key: tag for key, tag in (present if isinstance(present, dict) else {}).items() if key not in removed
    }
    return _put_tags(world, d, kept, call)


def termination_message(world: World, call: Call) -> Reply:
    """GET /terminationMessage: why a replica died."""
    d = find(world, call)
    return ok({"message": d.termination_message} if d.termination_message else {})


def _put_tags(world: World, d: Deployment, tags: JsonObject, call: Call) -> Reply:
    world.remember(d, call.now)
    if tags:
        d.config["annotations"] = tags
    else:
        d.config.pop("annotations", None)
    d.update_time = call.now
    world.changed(d, call.now)
    return answer(world, d, call)


def _writable(parsed: Parsed) -> JsonObject:
    fields = schema.DEPLOYMENT.fields
    return {name: value for name, value in parsed.value.items() if not fields[name].output_only}


def _changes(world: World, d: Deployment, given: JsonObject, path: Path) -> bool:
    """Whether a path of a PATCH really changes anything.

    Raises:
        ApiError: it would change an immutable field.
    """
    if look_up(d.config, path) == look_up(given, path):
        return False
    immutable = path[0] in _IMMUTABLE or (
        path[0] == "acceleratorType" and not world.assumptions.accelerator_type_updatable
    )
    if not immutable:
        return True
    if path[0] == "annotations":
        raise invalid("annotations cannot be updated; use setTags and deleteTags")
    if world.assumptions.immutable_patch == "refuse":
        raise invalid(f"field {path[0]} is immutable")
    return False


def _apply_shape(world: World, config: JsonObject, account: str) -> None:
    """A changed shape brings its hardware and serving settings along."""
    text = config.get("deploymentShape")
    base_model = config.get("baseModel")
    model = world.catalogue.models.get(base_model) if isinstance(base_model, str) else None
    if isinstance(text, str) and text and model is not None:
        asked: JsonObject = {"enableAddons": config.get("enableAddons", False)}
        shape = rules(world).find_shape(text, world.catalogue.base_of(model).name, account, asked)
        config.update(shape.settings)
        config["deploymentShape"] = shape.version_name


def _check_growth(world: World, d: Deployment, merged: JsonObject) -> None:
    """The quota must hold for more replicas or larger ones."""
    changed = world.new_deployment(d.account, d.id, merged, d.create_time)
    replicas = min(max(d.desired, changed.minimum), changed.maximum)
    if counted(world, changed, replicas) > counted(world, d, d.desired):
        check_quota(world, world.accounts[d.account], changed, replicas)


def _check_delete(world: World, d: Deployment, now: float, *, ignore_checks: bool) -> None:
    if not ignore_checks and d.in_use(now):
        raise precondition(
            "deployment has received inference requests in the last hour, pass ignore_checks to skip this check"
        )
    check_unrouted(world, d)
    addons = [model for model in d.deployed_models if model.addon]
    if addons and not ignore_checks and world.assumptions.delete_with_addons == "refuse":
        raise precondition(f"deployment has {len(addons)} loaded addons, unload them first")
    if not (ignore_checks and world.assumptions.ignore_checks_covers_default):
        check_default(world, d)
