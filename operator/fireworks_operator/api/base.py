"""What the models of the resource are made of: the base class, times, and what a field says to the CRD."""

from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule that the API server checks on every write (`x-kubernetes-validations`).

    In `cel`, `self` is the value of the field or object that the rule stands at. `message` names the field by
    its path from the root and says what to write instead. `field_path` points the error at one field of the
    object where the rule stands, such as `.maxReplicaCount`.
    """

    cel: str
    message: str
    field_path: str | None = None


class Change(StrEnum):
    """What happens when a field of an existing deployment changes."""

    UPDATE = "updated in place."
    KEPT = "updated in place. If removed from the spec, the value stays at Fireworks and a notice reports it."
    REPLACE = (
        "accepted, but Fireworks cannot change it in place: the existing deployment keeps serving and the condition "
        "Stalled reports ReplaceRequired, or it is replaced (see replacePolicy)."
    )
    BY_REPLACEMENT = (
        "refused once status.deploymentName is set, until then it can be corrected. With replacePolicy.type BlueGreen "
        "or Recreate, the deployment is replaced."
    )
    IMMUTABLE = "refused once status.deploymentName is set; until then it can be corrected."
    POLICY = "takes effect immediately; nothing is sent to Fireworks."


def reset_to(value: str) -> str:
    """Say that a field is updated in place, and which value it gets when it is removed from the spec."""
    return f"updated in place. If removed from the spec, it is reset to {value}."


@dataclass(frozen=True, slots=True)
class Schema:
    """What a field of a model says to the CRD and its documentation; pydantic itself does not act on it.

    The API server enforces bounds and rules on every write. Reading stays lenient on purpose: an object that
    an older or newer CRD let through must still be reconciled, and above all deleted.

    Attributes:
        text: Meaning, unit and bounds in plain sentences.
        default: What holds when the field is absent, and who decides it.
        change: What happens when it changes on an existing deployment.
        wire: What it is sent to Fireworks as, where that is not the field of the same name (Fireworks REST
            reference, deployments).
        example: A value, as YAML.
        min_length, max_length: Bounds of a string, in characters.
        pattern: Regular expression of a string, only for the standard shapes of conditions.
        minimum, maximum: Bounds of a number, inclusive unless `exclusive_minimum`.
        max_items: Most items of a list. `min_items`: fewest.
        max_properties: Most entries of a map.
        list_type, list_map_keys: How server-side apply merges it.
        required: Required in the CRD although the model has a default.
        int_or_string: A text that may be written as an integer, too (Kubernetes, IntOrString).
        stored_default: The API server writes the model's default into stored objects. Only for the operator's
            own policies, never for what Fireworks decides.
        rules: CEL rules on the value.
    """

    text: str = ""
    _: KW_ONLY
    default: str | None = None
    change: str | None = None
    wire: str | None = None
    example: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    exclusive_minimum: bool = False
    min_items: int | None = None
    max_items: int | None = None
    max_properties: int | None = None
    list_type: Literal["map", "set", "atomic"] | None = None
    list_map_keys: tuple[str, ...] = ()
    required: bool = False
    int_or_string: bool = False
    stored_default: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def diagnosis(self) -> str:
        """The description that `kubectl explain` prints: the text, then one line per further fact."""
        facts = (
            ("Default", self.default),
            ("On change", self.change),
            ("Sent to Fireworks as", self.wire),
            ("Example", self.example),
        )
        return "\n".join([self.text, *(f"{name}: {fact}" for name, fact in facts if fact is not None)])


class ApiModel(BaseModel):
    """Base of all models: camelCase on the wire, immutable, unknown keys ignored (a newer CRD has more)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")

    rules: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules over several fields of this object."""

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object as the API server stores it, absent fields left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


def _kubernetes_time(value: datetime) -> str:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z")


def _utc(value: datetime) -> datetime:
    """Return the time in UTC; one without a zone is taken for that.

    Raises:
        ValueError: it is so near to the first or the last day of the calendar that it has no time in UTC.
    """
    if not value.utcoffset():  # what is in UTC already needs no arithmetic, which pydantic's own zone makes slow
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a plausible time") from None


Time = Annotated[datetime, AfterValidator(_utc), PlainSerializer(_kubernetes_time, return_type=str)]
"""A point in time, on the wire in RFC 3339 with whole seconds and Z, as metav1.Time."""

MESSAGE_LENGTH = 32768
"""Most characters of a condition's message (metav1.Condition)."""
SENTENCE_LENGTH = 4096
"""Most characters of the other free texts in status."""
