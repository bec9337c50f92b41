"""Parking by the operator: when a deployment has no replicas whatever its spec says, and what it gets back then."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentSpec, ManagementPolicy, Parked
from fireworks_operator.fireworks.models import Deployment

from .durations import parse_duration
from .fields import SCHEDULES

MINIMUM, MAXIMUM, REVOCABLE = "minReplicaCount", "maxReplicaCount", "maxWithRevocableReplicaCount"
BOUNDS = (MINIMUM, MAXIMUM, REVOCABLE)
"""The fields that are 0 while a deployment is parked."""
SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=8760)
"""What spec.expiresAfter can be."""


@dataclass(frozen=True, slots=True)
class ParkingOrder:
    """Why a deployment is to be parked.

    Attributes:
        reason: Expired, or BudgetExceeded, which a person must do something about.
        message: why, and the way out, as the conditions say it while the deployment is parked.
        until: when it ends, if that is known.
    """

    reason: Reason
    message: str
    until: datetime | None = None


def expires_at(resource: FireworksDeployment) -> datetime | None:
    """Return when the resource expires, in whole seconds; None if it does not, or if that cannot be known."""
    created, lifetime = resource.metadata.creation_timestamp, resource.spec.expires_after
    if created is None or lifetime is None or contradiction_of_lifetime(resource.spec) is not None:
        return None
    try:
        return (created + _lifetime(lifetime)).replace(microsecond=0)
    except OverflowError:
        return None  # later than the calendar knows


def contradiction_of_lifetime(spec: FireworksDeploymentSpec) -> str | None:
    """Return what is wrong with spec.expiresAfter, in words; None if nothing is."""
    if spec.expires_after is None:
        return None
    try:
        lifetime = _lifetime(spec.expires_after)
    except (ValueError, OverflowError):
        lifetime = timedelta(0)
    if SHORTEST <= lifetime <= LONGEST:
        return None
    return f'spec.expiresAfter is "{spec.expires_after}": set it to a duration such as "8h", from 1m to 8760h.'


def parking_order(resource: FireworksDeployment, budget: ParkingOrder | None, now: datetime) -> ParkingOrder | None:
    """Return why the deployment is to be parked now; None if it is not, or if it is not the operator's to park.

    What has expired stays so when a budget has room again, so that comes first.
    """
    managed = resource.spec.management_policy is ManagementPolicy.MANAGE
    if not managed or resource.metadata.deletion_timestamp is not None:
        return None
    end = expires_at(resource)
    return budget if end is None or now < end else ParkingOrder(Reason.EXPIRED, _expired(resource, end))


def next_expiry(resource: FireworksDeployment, now: datetime) -> datetime | None:
    """Return when the resource expires, if that is yet to come."""
    end = None if resource.metadata.deletion_timestamp is not None else expires_at(resource)
    return end if end is not None and end > now else None


def values_in_force(
    values: Mapping[str, JsonValue], applied: Collection[str], record: Parked | None, *, parked: bool
) -> tuple[Mapping[str, JsonValue], Collection[str]]:
    """Return what the deployment is to have, and which fields count as set by us, on top of what the spec asks for.

    Args:
        values: the wire values that the spec asks for, by field path.
        applied: field paths that were set at Fireworks before.
        record: what was written down before it was parked; None if it is not parked by the operator.
        parked: it is to be parked now.
    """
    if parked:
        # A schedule keeps replicas, and Fireworks may refuse one that asks for more than the maximum. Those of others
        # are not ours to remove.
        none: dict[str, JsonValue] = {path: {} for path in values if path.startswith(SCHEDULES)}
        return {**values, **none, **dict.fromkeys(BOUNDS, 0)}, applied
    if record is None:
        return values, applied
    kept = {path: count for path, count in _recorded(record).items() if path not in values}
    restored = _consistent(values, kept)
    # What has no value to return to was set by a spec that no longer does: it returns to its default.
    return {**values, **restored}, {*applied, *(path for path in BOUNDS if path not in values and path not in restored)}


def record_of(
    order: ParkingOrder, now: datetime, deployment: Deployment, values: Collection[str], applied: Collection[str]
) -> Parked:
    """Return what is to be remembered of a deployment before it is parked: the bounds that are not the spec's.

    `values` and `applied` are the field paths that the spec sets, and has set at Fireworks.
    """
    ours = {*values, *applied}
    bounds = {
        MINIMUM: deployment.min_replica_count,
        MAXIMUM: deployment.max_replica_count,
        REVOCABLE: _count(deployment.raw.get(REVOCABLE)),
    }
    kept = {path: count for path, count in bounds.items() if path not in ours and (count or path != REVOCABLE)}
    return Parked.model_validate({"reason": order.reason.value, "since": now.replace(microsecond=0), **kept})


def _expired(resource: FireworksDeployment, end: datetime) -> str:
    return (
        f"Expired at {end:%Y-%m-%dT%H:%M:%SZ}, {resource.spec.expires_after} after its creation (spec.expiresAfter): "
        "switched off, nothing is billed, and nothing is deleted. To use it again, raise or remove spec.expiresAfter; "
        "to end it, delete this resource."
    )


def _lifetime(text: str) -> timedelta:
    return timedelta(seconds=float(parse_duration(text)))


def _recorded(record: Parked) -> dict[str, int]:
    counts = (record.min_replica_count, record.max_replica_count, record.max_with_revocable_replica_count)
    return {path: count for path, count in zip(BOUNDS, counts, strict=True) if count is not None}


def _consistent(values: Mapping[str, JsonValue], kept: Mapping[str, int]) -> dict[str, JsonValue]:
    """Return the recorded bounds, moved as far as those that the spec sets ask for: Fireworks refuses min > max."""
    restored: dict[str, JsonValue] = dict(kept)
    minimum, maximum = values.get(MINIMUM), values.get(MAXIMUM)
    if MAXIMUM in kept and isinstance(minimum, int):
        restored[MAXIMUM] = max(kept[MAXIMUM], minimum)
    if MINIMUM in kept and isinstance(maximum, int):
        restored[MINIMUM] = min(kept[MINIMUM], maximum)
    most = restored.get(MAXIMUM, maximum)
    if REVOCABLE in kept and isinstance(most, int) and kept[REVOCABLE] < most:
        restored[REVOCABLE] = 0
    return restored


def _count(value: JsonValue) -> int:
    try:
        return max(int(value), 0) if isinstance(value, int | float | str) else 0
    except (ValueError, OverflowError):
        return 0
