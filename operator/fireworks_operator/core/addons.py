"""Which LoRA addon is to be loaded, changed or unloaded next."""

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import Addon, FireworksDeployment
from fireworks_operator.fireworks.models import DeployedModel

from .actions import Action, LoadAddon, UnloadAddon, UpdateAddon, Wait
from .context import Context
from .identity import account_of, full_model_name
from .observed import Present
from .retry import REFUSED, attempt_of, pause_until

LOAD_ADDON = "LoadAddon"
"""Name of the attempt in `status.lastAttempt`."""


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
    account = account_of(observed.deployment.name)
    wanted = wanted_addons(resource, account)
    loaded = {addon.model: addon for addon in observed.addons}
    for model in _recorded(resource):
        if model not in wanted and model in loaded and loaded[model].state != "UNDEPLOYING":
            return UnloadAddon(model, loaded[model].name)
    for model, addon in wanted.items():
        if model in loaded:
            update = _update(addon, loaded[model])
            if update is not None:
                return update
    missing = [model for model in wanted if model not in loaded]
    if not missing or observed.deployment.state != "READY":
        return None
    attempt = attempt_of(resource, LOAD_ADDON)
    if attempt is not None and not context.forced:
        until = pause_until(attempt, REFUSED)
        if until > context.now:
            return Wait(until)
    # One that failed before waits behind the others, so that it cannot keep them from loading.
    failed = {each.model for each in resource.status.addons or () if each.message}
    model = min(missing, key=lambda name: name in failed)
    return LoadAddon(model, _load_body(model, wanted[model], observed.deployment.name))


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
