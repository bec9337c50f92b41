"""What a deployment's replicas are doing, in the words of the conditions."""

from dataclasses import dataclass, replace
from datetime import datetime

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.desired.choices import tried_before
from fireworks_operator.core.observed.history import created_here
from fireworks_operator.core.observed.shortage import (
    is_lost,
    never_served,
    none_coming,
    only_pending,
    patience_ends,
    served_before,
)
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

from .facts import was_settled

MISSING = frozenset({Reason.CAPACITY_PENDING, Reason.REPLICAS_LOST})
"""Why a deployment has no replica, or too few, for longer than usual."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Whether requests are answered now, and why not. `settled` means that this is how it is meant to be."""

    available: bool
    settled: bool
    reason: Reason
    message: str


def serving(resource: FireworksDeployment, deployment: Deployment, now: datetime) -> Serving:
    """Describe a live deployment by its replicas: READY is no proof of serving, a ready replica is."""
    stats = deployment.replica_stats
    if stats.ready > 0:
        return Serving(
            True,
            True,
            Reason.SERVING,
            f"{stats.ready} of {max(deployment.desired_replica_count, stats.ready)} replicas serving.",
        )
    if deployment.max_replica_count == 0 and deployment.state == "READY":
        return Serving(False, True, Reason.PARKED, "spec.maxReplicaCount is 0: switched off, nothing is billed.")
    idle = deployment.min_replica_count == 0 and deployment.desired_replica_count == 0
    if idle and deployment.state == "READY":
        return Serving(
            False,
            True,
            Reason.SCALED_TO_ZERO,
            "Scaled to zero for lack of traffic; the next request wakes a replica, which takes minutes.",
        )
    return _without_replica(resource, deployment, now)


def serving_or_parked(situation: Situation, deployment: Deployment) -> Serving:
    """Describe a live deployment by its replicas; one that the operator parks is not switched off by its spec."""
    found, order = serving(situation.resource, deployment, situation.now), situation.parking
    if order is None or found.reason is not Reason.PARKED:
        return found
    return replace(found, reason=order.reason, message=order.message)


def _without_replica(resource: FireworksDeployment, deployment: Deployment, now: datetime) -> Serving:
    """Describe a deployment that should have a ready replica and has none."""
    served = served_before(resource)
    overdue = is_overdue(resource, deployment, now)
    if overdue and only_pending(deployment):
        return Serving(False, False, Reason.CAPACITY_PENDING, _no_gpus(resource, deployment, served=served))
    if not served:
        return Serving(False, False, Reason.CREATING, f"Replicas are {_stage(deployment)}.")
    if overdue and none_coming(deployment):
        return Serving(
            False,
            False,
            Reason.REPLICAS_LOST,
            "No replica is left, and Fireworks is not starting another one: check the deployment in the Fireworks "
            "console, or contact Fireworks support. The operator continues automatically once a replica is ready.",
        )
    # Who asks for one replica at least is only Ready without if that was so before: a new spec is not in force yet.
    settled = not overdue and (deployment.min_replica_count == 0 or was_settled(resource))
    if is_lost(resource, deployment):
        return Serving(False, settled, Reason.RECOVERING, f"No replica is left; new ones are {_stage(deployment)}.")
    return Serving(False, settled, Reason.WAKING, f"Replicas are {_stage(deployment)}.")


def shortage(resource: FireworksDeployment, deployment: Deployment, now: datetime) -> tuple[Reason, str] | None:
    """Say which replicas have been missing for longer than usual without being on their way; None if none have."""
    if not is_overdue(resource, deployment, now):
        return None
    if deployment.replica_stats.ready == 0:
        found = serving(resource, deployment, now)
        return (found.reason, found.message) if found.reason in MISSING else None
    if deployment.replica_stats.pending_scheduling > 0:
        return (
            Reason.CAPACITY_PENDING,
            f"Fireworks has no free {_gpus(deployment)} for some of the replicas, which are not billed meanwhile; "
            "the others are serving. They start automatically once GPUs are available. If that takes too long, "
            "choose another acceleratorType or a wider placement with spec.replacePolicy.type BlueGreen, or spread the "
            "load over a second resource.",
        )
    return (
        Reason.REPLICAS_LOST,
        "Fewer replicas are serving than requested, and Fireworks is not starting more: check the deployment in the "
        "Fireworks console, or contact Fireworks support.",
    )


def is_overdue(resource: FireworksDeployment, deployment: Deployment, now: datetime) -> bool:
    """Tell whether replicas have been missing for longer than usual."""
    ends = patience_ends(resource, deployment, now)
    return ends is not None and ends <= now


def _no_gpus(resource: FireworksDeployment, deployment: Deployment, *, served: bool) -> str:
    gpus = _gpus(deployment)
    if served:
        return (
            f"No replica is left, and Fireworks has no free {gpus} for another one; nothing is billed meanwhile. It "
            "starts automatically once GPUs are available; alternatively, choose another acceleratorType or a wider "
            "placement with spec.replacePolicy.type BlueGreen."
        )
    return (
        f"Fireworks has no free {gpus} for the replicas yet; nothing is billed meanwhile. Wait, or choose another "
        f"acceleratorType or a wider placement.{_outlook(resource, deployment)}"
    )


def _outlook(resource: FireworksDeployment, deployment: Deployment) -> str:
    """Say what follows, or was tried before; nothing where fallbacks do not apply."""
    applies = created_here(resource, deployment) and never_served(resource, deployment)
    if not resource.spec.fallbacks or not applies:
        return ""
    choice = resource.status.choice
    tried = "" if choice is None or not choice.given_up else f" {tried_before(choice.given_up)}"
    return f"{tried} After spec.fallbackAfter, the next of spec.fallbacks is tried, each at most once an hour."


def _gpus(deployment: Deployment) -> str:
    return deployment.accelerator_type or "GPUs"


def _stage(deployment: Deployment) -> str:
    stats = deployment.replica_stats
    stages = (
        (stats.initializing, "initializing"),
        (stats.downloading_model, "downloading the model"),
        (stats.pending_scheduling, "waiting for GPUs"),
    )
    return next((text for count, text in stages if count > 0), "being requested")
