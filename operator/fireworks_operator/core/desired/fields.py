"""The managed fields: where each stands in the spec and on the wire, how it compares, and whether it can change."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pydantic import JsonValue

from fireworks_operator.core.identity import TAG_PREFIX, is_reserved_tag

TAGS = "tags."
SCHEDULES = "autoscalingPolicy.scalingSchedules."
"""What the paths begin with of the tags and of the scaling schedules, each of which is a field of its own."""
ROUTE_TYPE, NO_ROUTE = "directRoute.type", "DIRECT_ROUTE_TYPE_UNSPECIFIED"
"""The path of the type of a direct route, and its value where there is none.

Its API keys are no field: nobody reads them back, so there is nothing to compare.
"""


class ChangeRule(Enum):
    """How a field can change once the deployment exists."""

    UPDATE = auto()
    REPLACE = auto()
    TAG = auto()
    """By requests of its own: PATCH does not change annotations."""


class Kind(Enum):
    """How a field's values are compared."""

    PLAIN = auto()
    DURATION = auto()
    LOAD_TARGETS = auto()
    SHAPE = auto()
    PLACEMENT = auto()
    SCHEDULE = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """One managed field.

    Attributes:
        path: where it stands in the spec, as `status.appliedFields` names it.
        wire: where it stands in a Deployment of the REST API; its first part is what `updateMask` names.
        change: whether PATCH can change it.
        default: what the server has when nobody sets it; removal from the spec resets to it. None: the server
            chooses by model, so removal leaves the value as it is. An entry of a map has an empty one, which stands
            for no entry.
        entry: the key in the map at `wire_path`, if the field is one of its entries.
    """

    path: str
    change: ChangeRule = ChangeRule.UPDATE
    kind: Kind = Kind.PLAIN
    default: JsonValue = None
    wire_path: str = ""
    entry: str = ""

    @property
    def wire(self) -> tuple[str, ...]:
        """The wire path's parts."""
        parts = tuple((self.wire_path or self.path).split("."))
        return (*parts, self.entry) if self.entry else parts


# Defaults: Fireworks documentation of on-demand deployments (windows, replica counts) and REST reference.
FIELDS: tuple[Field, ...] = (
    Field("baseModel", ChangeRule.REPLACE),
    Field("displayName", default=""),
    Field("description", default=""),
    Field("acceleratorType", ChangeRule.REPLACE),
    Field("acceleratorCount"),
    Field("minReplicaCount", default=0),
    Field("maxReplicaCount", default=1),
    Field("maxWithRevocableReplicaCount", default=0),
    Field("autoscalingPolicy.scaleUpWindow", kind=Kind.DURATION, default="30s"),
    Field("autoscalingPolicy.scaleDownWindow", kind=Kind.DURATION, default="600s"),
    Field("autoscalingPolicy.scaleToZeroWindow", kind=Kind.DURATION, default="3600s"),
    Field("autoscalingPolicy.loadTargets", kind=Kind.LOAD_TARGETS, default={"default": 0.8}),
    Field("draftModel", default=""),
    Field("draftTokenCount", default=0),
    Field("ngramSpeculationLength", default=0),
    Field("precision"),
    Field("longPrompt", default=False, wire_path="autoTune.longPrompt"),
    Field("enableAddons", default=False),
    Field("placement", ChangeRule.REPLACE, Kind.PLACEMENT),
    Field(ROUTE_TYPE, default=NO_ROUTE, wire_path="directRouteType"),
    Field("deploymentShape", kind=Kind.SHAPE),
    Field("enableHotReloadLatestAddon", default=False),
    Field("numPeftDeviceCached"),
    Field("maxContextLength"),
    Field("maxConcurrencyPerReplica"),
    Field("enableSessionAffinity", default=False),
    Field("preemptible", ChangeRule.REPLACE, default=False),
)
FIELD_BY_PATH: Mapping[str, Field] = {field.path: field for field in FIELDS}

STATIC_DEFAULTS = frozenset(
    field.path for field in FIELDS if field.default is not None and field.change is ChangeRule.UPDATE
)
"""Fields that a PATCH can reset."""
RESETS_OF_NEW = frozenset(field.path for field in FIELDS if field.default is not None)
"""Fields that a new deployment has at their defaults where nobody sets them."""


def field_at(path: str) -> Field | None:
    """Return the field at a path of the spec, None if there is no such field (any more)."""
    if path.startswith(SCHEDULES):
        name = path.removeprefix(SCHEDULES)
        return Field(path, kind=Kind.SCHEDULE, default={}, wire_path=SCHEDULES.rstrip("."), entry=name)
    if path.startswith(TAGS):
        key = TAG_PREFIX + path.removeprefix(TAGS)
        return Field(path, ChangeRule.TAG, default="", wire_path="annotations", entry=key)
    return FIELD_BY_PATH.get(path)


def fields_at(paths: Collection[str]) -> Iterator[Field]:
    """Yield the fields at these paths, in the order of `FIELDS`, then the entries of maps by name."""
    yield from (field for field in FIELDS if field.path in paths)
    entries = sorted(path for path in paths if path.startswith((SCHEDULES, TAGS)))
    yield from (field for path in entries if (field := field_at(path)) is not None)


def schedules_of(raw: Mapping[str, JsonValue]) -> list[str]:
    """Return the paths of the scaling schedules that a deployment has."""
    found = get(raw, ("autoscalingPolicy", "scalingSchedules"))
    return [f"{SCHEDULES}{name}" for name in sorted(found)] if isinstance(found, dict) else []


def tags_of(raw: Mapping[str, JsonValue]) -> list[str]:
    """Return the paths of the tags that a deployment has, but of the operator's own."""
    found = raw.get("annotations")
    keys = sorted(found) if isinstance(found, dict) else []
    bare = (key.removeprefix(TAG_PREFIX) for key in keys if key.startswith(TAG_PREFIX))
    return [f"{TAGS}{key}" for key in bare if not is_reserved_tag(key)]


def get(body: Mapping[str, JsonValue], path: tuple[str, ...]) -> JsonValue:
    """Return the value at a path, None where there is none."""
    value: JsonValue = dict(body)
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def put(body: dict[str, JsonValue], path: tuple[str, ...], value: JsonValue) -> None:
    """Set a value at a path, creating the objects on the way."""
    for part in path[:-1]:
        inner = body.setdefault(part, {})
        if not isinstance(inner, dict):
            raise TypeError(f"{part} is not an object")
        body = inner
    body[path[-1]] = value
