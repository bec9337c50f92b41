"""Which LoRA addon is to be loaded, changed or unloaded next."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import Addon, FireworksDeployment
from fireworks_operator.fireworks.models import DeployedModel

from .actions import Action, LoadAddon, Refuse, UnloadAddon, UpdateAddon, Wait
from .context import REST_PATIENCE, Context, Unlisted
from .identity import account_of, full_model_name
from .observed import Present
from .retry import REFUSED, attempt_of, pause_until

ADDON_ACTIONS = (LoadAddon.name, UpdateAddon.name, UnloadAddon.name)
"""Attempts in `status.lastAttempt` that share one pause: only the last one is remembered."""
ADDON_PATIENCE = timedelta(minutes=15)
"""How long an addon may load: ten minutes are usual at most."""
ADDON_PAUSE = timedelta(minutes=5)
"""Least time between two changes of one addon for the same spec: what does not last is not fought over."""
LISTED_WITHIN = timedelta(minutes=2)
"""How long a loaded addon may be missing in lists, which lag, until that is told."""

Step = LoadAddon | UpdateAddon | UnloadAddon


def uses_addons(resource: FireworksDeployment) -> bool:
    """Tell whether the loaded addons of the resource's deployment matter."""
    return bool(resource.spec.addons or resource.status.addons)


def wants_addons(resource: FireworksDeployment) -> bool:
    """Tell whether the spec wants the deployment to take addons."""
    return bool(resource.spec.addons or resource.spec.enable_addons)


def wanted_addons(resource: FireworksDeployment, account: str) -> dict[str, Addon]:
    """Return the spec's addons by their full model names."""
    return {full_model_name(account, addon.model): addon for addon in resource.spec.addons or ()}


def addons_by_model(addons: tuple[DeployedModel, ...]) -> Mapping[str, DeployedModel]:
    """Return loaded addons by their models; one that is being unloaded gives way to its successor."""
    leaving_first = sorted(addons, key=lambda each: each.state != "UNDEPLOYING")
    return {each.model: each for each in leaving_first}


def decide_addons(resource: FireworksDeployment, observed: Present, context: Context) -> Action | None:
    """Name the next step for the addons of a live deployment, None when they are as desired."""
    if not uses_addons(resource):
        return None
    if observed.addons is None:
        return _decide_unlisted(context)
    refused = _refused(resource)
    # What was refused goes last, so that it cannot keep the rest from being done.
    steps = sorted(_steps(resource, observed, observed.addons), key=lambda step: step[0] in refused)
    due = [(_due(resource, step, context, refused=model in refused), step) for model, step in steps]
    for time, step in due:
        if time <= context.now:
            return step
    overdue = [overdue_at(resource, observed, each, context.now) for each in observed.addons]
    unlisted = [loaded + LISTED_WITHIN for loaded in context.addon_loads.values()]
    later = [time for time in (*overdue, *unlisted) if time is not None and time >= context.now]
    times = [time for time, _ in due] + later
    return Wait(min(times)) if times else None


def _decide_unlisted(context: Context) -> Wait:
    """Change nothing about addons that nobody knows, and look again when that is to be told."""
    if context.addons_unlisted is None:
        return Wait()  # their LIST is on its way
    until = context.addons_unlisted.since + REST_PATIENCE
    return Wait(until if until > context.now else None)


def _due(resource: FireworksDeployment, step: Step, context: Context, *, refused: bool) -> datetime:
    """Return when a step may be taken: at once, unless it was refused or has not lasted."""
    times = [context.now]
    if refused:
        times.append(retry_at(resource, context))
    if isinstance(step, UpdateAddon) and step.deployed_model in context.addon_updates and not context.forced:
        times.append(context.addon_updates[step.deployed_model] + ADDON_PAUSE)
    if isinstance(step, LoadAddon) and step.model in context.addon_loads and not context.forced:
        times.append(context.addon_loads[step.model] + ADDON_PAUSE)
    return max(times)


def retry_at(resource: FireworksDeployment, context: Context) -> datetime:
    """Return when the addons that were refused are tried again, one after the other."""
    attempt = attempt_of(resource, *ADDON_ACTIONS)
    return context.now if attempt is None or context.forced else pause_until(attempt, REFUSED)


def overdue_at(
    resource: FireworksDeployment, observed: Present, addon: DeployedModel, now: datetime
) -> datetime | None:
    """Return when an addon has been loading for too long; None while it is not, or no replica can load it."""
    if addon.state != "DEPLOYING" or addon.create_time is None or observed.deployment.replica_stats.ready == 0:
        return None
    available = (each for each in resource.status.conditions if each.type == ConditionType.AVAILABLE)
    serving = next((each.last_transition_time for each in available if each.status == "True"), now)
    if serving > now:
        return addon.create_time + ADDON_PATIENCE  # a clock was ahead when that was written
    return max(addon.create_time, serving) + ADDON_PATIENCE


def _steps(
    resource: FireworksDeployment, observed: Present, addons: tuple[DeployedModel, ...]
) -> Iterator[tuple[str, Step]]:
    """Yield all that differs, each with its model."""
    wanted = wanted_addons(resource, account_of(observed.deployment.name))
    loaded = addons_by_model(addons)
    for model in _recorded(resource):
        if model not in wanted and model in loaded and loaded[model].state != "UNDEPLOYING":
            yield model, UnloadAddon(model, loaded[model].name)
    for model, addon in wanted.items():
        update = addon_update(addon, loaded[model]) if model in loaded else None
        if update is not None:
            yield model, update
    if observed.deployment.state == "READY":
        for model, addon in wanted.items():
            if model not in loaded:
                yield model, LoadAddon(model, _load_body(model, addon, observed.deployment.name))


def decide_switching_off(resource: FireworksDeployment, observed: Present, context: Context) -> Action | None:
    """Name the next unload before the deployment stops taking addons; None once none of ours is left."""
    meanwhile = Wait(None, Reason.UPDATING, "Unloading the addons before the deployment stops taking any.")
    if observed.addons is None and context.addons_unlisted is not None:
        meanwhile = replace(meanwhile, message=f"{meanwhile.message} {unlisted_message(context.addons_unlisted)}")
    unload = next_unload(resource, observed)
    if isinstance(unload, Wait):
        return meanwhile
    until = retry_at(resource, context)
    if not isinstance(unload, UnloadAddon) or unload.model not in _refused(resource) or until <= context.now:
        return unload
    return Refuse(
        Reason.ADDON_FAILED,
        f"Fireworks refuses to unload the addon {unload.model}, which comes before the deployment stops taking addons. "
        "It is tried again by itself; to keep addons switched on meanwhile, set spec.enableAddons to true.",
        until,
    )


def unlisted_message(unlisted: Unlisted) -> str:
    """Say that nobody knows which addons are loaded."""
    return f"The loaded addons cannot be listed: {unlisted.explanation.message}"


def next_unload(resource: FireworksDeployment, observed: Present) -> Action | None:
    """Name the next unload before the deployment is deleted: only addons that this resource loaded."""
    recorded = _recorded(resource)
    if not recorded:
        return None
    if observed.addons is None:
        return Wait()
    for addon in observed.addons:
        if addon.model in recorded:
            if addon.state == "UNDEPLOYING":
                return Wait(None, Reason.DELETING, "Unloading the addons before the deployment is deleted.")
            return UnloadAddon(addon.model, addon.name)
    return None


def _refused(resource: FireworksDeployment) -> frozenset[str]:
    return frozenset(addon.model for addon in resource.status.addons or () if addon.message)


def _recorded(resource: FireworksDeployment) -> tuple[str, ...]:
    return tuple(addon.model for addon in resource.status.addons or ())


def _load_body(model: str, addon: Addon, deployment: str) -> dict[str, JsonValue]:
    return {"model": model, "deployment": deployment, **_settings(addon)}


def _settings(addon: Addon) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = addon.to_wire()
    settings.pop("model")
    return settings


def addon_update(addon: Addon, loaded: DeployedModel) -> UpdateAddon | None:
    """Name the change that makes a loaded addon what the spec says, None if it is."""
    if loaded.state not in ("DEPLOYED", "DEPLOYING"):
        return None
    empty: dict[str, JsonValue] = {"displayName": "", "description": "", "default": False, "public": False}
    body = {key: value for key, value in _settings(addon).items() if loaded.raw.get(key, empty[key]) != value}
    if not body:
        return None
    masks = {"displayName": "display_name"}
    return UpdateAddon(loaded.name, body, tuple(masks.get(key, key) for key in body))
