"""What parking a deployment takes: its bounds are written down, then set to 0, and nothing is created meanwhile."""

from dataclasses import replace

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Park, Refuse
from fireworks_operator.core.desired.drift import Drift
from fireworks_operator.core.desired.fields import SCHEDULES
from fireworks_operator.core.desired.parking import BOUNDS, ParkingOrder, record_of
from fireworks_operator.core.observed.history import history
from fireworks_operator.core.pauses import freed_at
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment


def decide_parking(situation: Situation, deployment: Deployment) -> Park | Refuse | None:
    """Write down what the deployment gets back, before it is parked; one that has ended stays as it is."""
    order = situation.parking
    if order is None:
        return None
    if deployment.state == "DELETED":
        return Refuse(
            order.reason,
            f"{order.message} The deployment was deleted outside Kubernetes and is not restored meanwhile.",
            freed_at(deployment, situation.now),
        )
    if deployment.state == "FAILED" and deployment.replica_stats.ready == 0:
        why = deployment.status_message.rstrip(".") or "no reason given"
        return Refuse(order.reason, f"{order.message} The deployment has failed ({why}) and is not replaced meanwhile.")
    if situation.status.parked is not None:
        return None
    applied = history(situation.resource, deployment) or ()
    return Park(deployment.name, record_of(order, situation.now, deployment, situation.wanted.values, applied))


def refuse_to_create(situation: Situation) -> Refuse | None:
    """Refuse to create what would be parked at once; None if nothing is to be parked."""
    order = situation.parking
    if order is None:
        return None
    message = (
        f"{order.message} The deployment was not created before, nor is it now."
        if situation.status.create_time is None
        else f"{order.message} The deployment was deleted outside Kubernetes and is not recreated meanwhile."
    )
    return Refuse(order.reason, message, order.until)


def only_parking(situation: Situation) -> Situation | None:
    """Return the situation with nothing to change but what parks the deployment; None if it is parked.

    Parking does not wait until all else that the spec asks for is accepted.
    """
    if situation.parking is None:
        return None
    due = tuple(each for each in situation.drift.changes if each.path in BOUNDS)
    schedules = tuple(each for each in situation.drift.changes if each.path.startswith(SCHEDULES))
    return replace(situation, drift=Drift(due + schedules)) if due else None


def rest_parked(situation: Situation) -> Refuse | None:
    """Say that a person must do something about what parks the deployment; what has expired is as it was asked for."""
    order: ParkingOrder | None = situation.parking
    return None if order is None or order.reason is Reason.EXPIRED else Refuse(order.reason, order.message, order.until)
