"""What every kind has in common: its metadata, and how an object of the API server is read."""

from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from .base import ApiModel, Time

GROUP = "fireworks.ai"
VERSION = "v1alpha1"

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_ANNOTATIONS = 32
_LONGEST_ANNOTATION = 256
MOST_LABELS = 128
"""Labels of a resource that are read; Kubernetes bounds the length of each, not their number."""


def _read_annotations(value: object) -> object:
    """Keep what the operator reads of annotations: all together may have a quarter of a megabyte for each resource."""
    if not isinstance(value, dict):
        return value
    ours = [name for name in value if str(name).startswith(f"{GROUP}/")][:_MOST_ANNOTATIONS]
    kept = {name: each[:_LONGEST_ANNOTATION] for name in ours if isinstance(each := value[name], str)}
    return kept | {name: value[name] for name in (_LAST_APPLIED,) if name in value}


def _read_labels(value: object) -> object:
    return dict(islice(value.items(), MOST_LABELS)) if isinstance(value, dict) else value


class ObjectMeta(ApiModel):
    """The part of Kubernetes' ObjectMeta that the operator reads."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    finalizers: list[str] = Field(default_factory=list)
    labels: Annotated[dict[str, str], BeforeValidator(_read_labels)] = Field(default_factory=dict)
    annotations: Annotated[dict[str, str], BeforeValidator(_read_annotations)] = Field(default_factory=dict)


class InvalidResourceError(ValueError):
    """The API server let a resource through that these models cannot read; the text names the field."""


def _without(status: Any, places: Collection[tuple[int | str, ...]]) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a status without the fields that cannot be read, as they are in none that the operator writes."""
    unreadable = {place[1] for place in places if len(place) > 1}
    return {name: value for name, value in status.items() if name not in unreadable} if unreadable else {}


_NO_NAMES: set[str] = set()
_MODELS = type(BaseModel)
Model = TypeVar("Model", bound=BaseModel)


def lean(model: Model) -> Model:
    """Return a model that no longer knows which of its fields were set, nor do those in it.

    Nobody asks for that, and it is two fifths of the memory of a resource.
    """
    object.__setattr__(model, "__pydantic_fields_set__", _NO_NAMES)
    for value in model.__dict__.values():
        kind = type(value)  # of all ways to tell models apart the fastest: this runs for whatever is read
        if type(kind) is _MODELS:
            lean(value)
        elif kind is list:
            for each in value:
                if type(type(each)) is _MODELS:
                    lean(each)
    return model


class Resource(ApiModel):
    """An object of the API server, of any of the operator's kinds."""

    metadata: ObjectMeta

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read an object of the API server; what cannot be read of its status counts as lost.

        Raises:
            InvalidResourceError: with the path of each other unreadable field and what is wrong there.
        """
        try:
            return lean(cls.model_validate(raw))
        except ValidationError as error:
            places = [item["loc"] for item in error.errors()]
            if all(place[0] == "status" for place in places):
                return lean(cls.model_validate({**raw, "status": _without(raw["status"], places)}))
            found = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise InvalidResourceError("; ".join(found)) from error

    @cached_property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.metadata.namespace}/{self.metadata.name}"
