"""`status.parked`: what a deployment gets back, for as long as it does not have it."""

from fireworks_operator.api.v1alpha1 import ManagementPolicy, Parked
from fireworks_operator.core.actions import Action, Delete, Park, Update
from fireworks_operator.core.desired.parking import BOUNDS
from fireworks_operator.core.observed.observation import Absent, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Situation


def parked_after(situation: Situation, outcome: Outcome) -> Parked | None:
    """Return the record after a step: made before the deployment is parked, dropped once it has its bounds back."""
    if isinstance(outcome.action, Park):
        return outcome.action.parked
    record, order = situation.status.parked, situation.parking
    if record is None or _is_void(situation, outcome):
        return None
    if order is not None:
        return record.model_copy(update={"reason": order.reason.value})
    return None if _is_restored(situation) else record


def _is_void(situation: Situation, outcome: Outcome) -> bool:
    """Tell whether there is nothing to give anything back to: it is let go, or gone and created anew by the spec."""
    action, observed = outcome.action, situation.observed
    deleted = isinstance(action, Delete) and action.hard and outcome.error is None
    gone = isinstance(observed, Absent) and observed.confirmed
    return deleted or gone or situation.spec.management_policy is ManagementPolicy.OBSERVE


def _is_restored(situation: Situation) -> bool:
    """Tell whether the deployment is seen to have its bounds back."""
    observed = situation.observed
    if not isinstance(observed, Present) or situation.is_deleting or observed.deployment.state == "DELETED":
        return False
    return not any(each.path in BOUNDS for each in situation.drift.changes)


def parking_change(situation: Situation, action: Action) -> str | None:
    """Say what a change of the bounds is for that no spec asks for; None of any other change."""
    order = situation.parking
    if isinstance(action, Update) and (situation.status.parked is None or not set(action.fields) & set(BOUNDS)):
        return None
    if order is None:
        return "The deployment is no longer parked: minReplicaCount and maxReplicaCount are being put back."
    return f"The deployment is being parked. {order.message}"
