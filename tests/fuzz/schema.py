"""From the OpenAPI schema of the CRD to values: those that it accepts, up to its bounds, and those that it must not."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from hypothesis import strategies as st

Schema = Mapping[str, Any]
Values = st.SearchStrategy[Any]

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_DAY = 86_400
_TEXT = st.characters(exclude_categories=["Cs"])
"""Everything that UTF-8 can carry, control characters included."""
_HUGE = (2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 10**30)
ANYTHING: Values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(_HUGE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_TEXT, max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(_TEXT, max_size=8), inner, max_size=3),
    max_leaves=6,
)
"""Any JSON."""


def accepted(schema: Schema) -> Values:
    """Return values within a schema's types, bounds and formats; rules over several fields are not looked at."""
    kind = schema["type"]
    values = _BY_TYPE[kind](schema)
    example = _example(schema)
    return values if example is None else st.just(example) | values


def hostile(schema: Schema) -> Values:
    """Return values of which most break the schema: another type, just beyond a bound, or beside the format."""
    beyond: list[Values] = [ANYTHING]
    if "maxLength" in schema:
        beyond.append(st.sampled_from(["x", "é", "\U0001f600"]).map(lambda letter: letter * (schema["maxLength"] + 1)))
        beyond.append(st.text(_TEXT, max_size=schema["maxLength"]))
        beyond.append(st.just("") | st.just(" ") | accepted(schema).map(lambda text: f"{text}\n"))
    if "maximum" in schema:
        beyond.append(st.sampled_from([schema["minimum"] - 1, schema["maximum"] + 1, schema["maximum"] + 0.5]))
    if "maxItems" in schema:
        beyond.append(st.just([{}] * (schema["maxItems"] + 1)) | st.lists(hostile(schema["items"]), max_size=3))
    if "properties" in schema:
        inner = {name: hostile(each) for name, each in schema["properties"].items()}
        beyond.append(st.fixed_dictionaries({}, optional=inner))
    if "maxProperties" in schema:
        keys = st.text(_TEXT, max_size=10) | st.sampled_from(["default", "Default", "a b", "x" * 64])
        beyond.append(st.dictionaries(keys, hostile(schema["additionalProperties"]), max_size=4))
    if "exclusiveMinimum" in schema:
        beyond.append(st.sampled_from([0, -1, -0.0, 1e308]))
    return st.one_of(beyond)


def _example(schema: Schema) -> object:
    found = re.search(r"^Example: (.*)$", schema.get("description", ""), re.MULTILINE)
    return None if found is None else yaml.safe_load(found[1])


def _strings(schema: Schema) -> Values:
    rules = " ".join(rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
    longest: int = schema.get("maxLength", 40)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "duration(self)" in rules:
        return _durations(rules)
    pattern = _pattern(rules, "self")
    if pattern is None:
        return st.text(_TEXT, max_size=longest) | st.sampled_from(["", "x" * longest, "é" * longest, " padded "])
    fitting = st.from_regex(pattern, fullmatch=True).filter(lambda text: len(text) <= longest)
    forbidden = re.findall(r"!self\.endsWith\('([^']*)'\)", rules)
    return fitting.filter(lambda text: not text.endswith(tuple(forbidden)))


def _pattern(rules: str, subject: str) -> str | None:
    """Return the regular expression that a rule demands, without its anchors: `$` would let a line break through."""
    found = re.search(rf"\b{subject}\.matches\('\^(.*?)\$'\)", rules)
    return None if found is None else found[1].replace("\\\\", "\\")


def _durations(rules: str) -> Values:
    """Return durations from the lower to the upper bound of a rule, both included."""
    bounds = dict(re.findall(r"duration\(self\) (>=|<=) duration\('(\w+)'\)", rules))
    low, high = _seconds(bounds[">="]), _seconds(bounds["<="]) if "<=" in bounds else _DAY
    seconds = st.integers(low, high) | st.sampled_from([low, high])
    spellings: list[Callable[[int], str]] = [
        lambda value: f"{value}s",
        lambda value: f"{value * 1000}ms",
        lambda value: f"{value // 60}m{value % 60}s",
        lambda value: f"{value // 3600}h{value % 3600}s",
        lambda value: f"{value}.0s",
    ]
    texts = st.builds(lambda value, spell: spell(value), seconds, st.sampled_from(spellings))
    pattern = re.compile(_pattern(rules, "self") or "")
    return texts.filter(lambda text: pattern.fullmatch(text) is not None)


def _seconds(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()  # type: ignore[union-attr]
    return int(int(number) * _SECONDS[unit])


def _integers(schema: Schema) -> Values:
    low, high = schema["minimum"], schema["maximum"]
    return st.sampled_from([low, low + 1, high]) | st.integers(low, min(high, 8)) | st.integers(low, high)


def _lists(schema: Schema) -> Values:
    items = schema["items"]
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys:
        unique: Callable[[Any], Any] | None = lambda item: tuple(item.get(key) for key in keys)  # noqa: E731
    else:
        unique = (lambda item: item) if schema.get("x-kubernetes-list-type") == "set" else None
    fewest, most = schema.get("minItems", 0), min(schema["maxItems"], 4)
    return st.lists(accepted(items), min_size=fewest, max_size=most, unique_by=unique)


def _objects(schema: Schema) -> Values:
    if "additionalProperties" in schema:
        rules = " ".join(rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
        keys = st.from_regex(_pattern(rules, "key") or "[a-z]+", fullmatch=True) | st.just("default")
        return st.dictionaries(keys, accepted(schema["additionalProperties"]), max_size=min(4, schema["maxProperties"]))
    required = schema.get("required", ())
    fields = {name: accepted(each) for name, each in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: values for name, values in fields.items() if name not in required},
    )


def _numbers(schema: Schema) -> Values:
    low = schema.get("minimum", 0)
    return st.floats(low, 1e6, exclude_min=bool(schema.get("exclusiveMinimum"))) | st.sampled_from(
        [0.8, 1, 5e-324, 1e308]
    )


_BY_TYPE: Mapping[str, Callable[[Schema], Values]] = {
    "string": _strings,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda _: st.booleans(),
    "array": _lists,
    "object": _objects,
}
