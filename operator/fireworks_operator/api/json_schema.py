"""A closed JSON schema of FireworksDeployment, for editors and for kubeconform: it refuses a misspelt field."""

import json
from collections.abc import Mapping
from typing import Any

from .crd import crd
from .v1alpha1 import GROUP, KIND, VERSION

FILE_NAME = f"{GROUP}/{KIND.lower()}_{VERSION}.json"
"""Below schemas/, as kubeconform's template `{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json` names it."""

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


def json_schema() -> dict[str, Any]:
    """Return the schema, draft 7: types, bounds and names. The CEL rules are left to the API server."""
    (version,) = crd()["spec"]["versions"]
    schema = _closed(version["schema"]["openAPIV3Schema"])
    properties = schema["properties"]
    properties["apiVersion"] |= {"enum": [f"{GROUP}/{VERSION}"]}
    properties["kind"] |= {"enum": [KIND]}
    properties["metadata"] = {"type": "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": KIND,
        **schema,
        "required": ["apiVersion", "kind", "metadata", "spec"],
    }


def render_json_schema() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _closed(structural: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a structural schema of a CRD, and refuse what it would only drop."""
    schema = {key: structural[key] for key in _KEPT if key in structural}
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
