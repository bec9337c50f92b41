"""States in which nothing is to be done, and how to get there."""

from collections.abc import Callable

from .conditions import not_applied
from .team import AnyTeam


def ready(team: AnyTeam) -> None:
    """Have a resource that serves."""
    team.create()
    team.until_ready()


def _scaled_to_zero(team: AnyTeam) -> None:
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until_ready()
    team.pass_time(301)
    team.until("chat", "Ready", "True", "ScaledToZero")


def _parked(team: AnyTeam) -> None:
    team.create(minReplicaCount=0, maxReplicaCount=0)
    team.until("chat", "Ready", "True", "Parked")


def _creating(team: AnyTeam) -> None:
    team.simulator.timing(downloading=6000)
    team.create()
    team.eventually(lambda: team.status().get("replicas", {}).get("downloadingModel") == 1, "the model is loaded")


def _updating(team: AnyTeam) -> None:
    team.simulator.timing(updating=6000)
    ready(team)
    team.change(acceleratorCount=2)
    team.eventually(lambda: team.status()["state"] == "UPDATING", "status says UPDATING")


def _refused(team: AnyTeam) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks")


def _failed(team: AnyTeam) -> None:
    team.simulator.stage(outcome="fail", message="no luck")
    team.create()
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="no luck")


def _replace_required(team: AnyTeam) -> None:
    ready(team)
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.until("chat", "Stalled", "True", "ReplaceRequired")


def _blocked(team: AnyTeam) -> None:
    ready(team)
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")


def _paused(team: AnyTeam) -> None:
    ready(team)
    team.change(paused=True, displayName="later")
    team.until("chat", "Stalled", "True", "Paused")


def _observed(team: AnyTeam) -> None:
    team.simulator.create_foreign(prefix="theirs")
    team.create(deploymentId="theirs-0", managementPolicy="Observe")
    team.until_ready()


STATES: dict[str, Callable[[AnyTeam], object]] = {
    "ready": ready,
    "scaled to zero": _scaled_to_zero,
    "parked": _parked,
    "creating": _creating,
    "updating": _updating,
    "refused": _refused,
    "failed": _failed,
    "replacement required": _replace_required,
    "deletion blocked": _blocked,
    "paused": _paused,
    "observed": _observed,
    "not converging": not_applied,
}
