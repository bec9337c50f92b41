"""What a newer CustomResourceDefinition may not do to the users of a released one."""

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties")
_LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties")
_NAMES = ("kind", "listKind", "plural", "singular")
_FIXED = ("type", "format", "default", "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type")
_PERMISSIONS = ("nullable", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")


def violations(released: Json, current: Json) -> list[str]:
    """Return in sentences what breaks manifests, stored resources or clients that the released CRD served.

    A manifest that was valid must stay valid and mean the same, and what was written into the status must stay
    readable. Descriptions and messages may change, fields and versions may be added, bounds may be widened.

    Args:
        released: the CRD as it was published.
        current: the CRD of now.
    """
    return [*_names(released, current), *_versions(released["spec"], current["spec"])]


def _names(released: Json, current: Json) -> Iterator[str]:
    old, new = released["spec"], current["spec"]
    pairs = [("metadata.name", released["metadata"]["name"], current["metadata"]["name"])]
    pairs += [(name, old[name], new[name]) for name in ("group", "scope")]
    pairs += [(f"names.{name}", old["names"].get(name), new["names"].get(name)) for name in _NAMES]
    yield from (f"{name}: {before} became {after}" for name, before, after in pairs if before != after)
    for name in ("shortNames", "categories"):
        gone = set(old["names"].get(name, ())) - set(new["names"].get(name, ()))
        yield from (f"names.{name}: {each} is gone" for each in sorted(gone))


def _versions(released: Json, current: Json) -> Iterator[str]:
    versions = {each["name"]: each for each in current["versions"]}
    for old in released["versions"]:
        name = old["name"]
        new = versions.get(name)
        if new is None:
            yield f"{name}: the version is gone"
            continue
        yield from (f"{name}: no longer {flag}" for flag in ("served", "storage") if old[flag] and not new[flag])
        yield from (f"{name}: {each}" for each in _subresources(old, new))
        yield from (f"{name}: {each}" for each in _columns(old, new))
        schema = _schema(old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"], "")
        yield from (f"{name}: {each}" for each in schema)


def _subresources(old: Json, new: Json) -> Iterator[str]:
    subresources = new.get("subresources", {})
    for each, settings in old.get("subresources", {}).items():
        if subresources.get(each) != settings:
            yield f"subresource {each} is gone or changed"


def _columns(old: Json, new: Json) -> Iterator[str]:
    columns = {each["name"]: each for each in new.get("additionalPrinterColumns", ())}
    for each in old.get("additionalPrinterColumns", ()):
        if columns.get(each["name"]) != each:
            yield f"column {each['name']} is gone or shows something else"


def _schema(old: Json, new: Json, path: str) -> Iterator[str]:
    """Compare what may stand at one place, and all below it."""
    where = path or "."
    for name in _FIXED:
        if old.get(name) != new.get(name):
            yield f"{where}: {name} {old.get(name)} became {new.get(name)}"
    yield from (f"{where}: {name} is gone" for name in _PERMISSIONS if old.get(name) and not new.get(name))
    yield from (f"{where}: {each}" for each in _tightened(old, new))
    yield from _fields(old, new, path)
    for name, suffix in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(name), Mapping):
            yield from _schema(old[name], new.get(name, {}), f"{path}{suffix}")


def _fields(old: Json, new: Json, path: str) -> Iterator[str]:
    fields = new.get("properties", {})
    for name, schema in old.get("properties", {}).items():
        if name in fields:
            yield from _schema(schema, fields[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}: the field is gone"
    added = set(new.get("required", ())) - set(old.get("required", ()))
    yield from (f"{path}.{name}: became required" for name in sorted(added))


def _tightened(old: Json, new: Json) -> Iterator[str]:
    yield from _bounds(old, new, _UPPER_BOUNDS, operator.lt)
    yield from _bounds(old, new, _LOWER_BOUNDS, operator.gt)
    for name in ("exclusiveMinimum", "exclusiveMaximum", "uniqueItems"):
        if new.get(name) and not old.get(name):
            yield f"{name} was added"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"pattern {old.get('pattern')} became {new['pattern']}"
    if "enum" in new:
        gone = sorted(set(old["enum"]) - set(new["enum"])) if "enum" in old else ["every other value"]
        yield from (f"enum: {each} is gone" for each in gone)
    rules = {each["rule"] for each in old.get("x-kubernetes-validations", ())}
    for each in new.get("x-kubernetes-validations", ()):
        if each["rule"] not in rules:
            yield f"rule added or changed: {each['rule']}"


def _bounds(old: Json, new: Json, names: tuple[str, ...], tighter: Callable[[float, float], bool]) -> Iterator[str]:
    for name in names:
        if name in new and (name not in old or tighter(new[name], old[name])):
            yield f"{name} {old.get(name)} became {new[name]}"
