"""The requests of a plan to Fireworks: each says what there is, or what would be; none changes anything."""

from collections.abc import Sequence

from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import Create
from fireworks_operator.core.decisions.router import router_in_question
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.identity import full_model_name
from fireworks_operator.core.observed.observation import Absent, Observed, Present
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Deployment, Model
from fireworks_operator.plugin.fireworks import Account


async def see_router(account: Account, resource: FireworksDeployment) -> SeenRouter | None:
    """Return what Fireworks says of the router that a resource is about; None if it is about none."""
    name = router_in_question(resource, account.id)
    if name is None:
        return None
    try:
        return SeenRouter(name, await account.client.get_router(account.key, name), fresh=True)
    except FireworksError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return SeenRouter(name, None, fresh=True)
        return SeenRouter(name, None, fresh=True, trouble=diagnose(error))


async def validate(account: Account, create: Create, *, anew: bool) -> dict[str, JsonValue]:
    """Return what Fireworks says of a deployment that would be created; `anew`: its id is taken until then."""
    identifier = None if anew else create.target.rsplit("/", 1)[-1]
    return await account.client.validate_deployment(
        account.key, account.id, create.body, deployment_id=identifier, query=create.query
    )


async def match_shapes(account: Account, resource: FireworksDeployment) -> dict[str, dict[str, JsonValue]]:
    """Return what the shapes for the model set, by the names and words that may be asked for."""
    model = full_model_name(account.id, resource.spec.base_model)
    found: dict[str, dict[str, JsonValue]] = {}
    for shape in await account.client.match_shapes(account.key, account.id, model):
        fixed: dict[str, JsonValue] = {
            "acceleratorType": shape.accelerator_type,
            "acceleratorCount": shape.accelerator_count,
            **({"precision": shape.precision} if shape.precision else {}),
        }
        for word in (shape.name, shape.name.rsplit("/", 1)[-1], shape.preset.lower()):
            found.setdefault(word, fixed)
    return found


async def get_record(account: Account, name: str) -> Model | None:
    """Return the record of a model; None if there is none, or not for this key."""
    try:
        return await account.client.get_model(account.key, name)
    except FireworksError as error:
        if error.kind not in (ErrorKind.NOT_FOUND, ErrorKind.PERMISSION_DENIED):
            raise
        return None


async def observe(account: Account, name: str | None, loaded: Sequence[DeployedModel] | None) -> Observed:
    """Ask for a deployment by its name; `loaded` are the loaded addons of the account, None if nobody wants them."""
    deployment = None if name is None else await find(account, name)
    if deployment is None:
        return Absent(confirmed=True)
    addons = None if loaded is None else tuple(each for each in loaded if each.deployment == name)
    return Present(deployment, addons, fresh=True, termination=await _termination(account, deployment))


async def find(account: Account, name: str) -> Deployment | None:
    """Return a deployment, also one that is soft-deleted; None if there is none."""
    try:
        return await account.client.get_deployment(account.key, name)
    except FireworksError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        return None


async def _termination(account: Account, deployment: Deployment) -> str:
    if deployment.state != "FAILED":
        return ""
    try:
        return await account.client.termination_message(account.key, deployment.name)
    except FireworksError:
        return ""
