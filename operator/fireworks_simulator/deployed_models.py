"""Handlers of `/v1/accounts/{account}/deployedModels`: LoRA addons on deployments, and default deployments."""

from fireworks_simulator import schema
from fireworks_simulator.catalogue import Model
from fireworks_simulator.entities import DeployedModel, Deployment, LoadState, State
from fireworks_simulator.masks import update_paths
from fireworks_simulator.protojson import parse
from fireworks_simulator.query import apply_mask, list_resources, parse_mask
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, Reply, invalid, not_found, ok, precondition
from fireworks_simulator.world import World

_UPDATABLE = frozenset({"default", "public", "displayName", "description"})
_TEXTS = {"displayName": 63, "description": 999}


def auto_deploy(world: World, d: Deployment, now: float) -> None:
    """A base model that is deployed nowhere in the account gets a default deployed model with its deployment."""
    account = world.accounts[d.account]
    if not any(m.model == d.base_model for m in account.deployed_models.values()):
        _add(world, d, d.base_model, now, addon=False)


def check_default(world: World, d: Deployment) -> None:
    """Refuse to delete the default deployment of a model that has other deployments.

    Raises:
        ApiError: 400 code 9.
    """
    if not world.assumptions.default_deployment_check:
        return
    default = any(m.default and m.model == d.base_model for m in d.deployed_models)
    others = (
        other
        for other in world.accounts[d.account].deployments.values()
        if other is not d and not other.gone and other.base_model == d.base_model
    )
    if default and next(others, None) is not None:
        raise precondition(
            "cannot delete a default deployment: set another deployment as the default first, or delete the other "
            "deployments"
        )


def load(world: World, call: Call) -> Reply:
    """POST: load a model into a deployment; answers before it serves."""
    value = parse(schema.DEPLOYED_MODEL, call.body).value
    d = _deployment(world, call, value)
    model = _model(world, call, value)
    _check_texts(value)
    if value.get("serverless") is True:
        raise invalid("serverless must not be set for a model on a dedicated deployment")
    merged = d.config.get("enableHotReloadLatestAddon") is True and model.name != d.base_model
    _check_place(d, model, merged=merged, replace=call.flag("replaceMergedAddon"))
    if world.assumptions.load_while_not_ready == "refuse" and d.ready(call.now) == 0:
        raise precondition(f"deployment {d.name} is not ready")
    world.remember(d, call.now)
    if merged:
        _unmerge(world, d)
    deployed = _add(world, d, model.name, call.now, addon=model.name != d.base_model)
    deployed.created_by = call.identity.email
    deployed.texts = {key: str(value[key]) for key in _TEXTS if value.get(key)}
    deployed.public = value.get("public") is True
    if value.get("default") is True:
        _make_default(world, deployed)
    if d.ready(call.now) > 0:
        world.lifecycle.load_model(deployed, call.now)
    world.changed(d, call.now)
    return ok(deployed.to_wire())


def _check_place(d: Deployment, model: Model, *, merged: bool, replace: bool) -> None:
    """Refuse a model that the deployment has already, does not take, or has no place for."""
    if replace and not merged:
        raise precondition(f"replace_merged_addon needs a deployment with enable_hot_reload_latest_addon: {d.name}")
    same = [m for m in d.deployed_models if m.model == model.name and m.state is not LoadState.UNDEPLOYING]
    if same:
        raise ApiError(Code.ALREADY_EXISTS, f"model {model.name} is already deployed to {d.name}")
    if model.name != d.base_model:
        _check_addon(d, model)
    if merged:
        _check_merged(d, replace=replace)


def list_deployed_models(world: World, call: Call) -> Reply:
    """GET: all of the account, by name."""
    resources = [m.to_wire() for m in world.accounts[call.account].deployed_models.values()]
    return ok(list_resources(call, "deployedModels", resources, schema.DEPLOYED_MODEL.fields))


def get(world: World, call: Call) -> Reply:
    """GET one."""
    mask = parse_mask(call.query.get("readMask", ""), schema.DEPLOYED_MODEL.fields)
    return ok(apply_mask(find(world, call).to_wire(), mask))


def update(world: World, call: Call) -> Reply:
    """PATCH: default, public, displayName and description."""
    deployed = find(world, call)
    parsed = parse(schema.DEPLOYED_MODEL, call.body)
    names = {path[0] for path in update_paths(call, schema.DEPLOYED_MODEL, parsed)}
    value = parsed.value
    for name in names - _UPDATABLE:
        if value.get(name) not in (None, deployed.to_wire().get(name)):
            raise invalid(f"field {name} is immutable")
    _check_texts(value)
    if "default" in names:
        if value.get("default") is True:
            _make_default(world, deployed)
        else:
            deployed.default = False
    if "public" in names:
        deployed.public = value.get("public") is True
    for name in names & _TEXTS.keys():
        deployed.texts[name] = str(value.get(name, ""))
    deployed.update_time = call.now
    return ok(deployed.to_wire())


def unload(world: World, call: Call) -> Reply:
    """DELETE: UNDEPLOYING, then gone."""
    deployed = find(world, call)
    if deployed.state is not LoadState.UNDEPLOYING:
        deployed.state = LoadState.UNDEPLOYING
        deployed.update_time = call.now
        deployed.transition_at = call.now + deployed.deployment.plan.timing.addon
        world.changed(deployed.deployment, call.now)
    return ok({})


def find(world: World, call: Call) -> DeployedModel:
    """The deployed model in the path.

    Raises:
        ApiError: 404 code 5.
    """
    deployed = world.accounts[call.account].deployed_models.get(call.params["deployed_model"])
    if deployed is None:
        name = f"accounts/{call.account}/deployedModels/{call.params['deployed_model']}"
        raise not_found(f"deployed model {name} not found")
    return deployed


def _deployment(world: World, call: Call, value: JsonObject) -> Deployment:
    name = value.get("deployment")
    if not isinstance(name, str) or not name:
        raise invalid("deployment is required")
    prefix, _, deployment_id = name.rpartition("/")
    d = world.accounts[call.account].deployments.get(deployment_id)
    if d is None or prefix != f"accounts/{call.account}/deployments" or d.gone:
        raise not_found(f"deployment {name} not found")
    if d.state is State.FAILED:
        raise precondition(f"deployment {name} has failed")
    return d


def _model(world: World, call: Call, value: JsonObject) -> Model:
    name = value.get("model")
    if not isinstance(name, str) or not name:
        raise invalid("model is required")
    model = world.catalogue.readable(name, call.account, call.now)
    if model is None:
        raise not_found(f"model {name} not found")
    return model


def _check_merged(d: Deployment, *, replace: bool) -> None:
    """Refuse to exchange the addon that is merged into a deployment's base model without being told to.

    Raises:
        ApiError: 400 code 9.
    """
    if not replace:
        raise precondition(f"replace_merged_addon must be set to load an addon into deployment {d.name}")


def _unmerge(world: World, d: Deployment) -> None:
    """The addon that was merged makes room for another; the replicas stay."""
    for other in [m for m in d.deployed_models if m.addon]:
        world.remove_model(other)


def _check_addon(d: Deployment, model: Model) -> None:
    if not model.addon:
        raise invalid(f"model {model.name} is not an addon")
    if not any(d.config.get(name) is True for name in ("enableAddons", "enableHotReloadLatestAddon")):
        raise precondition(f"addons are not enabled for deployment {d.name}")
    if model.base_model != d.base_model:
        raise invalid(
            f"LoRA validation failed: base model {model.base_model} does not match the deployment's {d.base_model}"
        )
    if model.broken:
        raise invalid(f"LoRA validation failed: LoRA keys reference non-existent base model parameters: {model.broken}")


def _check_texts(value: JsonObject) -> None:
    for name, limit in _TEXTS.items():
        text = value.get(name)
        if isinstance(text, str) and len(text) > limit:
            raise invalid(f"{name} must be fewer than {limit + 1} characters")


def _add(world: World, d: Deployment, model: str, now: float, *, addon: bool) -> DeployedModel:
    """Put a model on a deployment; the first of its kind in the account becomes the default."""
    account = world.accounts[d.account]
    letters = "".join(c for c in world.generate_id(40) if c.isalpha())[:7]
    deployed_id = f"{model.rsplit('/', 1)[-1]}-{letters}"[-63:]
    name = f"accounts/{d.account}/deployedModels/{deployed_id}"
    deployed = DeployedModel(name, model, d, now, now, addon)
    others = account.deployed_models.values()
    deployed.default = not any(m.model == model and m.state is not LoadState.UNDEPLOYING for m in others)
    account.deployed_models[deployed_id] = deployed
    d.deployed_models.append(deployed)
    return deployed


def _make_default(world: World, deployed: DeployedModel) -> None:
    """Exactly one deployed model per model is the default."""
    for other in world.accounts[deployed.deployment.account].deployed_models.values():
        if other.model == deployed.model:
            other.default = other is deployed
