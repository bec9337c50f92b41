"""How far a deployment is on its way to serving."""

from enum import StrEnum

from fireworks_operator.api.v1alpha1 import FireworksDeploymentStatus


class Stage(StrEnum):
    """What a replica goes through, in this order (Fireworks REST reference, replicaStats)."""

    SCHEDULING = "scheduling"
    DOWNLOADING = "downloading"
    INITIALIZING = "initializing"
    READY = "ready"


STAGES = tuple(Stage)


def stage_of(status: FireworksDeploymentStatus) -> Stage | None:
    """Return the stage of the most advanced replica; None where none is on its way, or nothing is known."""
    replicas = status.replicas
    if replicas is None:
        return Stage.SCHEDULING if status.state == "CREATING" else None
    counts = {
        Stage.READY: replicas.ready,
        Stage.INITIALIZING: replicas.initializing,
        Stage.DOWNLOADING: replicas.downloading_model,
        Stage.SCHEDULING: replicas.pending_scheduling,
    }
    on_its_way = replicas.desired > 0 or status.state == "CREATING"
    return next((stage for stage, count in counts.items() if count > 0), Stage.SCHEDULING if on_its_way else None)


def stage_text(stage: Stage) -> str:
    """Return the stage for those who see no bar: `initializing (stage 3 of 4)`."""
    return f"{stage} (stage {STAGES.index(stage) + 1} of {len(STAGES)})"
