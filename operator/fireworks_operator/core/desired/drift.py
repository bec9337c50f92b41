"""Desired against observed: which managed fields differ, and the PATCH that puts them right."""

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass
from math import isclose

from pydantic import JsonValue

from .durations import parse_duration
from .fields import ChangeRule, Field, Kind, fields_at, get, put
from .shapes import same_shape


@dataclass(frozen=True, slots=True)
class Difference:
    """One field whose observed value is not the wanted one; values are wire values."""

    path: str
    observed: JsonValue
    wanted: JsonValue

    @property
    def field(self) -> Field:
        """The field."""
        (field,) = fields_at((self.path,))
        return field


@dataclass(frozen=True, slots=True)
class Drift:
    """All differences of one deployment.

    Attributes:
        changes: what a PATCH can put right.
        replacements: what only another deployment could have.
        tags: what is put right by requests about tags alone; wanted "" is to be deleted.
        kept: fields that left the spec but stay as they are, since Fireworks has no default to return to.
    """

    changes: tuple[Difference, ...] = ()
    replacements: tuple[Difference, ...] = ()
    tags: tuple[Difference, ...] = ()
    kept: tuple[str, ...] = ()

    def mask(self) -> tuple[str, ...]:
        """Return `updateMask` paths: snake_case, whole nested objects."""
        return tuple(dict.fromkeys(_snake(change.field.wire[0]) for change in self.changes))

    def patch_body(self, raw: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the PATCH body: the changes, the current base model, nested objects merged into the observed.

        Keys of nested objects that this operator does not model, and schedules of others, survive that way.
        """
        body: dict[str, JsonValue] = {}
        if "baseModel" in raw:
            body["baseModel"] = raw["baseModel"]
        for change in self.changes:
            wire = change.field.wire
            inner = raw.get(wire[0])
            if len(wire) > 1 and wire[0] not in body and isinstance(inner, dict):
                body[wire[0]] = deepcopy(inner)
            if change.field.kind is Kind.SCHEDULE:
                _put_schedule(body, wire, change)
            else:
                put(body, wire, change.wanted)
        return body


def find_drift(
    values: Mapping[str, JsonValue], raw: Mapping[str, JsonValue], applied: Collection[str], *, deleted: bool = False
) -> Drift:
    """Compare what the spec asks for with a deployment.

    Args:
        values: the wire values that the spec asks for, by field path.
        raw: the Deployment as Fireworks sent it.
        applied: field paths that were set at Fireworks before; those no longer in the spec are reset.
        deleted: it is deleted, so that it may be brought back or replaced by a new one.
    """
    wanted, kept = _wanted(values, raw, applied, replaceable=deleted)
    differences: dict[ChangeRule, list[Difference]] = {rule: [] for rule in ChangeRule}
    for field in fields_at(wanted):
        if not _equal(field, raw, wanted[field.path]):
            differences[field.change].append(Difference(field.path, get(raw, field.wire), wanted[field.path]))
    return Drift(
        tuple(differences[ChangeRule.UPDATE]),
        tuple(differences[ChangeRule.REPLACE]),
        tuple(differences[ChangeRule.TAG]),
        kept,
    )


def _wanted(
    values: Mapping[str, JsonValue], raw: Mapping[str, JsonValue], applied: Collection[str], *, replaceable: bool
) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
    wanted = dict(values)
    kept: list[str] = []
    for field in fields_at(applied):
        if field.path in wanted:
            continue
        if field.default is None or (field.change is ChangeRule.REPLACE and not replaceable):
            kept.append(field.path)
        else:
            wanted[field.path] = field.default
    _add_replica_partner(wanted, raw, open_maximum="maxReplicaCount" not in values)
    _add_speculation_partner(wanted, raw)
    return wanted, tuple(kept)


def _add_replica_partner(wanted: dict[str, JsonValue], raw: Mapping[str, JsonValue], *, open_maximum: bool) -> None:
    """Move the bound that the spec leaves open along with the one it sets: Fireworks refuses min > max."""
    minimum = _int(wanted.get("minReplicaCount", raw.get("minReplicaCount")))
    if open_maximum:
        if "maxReplicaCount" in wanted or ("minReplicaCount" in wanted and _int(raw.get("maxReplicaCount")) < minimum):
            wanted["maxReplicaCount"] = max(minimum, 1)
    elif "minReplicaCount" not in wanted and minimum > _int(wanted["maxReplicaCount"]):
        wanted["minReplicaCount"] = wanted["maxReplicaCount"]


def _add_speculation_partner(wanted: dict[str, JsonValue], raw: Mapping[str, JsonValue]) -> None:
    """Clear the other way of speculation: Fireworks refuses a draft model together with n-grams."""
    if wanted.get("draftModel") and _int(raw.get("ngramSpeculationLength")):
        wanted.setdefault("ngramSpeculationLength", 0)
    if _int(wanted.get("ngramSpeculationLength")) and raw.get("draftModel"):
        wanted.setdefault("draftModel", "")


def _equal(field: Field, raw: Mapping[str, JsonValue], wanted: JsonValue) -> bool:
    observed = get(raw, field.wire)
    if field.kind is Kind.PLACEMENT:
        return observed is None or _contains(observed, wanted)
    if observed is None:
        # Zero values may be left out of answers, and defaults need not be spelled out.
        observed = _zero(wanted) if field.path == "maxReplicaCount" else field.default
    if field.kind is Kind.DURATION:
        return _seconds(observed) == _seconds(wanted)
    if field.kind is Kind.LOAD_TARGETS:
        return _same_targets(observed, wanted)
    if field.kind is Kind.SHAPE:
        return same_shape(observed, wanted, raw.get("baseModel"))
    if field.kind is Kind.SCHEDULE:
        return _same_schedule(observed, wanted)
    if observed is None:
        return wanted in (0, "", False)
    if isinstance(observed, str) and isinstance(wanted, int):
        return observed == str(wanted)  # proto3 JSON may have numbers as texts
    return observed == wanted


_ADDED_TARGET: Mapping[str, JsonValue] = {"default": 0.8}
"""What older servers add to load targets by themselves; any other value was set by somebody, and is not wanted."""


def _same_targets(observed: JsonValue, wanted: JsonValue) -> bool:
    if not isinstance(observed, dict) or not isinstance(wanted, dict):
        return observed == wanted
    expected = {**_ADDED_TARGET, **wanted} if "default" in observed else wanted
    if set(observed) != set(expected):
        return False
    return all(isclose(_float(observed[key]), _float(value), rel_tol=1e-5) for key, value in expected.items())


_SCHEDULE_KEYS = frozenset({"minReplicaCount", "schedule", "duration", "timezone", "description", "disabled"})


def _same_schedule(observed: JsonValue, wanted: JsonValue) -> bool:
    """Tell whether a schedule is the one asked for; what this operator does not model of it may be anything."""
    if not isinstance(observed, dict) or not isinstance(wanted, dict) or not observed or not wanted:
        return observed == wanted
    return _comparable(observed) == _comparable(wanted)


def _comparable(schedule: Mapping[str, JsonValue]) -> tuple[object, ...]:
    """Return what counts of a schedule; zero values may be left out of answers, and blanks be other ones."""
    return (
        _int(schedule.get("minReplicaCount")),
        str(schedule.get("schedule")).split(),
        _seconds(schedule.get("duration")),
        schedule.get("timezone"),
        schedule.get("description") or "",
        schedule.get("disabled") or False,
    )


def _put_schedule(body: dict[str, JsonValue], wire: tuple[str, ...], change: Difference) -> None:
    """Set a schedule in the body, or take it out; what this operator does not model of it survives."""
    there = get(body, wire[:-1])
    if isinstance(there, dict) and not change.wanted:
        there.pop(wire[-1], None)
    elif isinstance(change.wanted, dict):
        observed = change.observed if isinstance(change.observed, dict) else {}
        others = {key: value for key, value in observed.items() if key not in _SCHEDULE_KEYS}
        put(body, wire, {**others, **change.wanted})


def _contains(observed: JsonValue, wanted: JsonValue) -> bool:
    if not isinstance(observed, dict) or not isinstance(wanted, dict):
        return observed == wanted
    for key, value in wanted.items():
        there = observed.get(key)
        same = (
            sorted(map(str, there)) == sorted(map(str, value))
            if isinstance(there, list) and isinstance(value, list)
            else there == value
        )
        if not same:
            return False
    return True


def _zero(value: JsonValue) -> JsonValue:
    return "" if isinstance(value, str) else False if isinstance(value, bool) else 0


def _seconds(value: JsonValue) -> object:
    try:
        return parse_duration(str(value))
    except ValueError:
        return value


def _int(value: JsonValue) -> int:
    try:
        return int(value) if isinstance(value, int | float | str) else 0
    except ValueError:
        return 0


def _float(value: JsonValue) -> float:
    try:
        return float(value) if isinstance(value, int | float | str) else float("nan")
    except ValueError:
        return float("nan")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
