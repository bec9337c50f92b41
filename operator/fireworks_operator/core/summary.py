"""The parts of status that are copied from an observed deployment, and what they come to."""

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import Effective, FireworksDeployment, Replicas
from fireworks_operator.fireworks.models import Deployment


def replicas(deployment: Deployment) -> Replicas:
    """Return the replica counts by stage."""
    stats = deployment.replica_stats
    return Replicas(
        desired=deployment.desired_replica_count,
        ready=stats.ready,
        pending_scheduling=stats.pending_scheduling,
        downloading_model=stats.downloading_model,
        initializing=stats.initializing,
    )


def effective(deployment: Deployment) -> Effective:
    """Return what the server decided where the user left it open; absent what it does not tell."""
    return Effective(
        accelerator_type=deployment.accelerator_type or None,
        accelerator_count=deployment.accelerator_count or None,
        precision=deployment.precision or None,
        min_replica_count=deployment.min_replica_count,
        max_replica_count=deployment.max_replica_count,
        scale_up_window=deployment.scale_up_window or None,
        scale_down_window=deployment.scale_down_window or None,
        scale_to_zero_window=deployment.scale_to_zero_window or None,
        draft_model=deployment.draft_model or None,
        draft_token_count=deployment.draft_token_count or None,
        ngram_speculation_length=deployment.ngram_speculation_length or None,
        deployment_shape=deployment.deployment_shape or None,
        region=deployment.region or None,
    )


def is_ready(resource: FireworksDeployment) -> bool:
    """Tell whether the resource was Ready for the spec as it is now."""
    current = resource.status.observed_generation == resource.metadata.generation
    return current and any(
        each.type == ConditionType.READY and each.status == "True" for each in resource.status.conditions
    )
