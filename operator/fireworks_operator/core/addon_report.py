"""`status.addons` and the condition AddonsReady."""

from datetime import datetime

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    ConditionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
)
from fireworks_operator.fireworks.models import DeployedModel

from .actions import LoadAddon
from .addons import ADDON_PATIENCE, wanted_addons
from .explain import explain
from .identity import account_of, model_identifier
from .observed import Observed, Present
from .outcome import Outcome


def report_addons(
    resource: FireworksDeployment, observed: Observed, outcome: Outcome, now: datetime
) -> list[AddonStatus]:
    """Return the addons that are ours to unload: recorded before they are loaded, dropped once they are gone."""
    recorded = {each.model: each for each in resource.status.addons or ()}
    action, error = outcome.action, outcome.error
    if isinstance(action, LoadAddon):
        entry = recorded.get(action.model, AddonStatus(model=action.model))
        message = explain(error, action).message if error is not None else None
        recorded[action.model] = entry.model_copy(update={"message": message})
    if not isinstance(observed, Present) or observed.addons is None:
        return list(recorded.values())
    name = observed.deployment.name
    loaded = {each.model: each for each in observed.addons}
    wanted = wanted_addons(resource, account_of(name))
    entries = []
    for model, entry in recorded.items():
        if model in loaded:
            entries.append(_entry(loaded[model], name, now))
        elif model in wanted:
            entries.append(entry.model_copy(update={"deployed_model": None, "state": None}))
    # What somebody else has loaded is ours, too, once the spec names it.
    entries += [_entry(loaded[model], name, now) for model in wanted if model in loaded and model not in recorded]
    return entries


def _entry(loaded: DeployedModel, deployment: str, now: datetime) -> AddonStatus:
    return AddonStatus(
        model=loaded.model,
        deployed_model=loaded.name,
        state=loaded.state,
        model_identifier=model_identifier(loaded.model, deployment),
        message=_trouble(loaded, now),
    )


def _trouble(loaded: DeployedModel, now: datetime) -> str | None:
    """Say what is wrong with a loaded addon: Fireworks has no state for failure, so status and time tell."""
    if loaded.status_code not in ("", "OK"):
        return loaded.status_message or loaded.status_code
    if loaded.state == "DEPLOYING" and loaded.create_time is not None and now - loaded.create_time > ADDON_PATIENCE:
        return (
            "Not loaded after 15 minutes. Check that its base model is the deployment's and that its rank and target "
            "modules are supported; to try again, remove it from spec.addons and put it back."
        )
    return None


def addon_condition(
    resource: FireworksDeployment, status: FireworksDeploymentStatus
) -> tuple[ConditionStatus, Reason, str] | None:
    """Return the condition AddonsReady, None where the spec has no addons."""
    if not resource.spec.addons or status.deployment_name is None:
        return None
    wanted = wanted_addons(resource, account_of(status.deployment_name))
    entries = {each.model: each for each in status.addons or ()}
    failed = [each for each in entries.values() if each.model in wanted and each.message]
    if failed:
        return "False", Reason.ADDON_FAILED, "; ".join(f"{each.model}: {each.message}" for each in failed)
    waiting = [model for model in wanted if model not in entries or entries[model].state != "DEPLOYED"]
    if waiting:
        return "False", Reason.ADDONS_LOADING, f"Waiting for {', '.join(waiting)}."
    return "True", Reason.ADDONS_LOADED, f"{len(wanted)} loaded."
