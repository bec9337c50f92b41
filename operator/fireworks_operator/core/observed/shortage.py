"""Replicas that should be there and are not: since when, and until when that is nothing unusual."""

from datetime import datetime, timedelta

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.fireworks.models import Deployment

START_PATIENCE = timedelta(minutes=3)
"""How long the replicas of a new deployment may wait for a node before it is called a lack of capacity."""
LOSS_PATIENCE = timedelta(minutes=2)
"""How long none may be ready where minReplicaCount asks for one: a rolling update, or a node that is replaced."""
WAKE_PATIENCE = timedelta(minutes=15)
"""How long a deployment that may scale to zero may take to wake."""
PART_PATIENCE = timedelta(minutes=10)
"""How long some of the replicas may be missing while others serve."""
CLOCKS_DIFFER = timedelta(minutes=1)
"""How much later than Kubernetes' clock the one of Fireworks may be taken to be; no deployment serves so soon."""

SWITCHED_OFF = frozenset({Reason.PARKED, Reason.EXPIRED, Reason.BUDGET_EXCEEDED})
"""Why a deployment has no replica and no request brings one."""
_ASLEEP = SWITCHED_OFF | {Reason.SCALED_TO_ZERO, Reason.WAKING}
_SERVED = _ASLEEP | {Reason.SERVING, Reason.RECOVERING, Reason.REPLICAS_LOST}
ENDED = frozenset({"FAILED", "DELETING", "DELETED"})
"""States of a deployment that has no replicas to come."""


def served_before(resource: FireworksDeployment) -> bool:
    """Tell whether the deployment has served, or was asleep, since it was created or brought back."""
    replicas = resource.status.replicas
    waits = replicas is not None and replicas.waiting_since is not None
    return waits or _available_for(resource) in _SERVED


def never_served(resource: FireworksDeployment, deployment: Deployment) -> bool:
    """Tell whether the deployment certainly has not served anything yet: the status has told so since before it was.

    A status that was lost, or that had nothing to tell for a while, does not tell that.
    """
    available = next((each for each in resource.status.conditions if each.type == ConditionType.AVAILABLE), None)
    if available is None or available.status != "False" or deployment.create_time is None:
        return False
    watched = available.last_transition_time <= deployment.create_time + CLOCKS_DIFFER
    return watched and deployment.replica_stats.ready == 0 and not served_before(resource)


def is_lost(resource: FireworksDeployment, deployment: Deployment) -> bool:
    """Tell whether having no replica is a loss: one is always asked for, and none is being woken."""
    return deployment.min_replica_count > 0 and _available_for(resource) not in _ASLEEP


def only_pending(deployment: Deployment) -> bool:
    """Tell whether every replica still waits for a node."""
    stats = deployment.replica_stats
    return stats.pending_scheduling > 0 and stats.downloading_model == stats.initializing == stats.ready == 0


def none_coming(deployment: Deployment) -> bool:
    """Tell whether no replica is in any stage before ready."""
    stats = deployment.replica_stats
    return stats.pending_scheduling == stats.downloading_model == stats.initializing == 0


def is_short(deployment: Deployment) -> bool:
    """Tell whether none is ready, or some are missing that are not even loading, of the replicas that there should be.

    There should be as many as the autoscaler wants, and at least minReplicaCount.
    """
    stats = deployment.replica_stats
    wanted = min(max(deployment.min_replica_count, deployment.desired_replica_count), deployment.max_replica_count)
    if stats.ready == 0:
        return wanted > 0
    started = stats.ready + stats.initializing + stats.downloading_model
    return stats.ready < wanted and (stats.pending_scheduling > 0 or started < wanted)


def waiting_since(resource: FireworksDeployment, deployment: Deployment, now: datetime) -> datetime | None:
    """Return since when a deployment that served is short of replicas; None if it is not.

    It is what the status says. It begins anew when the last ready replica goes, and when it lies in the future since a
    clock was ahead.
    """
    served = deployment.replica_stats.ready > 0 or served_before(resource)
    if deployment.state in ENDED or not served or not is_short(deployment):
        return None
    before = resource.status.replicas
    if before is None or before.waiting_since is None or before.waiting_since > now:
        return now
    lost_the_last = deployment.replica_stats.ready == 0 and before.ready > 0
    return now if lost_the_last else before.waiting_since


def patience_ends(resource: FireworksDeployment, deployment: Deployment, now: datetime) -> datetime | None:
    """Return when replicas are missing for longer than usual, which may have been; None if none is missing."""
    since = waiting_since(resource, deployment, now)
    if since is not None:
        if deployment.replica_stats.ready > 0:
            return since + PART_PATIENCE
        return since + (LOSS_PATIENCE if is_lost(resource, deployment) else WAKE_PATIENCE)
    if served_before(resource) or not only_pending(deployment) or deployment.create_time is None:
        return None
    begun: datetime = max((deployment.create_time, *(resource.status.recreations or ())))
    return begun + START_PATIENCE


def _available_for(resource: FireworksDeployment) -> str | None:
    conditions = resource.status.conditions
    return next((each.reason for each in conditions if each.type == ConditionType.AVAILABLE), None)
