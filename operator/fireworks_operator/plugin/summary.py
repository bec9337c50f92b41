"""A resource in the words of the tables: state, replicas, GPUs, and why it is not ready."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import (
    Condition,
    Effective,
    FireworksDeployment,
    FireworksDeploymentStatus,
    InvalidResourceError,
)

UNSEEN: Final = "NotSeenYet"
UNREADABLE: Final = "Unreadable"


@dataclass(frozen=True, slots=True)
class Summary:
    """What is shown of one resource.

    Attributes:
        ready: the condition Ready of the spec as it is now.
        stalled: a person must act on the spec as it is now.
        reason, message: why it is not ready; of a ready one, how it serves.
        replicas: ready ones and, where known, the bounds: `1 [0,4]`.
        gpus: GPUs of one replica: `2 x NVIDIA_H100_80GB`.
    """

    namespace: str
    name: str
    ready: bool
    stalled: bool
    state: str
    reason: str
    message: str
    replicas: str
    gpus: str
    model_identifier: str
    status: FireworksDeploymentStatus
    created: datetime | None = None

    @property
    def settled(self) -> bool:
        """Whether waiting on changes nothing; of a replacement that is blocked, as of one that is stalled."""
        return self.ready or self.stalled or self.reason == Reason.REPLACEMENT_BLOCKED

    def to_data(self) -> dict[str, JsonValue]:
        """Return the same for programs; what is not known is left out."""
        facts = self.status.to_wire()
        effective = facts.get("effective", {})
        known = ("minReplicaCount", "maxReplicaCount", "acceleratorType", "acceleratorCount")
        data: dict[str, JsonValue] = {
            "namespace": self.namespace,
            "name": self.name,
            "ready": self.ready,
            "stalled": self.stalled,
            "reason": self.reason,
            "message": self.message,
            "state": facts.get("state"),
            "replicas": facts.get("replicas"),
            **{key: effective.get(key) for key in known},
            "deploymentName": facts.get("deploymentName"),
            "modelIdentifier": facts.get("modelIdentifier"),
            "identifiers": facts.get("identifiers"),
            "endpoint": facts.get("endpoint"),
            "expiresAt": facts.get("expiresAt"),
        }
        return {key: value for key, value in data.items() if value is not None}


def summarize(raw: Mapping[str, Any]) -> Summary:
    """Describe an object of the API server, also one that cannot be understood."""
    try:
        resource = FireworksDeployment.parse(raw)
    except InvalidResourceError as error:
        metadata = raw.get("metadata", {})
        namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
        message = f"{error}: correct it, or use the plugin version that matches the operator."
        unknown = FireworksDeploymentStatus()
        return Summary(namespace, name, False, False, "", UNREADABLE, message, "", "", "", unknown)
    return summary_of(resource)


def summary_of(resource: FireworksDeployment) -> Summary:
    """Describe a resource."""
    status = resource.status
    ready, stalled = (current(resource, kind) for kind in (ConditionType.READY, ConditionType.STALLED))
    reason, message = _why(resource, ready)
    return Summary(
        namespace=resource.metadata.namespace,
        name=resource.metadata.name,
        ready=ready is not None and ready.status == "True",
        stalled=stalled is not None and stalled.status == "True",
        state=status.state or "",
        reason=reason,
        message=message,
        replicas=replicas_text(status),
        gpus=gpus_text(status.effective),
        model_identifier=status.model_identifier or "",
        status=status,
        created=resource.metadata.creation_timestamp,
    )


def current(resource: FireworksDeployment, kind: ConditionType) -> Condition | None:
    """Return a condition if it is about the spec as it is now, else None."""
    found = next((each for each in resource.status.conditions if each.type == kind), None)
    return found if found is not None and found.observed_generation == resource.metadata.generation else None


def _why(resource: FireworksDeployment, ready: Condition | None) -> tuple[str, str]:
    if ready is not None:
        return ready.reason, ready.message
    what = "this change" if resource.status.observed_generation >= 0 else "this resource"
    return UNSEEN, f"The operator has not seen {what} yet; if this persists, check that the operator is running."


def replicas_text(status: FireworksDeploymentStatus) -> str:
    """Return ready replicas and their bounds, `1 [0,4]`; empty where nothing is known."""
    if status.replicas is None:
        return ""
    effective = status.effective
    if effective is None or effective.min_replica_count is None or effective.max_replica_count is None:
        return str(status.replicas.ready)
    return f"{status.replicas.ready} [{effective.min_replica_count},{effective.max_replica_count}]"


def gpus_text(effective: Effective | None) -> str:
    """Return the GPUs of one replica, `2 x NVIDIA_H100_80GB`; empty where nothing is known."""
    if effective is None or not effective.accelerator_type:
        return ""
    count = effective.accelerator_count
    return f"{count} x {effective.accelerator_type}" if count else effective.accelerator_type


def age_text(since: datetime | None, now: datetime) -> str:
    """Return how long ago something was, as briefly as kubectl: `5d`, `3h`, `12m`; empty where that is not known."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
