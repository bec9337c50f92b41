"""`status.addons` and the condition AddonsReady."""

from collections.abc import Collection, Mapping

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import (
    Addon,
    AddonStatus,
    ConditionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
    ManagementPolicy,
)
from fireworks_operator.core.actions import Action, LoadAddon, UnloadAddon, UpdateAddon
from fireworks_operator.core.context import REST_PATIENCE, Context
from fireworks_operator.core.decisions.addons import (
    ADDON_ACTIONS,
    LISTED_WITHIN,
    addon_update,
    addons_by_model,
    merges,
    misfit,
    overdue_at,
    retry_at,
    unlisted_message,
)
from fireworks_operator.core.diagnosis import Diagnosis, diagnose
from fireworks_operator.core.identity import model_identifier
from fireworks_operator.core.observed.observation import Absent, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.errors import ErrorKind
from fireworks_operator.fireworks.models import DeployedModel, Deployment

from .facts import is_ready

_Addons = tuple[ConditionStatus, Reason, str]
"""What the condition AddonsReady says."""
NEVER_READY = (
    "Not loaded after 15 minutes. Check that its base model is the deployment's and that its rank and target "
    "modules are supported; to try again, remove it from spec.addons and put it back."
)


def report_addons(situation: Situation, outcome: Outcome) -> list[AddonStatus]:
    """Return the addons that are ours to unload: recorded before they are loaded, dropped once they are gone."""
    observed, wanted = situation.observed, situation.wanted.addons
    recorded = _tried(situation, outcome)
    if isinstance(observed, Absent) and observed.confirmed:
        # Nothing is loaded on what does not exist; the one that is created in its place starts without.
        return [AddonStatus(model=model, message=entry.message) for model, entry in recorded.items()]
    if not isinstance(observed, Present) or observed.addons is None:
        return list(recorded.values())
    deployment, loaded = observed.deployment, addons_by_model(observed.addons)
    entries = []
    for model, entry in (recorded | _found(situation, deployment, loaded, recorded)).items():
        if model in loaded and model in wanted:
            entries.append(_compared(situation, deployment, wanted[model], loaded[model], entry.message))
        elif model in loaded:
            entries.append(_entry(deployment, loaded[model], entry.message))
        elif model in wanted:
            entries.append(AddonStatus(model=model, message=entry.message or _missing(model, situation.context)))
    return entries


def _found(
    situation: Situation, deployment: Deployment, loaded: Mapping[str, DeployedModel], recorded: Collection[str]
) -> dict[str, AddonStatus]:
    """Return entries of addons that others loaded, ours once the spec names them, and of those that do not fit."""
    wanted = situation.wanted.addons
    others = {model: AddonStatus(model=model) for model in wanted if model in loaded and model not in recorded}
    unfit = {model: misfit(situation, deployment, model) for model in wanted if model not in loaded}
    return others | {model: AddonStatus(model=model, message=text) for model, text in unfit.items() if text is not None}


def _tried(situation: Situation, outcome: Outcome) -> dict[str, AddonStatus]:
    """Return the entries so far, and what a step of this pass has come to."""
    entries = {each.model: each for each in situation.status.addons or ()}
    model = _concerned(entries, outcome.action)
    if model is None:
        return entries
    if retry_at(situation) <= situation.now:
        # One is tried again, so all are: without its message, none of the others waits any longer.
        entries = {
            name: entry if name == model else entry.model_copy(update={"message": None})
            for name, entry in entries.items()
        }
    entry = entries.get(model, AddonStatus(model=model))
    entries[model] = entry.model_copy(update={"message": _refusal(situation, outcome, entry.message)})
    return entries


def _concerned(entries: Mapping[str, AddonStatus], action: Action) -> str | None:
    """Return the model that a step is about, None for a step about something else."""
    if isinstance(action, LoadAddon | UnloadAddon):
        return action.model
    if isinstance(action, UpdateAddon):
        return next((each.model for each in entries.values() if each.deployed_model == action.deployed_model), None)
    return None


def _refusal(situation: Situation, outcome: Outcome, told: str | None) -> str | None:
    """Return why Fireworks refuses the step; what was told before holds until it is known how a new try ends."""
    if outcome.error is None:
        return told if outcome.begun or isinstance(outcome.action, LoadAddon) else None
    found = isinstance(outcome.action, LoadAddon) and outcome.error.kind is ErrorKind.ALREADY_EXISTS
    if found and situation.attempt_of(*ADDON_ACTIONS) is None:
        return told  # the next LIST should show it
    diagnosis = diagnose(outcome.error, outcome.action)
    return diagnosis.message if diagnosis.needs_user else told


def _missing(model: str, context: Context) -> str | None:
    """Say that a load was accepted and yet came to nothing, as far as the lists tell."""
    loaded = context.addon_loads.get(model)
    if loaded is None or context.now - loaded < LISTED_WITHIN:
        return None
    return (
        "Fireworks accepted the addon but does not list it: check whether someone else unloads it, or contact "
        "Fireworks support. The operator retries automatically."
    )


def _compared(
    situation: Situation, deployment: Deployment, addon: Addon, loaded: DeployedModel, told: str | None
) -> AddonStatus:
    """Return the entry of an addon that is wanted and loaded, perhaps not as the spec says yet."""
    update = addon_update(deployment.name, addon, loaded)
    if update is None:
        return _entry(deployment, loaded, _trouble(situation, deployment, loaded))
    if told is not None:
        return _entry(deployment, loaded, told)
    if loaded.name in situation.context.addon_updates:
        fields = ", ".join(update.body)
        return _entry(
            deployment,
            loaded,
            f"Fireworks accepted the change of {fields}, but it was reverted: check whether someone else sets it "
            "differently, perhaps for another deployment with the same addon. The operator retries automatically.",
        )
    return _entry(deployment, loaded, None).model_copy(update={"state": "UPDATING"})


def _entry(deployment: Deployment, loaded: DeployedModel, message: str | None) -> AddonStatus:
    return AddonStatus(
        model=loaded.model,
        deployed_model=loaded.name,
        state=loaded.state,
        model_identifier=deployment.name if merges(deployment) else model_identifier(loaded.model, deployment.name),
        message=message,
    )


def _trouble(situation: Situation, deployment: Deployment, loaded: DeployedModel) -> str | None:
    """Say what is wrong with a loaded addon: Fireworks has no state for failure, so status and time tell."""
    if loaded.status_code not in ("", "OK"):
        why = (loaded.status_message or loaded.status_code).rstrip(".")
        return (
            f"Fireworks reports: {why}. Correct its entry in spec.addons, or the model itself; to try again, remove it "
            "from spec.addons and put it back."
        )
    overdue = overdue_at(situation.resource, deployment, loaded, situation.now)
    return NEVER_READY if overdue is not None and overdue < situation.now else None


def addon_condition(situation: Situation, status: FireworksDeploymentStatus) -> _Addons | None:
    """Return the condition AddonsReady, None where the spec has no addons and none refuses to go.

    `status` is the one in the making.
    """
    if status.deployment_name is None:
        return None
    failed = _failures(status.addons or ())
    if failed is not None:
        return "False", Reason.ADDON_FAILED, failed
    return _unlisted(situation, status) or _progress(situation.wanted.addons, status)


def addon_trouble(situation: Situation, status: FireworksDeploymentStatus) -> Diagnosis | None:
    """Say what is to be told by Ready of the addons that the spec names; None where nothing is.

    What does not leave is told by AddonsReady alone, and what is only observed is not for this resource to load.
    `status` is the one in the making.
    """
    wanted, observes = situation.wanted.addons, situation.spec.management_policy is ManagementPolicy.OBSERVE
    if not wanted or observes or status.deployment_name is None:
        return None
    failed = _failures([each for each in status.addons or () if each.model in wanted])
    if failed is not None:
        return Diagnosis(Reason.ADDON_FAILED, failed, needs_user=True)
    unlisted = situation.context.addons_unlisted
    if unlisted is not None and _unlisted(situation, status) is not None:
        # Who was Ready for this spec stays so: the last LIST is the last word.
        told = Diagnosis(unlisted.diagnosis.reason, unlisted_message(unlisted), unlisted.diagnosis.needs_user)
        return None if is_ready(situation.resource) else told
    progress = _progress(wanted, status)
    if progress is None or progress[0] == "True":
        return None
    return Diagnosis(Reason.LOADING_ADDONS, progress[2], needs_user=False)


def _failures(addons: Collection[AddonStatus]) -> str | None:
    """Return what is told of addons, each after its name; None where nothing is."""
    return "; ".join(f"{each.model}: {each.message}" for each in addons if each.message) or None


def _unlisted(situation: Situation, status: FireworksDeploymentStatus) -> _Addons | None:
    """Say that it cannot be known what is loaded, unless that was known a moment ago."""
    observed, context = situation.observed, situation.context
    unlisted = context.addons_unlisted
    hidden = isinstance(observed, Present) and observed.addons is None
    if unlisted is None or not hidden or not (situation.wanted.addons or status.addons):
        return None
    if _known_loaded(situation.resource) and context.now - unlisted.since < REST_PATIENCE:
        return None
    return "Unknown", unlisted.diagnosis.reason, unlisted_message(unlisted)


def _progress(wanted: Collection[str], status: FireworksDeploymentStatus) -> _Addons | None:
    """Say what of the wanted addons is not loaded yet."""
    if not wanted:
        return None
    loaded = {each.model for each in status.addons or () if each.state == "DEPLOYED"}
    waiting = [model for model in wanted if model not in loaded]
    if waiting:
        idle = status.replicas is not None and status.replicas.ready == 0
        until = ", until the deployment has a replica that can load them" if idle else ""
        return "False", Reason.ADDONS_LOADING, f"Waiting for {', '.join(waiting)}{until}."
    return "True", Reason.ADDONS_LOADED, f"{len(wanted)} loaded."


def _known_loaded(resource: FireworksDeployment) -> bool:
    """Tell whether all addons of the spec as it is now were seen loaded last."""
    return any(
        each.type == ConditionType.ADDONS_READY
        and each.status == "True"
        and each.observed_generation == resource.metadata.generation
        for each in resource.status.conditions
    )
