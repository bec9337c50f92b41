"""Parsing request bodies as Go's protojson does: closed field names, strict types, its error texts.

The texts for unknown fields and bad enum values were observed on the real service; the others are those of the
same library.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NoReturn

from fireworks_simulator.wire import ApiError, JsonObject, JsonValue, camel, invalid


class Kind(StrEnum):
    """Type of a protobuf field."""

    STRING = "string"
    BOOL = "bool"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT = "float"
    ENUM = "enum"
    DURATION = "google.protobuf.Duration"
    TIMESTAMP = "google.protobuf.Timestamp"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its type, whether it repeats or is a map (of string keys), and who may write it."""

    kind: Kind
    message: "Message | None" = None
    values: frozenset[str] = frozenset()
    repeated: bool = False
    mapped: bool = False
    output_only: bool = False
    oneof: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message type: its name and its fields by lowerCamelCase name."""

    name: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed body: normalised values, and the leaf paths (camelCase, dotted) that its keys name."""

    value: JsonObject
    paths: tuple[str, ...]


class _Pairs(list[tuple[str, "_Raw"]]):
    """A JSON object as its members in order, duplicates included."""


_Raw = None | bool | int | float | str | list["_Raw"] | _Pairs

_DURATION = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s")
_INT_RANGE = {Kind.INT32: 2**31, Kind.INT64: 2**63}


@dataclass(slots=True)
class _Parser:
    text: str
    paths: list[str] = field(default_factory=list)

    def at(self, token: str) -> str:
        """`(line L:C)` of a token's first appearance."""
        offset = max(self.text.find(token), 0)
        line = self.text.count("\n", 0, offset) + 1
        column = offset - (self.text.rfind("\n", 0, offset) + 1) + 1
        return f"(line {line}:{column})"

    def message(self, message: Message, raw: _Pairs, prefix: str) -> JsonObject:
        """Values of an object's members, by camelCase name."""
        result: JsonObject = {}
        seen: set[str] = set()
        oneofs: set[str] = set()
        for key, raw_value in raw:
            name = key if key in message.fields else camel(key)
            spec = message.fields.get(name)
            if spec is None:
                raise invalid(f'proto: {self.at(json.dumps(key))}: unknown field "{key}"')
            if name in seen:
                raise invalid(f'proto: {self.at(json.dumps(key))}: duplicate field "{key}"')
            seen.add(name)
            path = f"{prefix}{name}"
            if raw_value is None:
                self.paths.append(path)
                continue
            if spec.oneof is not None and spec.oneof in oneofs:
                where = self.at(json.dumps(key))
                raise invalid(
                    f'proto: {where}: error parsing "{key}", oneof {message.name}.{spec.oneof} is already set'
                )
            if spec.oneof is not None:
                oneofs.add(spec.oneof)
            result[name] = self.value(name, spec, raw_value, path)
        return result

    def value(self, name: str, spec: Field, raw: _Raw, path: str) -> JsonValue:
        """The normalised value of one field."""
        if spec.mapped:
            self.paths.append(path)
            if not isinstance(raw, _Pairs):
                self.unexpected(raw)
            return {key: self.single(name, spec, item, path) for key, item in raw}
        if spec.repeated:
            self.paths.append(path)
            if not isinstance(raw, list) or isinstance(raw, _Pairs):
                self.unexpected(raw)
            return [self.single(name, spec, item, path) for item in raw]
        if spec.kind is Kind.MESSAGE:
            if not isinstance(raw, _Pairs):
                self.unexpected(raw)
            if not raw:
                self.paths.append(path)
        else:
            self.paths.append(path)
        return self.single(name, spec, raw, path)

    def single(self, name: str, spec: Field, raw: _Raw, path: str) -> JsonValue:
        """One value of a field, whether or not the field repeats."""
        if spec.kind is Kind.MESSAGE:
            if not isinstance(raw, _Pairs) or spec.message is None:
                self.unexpected(raw)
            nested = _Parser(self.text)
            value = nested.message(spec.message, raw, f"{path}.")
            if not (spec.mapped or spec.repeated):
                self.paths.extend(nested.paths)
            return value
        if isinstance(raw, list):
            self.unexpected(raw)
        return _SCALARS[spec.kind](self, name, spec, raw)

    def unexpected(self, raw: _Raw) -> NoReturn:
        """Refuse a value of the wrong JSON shape."""
        token = "{" if isinstance(raw, _Pairs) else "[" if isinstance(raw, list) else json.dumps(raw)
        raise invalid(f"proto: syntax error {self.at(token)}: unexpected token {token}")

    def wrong(self, kind: str, name: str, raw: _Raw) -> ApiError:
        """The error for a scalar that does not fit its field."""
        token = json.dumps(raw, ensure_ascii=False)
        return invalid(f"proto: {self.at(token)}: invalid value for {kind} field {name}: {token}")


def _string(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    if not isinstance(raw, str):
        raise parser.wrong("string", name, raw)
    return raw


def _bool(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    if not isinstance(raw, bool):
        raise parser.wrong("bool", name, raw)
    return raw


def _integer(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    """A number without fraction, or the same in quotes; int64 is kept as text, as it is printed."""
    number: float | int | None = None
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        number = raw
    elif isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,19}", raw):
        number = int(raw)
    limit = _INT_RANGE[spec.kind]
    if number is None or not math.isfinite(number) or number != int(number) or not -limit <= number < limit:
        raise parser.wrong(spec.kind, name, raw)
    return int(number) if spec.kind is Kind.INT32 else str(int(number))


def _float(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", raw):
        return float(raw)
    raise parser.wrong("float", name, raw)


def _enum(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    if not isinstance(raw, str) or raw not in spec.values:
        raise parser.wrong("enum", name, raw)
    return raw


def _duration(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    match = _DURATION.fullmatch(raw) if isinstance(raw, str) else None
    if match is None or int(match[2]) > 315_576_000_000:
        token = json.dumps(raw, ensure_ascii=False)
        raise invalid(f"proto: {parser.at(token)}: invalid {spec.kind} value {token}")
    return _print_duration(match[1], match[2], match[3] or "")


def _print_duration(sign: str, whole: str, fraction: str) -> str:
    """Seconds with 0, 3, 6 or 9 fractional digits, as protojson prints them."""
    digits = fraction.rstrip("0")
    width = -(-len(digits) // 3) * 3
    tail = f".{digits.ljust(width, '0')}" if digits else ""
    text = f"{int(whole)}{tail}s"
    return text if text == "0s" else sign + text


def _timestamp(parser: _Parser, name: str, spec: Field, raw: _Raw) -> JsonValue:
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        token = json.dumps(raw, ensure_ascii=False)
        raise invalid(f"proto: {parser.at(token)}: invalid {spec.kind} value {token}")
    return raw if isinstance(raw, str) else None


_SCALARS: Mapping[Kind, Callable[[_Parser, str, Field, _Raw], JsonValue]] = {
    Kind.STRING: _string,
    Kind.BOOL: _bool,
    Kind.INT32: _integer,
    Kind.INT64: _integer,
    Kind.FLOAT: _float,
    Kind.ENUM: _enum,
    Kind.DURATION: _duration,
    Kind.TIMESTAMP: _timestamp,
}


def parse(message: Message, body: bytes) -> Parsed:
    """Parse a request body as `message`; an empty body is an empty message.

    Raises:
        ApiError: 400 code 3 with protojson's text.
    """
    if not body.strip():
        return Parsed({}, ())
    text = body.decode("utf-8", errors="replace")
    try:
        raw: _Raw = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_constant)
    except json.JSONDecodeError as error:
        rest = re.match(r"\S{0,20}", text[error.pos :])
        token = rest[0] if rest and rest[0] else "EOF"
        where = f"(line {error.lineno}:{error.colno})"
        raise invalid(f"proto: syntax error {where}: unexpected token {token}") from None
    parser = _Parser(text)
    if not isinstance(raw, _Pairs):
        parser.unexpected(raw)
    value = parser.message(message, raw, "")
    return Parsed(value, tuple(parser.paths))


def without_zeros(message: Message, value: JsonObject) -> JsonObject:
    """What is left of a message's values without those that proto3 without presence cannot tell from absent ones."""
    result: JsonObject = {}
    for name, item in value.items():
        spec = message.fields[name]
        if spec.message is not None and isinstance(item, dict):
            inner = spec.message
            if spec.mapped:
                item = {key: without_zeros(inner, each) for key, each in item.items() if isinstance(each, dict)}
            else:
                result[name] = without_zeros(inner, item)
                continue
        unspecified = spec.kind is Kind.ENUM and isinstance(item, str) and item.endswith("_UNSPECIFIED")
        if item and not unspecified:
            result[name] = item
    return result


def _constant(name: str) -> NoReturn:
    raise invalid(f"proto: syntax error (line 1:1): unexpected token {name}")


def seconds(duration: str) -> float:
    """Seconds of a duration as the wire has it, e.g. `"600s"`."""
    return float(duration.removesuffix("s"))
