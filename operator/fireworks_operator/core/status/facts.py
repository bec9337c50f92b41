"""The parts of status that are copied from an observed deployment, and what they come to."""

from datetime import datetime
from typing import TypeVar

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import (
    ConditionStatus,
    Effective,
    EffectivePlacement,
    FireworksDeployment,
    FireworksDeploymentStatus,
    Identifier,
    Replicas,
)
from fireworks_operator.core.desired.fields import get
from fireworks_operator.core.identity import model_identifier
from fireworks_operator.fireworks.models import DeployedModel, Deployment

T = TypeVar("T")
_STARTING = frozenset({Reason.RECOVERING, Reason.WAKING})
ADDON_REASONS = frozenset({Reason.LOADING_ADDONS, Reason.ADDON_FAILED})
"""Why a resource may not be Ready although its deployment is all that the spec asks for."""


def replicas(deployment: Deployment, waiting_since: datetime | None) -> Replicas:
    """Return the replica counts by stage, and since when there are too few."""
    stats = deployment.replica_stats
    return Replicas(
        desired=deployment.desired_replica_count,
        ready=stats.ready,
        pending_scheduling=stats.pending_scheduling,
        downloading_model=stats.downloading_model,
        initializing=stats.initializing,
        revocable=stats.revocable,
        # While a replica starts, every fraction would be a write: ten are enough.
        effective=None if stats.effective is None else round(stats.effective, 1),
        waiting_since=waiting_since,
    )


def identifiers(deployment: Deployment, *, default: bool) -> list[Identifier]:
    """Return what reaches the deployment as model of an inference request (Fireworks: on-demand deployments, querying).

    `default` tells that its model's name alone does, too.
    """
    found = [
        Identifier(kind="ModelAndDeployment", value=model_identifier(deployment.base_model, deployment.name)),
        Identifier(kind="Deployment", value=deployment.name),
    ]
    return [*found, Identifier(kind="Model", value=deployment.base_model)] if default else found


def is_default(deployed: DeployedModel, deployment: Deployment) -> bool:
    """Tell whether a deployed model is the one by which requests for the base model alone go to the deployment."""
    ours = deployed.deployment == deployment.name and deployed.model == deployment.base_model
    return ours and deployed.default and deployed.state == "DEPLOYED"


def effective(deployment: Deployment) -> Effective:
    """Return what the server decided where the user left it open; absent what it does not tell."""
    return Effective(
        accelerator_type=_told(deployment.accelerator_type),
        accelerator_count=_told(deployment.accelerator_count),
        precision=_told(deployment.precision),
        min_replica_count=deployment.min_replica_count,
        max_replica_count=deployment.max_replica_count,
        scale_up_window=_told(deployment.scale_up_window),
        scale_down_window=_told(deployment.scale_down_window),
        scale_to_zero_window=_told(deployment.scale_to_zero_window),
        draft_model=_told(deployment.draft_model),
        draft_token_count=_told(deployment.draft_token_count),
        ngram_speculation_length=_told(deployment.ngram_speculation_length),
        deployment_shape=_told(deployment.deployment_shape),
        region=_told(deployment.region),
        scaling_schedules=_told(_schedules(deployment)),
        load_targets=_told(deployment.load_targets),
        placement=_placement(deployment),
        max_context_length=deployment.max_context_length,
        max_concurrency_per_replica=deployment.max_concurrency_per_replica,
        # Only here does it make a difference whether the server tells.
        enable_addons=None if deployment.raw.get("enableAddons") is None else deployment.enable_addons,
        long_prompt=deployment.long_prompt,
        preemptible=deployment.preemptible,
        deployment_template=_told(deployment.deployment_template),
        active_model_version=_told(deployment.active_model_version),
        target_model_version=_told(deployment.target_model_version),
    )


def _told(value: T) -> T | None:
    """Return a value, None for an empty one: the server leaves it out."""
    return value or None


def _placement(deployment: Deployment) -> EffectivePlacement | None:
    found = EffectivePlacement(
        region=deployment.placement_region or None,
        multi_region=deployment.placement_multi_region or None,
        regions=list(deployment.placement_regions) or None,
    )
    return None if found == EffectivePlacement() else found


def _schedules(deployment: Deployment) -> list[str]:
    """Return the names of the scaling schedules that are not disabled."""
    found = get(deployment.raw, ("autoscalingPolicy", "scalingSchedules"))
    schedules = found.items() if isinstance(found, dict) else ()
    return sorted(name for name, each in schedules if not (isinstance(each, dict) and each.get("disabled")))


def is_ready(resource: FireworksDeployment) -> bool:
    """Tell whether the resource was Ready for the spec as it is now."""
    current = resource.status.observed_generation == resource.metadata.generation
    return current and has_condition(resource.status, ConditionType.READY)


def was_settled(resource: FireworksDeployment) -> bool:
    """Tell whether the deployment was as the spec asks as it is now, whatever became of the addons."""
    current = resource.status.observed_generation == resource.metadata.generation
    addons_alone = (
        each.type == ConditionType.READY and each.reason in ADDON_REASONS for each in resource.status.conditions
    )
    return is_ready(resource) or (current and any(addons_alone))


def has_condition(status: FireworksDeploymentStatus, kind: ConditionType, value: ConditionStatus = "True") -> bool:
    """Tell whether a condition is there and is True, or what is asked for."""
    return any(each.type == kind and each.status == value for each in status.conditions)


def is_down(status: FireworksDeploymentStatus) -> bool:
    """Tell whether a deployment that served should serve and has had no ready replica for longer than usual."""
    if status.replicas is None or status.replicas.ready > 0 or status.replicas.waiting_since is None:
        return False
    starting = (each.type == ConditionType.READY and each.reason in _STARTING for each in status.conditions)
    overdue = any(starting) and not has_condition(status, ConditionType.READY)
    return overdue or has_condition(status, ConditionType.CAPACITY_PENDING)
