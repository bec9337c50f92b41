"""`status.addons` and the condition AddonsReady."""

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    ConditionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
)

from .actions import LoadAddon
from .addons import wanted_addons
from .explain import explain
from .identity import account_of, model_identifier
from .observed import Observed, Present
from .outcome import Outcome


def report_addons(resource: FireworksDeployment, observed: Observed, outcome: Outcome) -> list[AddonStatus]:
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
        there = loaded.get(model)
        if there is None and model not in wanted:
            continue
        if there is None:
            entries.append(entry.model_copy(update={"deployed_model": None, "state": None}))
            continue
        entries.append(
            AddonStatus(
                model=model,
                deployed_model=there.name,
                state=there.state,
                model_identifier=model_identifier(model, name),
                message=there.status_message or None if there.status_code not in ("", "OK") else None,
            )
        )
    known = {entry.model for entry in entries}
    for model in wanted:
        if model in loaded and model not in known:  # loaded by somebody else, ours since the spec names it
            there = loaded[model]
            entries.append(
                AddonStatus(
                    model=model,
                    deployed_model=there.name,
                    state=there.state,
                    model_identifier=model_identifier(model, name),
                )
            )
    return entries


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
