"""Fields that a client's apply dropped with a mere warning, found in what it says it applied."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import get_args, get_origin

from pydantic import JsonValue

from fireworks_operator.api.base import ApiModel
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentSpec

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

MOST_TOLD = 10
"""So many fields are named at most: who corrects them sees the next ones."""
_LONGEST_ANNOTATION = 262_144
"""Characters; the API server takes no more of all annotations together."""
_MOST_ENTRIES = 200
"""Of an object or a list no more are looked at: twice as many as any of the spec may have."""
_LONGEST_KEY = 64
"""Most characters that are shown of a key: no field's name is as long."""
_REMEMBERED = 4096
"""Annotations of which it is remembered what they say: most are looked at again and again, and never change."""
_told: dict[tuple[int, int], tuple[str, ...]] = {}
"""What was found in a text, by its length and hash, which nobody outside of the process can foretell."""


def misspelt_fields(resource: FireworksDeployment) -> tuple[str, ...]:
    """Return a sentence for each field of the last applied spec that the schema does not know.

    kubectl without server-side validation, Helm 3 and Argo CD's default apply drop such a field; a misspelt
    deletionPolicy would be found out only when it is too late.
    """
    text = resource.metadata.annotations.get(LAST_APPLIED, "")
    if not text or len(text) > _LONGEST_ANNOTATION:
        return ()
    key = len(text), hash(text)
    if key not in _told:
        while len(_told) >= _REMEMBERED:
            del _told[next(iter(_told))]
        _told[key] = tuple(islice(_sentences(text), MOST_TOLD))
    return _told[key]


def _sentences(text: str) -> Iterator[str]:
    for path, near in _unknown(_spec_in(text), FireworksDeploymentSpec, "spec"):
        hint = f"; did you mean {near}?" if near else "."
        yield f"{path} is not a field of FireworksDeployment and was dropped when the manifest was applied{hint}"


def _spec_in(text: str) -> JsonValue:
    try:
        applied: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return applied.get("spec") if isinstance(applied, dict) else None


def _unknown(value: JsonValue, model: type[ApiModel], path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    fields = _fields(model)
    for key, inner in sorted(islice(value.items(), _MOST_ENTRIES)):
        if key not in fields:
            yield f"{path}.{_shown(key)}", _nearest(key, fields)
            continue
        nested = fields[key]
        if nested is None:
            continue
        for place, each in _places(inner, f"{path}.{key}", is_map=nested.is_map):
            yield from _unknown(each, nested.model, place)


def _places(value: JsonValue, path: str, *, is_map: bool) -> Iterator[tuple[str, JsonValue]]:
    """Yield the objects in a field, each with its path: one, or those of a list or a map."""
    if isinstance(value, list):
        yield from ((f"{path}[{number}]", each) for number, each in enumerate(value[:_MOST_ENTRIES]))
    elif not is_map:
        yield path, value
    elif isinstance(value, dict):
        yield from ((f"{path}.{_shown(name)}", each) for name, each in islice(value.items(), _MOST_ENTRIES))


def _shown(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else key[:_LONGEST_KEY] + "…"


def _nearest(key: str, fields: Mapping[str, object]) -> str:
    """Return the field that was meant, empty if none is near."""
    close = get_close_matches(key, fields, n=1) if len(key) <= _LONGEST_KEY else []
    return close[0] if close else ""


@dataclass(frozen=True, slots=True)
class _Nested:
    """The model of what is in a field; `is_map` means that it is a map of such objects by name."""

    model: type[ApiModel]
    is_map: bool = False


@cache
def _fields(model: type[ApiModel]) -> Mapping[str, _Nested | None]:
    """Return the fields of a model by their names in manifests, each with the model of what is in it, if any."""
    return {info.alias or name: _model_in(info.annotation) for name, info in model.model_fields.items()}


def _model_in(annotation: object) -> _Nested | None:
    """Return the model in `Model | None`, `list[Model] | None` or `dict[str, Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return _Nested(annotation)
    found = next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
    return replace(found, is_map=True) if found is not None and get_origin(annotation) is dict else found
