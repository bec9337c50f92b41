"""How requests that name the base model alone find the deployment: the base model's own DeployedModel."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Progress, Refuse, Rest, SetDeployedModel
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import DeployedModel, Deployment

from .addons import ADDON_PAUSE, LISTED_WITHIN, addons_by_model, observed_addons
from .refusals import held_back

_PATH = "deployedModel."


def decide_deployed_model(
    situation: Situation, deployment: Deployment
) -> SetDeployedModel | Progress | Refuse | Rest | None:
    """Name the change that makes the base model's DeployedModel what the spec says, None if it is or is not known.

    Fireworks makes one only for the first deployment of a model. It is never unloaded, and never an addon.
    """
    spec, addons = situation.spec.deployed_model, observed_addons(situation.observed)
    asked = {} if spec is None else spec.to_wire()
    wanted = {**_inherited(situation, deployment), **asked}
    if not wanted or addons is None or deployment.state != "READY":
        return None
    change = _change(wanted, deployment, addons_by_model(addons).get(deployment.base_model))
    if change is None:
        return None
    change = replace(change, inherited=not any(field.removeprefix(_PATH) in asked for field in change.fields))
    return held_back(situation, change.name) or _reverted(situation, change) or change


def _inherited(situation: Situation, deployment: Deployment) -> dict[str, JsonValue]:
    """Return what a deployment takes over from the one that it has replaced: requests for the model alone go on.

    Fireworks does not delete the default of a model that has other deployments (REST reference, deleteDeployment).
    """
    former = situation.other
    if not isinstance(former, Present) or situation.context.revision:
        return {}
    loaded = addons_by_model(former.addons or ()).get(deployment.base_model)
    default = loaded is not None and loaded.default and former.deployment.base_model == deployment.base_model
    return {"default": True} if default else {}


def _change(
    wanted: Mapping[str, JsonValue], deployment: Deployment, known: DeployedModel | None
) -> SetDeployedModel | None:
    there = {} if known is None else known.raw
    body = {key: value for key, value in wanted.items() if there.get(key, False) != value}
    if not body or (known is not None and known.state == "UNDEPLOYING"):
        return None
    fields = tuple(f"{_PATH}{key}" for key in body)
    if known is None:
        body = {"model": deployment.base_model, "deployment": deployment.name, **wanted}
    return SetDeployedModel(deployment.name, None if known is None else known.name, body, fields)


def _reverted(situation: Situation, change: SetDeployedModel) -> Progress | Refuse | Rest | None:
    """Say that a change did not last, once lists should show it: two resources may both want to be the default."""
    sent = situation.context.addon_updates.get(change.remembered_as)
    if sent is None or situation.context.skip_pauses or situation.now >= sent + ADDON_PAUSE:
        return None
    fields = ", ".join(f"spec.{each}" for each in change.fields)
    if situation.now < sent + LISTED_WITHIN and change.inherited:
        return Rest(sent + LISTED_WITHIN)
    if situation.now < sent + LISTED_WITHIN:
        return Progress(Reason.UPDATING, f"Changing {fields}.", sent + LISTED_WITHIN)
    again = sent + ADDON_PAUSE + timedelta(seconds=1)
    if change.inherited:
        return Refuse(
            Reason.NOT_CONVERGING,
            f"Fireworks accepted that {change.target} becomes the default deployment of its model, as the one was in "
            "whose place it serves, but it was reverted: check whether another resource sets "
            "spec.deployedModel.default, or somebody else makes another deployment the default. The operator retries "
            "automatically.",
            again,
        )
    return Refuse(
        Reason.NOT_CONVERGING,
        f"Fireworks accepted the change of {fields}, but it was reverted: check whether another resource, or somebody "
        "else, sets it differently. The operator retries automatically.",
        again,
    )
