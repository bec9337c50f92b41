"""What a deployment may run at most, in GPUs and dollars: what a ceiling of cost and a budget count.

A maximum of 0 switches a deployment off, whatever else it says. Above 0, revocable replicas count where they are
allowed beyond the maximum, and so do a minimum or a schedule above it: Fireworks refuses to be told such, but does not
document what it does where it has them.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue

from fireworks_operator.fireworks.fields import told_count
from fireworks_operator.fireworks.models import Deployment

from .prices import PriceList, PriceScope

MOST_GPUS = 1_000_000
"""More than anybody has: what an answer says beyond it is not counted with."""


def gpus_at_most(deployment: Deployment) -> int:
    """Return the GPUs that a deployment may run at most, those that it runs now included; none once it is deleted."""
    return 0 if deployment.state == "DELETED" else wire_gpus_at_most(deployment.raw)


def wire_gpus_at_most(wire: Mapping[str, JsonValue]) -> int:
    """Return the GPUs that a deployment as the REST API has it may run at most, whatever its state.

    Pass what a PATCH leads to, or what is undeleted. In a body for a create, fields that are left out are not 0:
    see `replicas_of_new`.
    """
    return bounded(max(replicas_asked(wire), _ready(wire)) * gpus_of_replica(wire))


def gpus_of_replica(wire: Mapping[str, JsonValue]) -> int:
    """Return the GPUs of one replica; a deployment that does not tell has one."""
    return _count(wire, "acceleratorCount") or 1


def replicas_asked(wire: Mapping[str, JsonValue]) -> int:
    """Return the replicas that an existing deployment may have at most, where 0 is left out as proto3 does."""
    maximum = _count(wire, "maxReplicaCount")
    return max(maximum, *_beyond(wire)) if maximum else 0


def replicas_of_new(wire: Mapping[str, JsonValue]) -> int:
    """Return the replicas that a deployment would have at most that is created so.

    Without a maximum, Fireworks takes the minimum, but at least 1 (REST reference, deployments).
    """
    if "maxReplicaCount" in wire:
        return replicas_asked(wire)
    return max(1, *_beyond(wire))


def scope_of(deployment: Deployment) -> PriceScope:
    """Return how far a deployment is restricted to regions."""
    if deployment.placement_region or deployment.placement_regions:
        return PriceScope.REGION
    group = deployment.placement_multi_region
    return PriceScope.MULTI_REGION if group not in ("", "GLOBAL") else PriceScope.GLOBAL


def hourly_of(prices: PriceList, deployment: Deployment, gpus: int, now: datetime) -> Decimal | None:
    """Return US dollars per hour for so many GPUs of a deployment; None if their price is not known."""
    if not gpus:
        return Decimal(0)
    price = prices.hourly(deployment.accelerator_type, scope_of(deployment), now)
    return None if price is None else price * gpus


def bounded(gpus: int) -> int:
    """Return a number of GPUs that can be counted with."""
    return min(gpus, MOST_GPUS)


def _beyond(wire: Mapping[str, JsonValue]) -> Iterator[int]:
    """Yield what may hold instead of the maximum."""
    yield _count(wire, "minReplicaCount")
    yield _count(wire, "maxWithRevocableReplicaCount")
    policy = wire.get("autoscalingPolicy")
    schedules = policy.get("scalingSchedules") if isinstance(policy, dict) else None
    for schedule in schedules.values() if isinstance(schedules, dict) else ():
        if isinstance(schedule, dict) and schedule.get("disabled") is not True:
            yield _count(schedule, "minReplicaCount")


def _ready(wire: Mapping[str, JsonValue]) -> int:
    stats = wire.get("replicaStats")
    return _count(stats, "readyReplicaCount") if isinstance(stats, dict) else 0


def _count(wire: Mapping[str, JsonValue], name: str) -> int:
    return told_count(wire.get(name)) or 0
