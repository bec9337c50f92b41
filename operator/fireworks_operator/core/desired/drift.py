"""Desired against observed: which managed fields differ, and the PATCH that puts them right."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isclose

from pydantic import JsonValue

from .durations import parse_duration
from .fields import FIELD_BY_PATH, FIELDS, ChangeRule, Field, Kind, get, put
from .shapes import same_shape


@dataclass(frozen=True, slots=True)
class Difference:
    """One field whose observed value is not the wanted one; values are wire values."""

    path: str
    observed: JsonValue
    wanted: JsonValue


@dataclass(frozen=True, slots=True)
class Drift:
    """All differences of one deployment.

    Attributes:
        changes: what a PATCH can put right.
        replacements: what only another deployment could have.
        kept: fields that left the spec but stay as they are, since Fireworks has no default to return to.
    """

    changes: tuple[Difference, ...] = ()
    replacements: tuple[Difference, ...] = ()
    kept: tuple[str, ...] = ()

    def mask(self) -> tuple[str, ...]:
        """Return `updateMask` paths: snake_case, whole nested objects."""
        return tuple(dict.fromkeys(_snake(FIELD_BY_PATH[change.path].wire[0]) for change in self.changes))

    def patch_body(self, raw: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the PATCH body: the changes, the current base model, nested objects merged into the observed.

        Keys of nested objects that this operator does not model (`scalingSchedules`) survive that way.
        """
        body: dict[str, JsonValue] = {}
        if "baseModel" in raw:
            body["baseModel"] = raw["baseModel"]
        for change in self.changes:
            wire = FIELD_BY_PATH[change.path].wire
            inner = raw.get(wire[0])
            if len(wire) > 1 and wire[0] not in body and isinstance(inner, dict):
                body[wire[0]] = dict(inner)
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
    differences = [
        Difference(field.path, get(raw, field.wire), wanted[field.path])
        for field in FIELDS
        if field.path in wanted and not _equal(field, raw, wanted[field.path])
    ]
    return Drift(
        tuple(each for each in differences if FIELD_BY_PATH[each.path].change is ChangeRule.UPDATE),
        tuple(each for each in differences if FIELD_BY_PATH[each.path].change is ChangeRule.REPLACE),
        kept,
    )


def _wanted(
    values: Mapping[str, JsonValue], raw: Mapping[str, JsonValue], applied: Collection[str], *, replaceable: bool
) -> tuple[dict[str, JsonValue], tuple[str, ...]]:
    wanted = dict(values)
    kept: list[str] = []
    for field in FIELDS:
        if field.path not in applied or field.path in wanted:
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
