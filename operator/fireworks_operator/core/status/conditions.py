"""How things stand: the four summary conditions and CapacityPending, from the situation and what the pass did."""

from dataclasses import dataclass, replace

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import ConditionStatus, FireworksDeployment
from fireworks_operator.core.actions import (
    Action,
    AddFinalizer,
    Adopt,
    Choose,
    Claim,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    Park,
    PrepareModel,
    Progress,
    Refuse,
    RemoveFinalizer,
    RouterChange,
    SetDeployedModel,
    SetReplacement,
    SetRouter,
    SetTags,
    Trouble,
    Undelete,
    UnloadAddon,
    Update,
)
from fireworks_operator.core.decisions.addons import ADDON_ACTIONS, wants_addons
from fireworks_operator.core.decisions.fallback import after_refusal, explain_refusal
from fireworks_operator.core.decisions.preparation import preparing
from fireworks_operator.core.decisions.replacement import blocked, replacing
from fireworks_operator.core.desired.choices import is_given_up
from fireworks_operator.core.diagnosis import Diagnosis, diagnose
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.observed.shortage import ENDED, SWITCHED_OFF
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import CREATIONS, known_reason
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.successor import has_been_handed_back

from .facts import is_ready, was_settled
from .parked import parking_change
from .replicas import Serving, serving_or_parked, shortage


@dataclass(frozen=True, slots=True)
class Summary:
    """The four summary conditions in the making; None leaves Available as it is."""

    ready: tuple[ConditionStatus, Reason, str]
    reconciling: tuple[bool, Reason, str]
    stalled: tuple[bool, Reason, str]
    available: tuple[ConditionStatus, Reason, str] | None


Capacity = tuple[bool, Reason, str]
"""Whether replicas are missing for longer than usual, and why."""

_ROUTER_CHANGES = {
    CreateRouter: "Creating the router",
    SetRouter: "Changing the router",
    DeleteRouter: "Deleting the router",
}
_STATES = frozenset({"CREATING", "READY", "UPDATING", "FAILED", "DELETING", "DELETED"})
"""Every state of the Fireworks REST reference (deployments) but STATE_UNSPECIFIED."""
_ADDON_REFUSALS = frozenset({Reason.ADDON_FAILED, Reason.QUOTA_EXCEEDED, Reason.PERMISSION_DENIED})
"""What keeps an addon from being loaded, changed or unloaded, and concerns nothing else."""


_UNTIL_TRAFFIC = frozenset({Reason.SCALED_TO_ZERO, Reason.WAKING})
"""Without a replica, and it is not for the operator to bring one."""


def summarize(situation: Situation, outcome: Outcome) -> Summary:
    """Say how things stand after a pass, in the words of the four summary conditions."""
    action, available = outcome.action, _available(situation)
    if outcome.error is not None:
        diagnosis = diagnose(outcome.error, action)
        addons_alone = action.name in ADDON_ACTIONS and diagnosis.reason in _ADDON_REFUSALS
        if addons_alone and not situation.is_deleting:
            return _resting(situation, available)
        return _falling_back(situation, outcome, diagnosis, available) or _troubled(
            explain_refusal(situation, outcome, diagnosis), available
        )
    if isinstance(action, Refuse):
        return _troubled(Diagnosis(action.reason, action.message, needs_user=True), available)
    if situation.is_deleting:
        message = action.message if isinstance(action, Progress | Trouble | RemoveFinalizer) else ""
        return _progressing(Reason.DELETING, message or "The deployment is being deleted.", available)
    refused = _refused_before(situation, outcome)
    if refused is not None:
        return _troubled(refused, available)
    if isinstance(action, Choose):
        return _progressing(Reason.FALLING_BACK, action.message, available)
    if isinstance(action, SetDeployedModel | RouterChange) and has_been_handed_back(situation.resource):
        waits = blocked(situation)
        return _progressing(waits.reason, waits.message, available)
    if isinstance(action, SetReplacement):  # what else is to be done the next pass finds out
        return _progressing(Reason.REPLACING, action.message, available)
    return _summarize_action(situation, action, available)


def _falling_back(
    situation: Situation, outcome: Outcome, diagnosis: Diagnosis, available: Serving | None
) -> Summary | None:
    """Say what follows a refusal that another choice is to get around; None if it is none, or none is left."""
    moved = after_refusal(situation, outcome)
    if moved is not None and not moved.exhausted:
        return _progressing(Reason.FALLING_BACK, moved.message, available)
    deletes = isinstance(outcome.action, Delete) and is_given_up(situation.resource) and not situation.is_deleting
    told = _progressing(Reason.FALLING_BACK, diagnosis.message, available)
    return told if deletes and diagnosis.reason is Reason.DELETION_BLOCKED else None


def include_addons(situation: Situation, summary: Summary, trouble: Diagnosis | None) -> Summary:
    """Take Ready back from a deployment whose addons are not what the spec asks for; Available is not theirs."""
    ready, reason, _ = summary.ready
    # What is switched off on purpose can load nothing, whatever Fireworks says of a try.
    if trouble is None or ready != "True" or reason in SWITCHED_OFF:
        return summary
    if trouble.reason is not Reason.LOADING_ADDONS:
        return replace(_troubled(trouble, None), available=summary.available)
    message = trouble.message
    if summary.available is not None and summary.available[0] == "True":
        message = f"The base model is serving. {message}"
    elif reason in _UNTIL_TRAFFIC or is_ready(situation.resource):
        return summary  # without a replica none can be loaded: who waits for a change must not wait for traffic
    return replace(_progressing(trouble.reason, message, None), available=summary.available)


def _summarize_action(situation: Situation, action: Action, available: Serving | None) -> Summary:
    """Say what an action comes to that has been carried out, or is about to be."""
    observed = situation.observed
    match action:
        case Progress(reason, message):
            return _progressing(reason, message, available)
        case Trouble(reason, message):
            return _troubled(Diagnosis(reason, message, needs_user=False), available)
        case PrepareModel(model=model, precision=precision):
            return _progressing(Reason.PREPARING_MODEL, preparing(model, precision), available)
        case Adopt() | Update() | SetDeployedModel() if _is_no_change_of_the_spec(action, situation.resource):
            return _resting(situation, available)
        case _ if not isinstance(observed, Present):
            return _progressing(*_beginning(action, observed), available)
        case Create() if observed.deployment.state == "CREATING":
            return _resting(situation, available)  # the answer tells as much as the next LIST would
        case AddFinalizer() | Claim() | Create() | Adopt() | Undelete():
            return _progressing(*_beginning(action, observed), available)
        case Park() | Update() if (told := parking_change(situation, action)) is not None:
            return _progressing(Reason.UPDATING, told, available)
        case Update() | SetTags() | SetDeployedModel() | Delete() | CreateRouter() | SetRouter() | DeleteRouter():
            return _progressing(_change(action), _action_message(action, situation.resource), available)
        case UnloadAddon() if not wants_addons(situation.resource):
            return _progressing(Reason.UPDATING, _action_message(action, situation.resource), available)
    return _resting(situation, available)


def _is_no_change_of_the_spec(action: Action, resource: FireworksDeployment) -> bool:
    """Tell whether an action does nothing that anybody waits for who waits for the spec to be in force."""
    match action:
        case Adopt(by_request=False) | Update(is_of_keys_alone=True):
            return was_settled(resource)  # only its marker, or the API keys of its direct route, are written again
        case SetDeployedModel(inherited=inherited):
            return inherited
    return False


def _refused_before(situation: Situation, outcome: Outcome) -> Diagnosis | None:
    """Return why a create request was refused that is now sent again unasked: until its answer nothing is new."""
    sending = isinstance(outcome.action, Claim) or (isinstance(outcome.action, Create) and outcome.begun)
    if not sending or situation.context.skip_pauses or situation.attempt_of(*CREATIONS) is None:
        return None
    stalled = (each for each in situation.status.conditions if each.type == ConditionType.STALLED)
    told = next((each for each in stalled if each.status == "True"), None)
    return None if told is None else Diagnosis(known_reason(told.reason), told.message, needs_user=True)


def _beginning(action: Action, observed: Observed) -> tuple[Reason, str]:
    if isinstance(action, Undelete):
        return Reason.CREATING, "The deployment was deleted and is being restored."
    if isinstance(action, Claim | Adopt) and isinstance(observed, Present) and observed.deployment.state != "DELETED":
        return Reason.PROGRESSING, "The deployment already exists and is being adopted."
    return Reason.CREATING, "The deployment is being created."


def _change(action: Action) -> Reason:
    return Reason.REPLACING if isinstance(action, Delete) and action.replaces else Reason.UPDATING


def _action_message(action: Action, resource: FireworksDeployment) -> str:
    if isinstance(action, Update | SetTags | SetDeployedModel):
        return "Changing " + ", ".join(f"spec.{field}" for field in action.fields) + "."
    if isinstance(action, UnloadAddon):
        return f"Unloading the addon {action.model}."
    if isinstance(action, CreateRouter | SetRouter | DeleteRouter):
        return f"{_ROUTER_CHANGES[type(action)]} {action.router}."
    if isinstance(action, Delete) and is_given_up(resource):
        return "The deployment that waits for GPUs is deleted, to be created with the next choice."
    if isinstance(action, Delete) and action.replaces:
        return replacing(action.replaces)
    if isinstance(action, Delete) and action.ignore_checks:
        return (
            "The previous deployment of this name is being deleted permanently because it cannot be changed to match "
            "the spec."
        )
    return "The failed deployment is being replaced."


def _available(situation: Situation) -> Serving | None:
    """Return what the replicas say; None where nothing is known, so that Available stays as it is."""
    observed = situation.observed
    if isinstance(observed, Present):
        deployment = observed.deployment
        if deployment.state in ENDED and deployment.replica_stats.ready == 0:
            reason = Reason.DEPLOYMENT_FAILED if deployment.state == "FAILED" else Reason.DELETING
            return Serving(False, False, reason, f"The deployment is {deployment.state}.")
        if deployment.state not in _STATES and deployment.replica_stats.ready == 0:
            return Serving(False, False, Reason.UNKNOWN_STATE, _unknown_state(deployment.state).message)
        return serving_or_parked(situation, deployment)
    if isinstance(observed, Absent):
        return Serving(False, False, Reason.CREATING, "There is no deployment at Fireworks.")
    return None


def summarize_capacity(situation: Situation) -> Capacity | None:
    """Say whether replicas are missing for longer than usual; None where nothing is known, so that it stays so."""
    observed = situation.observed
    if isinstance(observed, Unknown):
        return None
    known = isinstance(observed, Present) and observed.deployment.state in _STATES - ENDED
    if not isinstance(observed, Present) or not known or situation.is_deleting:
        return _ENOUGH
    found = shortage(situation.resource, observed.deployment, situation.now)
    return _ENOUGH if found is None else (True, *found)


def _unknown_state(state: str) -> Diagnosis:
    named = f'"{state}"' if state else "missing"
    return Diagnosis(
        Reason.UNKNOWN_STATE,
        f"The state of the deployment is {named}, which this version of the operator does not know: check it in the "
        "Fireworks console, or upgrade the operator. Ready is updated once Fireworks reports a known state.",
        needs_user=False,
    )


def _available_condition(available: Serving | None) -> tuple[ConditionStatus, Reason, str] | None:
    if available is None:
        return None
    return ("True" if available.available else "False", available.reason, available.message)


_AT_REST = (False, Reason.AS_DESIRED, "")
_ENOUGH: Capacity = (False, Reason.AS_DESIRED, "No replica has been missing for longer than usual.")


def _troubled(diagnosis: Diagnosis, available: Serving | None) -> Summary:
    ready: ConditionStatus = "False" if diagnosis.needs_user else "Unknown"
    told = (diagnosis.reason, diagnosis.message)
    return Summary(
        ready=(ready, *told),
        reconciling=_AT_REST if diagnosis.needs_user else (True, *told),
        stalled=(True, *told) if diagnosis.needs_user else _AT_REST,
        available=_available_condition(available),
    )


def _progressing(reason: Reason, message: str, available: Serving | None) -> Summary:
    return Summary(("False", reason, message), (True, reason, message), _AT_REST, _available_condition(available))


def _resting(situation: Situation, available: Serving | None) -> Summary:
    """Nothing is left to do; Ready if the deployment serves, or does not on purpose."""
    if available is None:
        return _progressing(Reason.PROGRESSING, "Waiting for the first observation.", None)
    told = (available.reason, available.message)
    deployment = situation.observed.deployment if isinstance(situation.observed, Present) else None
    state = deployment.state if deployment is not None else "READY"
    if state not in _STATES:
        return _troubled(_unknown_state(state), available)
    on_its_way = available.reason in (Reason.RECOVERING, Reason.WAKING)
    if state == "UPDATING" and (not was_settled(situation.resource) if available.settled else on_its_way):
        return _progressing(Reason.UPDATING, "Fireworks is applying the change.", available)
    always_one = deployment is not None and deployment.min_replica_count > 0
    if available.reason is Reason.WAKING and not available.settled and always_one:
        # minReplicaCount was raised while it was asleep.
        return _progressing(Reason.UPDATING, available.message, available)
    if state == "CREATING" or not available.settled:
        reason, message = (
            told if not available.available else (Reason.CREATING, "Fireworks is still creating the deployment.")
        )
        return _progressing(reason, message, available)
    # Waking, too: traffic does that, not a change, and who waits for a change must not wait, or fail, over it. The same
    # goes for a replica that is lost and replaced. Both only for as long as usual.
    return Summary(("True", *told), _AT_REST, _AT_REST, _available_condition(available))
