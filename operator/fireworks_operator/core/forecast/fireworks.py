"""What Fireworks makes of a change, as far as that can be known before: the observation that would follow it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import JsonValue

from fireworks_operator.core.actions import (
    Adopt,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    LoadAddon,
    Mutation,
    PrepareModel,
    SetDeployedModel,
    SetRouter,
    SetTags,
    Undelete,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.addons import uses_addons
from fireworks_operator.core.heirs import Heirs
from fireworks_operator.core.identity import account_of
from fireworks_operator.core.observed.observation import Absent, Observed, Present
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.errors import FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Deployment
from fireworks_operator.fireworks.routers import Router

STARTING = frozenset({"CREATING", "UPDATING"})
_HARDWARE = ("acceleratorType", "acceleratorCount")

Raw = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Told:
    """What Fireworks was asked beforehand.

    Attributes:
        created: its answer to the create request with validateOnly; None if it was not asked.
        shapes: what the shapes for the model set, by the names and words that a spec may ask for.
        deployed: the models that the account has deployed, each with the deployment; the first of a model becomes its
            default.
        refused: why it refuses to create a successor; None if it was not asked, or would create it.
        heirs: the deployments of the account by their owners; None if it was not asked.
        others: what it says of those that have the resource's marker, and that its status does not name.
    """

    created: Mapping[str, JsonValue] | None = None
    shapes: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    deployed: frozenset[tuple[str, str]] = frozenset()
    refused: FireworksError | None = None
    heirs: Heirs | None = None
    others: Mapping[str, Observed] = field(default_factory=dict)


def after(action: Mutation, situation: Situation, told: Told) -> Observed:
    """Return what would be observed once a request was accepted and has taken effect."""
    observed = situation.observed
    match action:
        case PrepareModel() | CreateRouter() | SetRouter() | DeleteRouter():
            return observed
        case Create():
            return _created(action, situation, told)
        case Delete(hard=True):
            return Absent(confirmed=True)
    if not isinstance(observed, Present):
        return observed  # nothing else is decided about a deployment that is not there
    match action:
        case Delete():
            return _with(observed, {"state": "DELETED", **_replicas(0)})
        case Undelete():
            there = _with(_without(observed, "deleteTime", "purgeTime"), {"state": "CREATING", **_replicas(0)})
            return replace(there, addons=_deployed(situation, there.deployment, told))
        case Adopt(tags=tags, remove=remove) | SetTags(tags=tags, remove=remove):
            return _tagged(observed, tags, remove)
        case Update():
            return _updated(observed, action, told)
        case _:
            return _loaded(observed, action)


def router_after(action: CreateRouter | SetRouter | DeleteRouter, context: Context) -> SeenRouter:
    """Return what would be seen of a router once a request was accepted and has taken effect."""
    if isinstance(action, DeleteRouter):
        return SeenRouter(action.router, None, fresh=True)
    there: Raw = {"createTime": _time(context.now)}
    seen = context.router
    if isinstance(action, SetRouter) and seen is not None and seen.router is not None:
        router = seen.router
        created = None if router.create_time is None else _time(router.create_time)
        there = {"displayName": router.display_name, "deployments": list(router.deployments), "createTime": created}
    return SeenRouter(action.router, Router.parse({**there, **action.body, "name": action.router}), fresh=True)


def in_time(observed: Observed) -> Observed | None:
    """Return what comes of a deployment by itself; None if it stays as it is."""
    if not isinstance(observed, Present):
        return None
    deployment = observed.deployment
    if deployment.state == "DELETING":
        return _with(observed, {"state": "DELETED", **_replicas(0)})
    if deployment.state in STARTING:
        ready = max(deployment.replica_stats.ready, 1 if deployment.state == "CREATING" else 0)
        return _with(observed, {"state": "READY", **_replicas(_within(ready, deployment))})
    return _loaded_in_time(observed)


def in_the_end(observed: Observed) -> Observed:
    """Return what becomes of a deployment if nobody changes it."""
    while (later := in_time(observed)) is not None:
        observed = later
    return observed


def _loaded_in_time(observed: Present) -> Present | None:
    """Return the deployment once its addons are loaded or gone; None if they are."""
    addons = observed.addons or ()
    if not any(each.state in ("DEPLOYING", "UNDEPLOYING") for each in addons):
        return None
    staying = (each for each in addons if each.state != "UNDEPLOYING")
    return replace(observed, addons=tuple(_reread(each, {"state": "DEPLOYED"}) for each in staying))


def names_hardware(deployment: Deployment) -> bool:
    """Tell whether it is known what the replicas run on."""
    return all(deployment.raw.get(each) for each in _HARDWARE)


def _created(action: Create, situation: Situation, told: Told) -> Present:
    body = action.body
    least = body.get("minReplicaCount", 0)
    most: Raw = {"maxReplicaCount": max(least, 1) if isinstance(least, int) else 1}
    fixed: Raw = {"name": action.target, "state": "CREATING", "createTime": _time(situation.now), **_replicas(0)}
    deployment = Deployment.parse({**most, **body, **(told.created or {}), **fixed})
    addons = _deployed(situation, deployment, told, automatically=action.query.get("disableAutoDeploy") != "true")
    return Present(deployment, addons, fresh=True)


def _deployed(
    situation: Situation, deployment: Deployment, told: Told, *, automatically: bool = True
) -> tuple[DeployedModel, ...] | None:
    """Return what is loaded on a deployment that has come into being: its base model, if that is deployed nowhere."""
    if not uses_addons(situation.resource) and situation.beside is None:
        return None  # of two deployments, the loaded models are known
    elsewhere = (name for model, name in told.deployed if model == deployment.base_model)
    alone = automatically and all(name == deployment.name for name in elsewhere)  # which it is created anew in place of
    return (_new(deployment.name, {"model": deployment.base_model, "default": True}, 0),) if alone else ()


def _updated(observed: Present, action: Update, told: Told) -> Present:
    """Set what the mask names; other bounds move the replicas, another shape brings its hardware along."""
    raw = dict(observed.deployment.raw)
    for path in action.mask:
        name = _camel(path)
        if name in action.body:
            raw[name] = action.body[name]
    if "deployment_shape" in action.mask:
        asked = {name: action.body.get(name) for name in _HARDWARE}
        raw |= told.shapes.get(str(action.body.get("deploymentShape")), asked)
    changed = Deployment.parse(raw)
    ready = _within(changed.replica_stats.ready, changed)
    return replace(observed, deployment=Deployment.parse(raw | _replicas(ready)), fresh=True)


def _tagged(observed: Present, tags: Mapping[str, str], remove: tuple[str, ...]) -> Present:
    kept = {key: value for key, value in observed.deployment.annotations.items() if key not in remove}
    annotations: Raw = {**kept, **tags}
    return _with(observed, {"annotations": annotations})


def _loaded(observed: Present, action: Mutation) -> Present:
    """Return the deployment with the addon, or the base model's own entry, as it would be."""
    addons, name = observed.addons or (), observed.deployment.name
    match action:
        case LoadAddon(body=body, replaces=replaces):
            kept = tuple(each for each in addons if not replaces or each.model == observed.deployment.base_model)
            return replace(observed, addons=(*kept, _new(name, body, len(addons))))
        case SetDeployedModel(deployed_model=None, body=body):
            return replace(observed, addons=(*addons, _new(name, body, len(addons))))
        case UnloadAddon(deployed_model=gone):
            return replace(observed, addons=tuple(each for each in addons if each.name != gone))
        case UpdateAddon(deployed_model=changed, body=body) | SetDeployedModel(deployed_model=changed, body=body):
            others = (each if each.name != changed else _reread(each, body) for each in addons)
            return replace(observed, addons=tuple(others))
    raise AssertionError(f"{action.name} is not about a loaded model")


def _new(deployment: str, body: Mapping[str, JsonValue], number: int) -> DeployedModel:
    """Return a model that is loaded; Fireworks chooses its id."""
    name = f"accounts/{account_of(deployment)}/deployedModels/planned-{number}"
    return DeployedModel.parse({**body, "name": name, "deployment": deployment, "state": "DEPLOYED"})


def _reread(addon: DeployedModel, changes: Mapping[str, JsonValue]) -> DeployedModel:
    return DeployedModel.parse({**addon.raw, **changes})


def _with(observed: Present, changes: Mapping[str, JsonValue]) -> Present:
    return replace(observed, deployment=Deployment.parse({**observed.deployment.raw, **changes}), fresh=True)


def _without(observed: Present, *names: str) -> Present:
    kept = {name: value for name, value in observed.deployment.raw.items() if name not in names}
    return replace(observed, deployment=Deployment.parse(kept))


def _within(replicas: int, deployment: Deployment) -> int:
    return min(max(replicas, deployment.min_replica_count), deployment.max_replica_count)


def _replicas(ready: int) -> Raw:
    """Return what a deployment says of its replicas when all are ready."""
    return {"replicaStats": {"readyReplicaCount": ready}, "replicaCount": ready, "desiredReplicaCount": ready}


def _camel(path: str) -> str:
    first, *others = path.split("_")
    return first + "".join(map(str.capitalize, others))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
