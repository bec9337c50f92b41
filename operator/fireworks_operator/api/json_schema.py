"""A closed JSON schema of each kind, for editors and for kubeconform: it refuses a misspelt field."""

import json
from collections.abc import Mapping
from typing import Any

from .crd import crd
from .kinds import Kind
from .resource import GROUP, VERSION

_KEPT = (
    "type",
    "description",
    "default",
    "enum",
    "required",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
)


def file_name(kind: Kind) -> str:
    """Return the path below schemas/, as kubeconform's `{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json`."""
    return f"{GROUP}/{kind.singular}_{VERSION}.json"


def json_schema(kind: Kind) -> dict[str, Any]:
    """Return the schema, draft 7: types, bounds and names. The CEL rules are left to the API server."""
    (version,) = crd(kind)["spec"]["versions"]
    schema = _closed(version["schema"]["openAPIV3Schema"])
    properties = schema["properties"]
    properties["apiVersion"] |= {"enum": [f"{GROUP}/{VERSION}"]}
    properties["kind"] |= {"enum": [kind.name]}
    properties["metadata"] = {"type": "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind.name,
        **schema,
        "required": ["apiVersion", "kind", "metadata", "spec"],
    }


def render_json_schema(kind: Kind) -> str:
    """Return the schema as the text of its file."""
    return json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _closed(structural: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a structural schema of a CRD, and refuse what it would only drop."""
    schema = {key: structural[key] for key in _KEPT if key in structural}
    if structural.get("x-kubernetes-int-or-string"):
        schema["type"] = ["integer", "string"]
    if structural.get("exclusiveMinimum"):
        schema["exclusiveMinimum"] = schema.pop("minimum")
    if structural.get("x-kubernetes-list-type") == "set":
        schema["uniqueItems"] = True
    if "items" in structural:
        schema["items"] = _closed(structural["items"])
    if "properties" in structural:
        schema["properties"] = {name: _closed(each) for name, each in structural["properties"].items()}
        schema["additionalProperties"] = False
    elif "additionalProperties" in structural:
        schema["additionalProperties"] = _closed(structural["additionalProperties"])
    return schema
