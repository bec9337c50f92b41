"""What is being changed: fields of the spec that are not in force yet."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import Effective, FireworksDeployment
from fireworks_operator.core.desired.choices import chosen_spec
from fireworks_operator.core.desired.durations import parse_duration
from fireworks_operator.core.desired.fields import SCHEDULES, TAGS
from fireworks_operator.core.desired.parking import BOUNDS
from fireworks_operator.core.desired.shapes import same_shape
from fireworks_operator.core.desired.wanted import wire_values


@dataclass(frozen=True, slots=True)
class Change:
    """One field, its value at Fireworks and the one in the spec."""

    path: str
    now: JsonValue
    wanted: JsonValue

    def __str__(self) -> str:
        now, wanted = ("not set" if each is None else each for each in (self.now, self.wanted))
        return f"{self.path}: {now} → {wanted}"


def pending_changes(resource: FireworksDeployment) -> Iterator[Change]:
    """Compare the spec with `status.effective`, and tags and schedules with what was applied, as far as that goes."""
    account, effective = resource.status.account, resource.status.effective
    if account is None or effective is None:
        return
    in_force = effective.to_wire()
    values = wire_values(chosen_spec(resource), account)
    yield from _entries(values, resource.status.applied_fields)
    for path, wanted in values.items():
        if path.startswith(_ENTRIES) or (path in BOUNDS and resource.status.parked is not None):
            continue  # what is parked has none of its bounds, and they are not on their way
        name = path.rsplit(".", 1)[-1]
        if name in _COMPARED and name in in_force and not _same(name, in_force[name], wanted, values["baseModel"]):
            yield Change(path, in_force[name], wanted)


_COMPARED = frozenset(field.alias or "" for field in Effective.model_fields.values()) - {"region", "scalingSchedules"}
_ENTRIES = (TAGS, SCHEDULES)


def _entries(values: Mapping[str, JsonValue], applied: Collection[str] | None) -> Iterator[Change]:
    """Yield the tags and schedules that have yet to be added or removed; of those applied, no values are known."""
    if applied is None:
        return
    for path in sorted({*values, *applied}):
        if path.startswith(_ENTRIES) and (path in values) is not (path in applied):
            yield Change(path, "set" if path in applied else None, values.get(path))


def _same(name: str, now: JsonValue, wanted: JsonValue, base_model: JsonValue) -> bool:
    if name == "deploymentShape":
        return same_shape(now, wanted, base_model)
    if name.endswith("Window"):
        try:
            return parse_duration(str(now)) == parse_duration(str(wanted))
        except ValueError:
            return now == wanted
    return now == wanted
