"""How things stand: the four summary conditions, from the observation and what the pass did."""

from dataclasses import dataclass
from datetime import datetime

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import ConditionStatus, FireworksDeployment

from .actions import Action, AddFinalizer, Adopt, Claim, Create, Delete, Refuse, Undelete, UnloadAddon, Update, Wait
from .addons import ADDON_ACTIONS, wants_addons
from .context import Context
from .explain import Explanation, explain
from .observed import Absent, Observed, Present, Unknown
from .outcome import Outcome
from .replicas import Serving, serving, shortage
from .retry import CREATIONS, attempt_of, known_reason
from .summary import is_ready


@dataclass(frozen=True, slots=True)
class Verdict:
    """The four summary conditions in the making; None leaves Available as it is."""

    ready: tuple[ConditionStatus, Reason, str]
    reconciling: tuple[bool, Reason, str]
    stalled: tuple[bool, Reason, str]
    available: tuple[ConditionStatus, Reason, str] | None


Capacity = tuple[bool, Reason, str]
"""Whether replicas are missing for longer than usual, and why."""

_STATES = frozenset({"CREATING", "READY", "UPDATING", "FAILED", "DELETING", "DELETED"})
"""Every state of the Fireworks REST reference (deployments) but STATE_UNSPECIFIED."""
_ENDED = frozenset({"FAILED", "DELETING", "DELETED"})
_ADDON_REFUSALS = frozenset({Reason.ADDON_FAILED, Reason.QUOTA_EXCEEDED, Reason.PERMISSION_DENIED})
"""What keeps an addon from being loaded, changed or unloaded, and concerns nothing else."""


def judge(resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context) -> Verdict:
    """Say how things stand after a pass, in the words of the four summary conditions."""
    available = _available(resource, observed, context)
    if outcome.error is not None:
        explanation = explain(outcome.error, outcome.action)
        addons_alone = outcome.action.name in ADDON_ACTIONS and explanation.reason in _ADDON_REFUSALS
        if addons_alone and resource.metadata.deletion_timestamp is None:
            return _resting(resource, available, observed)
        return _troubled(explanation, available)
    action = outcome.action
    if isinstance(action, Refuse):
        return _troubled(Explanation(action.reason, action.message, final=True), available)
    if resource.metadata.deletion_timestamp is not None:
        return _progressing(
            Reason.DELETING, getattr(action, "message", "") or "The deployment is being deleted.", available
        )
    refused = _refused_before(resource, outcome, context)
    if refused is not None:
        return _troubled(refused, available)
    if isinstance(action, Wait) and action.reason is not None:
        if action.reason in (Reason.UPDATING, Reason.CREATING):
            return _progressing(action.reason, action.message, available)
        return _troubled(Explanation(action.reason, action.message, final=False), available)
    if isinstance(action, Adopt) and is_ready(resource):
        return _resting(resource, available, observed)  # only its marker is written again
    if isinstance(action, Create) and isinstance(observed, Present) and observed.deployment.state == "CREATING":
        return _resting(resource, available, observed)  # the answer tells as much as the next LIST would
    if isinstance(action, AddFinalizer | Claim | Create | Adopt | Undelete) or not isinstance(observed, Present):
        return _progressing(*_beginning(action, observed), available)
    last_addons_leave = isinstance(action, UnloadAddon) and not wants_addons(resource)
    if isinstance(action, Update) or (isinstance(action, Delete) and action.hard) or last_addons_leave:
        return _progressing(Reason.UPDATING, _action_message(action), available)
    return _resting(resource, available, observed)


def _refused_before(resource: FireworksDeployment, outcome: Outcome, context: Context) -> Explanation | None:
    """Return why a create request was refused that is now sent again unasked: until its answer nothing is new."""
    sending = isinstance(outcome.action, Claim) or (isinstance(outcome.action, Create) and outcome.begun)
    if not sending or context.forced or attempt_of(resource, *CREATIONS) is None:
        return None
    stalled = (each for each in resource.status.conditions if each.type == ConditionType.STALLED)
    told = next((each for each in stalled if each.status == "True"), None)
    return None if told is None else Explanation(known_reason(told.reason), told.message, final=True)


def _beginning(action: Action, observed: Observed) -> tuple[Reason, str]:
    if isinstance(action, Undelete):
        return Reason.CREATING, "The deployment was deleted and is being brought back."
    if isinstance(action, Claim | Adopt) and isinstance(observed, Present) and observed.deployment.state != "DELETED":
        return Reason.PROGRESSING, "The deployment exists already and is being taken over."
    return Reason.CREATING, "The deployment is being created."


def _action_message(action: Action) -> str:
    if isinstance(action, Update):
        return "Changing " + ", ".join(f"spec.{field}" for field in action.fields) + "."
    if isinstance(action, UnloadAddon):
        return f"Unloading the addon {action.model}."
    if isinstance(action, Delete) and action.ignore_checks:
        return "The former deployment of this name is deleted for good, since it cannot become what the spec says."
    return "The failed deployment is being replaced."


def _available(resource: FireworksDeployment, observed: Observed, context: Context) -> Serving | None:
    """Return what the replicas say; None where nothing is known, so that Available stays as it is."""
    if isinstance(observed, Present):
        deployment = observed.deployment
        if deployment.state in _ENDED and deployment.replica_stats.ready == 0:
            reason = Reason.DEPLOYMENT_FAILED if deployment.state == "FAILED" else Reason.DELETING
            return Serving(False, False, reason, f"The deployment is {deployment.state}.")
        if deployment.state not in _STATES and deployment.replica_stats.ready == 0:
            return Serving(False, False, Reason.UNKNOWN_STATE, _unknown_state(deployment.state).message)
        return serving(resource, deployment, context.now)
    if isinstance(observed, Absent):
        return Serving(False, False, Reason.CREATING, "There is no deployment at Fireworks.")
    return None


def judge_capacity(resource: FireworksDeployment, observed: Observed, now: datetime) -> Capacity | None:
    """Say whether replicas are missing for longer than usual; None where nothing is known, so that it stays so."""
    if isinstance(observed, Unknown):
        return None
    known = isinstance(observed, Present) and observed.deployment.state in _STATES - _ENDED
    if not isinstance(observed, Present) or not known or resource.metadata.deletion_timestamp is not None:
        return _ENOUGH
    found = shortage(resource, observed.deployment, now)
    return _ENOUGH if found is None else (True, *found)


def _unknown_state(state: str) -> Explanation:
    named = f'"{state}"' if state else "missing"
    return Explanation(
        Reason.UNKNOWN_STATE,
        f"The state of the deployment is {named}, which this version of the operator does not know: look at it in the "
        "Fireworks console, or run a newer version. Ready says more when Fireworks names a state that is known.",
        final=False,
    )


def _available_condition(available: Serving | None) -> tuple[ConditionStatus, Reason, str] | None:
    if available is None:
        return None
    return ("True" if available.available else "False", available.reason, available.message)


_AT_REST = (False, Reason.AS_DESIRED, "")
_ENOUGH: Capacity = (False, Reason.AS_DESIRED, "No replica has been missing for longer than usual.")


def _troubled(explanation: Explanation, available: Serving | None) -> Verdict:
    ready: ConditionStatus = "False" if explanation.final else "Unknown"
    told = (explanation.reason, explanation.message)
    return Verdict(
        ready=(ready, *told),
        reconciling=_AT_REST if explanation.final else (True, *told),
        stalled=(True, *told) if explanation.final else _AT_REST,
        available=_available_condition(available),
    )


def _progressing(reason: Reason, message: str, available: Serving | None) -> Verdict:
    return Verdict(("False", reason, message), (True, reason, message), _AT_REST, _available_condition(available))


def _always_one(observed: Observed) -> bool:
    return isinstance(observed, Present) and observed.deployment.min_replica_count > 0


def _resting(resource: FireworksDeployment, available: Serving | None, observed: Observed) -> Verdict:
    """Nothing is left to do; Ready if the deployment serves, or does not on purpose."""
    if available is None:
        return _progressing(Reason.PROGRESSING, "The deployment is being looked at.", None)
    told = (available.reason, available.message)
    state = observed.deployment.state if isinstance(observed, Present) else "READY"
    if state not in _STATES:
        return _troubled(_unknown_state(state), available)
    on_its_way = available.reason in (Reason.RECOVERING, Reason.WAKING)
    if state == "UPDATING" and (not is_ready(resource) if available.settled else on_its_way):
        return _progressing(Reason.UPDATING, "Fireworks is putting the change into force.", available)
    if available.reason is Reason.WAKING and not available.settled and _always_one(observed):
        # minReplicaCount was raised while it was asleep.
        return _progressing(Reason.UPDATING, available.message, available)
    if state == "CREATING" or not available.settled:
        reason, message = (
            told if not available.available else (Reason.CREATING, "Fireworks is still creating the deployment.")
        )
        return _progressing(reason, message, available)
    # Waking, too: traffic does that, not a change, and who waits for a change must not wait, or fail, over it. The same
    # goes for a replica that is lost and replaced. Both only for as long as usual.
    return Verdict(("True", *told), _AT_REST, _AT_REST, _available_condition(available))
