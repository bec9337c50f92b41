"""What the simulated service stores: deployments, deployed models, accounts and API keys."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fireworks_simulator.clock import timestamp
from fireworks_simulator.protojson import seconds
from fireworks_simulator.settings import Timing
from fireworks_simulator.wire import JsonObject, JsonValue, encode

NEVER = math.inf
DAY = 86_400.0
IN_USE_WINDOW = 3600.0
"""Seconds after a request for which a deployment counts as in use."""
PURGE_AFTER = 7 * DAY
"""Seconds from soft delete to hard delete."""
AUTO_DELETE_AFTER = 7 * DAY
"""Seconds without requests after which a deployment with minReplicaCount 0 is deleted."""

INTERNAL_ERROR = "Internal error occurred, please contact the Fireworks AI team at https://discord.gg/fireworks-ai"

ALWAYS_PRINTED: Mapping[str, JsonValue] = {
    "minReplicaCount": 0,
    "maxReplicaCount": 0,
    "replicaCount": 0,
    "enableAddons": False,
}
PRINTED_AS_ZERO: Mapping[str, JsonValue] = {
    **ALWAYS_PRINTED,
    "acceleratorCount": 0,
    "desiredReplicaCount": 0,
    "description": "",
    "displayName": "",
    "draftModel": "",
    "draftTokenCount": 0,
    "enableSessionAffinity": False,
    "maxContextLength": 0,
    "ngramSpeculationLength": 0,
    "preemptible": False,
    "deploymentShape": "",
}
DEFAULT_POLICY: JsonObject = {
    "scaleUpWindow": "30s",
    "scaleDownWindow": "600s",
    "scaleToZeroWindow": "3600s",
    "loadTargets": {"default": 0.8},
}


ROUTE_HANDLES: Mapping[str, str] = {
    "INTERNET": "{}.direct.fireworks.example.com",
    "GCP_PRIVATE_SERVICE_CONNECT": "projects/fireworks/regions/us-central1/serviceAttachments/{}",
    "AWS_PRIVATELINK": "com.amazonaws.vpce.us-east-1.vpce-svc-{}",
}
"""How a deployment is reached by each type of direct route."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What answers print: zero and empty values, autoscaling defaults that nobody set, keys of direct routes."""

    zeros: bool = False
    defaults: bool = False
    route_keys: bool = False


class State(StrEnum):
    """Deployment states (Fireworks REST reference, gatewayDeploymentState)."""

    CREATING = "CREATING"
    READY = "READY"
    UPDATING = "UPDATING"
    FAILED = "FAILED"
    DELETING = "DELETING"
    DELETED = "DELETED"


GONE_STATES = frozenset({State.DELETING, State.DELETED})


class LoadState(StrEnum):
    """Deployed-model states."""

    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    UPDATING = "UPDATING"
    UNDEPLOYING = "UNDEPLOYING"


@dataclass(slots=True, eq=False)
class DeployedModel:
    """A model on a deployment: a LoRA addon, or the base model itself."""

    name: str
    model: str
    deployment: "Deployment"
    create_time: float
    update_time: float
    addon: bool
    texts: dict[str, str] = field(default_factory=dict)
    default: bool = False
    public: bool = False
    state: LoadState = LoadState.DEPLOYING
    status_code: str = "OK"
    status_message: str = ""
    ready_time: float | None = None
    transition_at: float = NEVER
    created_by: str = ""

    def to_wire(self) -> JsonObject:
        """The resource as an answer has it."""
        result: JsonObject = {
            "name": self.name,
            "model": self.model,
            "deployment": self.deployment.name,
            "createTime": timestamp(self.create_time),
            "updateTime": timestamp(self.update_time),
            "state": self.state.value,
            "status": {"code": self.status_code, "message": self.status_message},
        }
        result.update({key: text for key, text in self.texts.items() if text})
        if self.default:
            result["default"] = True
        if self.public:
            result["public"] = True
        return result


@dataclass(slots=True)
class Plan:
    """What becomes of a deployment's start: how long it takes and whether it succeeds."""

    timing: Timing
    outcome: str = "ready"
    message: str = INTERNAL_ERROR
    termination_message: str = ""


@dataclass(slots=True, eq=False)
class Deployment:
    """A deployment: stored configuration plus the state of its replicas.

    `replicas` holds the start time of each replica, or None for one that gets no node; up to `progressed` their
    stages have been replayed. `alive_since` is the create or undelete. `shown_state` stands in answers for `state`
    where an administrator wants it so. Up to `metered` the meter has read it. `scheduled` is the floor that scaling
    schedules set until `schedule_at`, if any do. All times are virtual seconds.
    """

    name: str
    account: str
    id: str
    sequence: int
    config: JsonObject
    plan: Plan
    create_time: float
    update_time: float
    created_by: str = ""
    speculation_disabled: bool = False
    state: State = State.CREATING
    status_code: str = "OK"
    status_message: str = ""
    termination_message: str = ""
    desired: int = 0
    replicas: list[float | None] = field(default_factory=list)
    delete_time: float | None = None
    purge_time: float | None = None
    hard: bool = False
    transition_at: float = NEVER
    scale_at: float = NEVER
    progressed: float = 0.0
    alive_since: float = 0.0
    idle_since: float = 0.0
    last_request: float | None = None
    ready_since: float | None = None
    load: float = 0.0
    metered: float = 0.0
    frozen: bool = False
    stocked_out: bool = False
    shown_state: str | int | None = None
    deployed_models: list[DeployedModel] = field(default_factory=list)
    scheduled: int | None = None
    schedule_at: float = NEVER
    due: float = NEVER
    _encoded: bytes | None = None

    @property
    def minimum(self) -> int:
        """`minReplicaCount`, 0 when unset."""
        return self._integer("minReplicaCount")

    @property
    def maximum(self) -> int:
        """`maxReplicaCount`, 0 when unset."""
        return self._integer("maxReplicaCount")

    @property
    def floor(self) -> int:
        """The fewest replicas now: what a scaling schedule says, else `minReplicaCount`."""
        return self.minimum if self.scheduled is None else min(self.scheduled, self.maximum)

    @property
    def ceiling(self) -> int:
        """The most replicas, revocable ones included; 0 when parked."""
        return max(self.maximum, self._integer("maxWithRevocableReplicaCount")) if self.maximum else 0

    @property
    def gpus_per_replica(self) -> int:
        """`acceleratorCount`, at least 1."""
        return max(self._integer("acceleratorCount"), 1)

    @property
    def base_model(self) -> str:
        """`baseModel`."""
        return self.text("baseModel")

    @property
    def gone(self) -> bool:
        """Whether it is being deleted or deleted."""
        return self.state in GONE_STATES

    def text(self, name: str) -> str:
        """A string field, empty when unset."""
        value = self.config.get(name)
        return value if isinstance(value, str) else ""

    def _integer(self, name: str) -> int:
        value = self.config.get(name)
        return value if isinstance(value, int) else 0

    def window(self, name: str) -> float:
        """An autoscaling window in seconds, the default when it is unset (or 0 for scale to zero)."""
        policy = self.config.get("autoscalingPolicy")
        value = policy.get(name) if isinstance(policy, dict) else None
        default = DEFAULT_POLICY[name]
        if isinstance(value, str) and not (name == "scaleToZeroWindow" and seconds(value) == 0):
            return seconds(value)
        return seconds(default) if isinstance(default, str) else 0.0

    def in_use(self, now: float) -> bool:
        """Whether it saw requests within the last hour."""
        return self.load > 0 or (self.last_request is not None and now - self.last_request < IN_USE_WINDOW)

    def stage_counts(self, now: float) -> tuple[int, int, int, int]:
        """Replicas pending, downloading, initializing and ready at `now`."""
        timing = self.plan.timing
        counts = [0, 0, 0, 0]
        for started in self.replicas:
            if started is None:
                counts[0] += 1
                continue
            age = now - started + 1e-6
            if age >= timing.startup:
                counts[3] += 1
            elif age >= timing.pending + timing.downloading:
                counts[2] += 1
            elif age >= timing.pending:
                counts[1] += 1
            else:
                counts[0] += 1
        return counts[0], counts[1], counts[2], counts[3]

    def ready(self, now: float) -> int:
        """Replicas that serve at `now`."""
        return self.stage_counts(now)[3]

    def forget_encoding(self) -> None:
        """Something that an answer shows has changed."""
        self._encoded = None

    def encoded(self, now: float, shown: Shown) -> bytes:
        """The resource as JSON text; kept until something changes."""
        if self._encoded is None:
            self._encoded = encode(self.to_wire(now, shown))
        return self._encoded

    def to_wire(self, now: float, shown: Shown) -> JsonObject:
        """The resource as an answer has it at a virtual time."""
        pending, downloading, initializing, ready = self.stage_counts(now)
        stats = {
            "pendingSchedulingReplicaCount": pending,
            "downloadingModelReplicaCount": downloading,
            "initializingReplicaCount": initializing,
            "readyReplicaCount": ready,
            "revocableReplicaCount": max(downloading + initializing + ready - self.maximum, 0),
            "effectiveReplicaCount": float(ready),
        }
        result: JsonObject = self._configured(shown) | {
            "name": self.name,
            "state": self.state.value if self.shown_state is None else self.shown_state,
            "status": {"code": self.status_code, "message": self.status_message},
            "createTime": timestamp(self.create_time),
            "updateTime": timestamp(self.update_time),
            "replicaCount": downloading + initializing + ready,
            "replicaStats": {key: count for key, count in stats.items() if count or shown.zeros},
        }
        if self.desired:
            result["desiredReplicaCount"] = self.desired
        if self.delete_time is not None:
            result["deleteTime"] = timestamp(self.delete_time)
        if self.purge_time is not None:
            result["purgeTime"] = timestamp(self.purge_time)
        return result

    def _configured(self, shown: Shown) -> JsonObject:
        """The stored configuration as an answer has it."""
        result: JsonObject = {key: value for key, value in self.config.items() if value not in (0, "", False)}
        if not shown.route_keys:
            result.pop("directRouteApiKeys", None)
        if self.state is State.READY and self.text("directRouteType") in ROUTE_HANDLES:
            result["directRouteHandle"] = ROUTE_HANDLES[self.text("directRouteType")].format(self.id)
        printed = PRINTED_AS_ZERO if shown.zeros else ALWAYS_PRINTED
        for key, value in printed.items():
            result.setdefault(key, value)
        policy = self.config.get("autoscalingPolicy")
        if shown.defaults:
            result["autoscalingPolicy"] = {**DEFAULT_POLICY, **(policy if isinstance(policy, dict) else {})}
        return result


@dataclass(slots=True)
class ApiKey:
    """An API key's public side; the key itself is only a dictionary key of the world."""

    id: str
    account: str
    role: str = "admin"


@dataclass(slots=True, eq=False)
class Account:
    """An account and what belongs to it."""

    id: str
    create_time: float
    update_time: float
    suspend_state: str = "UNSUSPENDED"
    deployments: dict[str, Deployment] = field(default_factory=dict)
    deployed_models: dict[str, DeployedModel] = field(default_factory=dict)
    quotas: dict[str, int] = field(default_factory=dict)
    lowered_quotas: dict[str, int] = field(default_factory=dict)

    def to_wire(self) -> JsonObject:
        """The resource as an answer has it."""
        return {
            "name": f"accounts/{self.id}",
            "displayName": self.id,
            "email": f"admin@{self.id}.example.com",
            "accountType": "ENTERPRISE",
            "createTime": timestamp(self.create_time),
            "updateTime": timestamp(self.update_time),
            "state": "READY",
            "status": {"code": "OK", "message": ""},
            "suspendState": self.suspend_state,
        }
