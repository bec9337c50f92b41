"""The reference pages of the documentation, generated from the models: fields, rules, conditions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .base import ApiModel, Schema
from .conditions import BudgetConditionType, BudgetReason, ConditionType, Reason
from .crd import model_of, object_schema, schema_of
from .kinds import BUDGETS, DEPLOYMENTS, KINDS, Column, Kind, Scale
from .resource import GROUP, VERSION

_DEPLOYMENTS_INTRO = f"""\
<!-- Generated from the models in operator/fireworks_operator/api; change those instead. -->
# {DEPLOYMENTS.name}

`{GROUP}/{VERSION}`, namespaced, short name `fwd`. `kubectl explain fwd.spec` shows the same texts.

Fields have the names of the Fireworks REST API. Fireworks decides what the spec leaves unset; the values in
effect are in `status.effective`. Values that Fireworks defines, such as accelerator types, regions and
precisions, are not listed in the schema, so new ones can be used immediately.

A model is enough. This resource also chooses the hardware and the number of replicas, and brings its own API key:

```yaml
apiVersion: {GROUP}/{VERSION}
kind: {DEPLOYMENTS.name}
metadata:
  name: chat
spec:
  baseModel: accounts/fireworks/models/llama-v3p1-8b-instruct
  acceleratorType: NVIDIA_H100_80GB
  acceleratorCount: 1
  minReplicaCount: 1
  maxReplicaCount: 3
  credentialsSecretRef:
    name: fireworks
```
"""
_BUDGETS_INTRO = f"""\
<!-- Generated from the models in operator/fireworks_operator/api; change those instead. -->
# {BUDGETS.name}

`{GROUP}/{VERSION}`, namespaced, short name `{BUDGETS.short_name}`. `kubectl explain fwb.spec` shows the same texts.

A budget bounds what the FireworksDeployments of its namespace may cost. Its condition `Ready` is True while the limits
are in force; `observedGeneration` tells for which spec. Amounts are US dollars: whole numbers may be written as they
are, those with decimal places need quotes.

```yaml
apiVersion: {GROUP}/{VERSION}
kind: {BUDGETS.name}
metadata:
  name: team
spec:
  limits:
    gpus: 64
    hourlyCost: "520.00"
    monthlyCost: 20000
```
"""
_INTROS = {DEPLOYMENTS: _DEPLOYMENTS_INTRO, BUDGETS: _BUDGETS_INTRO}
_CONDITIONS_INTRO = """\
<!-- Generated from the enums in operator/fireworks_operator/api/conditions.py; change those instead. -->
# Conditions and reasons

`status.conditions` has the shape of standard Kubernetes conditions, each with `observedGeneration`.
`kubectl wait --for=condition=Ready fwd/NAME` waits for the summary; Flux, Argo CD and `helm --wait` read
`Reconciling` and `Stalled`.
"""
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "maxProperties": "at most {} entries",
}


def pages() -> dict[str, str]:
    """Return the pages of docs/reference by file name."""
    fields = {f"{each.singular}.md": render_fields(each) for each in KINDS}
    return {**fields, "conditions.md": render_conditions()}


def render_fields(kind: Kind) -> str:
    """Return the page about the fields of a kind, as Markdown."""
    spec = list(_fields("spec", kind.spec))
    status = _fields("status", kind.status)
    return _page(
        _INTROS[kind],
        "## Spec\n",
        *map(_section, spec),
        "## Rules\n",
        "In addition to types and bounds, the API server checks these rules on every write and reports the message:\n",
        *_rules(kind, spec),
        "## Status\n",
        *table(("Field", "Type", "Meaning"), ((_code(f.path), f.kind, f.about.text) for f in status)),
        "## Columns\n",
        *_columns(kind),
        *(("## Scale\n", *_scale(kind.scale)) if kind.scale else ()),
    )


def render_conditions() -> str:
    """Return the page about condition types and reasons, as Markdown."""
    return _page(
        _CONDITIONS_INTRO,
        "## Types\n",
        *table(("Type", "True means"), ((_code(member), member.doc) for member in ConditionType)),
        "## Reasons\n",
        *table(("Reason", "Meaning"), ((_code(member), member.doc) for member in Reason)),
        "## Conditions of a FireworksBudget\n",
        *table(("Type", "True means"), ((_code(member), member.doc) for member in BudgetConditionType)),
        *table(("Reason", "Meaning"), ((_code(member), member.doc) for member in BudgetReason)),
    )


@dataclass(frozen=True, slots=True)
class _Field:
    path: str
    kind: str
    required: bool
    about: Schema
    rules: tuple[str, ...]


def _fields(path: str, model: type[ApiModel]) -> Iterator[_Field]:
    """Yield the fields of a model and of those inside it, each with the rules that stand at it.

    What the model declares itself comes before what it inherits: with a spec, that is `baseModel`.
    """
    schemas = object_schema(model)
    for _, field in sorted(model.model_fields.items(), key=lambda item: item[0] not in model.__annotations__):
        name = field.alias or ""
        schema, about, inner = schemas["properties"][name], schema_of(field), model_of(field.annotation)
        here = f"{path}.{name}"
        yield _Field(
            path=here,
            kind=_kind(schema),
            required=name in schemas.get("required", []),
            about=about,
            rules=_messages(schema) + _messages(schema.get("items", schema.get("additionalProperties", {}))),
        )
        if inner is not None:
            below = "[]" if schema.get("type") == "array" else ".NAME" if "additionalProperties" in schema else ""
            yield from _fields(f"{here}{below}", inner)


def _messages(schema: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(rule["message"] for rule in schema.get("x-kubernetes-validations", ()))


def _kind(schema: Mapping[str, Any]) -> str:
    kind = "integer or string" if schema.get("x-kubernetes-int-or-string") else schema["type"]
    if kind == "array":
        kind = f"list of {schema['items']['type']}s"
    if "additionalProperties" in schema:
        kind = f"map of string to {schema['additionalProperties']['type']}"
    if "enum" in schema:
        return "one of " + ", ".join(map(_code, schema["enum"]))
    if schema.get("format") == "date-time":
        return "time (RFC 3339)"
    bounds = [text.format(schema[key]) for key, text in _BOUNDS.items() if key in schema]
    return ", ".join([kind, *bounds])


def _section(field: _Field) -> str:
    facts = (
        ("Type", field.kind + (", required" if field.required else "")),
        ("Default", field.about.default),
        ("On change", field.about.change),
        ("Sent to Fireworks as", field.about.wire),
        ("Example", field.about.example and _code(field.about.example)),
    )
    lines = [f"- {name}: {fact}" for name, fact in facts if fact]
    return "\n".join([f"### `{field.path}`\n", field.about.text, "", *lines, ""])


def _rules(kind: Kind, fields: Iterable[_Field]) -> Iterator[str]:
    for rule in (*kind.model.rules, *kind.spec.rules):
        yield f"- {rule.message}."
    for field in fields:
        for message in field.rules:
            yield f"- {message}."
    yield ""


def _columns(kind: Kind) -> Iterator[str]:
    command = f"kubectl get {kind.short_name}"
    yield f"`{command}` shows those without a mark, `{command} -o wide` all of them.\n"
    yield from table(("Column", "Source"), map(_column, kind.columns))


def _scale(scale: Scale) -> Iterator[str]:
    yield "`kubectl scale`, HorizontalPodAutoscalers and KEDA read and write these fields by the scale subresource:\n"
    rows = (
        ("`spec.replicas`", _code(scale.spec_replicas)),
        ("`status.replicas`", _code(scale.status_replicas)),
        ("`status.selector`", _code(scale.selector)),
    )
    yield from table(("Scale", "Field"), rows)


def _column(column: Column) -> tuple[str, str]:
    return column.name + (" (wide)" if column.wide else ""), _code(column.source)


def _page(*blocks: str) -> str:
    return "\n".join(blocks).rstrip("\n") + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a Markdown table, and an empty one after it."""
    for cells in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _code(text: str) -> str:
    return f"`{text}`"
