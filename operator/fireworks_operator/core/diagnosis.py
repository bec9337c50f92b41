"""Errors of the Fireworks API, in the words of the conditions: which reason, what to do, whether it heals by itself."""

import re
from dataclasses import dataclass

from fireworks_operator.api.conditions import Reason
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError

from .actions import (
    Action,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    LoadAddon,
    PrepareModel,
    RouterChange,
    SetDeployedModel,
    UnloadAddon,
    Update,
    UpdateAddon,
)

_IN_USE = re.compile(r"inference requests in the last hour|ignore_checks", re.IGNORECASE)
_DEFAULT_DEPLOYMENT = re.compile(r"default deployment", re.IGNORECASE)
_ADDONS_LOADED = re.compile(r"\baddons?\b|\bdeployed models?\b|\bloras?\b", re.IGNORECASE)
_MODEL_MISSING = re.compile(r"\bmodel\b.*(not found|does not exist|no access|not have access)", re.IGNORECASE)
_SHAPE = re.compile(r"deployment[_ ]?shape|(?<![/-])shapeless|(?<![\w/-])shapes?(?![\w/-])", re.IGNORECASE)
"""A refusal that speaks of shapes; a model whose id has such a word in it does not."""
_ACCELERATOR = re.compile(r"accelerator_type must be specified", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an error means. `needs_user`: the user must act (Stalled); else it is retried by itself (Reconciling)."""

    reason: Reason
    message: str
    needs_user: bool


def diagnose(error: FireworksError, action: Action | None = None) -> Diagnosis:
    """Say what an error means for the resource; `action` None means that observing failed."""
    general = _GENERAL.get(error.kind)
    if isinstance(action, SetDeployedModel) and action.inherited and _is_refused(error):
        reason = Reason.REJECTED_BY_FIREWORKS if general is None else general[0]
        return Diagnosis(reason, _default_message(error, action), needs_user=True)
    if general is not None:
        reason, template, needs_user = general
        return Diagnosis(reason, template.format(words=_words(error), advice=error.advice or _NETWORK), needs_user)
    if action is None:  # a look asks for nothing that a spec says
        message = f"Fireworks refuses to answer: {_words(error)} The operator retries automatically."
        return Diagnosis(Reason.API_UNAVAILABLE, message, needs_user=False)
    if isinstance(action, Delete):
        return _diagnose_deletion(error, action)
    if isinstance(action, LoadAddon | UpdateAddon | UnloadAddon):
        return Diagnosis(Reason.ADDON_FAILED, _addon_message(error, action), needs_user=True)
    if isinstance(action, SetDeployedModel):
        return Diagnosis(
            Reason.REJECTED_BY_FIREWORKS,
            f"Fireworks refuses to change how its model reaches the deployment: {_words(error)} Correct "
            "spec.deployedModel; the operator retries automatically.",
            needs_user=True,
        )
    if isinstance(action, RouterChange):
        return Diagnosis(Reason.REJECTED_BY_FIREWORKS, _router_message(error, action), needs_user=True)
    of_model = error.kind is ErrorKind.NOT_FOUND and not _SHAPE.search(error.message)
    if of_model or _MODEL_MISSING.search(error.message):
        return Diagnosis(
            Reason.MODEL_NOT_FOUND,
            f"Fireworks cannot find a model that the spec refers to: {_words(error)} Check spec.baseModel, "
            "spec.draftModel and spec.addons, and that the API key's account has access to them.",
            needs_user=True,
        )
    return Diagnosis(Reason.REJECTED_BY_FIREWORKS, _rejection_message(error, action), needs_user=True)


def _is_refused(error: FireworksError) -> bool:
    """Tell whether it is this very change that Fireworks refuses, perhaps to this API key."""
    return error.kind not in _GENERAL or error.kind is ErrorKind.PERMISSION_DENIED


_NETWORK = "Check FIREWORKS_BASE_URL, DNS and the network policy"
_GENERAL: dict[ErrorKind, tuple[Reason, str, bool]] = {
    ErrorKind.UNREACHABLE: (
        Reason.API_UNAVAILABLE,
        "The Fireworks API cannot be reached: {words} {advice}; the operator retries automatically.",
        False,
    ),
    ErrorKind.NO_ANSWER: (
        Reason.API_UNAVAILABLE,
        "The Fireworks API did not return a usable response: {words} The operator retries automatically.",
        False,
    ),
    ErrorKind.PROTOCOL: (
        Reason.API_UNAVAILABLE,
        "The Fireworks API returned a response that the operator does not understand: {words} The operator retries "
        "automatically.",
        False,
    ),
    ErrorKind.WRONG_ENDPOINT: (
        Reason.API_UNAVAILABLE,
        "The response did not come from the Fireworks API: {words} Check FIREWORKS_BASE_URL and any proxy; the "
        "operator retries automatically.",
        False,
    ),
    ErrorKind.ABORTED: (
        Reason.API_UNAVAILABLE,
        "Fireworks aborted the request: {words} The operator retries automatically.",
        False,
    ),
    ErrorKind.RATE_LIMITED: (
        Reason.RATE_LIMITED,
        "Fireworks is rate-limiting this account; the operator resumes automatically.",
        False,
    ),
    ErrorKind.UNAUTHENTICATED: (
        Reason.CREDENTIALS_INVALID,
        "Fireworks does not accept the API key: {words} Put a valid key into the Secret; it is picked up "
        "within a minute.",
        True,
    ),
    ErrorKind.PERMISSION_DENIED: (
        Reason.PERMISSION_DENIED,
        "The API key is not allowed to do this: {words} Use a key of a user or service account with the role user or "
        "admin.",
        True,
    ),
    ErrorKind.SUSPENDED: (
        Reason.ACCOUNT_SUSPENDED,
        "Fireworks has suspended the account, or it has no credit left: {words} Resolve the billing issue at "
        "https://fireworks.ai/account/billing; the operator then resumes automatically.",
        True,
    ),
    ErrorKind.QUOTA_EXCEEDED: (
        Reason.QUOTA_EXCEEDED,
        "The account's quota does not cover this: {words} Request a higher quota from Fireworks, free GPUs "
        "elsewhere, or lower spec.maxReplicaCount or spec.acceleratorCount.",
        True,
    ),
}


def _words(error: FireworksError) -> str:
    text = error.message.strip() or f"HTTP status {error.status}"
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _diagnose_deletion(error: FireworksError, action: Delete) -> Diagnosis:
    if action.replaces:
        return Diagnosis(Reason.DELETION_BLOCKED, _replaced_message(error, action), needs_user=True)
    if needs_unloading(error, action):
        return Diagnosis(Reason.DELETING, "The addons are unloaded before the deployment is deleted.", needs_user=False)
    reason = Reason.DELETION_BLOCKED if not action.hard or action.ignore_checks else Reason.DEPLOYMENT_FAILED
    return Diagnosis(reason, _refused_deletion(error, action), needs_user=True)


def needs_unloading(error: FireworksError, action: Delete) -> bool:
    """Tell whether Fireworks refuses a deletion for the addons alone that were to go with the deployment."""
    in_the_way = _ADDONS_LOADED.search(error.message) and not _IN_USE.search(error.message)
    return action.with_addons and error.kind not in _GENERAL and bool(in_the_way)


def _refused_deletion(error: FireworksError, action: Delete) -> str:
    if action.hard:
        return _replacement_message(error)
    return _second_message(error) if action.of_two else _deletion_message(error)


def _second_message(error: FireworksError) -> str:
    """Say why the one of two deployments stays that is to go, and what lets it go."""
    if _IN_USE.search(error.message):
        return (
            "Fireworks refuses to delete this deployment because it has received inference requests in the last hour. "
            "The other one serves: have clients use status.modelIdentifier and wait (the operator retries "
            "automatically), or set spec.replacePolicy.ignoreChecks to true to delete it now."
        )
    if _DEFAULT_DEPLOYMENT.search(error.message):
        return (
            f"Fireworks refuses to delete this deployment: {_words(error)} Make another deployment the default for its "
            "model, or delete the model's other deployments first; the operator retries automatically."
        )
    if _ADDONS_LOADED.search(error.message):
        return (
            f"Fireworks refuses to delete this deployment: {_words(error)} Unload them in the Fireworks console, or "
            "set spec.replacePolicy.ignoreChecks to true to delete it along with them; the operator retries "
            "automatically."
        )
    return (
        f"Fireworks refuses to delete this deployment: {_words(error)} Delete it in the Fireworks console; the "
        "operator retries automatically."
    )


def _default_message(error: FireworksError, action: SetDeployedModel) -> str:
    """Say why a deployment does not become the default of its model, which the spec does not ask for."""
    general = _GENERAL.get(error.kind)
    why = _words(error) if general is None else general[1].format(words=_words(error), advice="")
    return (
        f"{action.target} is to be the default deployment of its model, as the one was in whose place it serves, and "
        f"Fireworks refuses that: {why} Or make it the default yourself, in the Fireworks console or with firectl; "
        "until then, requests that name the model alone go to the other one, which is kept. The operator retries "
        "automatically."
    )


def _deletion_message(error: FireworksError) -> str:
    if _IN_USE.search(error.message):
        return (
            "Fireworks refuses to delete the deployment because it has received inference requests in the last hour. "
            "Stop the traffic and wait (the operator retries automatically), or force the deletion now: kubectl "
            "annotate fireworksdeployment NAME fireworks.ai/ignore-checks=true"
        )
    if _DEFAULT_DEPLOYMENT.search(error.message):
        return (
            f"Fireworks refuses to delete the deployment: {_words(error)} Make another deployment the default for "
            "its model, or delete the model's other deployments first; the operator retries automatically."
        )
    if _ADDONS_LOADED.search(error.message):
        return (
            f"Fireworks refuses to delete the deployment: {_words(error)} Unload them in the Fireworks console, or "
            "delete the deployment along with them: kubectl annotate fireworksdeployment NAME "
            "fireworks.ai/ignore-checks=true. The operator retries automatically."
        )
    return (
        f"Fireworks refuses to delete the deployment: {_words(error)} The operator retries automatically; to leave "
        'the deployment at Fireworks, set the annotation fireworks.ai/abandon: "true".'
    )


def _replacement_message(error: FireworksError) -> str:
    """Say why a deployment that another one is to replace stays; the annotations act only on a resource's deletion."""
    if _DEFAULT_DEPLOYMENT.search(error.message):
        return (
            f"Fireworks refuses to delete the previous deployment, which is being replaced: {_words(error)} Make "
            "another deployment the default for its model, or delete the model's other deployments first; the operator "
            "retries automatically."
        )
    way_out = "Stop the traffic to it, or delete" if _IN_USE.search(error.message) else "Delete"
    return (
        f"Fireworks refuses to delete the previous deployment, which is being replaced: {_words(error)} {way_out} it "
        "in the Fireworks console; the operator retries automatically with increasing back-off."
    )


def _replaced_message(error: FireworksError, action: Delete) -> str:
    """Say why a deployment that spec.replacePolicy has deleted stays, and what lets it go."""
    fields = ", ".join(f"spec.{each}" for each in action.replaces)
    refused = f"Fireworks refuses to delete the deployment, which is to be created anew to change {fields}"
    if action.hard:
        return f"{refused}: {_words(error)} Delete it in the Fireworks console; the operator retries automatically."
    if _IN_USE.search(error.message):
        return (
            f"{refused}, because it has received inference requests in the last hour. It keeps serving unchanged. Stop "
            "the traffic and wait (the operator retries automatically), set spec.replacePolicy.ignoreChecks to true to "
            "delete it now, or put the old value back."
        )
    if _ADDONS_LOADED.search(error.message):
        return (
            f"{refused}: {_words(error)} It keeps serving unchanged. Set spec.replacePolicy.ignoreChecks to true to "
            "delete them along with it (those of spec.addons are loaded on the new one), remove them first, or put the "
            "old value back."
        )
    return (
        f"{refused}: {_words(error)} It keeps serving unchanged. Set spec.replacePolicy.ignoreChecks to true, or put "
        "the old value back; the operator retries automatically."
    )


def _addon_message(error: FireworksError, action: LoadAddon | UpdateAddon | UnloadAddon) -> str:
    if isinstance(action, UnloadAddon):
        return f"Fireworks refuses to unload the addon: {_words(error)} The operator retries automatically."
    if isinstance(action, LoadAddon) and error.kind is ErrorKind.ALREADY_EXISTS:
        return (
            f"Fireworks reports that the addon is already loaded but does not list it: {_words(error)} Unload it in "
            "the Fireworks console, or contact Fireworks support; the operator retries automatically with increasing "
            "back-off."
        )
    return (
        f"Fireworks refuses the addon: {_words(error)} Correct its entry in spec.addons, or the model itself; the "
        "operator retries automatically."
    )


def _router_message(error: FireworksError, action: RouterChange) -> str:
    if isinstance(action, DeleteRouter):
        return (
            f"Fireworks refuses to delete the router {action.router}: {_words(error)} Delete it in the Fireworks "
            "console; the operator retries automatically."
        )
    verb = "create" if isinstance(action, CreateRouter) else "change"
    return (
        f"Fireworks refuses to {verb} the router {action.router}: {_words(error)} Correct spec.router, or remove it; "
        "the operator retries automatically."
    )


def _rejection_message(error: FireworksError, action: Action) -> str:
    if isinstance(action, PrepareModel):
        return (
            f"Fireworks refuses to prepare {action.model} for {action.precision}: {_words(error)} Correct "
            "spec.precision, or remove spec.prepareModel and prepare the model yourself; the operator retries "
            "automatically."
        )
    verb = "create the deployment" if isinstance(action, Create) else "change the deployment"
    hint = "Fix the spec; the operator retries as soon as it changes."
    if _ACCELERATOR.search(error.message) or _SHAPE.search(error.message):
        hint = _hardware_hint(action)
    return f"Fireworks refuses to {verb}: {_words(error)} {hint}"


def _hardware_hint(action: Action) -> str:
    """Say what to write instead of the hardware that was refused, or that was missing."""
    asked = action.fields if isinstance(action, Create | Update) else ()
    if "deploymentShape" in asked:
        return "Set spec.deploymentShape to a shape of this model, or replace it by spec.acceleratorType."
    if "acceleratorType" in asked:
        return (
            "Set spec.deploymentShape instead of spec.acceleratorType, or turn on the operator's setting "
            "acceptShapelessRisk."
        )
    if isinstance(action, Create) and "deploymentShape" in action.body:
        return (
            "The spec names no hardware, so the operator asked for the default shape. Set spec.deploymentShape or "
            "spec.acceleratorType, or remove what the refusal names from the spec."
        )
    if isinstance(action, Create):
        return (
            "Set spec.acceleratorType (for example NVIDIA_H100_80GB) or spec.deploymentShape, or turn on the "
            "operator's setting defaultShape."
        )
    return "Set spec.deploymentShape to a shape of this model."
