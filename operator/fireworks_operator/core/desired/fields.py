"""The managed fields: where each stands in the spec and on the wire, how it compares, and whether it can change."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pydantic import JsonValue


class ChangeRule(Enum):
    """How a field can change once the deployment exists."""

    UPDATE = auto()
    REPLACE = auto()


class Kind(Enum):
    """How a field's values are compared."""

    PLAIN = auto()
    DURATION = auto()
    LOAD_TARGETS = auto()
    SHAPE = auto()
    PLACEMENT = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """One managed field.

    Attributes:
        path: where it stands in the spec, as `status.appliedFields` names it.
        wire: where it stands in a Deployment of the REST API; its first part is what `updateMask` names.
        change: whether PATCH can change it.
        default: what the server has when nobody sets it; removal from the spec resets to it. None: the server
            chooses by model, so removal leaves the value as it is.
    """

    path: str
    change: ChangeRule = ChangeRule.UPDATE
    kind: Kind = Kind.PLAIN
    default: JsonValue = None
    wire_path: str = ""

    @property
    def wire(self) -> tuple[str, ...]:
        """The wire path's parts."""
        return tuple((self.wire_path or self.path).split("."))


# Defaults: Fireworks documentation of on-demand deployments (windows, replica counts) and REST reference.
FIELDS: tuple[Field, ...] = (
    Field("baseModel", ChangeRule.REPLACE),
    Field("displayName", default=""),
    Field("description", default=""),
    Field("acceleratorType", ChangeRule.REPLACE),
    Field("acceleratorCount"),
    Field("minReplicaCount", default=0),
    Field("maxReplicaCount", default=1),
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
    Field("deploymentShape", kind=Kind.SHAPE),
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
