"""Reads single fields of a JSON object of the Fireworks API: lenient where the API is open, never guessing.

The rules are those of proto3 JSON, in which the API speaks: a missing field or `null` is the zero value; an
int64 comes as a string and an int32 as a number, and either is accepted for both; an enum value that the
server has no name for comes as a number. Whatever else is not of the promised type is a PROTOCOL error.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import JsonValue

from fireworks_operator.observability.redaction import one_line, redact_shapes

from .errors import LONGEST_TEXT, MESSAGE_LIMIT, ErrorKind, FireworksError

_INT64 = 2**63
_LONGEST_ENUM = 64
_YEARS = range(1970, 9000)
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def protocol_error(message: str) -> FireworksError:
    """Build the error for an answer that is JSON but not what the API reference promises."""
    return FireworksError(ErrorKind.PROTOCOL, f"unexpected answer of the Fireworks API: {message}")


def json_object(value: JsonValue, what: str) -> Mapping[str, JsonValue]:
    """Return the value if it is a JSON object; `what` names it in the error."""
    if not isinstance(value, dict):
        raise protocol_error(f"{what} is no JSON object")
    return value


def child(obj: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    """Return a nested object; missing is empty."""
    value = obj.get(key)
    return {} if value is None else json_object(value, key)


def children(obj: Mapping[str, JsonValue], key: str) -> list[JsonValue]:
    """Return a list; missing is empty."""
    value = obj.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise protocol_error(f"{key} is no list")
    return value


def text(obj: Mapping[str, JsonValue], key: str) -> str:
    """Return a string; missing is empty."""
    value = obj.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise protocol_error(f"{key} is no string")
    return value


def line(obj: Mapping[str, JsonValue], key: str, longest: int) -> str:
    """Return a string that is shown to people, one printable line of bounded length; missing is empty."""
    value = text(obj, key)
    if len(value) > longest or not value.isprintable():
        raise protocol_error(f"{key} is no printable text of at most {longest} characters")
    return value


def message(obj: Mapping[str, JsonValue], key: str) -> str:
    """Return a free text of the server, made one printable line; missing is empty."""
    return one_line(redact_shapes(text(obj, key)[:LONGEST_TEXT]), MESSAGE_LIMIT)


def enum(obj: Mapping[str, JsonValue], key: str) -> str:
    """Return an enum value as the server spells it, known or not; one that came as a number as its digits."""
    value = obj.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return line(obj, key, _LONGEST_ENUM)


def texts(obj: Mapping[str, JsonValue], key: str) -> tuple[str, ...]:
    """Return a list of strings (or enum values); missing is empty."""
    return tuple(enum({key: item}, key) for item in children(obj, key))


def string_map(obj: Mapping[str, JsonValue], key: str) -> dict[str, str]:
    """Return a map of strings; missing is empty."""
    values = child(obj, key)
    return {name: text(values, name) for name in values}


def integer(obj: Mapping[str, JsonValue], key: str) -> int:
    """Return an int32 or int64, given as a number or as a string; missing is 0."""
    value = obj.get(key)
    if value is None:
        return 0
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        raise protocol_error(f"{key} is no integer")
    return value


def count(obj: Mapping[str, JsonValue], key: str) -> int:
    """Return a number of things; missing is 0."""
    value = integer(obj, key)
    if value < 0:
        raise protocol_error(f"{key} is below 0")
    return value


def boolean(obj: Mapping[str, JsonValue], key: str) -> bool:
    """Return a bool; missing is false."""
    value = obj.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise protocol_error(f"{key} is neither true nor false")
    return value


def time(obj: Mapping[str, JsonValue], key: str) -> datetime | None:
    """Return an RFC 3339 time in UTC, to the microsecond; missing, or Go's zero time (year 1), is None.

    Years far from ours are refused: they cannot be counted with, nor be written to Kubernetes.
    """
    value = text(obj, key)
    if not value:
        return None
    if not _TIME.fullmatch(value):
        raise protocol_error(f"{key} is no RFC 3339 time")
    try:
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise protocol_error(f"{key} is no RFC 3339 time") from None
    if moment.year == 1:
        return None
    if moment.year not in _YEARS:
        raise protocol_error(f"{key} is no time of our age")
    return moment
