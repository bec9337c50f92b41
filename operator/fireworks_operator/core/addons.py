"""Which LoRA addon is to be loaded, changed or unloaded next."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import Addon, FireworksDeployment
from fireworks_operator.fireworks.models import DeployedModel

from .actions import Action, LoadAddon, UnloadAddon, UpdateAddon, Wait
from .context import Context
from .identity import account_of, full_model_name
from .observed import Present
from .retry import REFUSED, attempt_of, pause_until

ADDON_ACTIONS = (LoadAddon.name, UpdateAddon.name, UnloadAddon.name)
"""Attempts in `status.lastAttempt` that share one pause: only the last one is remembered."""
ADDON_PATIENCE = timedelta(minutes=15)
"""How long an addon may load: ten minutes are usual at most."""


def uses_addons(resource: FireworksDeployment) -> bool:
    """Tell whether the loaded addons of the resource's deployment matter."""
    return bool(resource.spec.addons or resource.status.addons)


def wanted_addons(resource: FireworksDeployment, account: str) -> dict[str, Addon]:
    """Return the spec's addons by their full model names."""
    return {full_model_name(account, addon.model): addon for addon in resource.spec.addons or ()}


def decide_addons(resource: FireworksDeployment, observed: Present, context: Context) -> Action | None:
    """Name the next step for the addons of a live deployment, None when they are as desired."""
    if not uses_addons(resource):
        return None
    if observed.addons is None:
        return Wait()
    steps = list(_steps(resource, observed, observed.addons))
    attempt = attempt_of(resource, *ADDON_ACTIONS)
    if not steps:
        return _wait_for_loading(observed.addons, context)
    if attempt is None or context.forced:
        return steps[0]
    until = pause_until(attempt, REFUSED)
    if until > context.now:
        return Wait(until)
    # What was refused last goes last, so that it cannot keep the rest from being done.
    return min(steps, key=lambda step: step.name == attempt.action)


def _wait_for_loading(addons: tuple[DeployedModel, ...], context: Context) -> Wait | None:
    """Look again when the first addon has been loading for too long."""
    begun = (each.create_time for each in addons if each.state == "DEPLOYING" and each.create_time is not None)
    due = [time + ADDON_PATIENCE for time in begun if time + ADDON_PATIENCE >= context.now]
    return Wait(min(due)) if due else None


def _steps(
    resource: FireworksDeployment, observed: Present, addons: tuple[DeployedModel, ...]
) -> Iterator[LoadAddon | UpdateAddon | UnloadAddon]:
    wanted = wanted_addons(resource, account_of(observed.deployment.name))
    loaded = {addon.model: addon for addon in addons}
    for model in _recorded(resource):
        if model not in wanted and model in loaded and loaded[model].state != "UNDEPLOYING":
            yield UnloadAddon(model, loaded[model].name)
    for model, addon in wanted.items():
        update = _update(addon, loaded[model]) if model in loaded else None
        if update is not None:
            yield update
    if observed.deployment.state != "READY":
        return
    failed = {each.model for each in resource.status.addons or () if each.message}
    for model in sorted((each for each in wanted if each not in loaded), key=lambda name: name in failed):
        yield LoadAddon(model, _load_body(model, wanted[model], observed.deployment.name))


def decide_unload(resource: FireworksDeployment, observed: Present) -> Action | None:
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


def _recorded(resource: FireworksDeployment) -> tuple[str, ...]:
    return tuple(addon.model for addon in resource.status.addons or ())


def _load_body(model: str, addon: Addon, deployment: str) -> dict[str, JsonValue]:
    return {"model": model, "deployment": deployment, **_settings(addon)}


def _settings(addon: Addon) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = addon.to_wire()
    settings.pop("model")
    return settings


def _update(addon: Addon, loaded: DeployedModel) -> UpdateAddon | None:
    if loaded.state not in ("DEPLOYED", "DEPLOYING"):
        return None
    empty: dict[str, JsonValue] = {"displayName": "", "description": "", "default": False, "public": False}
    body = {key: value for key, value in _settings(addon).items() if loaded.raw.get(key, empty[key]) != value}
    if not body:
        return None
    masks = {"displayName": "display_name"}
    return UpdateAddon(loaded.name, body, tuple(masks.get(key, key) for key in body))
