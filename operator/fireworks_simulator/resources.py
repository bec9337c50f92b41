"""Handlers of the smaller collections: accounts, models, deployment shapes and their versions."""

from fireworks_simulator import schema
from fireworks_simulator.catalogue import Model
from fireworks_simulator.protojson import parse
from fireworks_simulator.query import apply_mask, list_resources, parse_mask
from fireworks_simulator.quotas import suspend_state
from fireworks_simulator.shapes import Shape
from fireworks_simulator.wire import Call, JsonObject, JsonValue, Reply, invalid, not_found, ok
from fireworks_simulator.world import World


def _fields(names: str) -> dict[str, None]:
    """Names that filters and masks of a collection may use."""
    return dict.fromkeys(names.split())


_ACCOUNT_FIELDS = _fields("name displayName email accountType createTime updateTime state suspendState")
_MODEL_FIELDS = _fields(
    "name displayName kind state public contextLength supportsLora supportsServerless baseModelDetails peftDetails "
    "supportedPrecisions defaultDraftModel defaultDraftTokenCount deployedModelRefs createTime updateTime"
)
_SHAPE_FIELDS = _fields(
    "name displayName baseModel presetType acceleratorType acceleratorCount precision enableAddons createTime "
    "updateTime"
)
_VERSION_FIELDS = _fields("name createTime snapshot validated public latestValidated")


def verify_api_key(world: World, call: Call) -> Reply:
    """GET /verifyApiKey: the account id is in a header."""
    return Reply(200, b"{}", headers=(("x-fireworks-account-id", call.identity.account),))


def list_accounts(world: World, call: Call) -> Reply:
    """GET /v1/accounts: the account of the key."""
    resources = [_account(world, call, call.identity.account)]
    return ok(list_resources(call, "accounts", resources, _ACCOUNT_FIELDS))


def get_account(world: World, call: Call) -> Reply:
    """GET /v1/accounts/{account}."""
    mask = parse_mask(call.query.get("readMask", ""), _ACCOUNT_FIELDS)
    return ok(apply_mask(_account(world, call, call.account), mask))


def _account(world: World, call: Call, account_id: str) -> JsonObject:
    account = world.accounts[account_id]
    return {**account.to_wire(), "suspendState": suspend_state(world, account, call.now)}


def list_models(world: World, call: Call) -> Reply:
    """GET /models of an account, the catalogue's included."""
    found = [
        _shown(world, model)
        for model in world.catalogue.models.values()
        if model.account == call.account and world.catalogue.readable(model.name, call.identity.account, call.now)
    ]
    return ok(list_resources(call, "models", found, _MODEL_FIELDS))


def get_model(world: World, call: Call) -> Reply:
    """GET one model, with where it is deployed in the caller's account."""
    model = _model(world, call)
    resource = _shown(world, model)
    refs: list[JsonValue] = [
        {
            "name": m.name,
            "deployment": m.deployment.name,
            "state": m.state.value,
            "default": m.default,
            "public": m.public,
        }
        for m in world.accounts[call.identity.account].deployed_models.values()
        if m.model == model.name
    ]
    if refs:
        resource["deployedModelRefs"] = refs
    mask = parse_mask(call.query.get("readMask", ""), _MODEL_FIELDS)
    return ok(apply_mask(resource, mask))


def prepare_model(world: World, call: Call) -> Reply:
    """POST :prepare: after a while the model supports one precision more."""
    model = _model(world, call)
    precision = parse(schema.PREPARE, call.body).value.get("precision")
    if not isinstance(precision, str) or precision == "PRECISION_UNSPECIFIED":
        raise invalid("precision is required")
    if precision not in model.supported_precisions:
        model.preparing[precision] = call.now + world.settings.timing.preparing
    return ok({})


def list_shapes(world: World, call: Call) -> Reply:
    """GET /deploymentShapes of an account."""
    created = world.catalogue.created
    found = [s.to_wire(created) for s in world.catalogue.shapes if _listed(s, call)]
    return ok(list_resources(call, "deploymentShapes", found, _SHAPE_FIELDS))


def get_shape(world: World, call: Call) -> Reply:
    """GET one deployment shape."""
    mask = parse_mask(call.query.get("readMask", ""), _SHAPE_FIELDS)
    return ok(apply_mask(_shape(world, call).to_wire(world.catalogue.created), mask))


def list_versions(world: World, call: Call) -> Reply:
    """GET versions of a shape; `-` stands for every account or every shape."""
    wanted = call.params["shape"]
    found = [
        shape.version_to_wire(world.catalogue.created)
        for shape in world.catalogue.shapes
        if _listed(shape, call) and wanted in ("-", shape.name.rsplit("/", 1)[-1])
    ]
    return ok(list_resources(call, "deploymentShapeVersions", found, _VERSION_FIELDS))


def get_version(world: World, call: Call) -> Reply:
    """GET one version of a shape, `latest` included."""
    shape = _shape(world, call)
    if call.params["version"] not in ("latest", shape.version):
        raise not_found(f"deployment shape version {shape.name}/versions/{call.params['version']} not found")
    return ok(shape.version_to_wire(world.catalogue.created))


def match_versions(world: World, call: Call) -> Reply:
    """POST deploymentShapeVersions:match: validated shapes that fit a create request.

    Of the request, only the base model (an addon stands for its own) and enableAddons count.
    """
    value = parse(schema.MATCH_SHAPES, call.body).value
    request = value.get("createDeploymentRequest")
    deployment = request.get("deployment") if isinstance(request, dict) else None
    base_model = deployment.get("baseModel") if isinstance(deployment, dict) else None
    if not isinstance(deployment, dict) or not isinstance(base_model, str) or not base_model:
        raise invalid("create_deployment_request.deployment.base_model is required")
    model = world.catalogue.readable(base_model, call.account, call.now)
    name = world.catalogue.base_of(model).name if model is not None else base_model
    found: list[JsonValue] = [
        shape.version_to_wire(world.catalogue.created)
        for shape in world.catalogue.matching(name, call.account, addons=deployment.get("enableAddons") is True)
    ]
    return ok({"deploymentShapeVersions": found, "nextPageToken": "", "totalSize": len(found)})


def _shown(world: World, model: Model) -> JsonObject:
    resource = model.to_wire(world.catalogue.created)
    if model.preparing:
        resource["state"] = world.assumptions.state_while_preparing
    return resource


def _listed(shape: Shape, call: Call) -> bool:
    return call.account in ("-", shape.account) and shape.readable(call.identity.account)


def _shape(world: World, call: Call) -> Shape:
    name = f"accounts/{call.account}/deploymentShapes/{call.params['shape']}"
    shape = world.catalogue.shape(name, call.identity.account)
    if shape is None:
        raise not_found(f"deployment shape {name} not found")
    return shape


def _model(world: World, call: Call) -> Model:
    name = f"accounts/{call.account}/models/{call.params['model']}"
    model = world.catalogue.readable(name, call.identity.account, call.now)
    if model is None:
        raise not_found(f"model {name} not found")
    return model
