"""What a deployment's replicas are doing, in the words of the conditions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.fireworks.models import Deployment

from .observed import Observed, Present

CAPACITY_PATIENCE = timedelta(minutes=3)
"""How long replicas may wait for a node before it is called a lack of capacity."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Whether requests are answered now, and why not. `settled` means that this is how it is meant to be."""

    available: bool
    settled: bool
    reason: Reason
    message: str


def only_pending(deployment: Deployment) -> bool:
    """Tell whether every replica still waits for a node."""
    stats = deployment.replica_stats
    return stats.pending_scheduling > 0 and stats.downloading_model == stats.initializing == stats.ready == 0


def serving(deployment: Deployment, *, served_before: bool, now: datetime) -> Serving:
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
    if (
        not served_before
        and only_pending(deployment)
        and deployment.create_time is not None
        and now - deployment.create_time >= CAPACITY_PATIENCE
    ):
        return Serving(False, False, Reason.CAPACITY_PENDING, _capacity_message(deployment))
    reason = Reason.WAKING if served_before else Reason.CREATING
    return Serving(False, served_before, reason, f"Replicas are {_stage(deployment)}.")


def _capacity_message(deployment: Deployment) -> str:
    return (
        f"Fireworks has no free {deployment.accelerator_type or 'GPUs'} for the replicas yet; nothing is billed "
        "meanwhile. Wait, or choose another acceleratorType or a wider placement."
    )


def _stage(deployment: Deployment) -> str:
    stats = deployment.replica_stats
    stages = (
        (stats.initializing, "initializing"),
        (stats.downloading_model, "downloading the model"),
        (stats.pending_scheduling, "waiting for GPUs"),
    )
    return next((text for count, text in stages if count > 0), "being requested")


def running_cost(observed: Observed) -> str:
    """Say what goes on costing money, e.g. `still running 2 x 4 NVIDIA_H100_80GB`."""
    if not isinstance(observed, Present):
        return "nothing is known to run"
    deployment = observed.deployment
    replicas = max(deployment.replica_count, deployment.replica_stats.ready)
    if replicas == 0:
        return "no replica is running"
    return f"still running {replicas} x {deployment.accelerator_count or 1} {deployment.accelerator_type or 'GPU'}"
