"""Tags and scaling schedules of a deployment, as a manifest has them."""

import re
from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from fireworks_operator.api.formats import CRON_PATTERN, DURATION_PATTERN, SCHEDULE_NAME_PATTERN, TIMEZONE_PATTERN
from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec, ScalingSchedule
from fireworks_operator.core.decisions.entries import contradiction_of_schedules, contradiction_of_tags
from fireworks_operator.core.desired.fields import TAGS, Field, Kind, fields_at, get, put, schedules_of, tags_of


def add_entries(spec: dict[str, JsonValue], left_out: list[str], raw: Mapping[str, JsonValue]) -> None:
    """Add the tags and schedules of a deployment to a spec, and say which of them no resource may have.

    The operator leaves those alone, as it does with all that the spec does not name.
    """
    for field in fields_at((*schedules_of(raw), *tags_of(raw))):
        value = get(raw, field.wire)
        is_tag = field.kind is not Kind.SCHEDULE
        entry = _tag(field, value, spec) if is_tag else _schedule(field, value, spec)
        if entry is None:
            left_out.append(f"{field.path} {value}: not as a resource may have it")
        else:
            put(spec, ("tags", field.path.removeprefix(TAGS)) if is_tag else field.wire, entry)


def _tag(field: Field, value: JsonValue, spec: Mapping[str, JsonValue]) -> JsonValue | None:
    before = spec.get("tags")
    tags = {**(before if isinstance(before, dict) else {}), field.path.removeprefix(TAGS): str(value)}
    return None if contradiction_of_tags(_spec(tags=tags)) else str(value)


def _schedule(field: Field, value: JsonValue, spec: Mapping[str, JsonValue]) -> JsonValue | None:
    if not isinstance(value, dict):
        return None
    try:
        schedule = ScalingSchedule.model_validate({"minReplicaCount": 0, **value})
    except ValidationError:
        return None
    most = spec.get("maxReplicaCount")
    within = isinstance(most, int) and 0 <= schedule.min_replica_count <= most
    formats = (
        _fits(SCHEDULE_NAME_PATTERN, field.entry, 63),
        _fits(CRON_PATTERN, schedule.schedule, 128),
        _fits(DURATION_PATTERN, schedule.duration, 16),
        _fits(TIMEZONE_PATTERN, schedule.timezone, 64),
        len(schedule.description or "") <= 256,
    )
    policy = {"scalingSchedules": {field.entry: schedule}}
    if not within or not all(formats) or contradiction_of_schedules(_spec(autoscaling_policy=policy)):
        return None
    wire: dict[str, JsonValue] = schedule.to_wire()
    return wire


def _fits(pattern: str, text: str, longest: int) -> bool:
    return len(text) <= longest and re.fullmatch(pattern, text) is not None


def _spec(**fields: object) -> FireworksDeploymentSpec:
    return FireworksDeploymentSpec.model_validate({"base_model": "x", **fields})
