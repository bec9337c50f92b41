"""Handlers of `billingUsage`: metered accelerator-seconds by day, without dollars."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo

from fireworks_simulator import schema_account as schema
from fireworks_simulator.meter import DAY, Facts, Piece, bucket, pieces
from fireworks_simulator.periods import period, printed, time_zone
from fireworks_simulator.protojson import parse
from fireworks_simulator.settings import Assumptions
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, JsonValue, Reply, invalid, ok
from fireworks_simulator.world import World

DEDICATED = "DEDICATED_DEPLOYMENT"
_TAGS = ("team", "project", "environment")
_FIELDS: Mapping[str, Callable[[Facts], str]] = {
    "deployment_name": lambda facts: facts.deployment,
    "accelerator_type": lambda facts: facts.accelerator,
    "base_model": lambda facts: facts.base_model,
    "region": lambda facts: facts.placement,
    "usage_type": lambda facts: DEDICATED,
}
_ELSEWHERE = frozenset({"model_name", "api_key_id", "job_id", "job_type"})
"""Dimensions of serverless usage and of training; empty for deployments."""
_DIMENSIONS = frozenset({*_FIELDS, *_ELSEWHERE, *_TAGS, *(f"annotations.{tag}" for tag in _TAGS)})


@dataclass(frozen=True, slots=True)
class _Query:
    """What is asked for; `values` are the accepted ones by dimension."""

    start: float
    end: float
    usage_type: str
    group_by: tuple[str, ...]
    zone: tzinfo
    values: Mapping[str, frozenset[str]]


def get(world: World, call: Call) -> Reply:
    """GET /billingUsage: rows by day; a `filter` in the query has no effect, as on the real service."""
    usage_type = call.query.get("usageType", "")
    if usage_type not in ("", *schema.USAGE_TYPES):
        raise invalid(f'parsing field "usage_type": {usage_type} is not valid')
    start, end = period(call.query.get("startTime", ""), call.query.get("endTime", ""))
    zone = time_zone(call.query.get("timezone", ""))
    return _answer(world, call, _Query(start, end, usage_type, tuple(call.repeated("groupBy")), zone, {}))


def query(world: World, call: Call) -> Reply:
    """POST /billingUsage:query: the same with a body, and with filters."""
    value = parse(schema.BILLING_USAGE_QUERY, call.body).value
    start, end = period(str(value.get("startTime", "")), str(value.get("endTime", "")))
    group_by = value.get("groupBy")
    return _answer(
        world,
        call,
        _Query(
            start,
            end,
            str(value.get("usageType", "")),
            tuple(str(name) for name in group_by) if isinstance(group_by, list) else (),
            time_zone(str(value.get("timezone", ""))),
            _filter(value.get("filter")),
        ),
    )


def _filter(value: JsonValue) -> dict[str, frozenset[str]]:
    accepted: dict[str, frozenset[str]] = {}
    for name, condition in (value if isinstance(value, dict) else {}).items():
        values = condition.get("values") if isinstance(condition, dict) else None
        accepted[name] = frozenset(str(each) for each in values) if isinstance(values, list) else frozenset()
    return accepted


def _answer(world: World, call: Call, asked: _Query) -> Reply:
    _check(world.assumptions, call, asked)
    rows: list[JsonValue] = []
    if asked.usage_type in ("", "USAGE_TYPE_UNSPECIFIED", DEDICATED):
        rows.extend(_rows(world.assumptions, _metered(world, call, asked), asked))
    answer: JsonObject = {"dedicatedCosts": rows} if rows else {}
    if world.assumptions.emit_zero_values:
        answer = {"dedicatedCosts": rows, "serverlessCosts": [], "trainingCosts": []}
    return ok(answer)


def _check(assumptions: Assumptions, call: Call, asked: _Query) -> None:
    """Refuse dimensions that do not exist, too many of them, or keys that may not see them."""
    for name in (*asked.group_by, *asked.values):
        if name not in _DIMENSIONS:
            raise invalid(f'unsupported dimension "{name}"')
    limit = assumptions.billing_group_by_limit
    if limit and len(asked.group_by) > limit:
        raise invalid(f"at most {limit} group_by dimensions are supported")
    if asked.group_by and assumptions.grouped_usage_admin_only and call.identity.role != "admin":
        raise ApiError(Code.PERMISSION_DENIED, "permission denied")


def _metered(world: World, call: Call, asked: _Query) -> list[Piece]:
    """Billed usage that matches, in pieces of a day."""
    assumptions = world.assumptions
    start, end = asked.start, asked.end
    if assumptions.billing_whole_days:
        start, end = bucket(start, asked.zone, DAY)[0], bucket(math.nextafter(end, 0.0), asked.zone, DAY)[1]
    return [
        piece
        for piece in billed(world, call, start, end, zone=asked.zone)
        if all(dimension(assumptions, piece.facts, name) in wanted for name, wanted in asked.values.items())
    ]


def billed(world: World, call: Call, start: float, end: float, *, zone: tzinfo, step: timedelta = DAY) -> list[Piece]:
    """What an account pays for between two moments, in pieces of a day or an hour, as far as it is known yet."""
    assumptions = world.assumptions
    until = min(end, call.now - assumptions.billing_lag_seconds)
    segments = world.meter.segments(world.accounts[call.account], call.now)
    return [
        piece
        for piece in pieces(segments, start, until, zone=zone, step=step)
        if assumptions.bill_preemptible or not piece.facts.preemptible
    ]


def dimension(assumptions: Assumptions, facts: Facts, name: str) -> str:
    """The value of a dimension for usage, empty where there is none."""
    if name in _FIELDS:
        return _FIELDS[name](facts)
    if name in _ELSEWHERE:
        return ""
    tag = name.removeprefix("annotations.")
    key = f"custom/{tag}" if assumptions.billing_tags == "custom" else tag
    return dict(facts.tags).get(key, "")


def _rows(assumptions: Assumptions, metered: Sequence[Piece], asked: _Query) -> list[JsonObject]:
    """One row for each day and group, or for each day and deployment as it was."""
    rows: dict[tuple[float, str], JsonObject] = {}
    sums: dict[tuple[float, str], float] = {}
    for piece in metered:
        row = _row(assumptions, piece, asked.group_by)
        key = (piece.start, json.dumps(row, sort_keys=True))
        rows[key] = row
        sums[key] = sums.get(key, 0.0) + piece.gpu_seconds
    whole = {key: round(sums[key]) for key in sorted(sums)}
    return [{**rows[key], "acceleratorSeconds": str(seconds)} for key, seconds in whole.items() if seconds]


def _row(assumptions: Assumptions, piece: Piece, group_by: Sequence[str]) -> JsonObject:
    facts = piece.facts
    row: JsonObject = {"startTime": printed(piece.start), "endTime": printed(piece.end), "usageType": DEDICATED}
    if group_by:
        row["group"] = {name: dimension(assumptions, facts, name) for name in group_by}
    if not group_by or assumptions.billing_grouped_rows == "full":
        by_name = assumptions.billing_deployment_id == "name"
        row |= {
            "deploymentId": facts.deployment if by_name else facts.deployment.rsplit("/", 1)[-1],
            "acceleratorType": facts.accelerator,
            "baseModel": facts.base_model,
            "placement": facts.placement,
        }
    return row
