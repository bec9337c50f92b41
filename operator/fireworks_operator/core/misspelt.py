"""Fields that a client's apply dropped with a mere warning, found in what it says it applied."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import get_args

from pydantic import JsonValue

from fireworks_operator.api.base import ApiModel
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentSpec

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def misspelt_fields(resource: FireworksDeployment) -> Iterator[str]:
    """Yield a sentence for each field of the last applied spec that the schema does not know.

    kubectl without server-side validation, Helm 3 and Argo CD's default apply drop such a field; a misspelt
    deletionPolicy would be found out only when it is too late.
    """
    spec = _last_applied_spec(resource.metadata.annotations)
    for path, near in _unknown(spec, FireworksDeploymentSpec, "spec"):
        hint = f"; did you mean {near}?" if near else "."
        yield f"{path} is not a field of FireworksDeployment and was dropped when it was applied{hint}"


def _last_applied_spec(annotations: Mapping[str, str]) -> JsonValue:
    try:
        applied: JsonValue = json.loads(annotations.get(LAST_APPLIED, "{}"))
    except (ValueError, RecursionError):
        return None
    return applied.get("spec") if isinstance(applied, dict) else None


def _unknown(value: JsonValue, model: type[ApiModel], path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    for key, inner in sorted(value.items()):
        if key not in fields:
            close = get_close_matches(key, fields, n=1)
            yield f"{path}.{key}", close[0] if close else ""
            continue
        nested = _model_in(fields[key])
        if nested is None:
            continue
        for number, each in enumerate(inner if isinstance(inner, list) else [inner]):
            place = f"{path}.{key}[{number}]" if isinstance(inner, list) else f"{path}.{key}"
            yield from _unknown(each, nested, place)


def _model_in(annotation: object) -> type[ApiModel] | None:
    """Return the model in `Model | None` or `list[Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, ApiModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each)) is not None), None)
