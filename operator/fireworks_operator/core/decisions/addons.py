"""Which LoRA addon is to be loaded, changed or unloaded next."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import Addon, FireworksDeployment
from fireworks_operator.core.actions import LoadAddon, Pending, Progress, Refuse, Rest, UnloadAddon, UpdateAddon
from fireworks_operator.core.context import REST_PATIENCE, Context, Unlisted
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.core.pauses import REFUSED, pause_until
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import DeployedModel, Deployment

ADDON_ACTIONS = (LoadAddon.name, UpdateAddon.name, UnloadAddon.name)
"""Attempts in `status.lastAttempt` that share one pause: only the last one is remembered."""
ADDON_PATIENCE = timedelta(minutes=15)
"""How long an addon may load: ten minutes are usual at most."""
ADDON_PAUSE = timedelta(minutes=5)
"""Least time between two changes of one addon for the same spec: what does not last is not fought over."""
LISTED_WITHIN = timedelta(minutes=2)
"""How long a loaded addon may be missing in lists, which lag, until that is told."""
MISFIT_RECHECK = timedelta(hours=1)
"""How often the record of a model is asked for that was trained on another base model than the deployment's."""

Step = LoadAddon | UpdateAddon | UnloadAddon


def uses_addons(resource: FireworksDeployment) -> bool:
    """Tell whether it matters what is loaded on the resource's deployment: addons, or the base model's own entry."""
    return bool(resource.spec.addons or resource.status.addons or resource.spec.deployed_model)


def lists_loaded(resource: FireworksDeployment) -> bool:
    """Tell whether the loaded models of the resource's deployments have to be known.

    While one replaces the other, of both: the new one becomes the default of its model if the former one is.
    """
    return uses_addons(resource) or resource.status.replacement is not None


def wants_addons(resource: FireworksDeployment) -> bool:
    """Tell whether the spec wants the deployment to take addons."""
    return bool(resource.spec.addons or resource.spec.enable_addons)


def addons_by_model(addons: tuple[DeployedModel, ...]) -> Mapping[str, DeployedModel]:
    """Return loaded addons by their models; one that is being unloaded gives way to its successor."""
    leaving_first = sorted(addons, key=lambda each: each.state != "UNDEPLOYING")
    return {each.model: each for each in leaving_first}


def decide_addons(situation: Situation, deployment: Deployment) -> Step | Rest | None:
    """Name the next step for the addons of a live deployment, None when they are as desired."""
    if not uses_addons(situation.resource):
        return None
    addons = observed_addons(situation.observed)
    if addons is None:
        return _decide_unlisted(situation.context)
    refused = _refused(situation)
    # What was refused goes last, so that it cannot keep the rest from being done.
    steps = sorted(_steps(situation, deployment, addons), key=lambda step: step[0] in refused)
    due = [(_due(situation, step, refused=model in refused), step) for model, step in steps]
    for time, step in due:
        if time <= situation.now:
            return step
    overdue = [overdue_at(situation.resource, deployment, each, situation.now) for each in addons]
    unlisted = [loaded + LISTED_WITHIN for loaded in situation.context.addon_loads.values()]
    misfits = [
        situation.now + MISFIT_RECHECK for model in situation.wanted.addons if misfit(situation, deployment, model)
    ]
    later = [time for time in (*overdue, *unlisted, *misfits) if time is not None and time >= situation.now]
    times = [time for time, _ in due] + later
    return Rest(min(times)) if times else None


def observed_addons(observed: Observed) -> tuple[DeployedModel, ...] | None:
    """Return the addons that are loaded on an observed deployment; None if that is not known."""
    return observed.addons if isinstance(observed, Present) else None


def _decide_unlisted(context: Context) -> Rest:
    """Change nothing about addons that nobody knows, and look again when that is to be told."""
    if context.addons_unlisted is None:
        return Rest()  # their LIST is on its way
    until = context.addons_unlisted.since + REST_PATIENCE
    return Rest(until if until > context.now else None)


def _due(situation: Situation, step: Step, *, refused: bool) -> datetime:
    """Return when a step may be taken: at once, unless it was refused or has not lasted."""
    context = situation.context
    times = [context.now]
    if refused:
        times.append(retry_at(situation))
    if isinstance(step, UpdateAddon) and step.deployed_model in context.addon_updates and not context.skip_pauses:
        times.append(context.addon_updates[step.deployed_model] + ADDON_PAUSE)
    if isinstance(step, LoadAddon) and step.model in context.addon_loads and not context.skip_pauses:
        times.append(context.addon_loads[step.model] + ADDON_PAUSE)
    return max(times)


def retry_at(situation: Situation) -> datetime:
    """Return when the addons that were refused are tried again, one after the other."""
    attempt = situation.attempt_of(*ADDON_ACTIONS)
    return situation.now if attempt is None or situation.context.skip_pauses else pause_until(attempt, REFUSED)


def overdue_at(
    resource: FireworksDeployment, deployment: Deployment, addon: DeployedModel, now: datetime
) -> datetime | None:
    """Return when an addon has been loading for too long; None while it is not, or no replica can load it."""
    if addon.state != "DEPLOYING" or addon.create_time is None or deployment.replica_stats.ready == 0:
        return None
    available = (each for each in resource.status.conditions if each.type == ConditionType.AVAILABLE)
    serving = next((each.last_transition_time for each in available if each.status == "True"), now)
    if serving > now:
        return addon.create_time + ADDON_PATIENCE  # a clock was ahead when that was written
    return max(addon.create_time, serving) + ADDON_PATIENCE


def _steps(
    situation: Situation, deployment: Deployment, addons: tuple[DeployedModel, ...]
) -> Iterator[tuple[str, Step]]:
    """Yield all that differs, each with its model."""
    wanted, loaded, target = situation.wanted.addons, addons_by_model(addons), deployment.name
    exchanges = merges(deployment) and bool(wanted)
    for model in () if exchanges else _recorded(situation):
        if model not in wanted and model in loaded and loaded[model].state != "UNDEPLOYING":
            yield model, UnloadAddon(target, model, loaded[model].name)
    for model, addon in wanted.items():
        update = addon_update(target, addon, loaded[model]) if model in loaded else None
        if update is not None:
            yield model, update
    if deployment.state == "READY":
        for model, addon in wanted.items():
            if model not in loaded and misfit(situation, deployment, model) is None:
                yield model, LoadAddon(target, model, _load_body(model, addon, target), replaces=exchanges)


def merges(deployment: Deployment) -> bool:
    """Tell whether a deployment has one addon, merged into its base model, that gives way to the next one loaded."""
    return deployment.raw.get("enableHotReloadLatestAddon") is True


def misfit(situation: Situation, deployment: Deployment, model: str) -> str | None:
    """Say that an addon was trained on another base model than the deployment's; None as long as that is not known.

    A deployment of an addon that is merged into its base takes addons of that base.
    """
    record = situation.context.models.get(model)
    trained_on = "" if record is None else record.peft_details.base_model
    served = situation.context.models.get(deployment.base_model)
    fits = ("", deployment.base_model, "" if served is None else served.peft_details.base_model)
    if trained_on in fits:
        return None
    return (
        f"It was trained on {trained_on}, but the deployment serves {deployment.base_model}: remove it from "
        "spec.addons, or load it onto a deployment of its own base model."
    )


def decide_switching_off(situation: Situation, deployment: Deployment) -> UnloadAddon | Progress | Refuse | None:
    """Name the next unload before the deployment stops taking addons; None once none of ours is left."""
    unlisted = situation.context.addons_unlisted
    unload = next_unload(situation, deployment)
    if isinstance(unload, Pending | Progress):
        message = "Unloading the addons before addon support is turned off."
        if observed_addons(situation.observed) is None and unlisted is not None:
            message = f"{message} {unlisted_message(unlisted)}"
        return Progress(Reason.UPDATING, message)
    until = retry_at(situation)
    if unload is None or unload.model not in _refused(situation) or until <= situation.now:
        return unload
    return Refuse(
        Reason.ADDON_FAILED,
        f"Fireworks refuses to unload the addon {unload.model}, which must happen before addon support is turned "
        "off. The operator retries automatically; to keep addon support on until then, set spec.enableAddons to true.",
        until,
    )


def unlisted_message(unlisted: Unlisted) -> str:
    """Say that nobody knows which addons are loaded."""
    return f"The loaded addons cannot be listed: {unlisted.diagnosis.message}"


def next_unload(situation: Situation, deployment: Deployment) -> UnloadAddon | Pending | Progress | None:
    """Name the next unload before the deployment is deleted: only addons that this resource loaded."""
    recorded = _recorded(situation)
    if not recorded:
        return None
    addons = observed_addons(situation.observed)
    if addons is None:
        return Pending()
    for addon in addons:
        if addon.model in recorded:
            if addon.state == "UNDEPLOYING":
                return Progress(Reason.DELETING, "Unloading the addons before the deployment is deleted.")
            return UnloadAddon(deployment.name, addon.model, addon.name)
    return None


def _refused(situation: Situation) -> frozenset[str]:
    return frozenset(addon.model for addon in situation.status.addons or () if addon.message)


def _recorded(situation: Situation) -> tuple[str, ...]:
    return tuple(addon.model for addon in situation.status.addons or ())


def _load_body(model: str, addon: Addon, deployment: str) -> dict[str, JsonValue]:
    return {"model": model, "deployment": deployment, **_settings(addon)}


def _settings(addon: Addon) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = addon.to_wire()
    settings.pop("model")
    return settings


def addon_update(target: str, addon: Addon, loaded: DeployedModel) -> UpdateAddon | None:
    """Name the change that makes a loaded addon what the spec says, None if it is."""
    if loaded.state not in ("DEPLOYED", "DEPLOYING"):
        return None
    empty: dict[str, JsonValue] = {"displayName": "", "description": "", "default": False, "public": False}
    body = {key: value for key, value in _settings(addon).items() if loaded.raw.get(key, empty[key]) != value}
    if not body:
        return None
    masks = {"displayName": "display_name"}
    return UpdateAddon(target, loaded.name, body, tuple(masks.get(key, key) for key in body))
