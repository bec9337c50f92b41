"""spec → what Fireworks is asked for: a flat table of fields, and the request body made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec, Placement

from .durations import wire_duration
from .identity import TAG_ADOPTED, Owner, full_model_name


class Change(Enum):
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
    change: Change = Change.UPDATE
    kind: Kind = Kind.PLAIN
    default: JsonValue = None
    wire_path: str = ""

    @property
    def wire(self) -> tuple[str, ...]:
        """The wire path's parts."""
        return tuple((self.wire_path or self.path).split("."))


# Defaults: Fireworks documentation of on-demand deployments (windows, replica counts) and REST reference.
FIELDS: tuple[Field, ...] = (
    Field("baseModel", Change.REPLACE),
    Field("displayName", default=""),
    Field("description", default=""),
    Field("acceleratorType", Change.REPLACE),
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
    Field("placement", Change.REPLACE, Kind.PLACEMENT),
    Field("deploymentShape", kind=Kind.SHAPE),
    Field("maxContextLength"),
    Field("maxConcurrencyPerReplica"),
    Field("enableSessionAffinity", default=False),
    Field("preemptible", Change.REPLACE, default=False),
)
FIELD_BY_PATH: Mapping[str, Field] = {field.path: field for field in FIELDS}


@dataclass(frozen=True, slots=True)
class Desired:
    """What a spec asks for: `values` maps field paths to wire values, only of fields that the user set."""

    values: Mapping[str, JsonValue]
    disable_speculative_decoding: bool | None

    def create_body(self, owner: Owner) -> dict[str, JsonValue]:
        """Return the body of a create request: the user's fields and the owner marker, nothing else."""
        body: dict[str, JsonValue] = {}
        for path, value in self.values.items():
            put(body, FIELD_BY_PATH[path].wire, value)
        body["annotations"] = {**owner.marker(), TAG_ADOPTED: "false"}
        return body

    def create_query(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Return the create request's query parameters, the deployment id aside.

        `settings` are those that the operator adds to every request. Accepting the risk of a create without a
        shape excludes a shape (Fireworks documentation, deployment shapes).
        """
        query = dict(settings)
        if "deploymentShape" in self.values:
            query.pop("acceptShapelessRisk", None)
        if self.disable_speculative_decoding is not None:
            query["disableSpeculativeDecoding"] = str(self.disable_speculative_decoding).lower()
        return query


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


def desired(spec: FireworksDeploymentSpec, account: str) -> Desired:
    """Translate a spec for an account. A malformed duration is passed on as it is: `decide()` refuses the spec."""
    policy = spec.autoscaling_policy
    values: dict[str, JsonValue | None] = {
        "baseModel": full_model_name(account, spec.base_model),
        "displayName": spec.display_name,
        "description": spec.description,
        "acceleratorType": spec.accelerator_type,
        "acceleratorCount": spec.accelerator_count,
        "minReplicaCount": spec.min_replica_count,
        "maxReplicaCount": spec.max_replica_count,
        "draftModel": full_model_name(account, spec.draft_model) if spec.draft_model else spec.draft_model,
        "draftTokenCount": spec.draft_token_count,
        "ngramSpeculationLength": spec.ngram_speculation_length,
        "precision": spec.precision,
        "longPrompt": spec.long_prompt,
        "enableAddons": True if spec.addons else spec.enable_addons,
        "placement": _placement(spec.placement),
        "deploymentShape": spec.deployment_shape,
        "maxContextLength": spec.max_context_length,
        "maxConcurrencyPerReplica": spec.max_concurrency_per_replica,
        "enableSessionAffinity": spec.enable_session_affinity,
        "preemptible": spec.preemptible,
    }
    if policy is not None:
        values |= {
            "autoscalingPolicy.scaleUpWindow": _window(policy.scale_up_window),
            "autoscalingPolicy.scaleDownWindow": _window(policy.scale_down_window),
            "autoscalingPolicy.scaleToZeroWindow": _window(policy.scale_to_zero_window),
            "autoscalingPolicy.loadTargets": dict(policy.load_targets) if policy.load_targets else None,
        }
    present = {path: value for path, value in values.items() if value is not None}
    return Desired(present, spec.disable_speculative_decoding)


def _window(text: str | None) -> str | None:
    try:
        return None if text is None else wire_duration(text)
    except ValueError:
        return text


def _placement(placement: Placement | None) -> JsonValue | None:
    if placement is None:
        return None
    wire: dict[str, JsonValue] = placement.to_wire()
    return wire
