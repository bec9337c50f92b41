"""How long deployments take until they serve, and where the time goes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus

TOTAL = "total"
"""The stage that is the whole way, from createTime to the first observation as READY."""

OnStage = Callable[[str, float], None]
"""Told the stage that a deployment has left, and for how many seconds it was seen there."""


@dataclass(slots=True)
class Startups:
    """Follows deployments that are being created, by the statuses that are written; exact to a poll interval.

    Only the whole way is told of a deployment whose creation began before this process did.
    """

    tell: OnStage
    _stages: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    def see(self, resource: FireworksDeployment, status: FireworksDeploymentStatus, now: datetime) -> None:
        """Take in the status that a resource is about to have."""
        if resource.status.state is None and status.state == "CREATING":
            self._stages[resource.ref] = (_stage(status), now)
        else:
            self._follow(resource.ref, status, now)
        if resource.status.state == "CREATING" and status.state == "READY" and status.create_time is not None:
            self.tell(TOTAL, (now - status.create_time).total_seconds())

    def _follow(self, ref: str, status: FireworksDeploymentStatus, now: datetime) -> None:
        if ref not in self._stages:
            return
        before, since = self._stages[ref]
        if status.state == "CREATING" and _stage(status) == before:
            return
        if status.state in ("CREATING", "READY"):
            self.tell(before, (now - since).total_seconds())
        if status.state == "CREATING":
            self._stages[ref] = (_stage(status), now)
        else:
            del self._stages[ref]

    def forget(self, ref: str) -> None:
        """Drop a resource that is gone."""
        self._stages.pop(ref, None)


def _stage(status: FireworksDeploymentStatus) -> str:
    """Return the furthest stage that a replica of a new deployment has reached."""
    replicas = status.replicas
    if replicas is None:
        return "scheduling"
    if replicas.initializing or replicas.ready:
        return "initializing"
    return "downloading" if replicas.downloading_model else "scheduling"
