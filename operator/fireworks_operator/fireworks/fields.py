"""Types of the fields of a JSON object of the Fireworks API: lenient where the API is open, never guessing.

The rules are those of proto3 JSON, in which the API speaks: a missing field or `null` is the zero value; an
int64 comes as a string and an int32 as a number, and either is accepted for both; an enum value that the
server has no name for comes as a number. Whatever else is not of the promised type is a PROTOCOL error.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    AliasPath,
    BeforeValidator,
    FailFast,
    GetCoreSchemaHandler,
    JsonValue,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from fireworks_operator.text import one_line, redact_shapes

from .errors import LONGEST_TEXT, MESSAGE_LIMIT, ErrorKind, FireworksError
from .wire import JsonObject

_INT64 = 2**63
_LONGEST_NAME = 256
_YEARS = range(1970, 9000)
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")

_REFUSED: Final = "protocol"
_NO_OBJECT: Final = "is not a JSON object"
# What pydantic says itself, in the words of the other errors.
_WORDS = {"dataclass_type": _NO_OBJECT, "tuple_type": "is not a list"}

Read = TypeVar("Read")


def protocol_error(message: str) -> FireworksError:
    """Build the error for an answer that is JSON but not what the API reference promises."""
    return FireworksError(ErrorKind.PROTOCOL, f"unexpected response of the Fireworks API: {message}")


def json_object(value: JsonValue, what: str) -> JsonObject:
    """Return the value if it is a JSON object; `what` names it in the error."""
    if not isinstance(value, dict):
        raise protocol_error(f"{what} {_NO_OBJECT}")
    return value


def children(obj: JsonObject, key: str) -> list[JsonValue]:
    """Return a list; missing is empty."""
    value = obj.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise protocol_error(f"{key} is not a list")
    return value


def text(obj: JsonObject, key: str) -> str:
    """Return a string; missing is empty."""
    value = obj.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise protocol_error(f"{key} is not a string")
    return value


def message(obj: JsonObject, key: str) -> str:
    """Return a free text of the server, made one printable line; missing is empty."""
    return _one_line(text(obj, key))


def _refusal(words: str, **context: str) -> PydanticCustomError:
    return PydanticCustomError(_REFUSED, words, context)


def _enum_word(value: object) -> object:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: object) -> object:
    if value is None:
        return 0
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise _refusal("is not printable")
    return value


def _one_line(value: str) -> str:
    return one_line(redact_shapes(value[:LONGEST_TEXT]), MESSAGE_LIMIT) if value else ""


def _string_map(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refusal(_NO_OBJECT)
    for name, item in value.items():
        if item is not None and not isinstance(item, str):
            raise _refusal("has {name}, which is not a string", name=name)
    return {name: item or "" for name, item in value.items()}


def _time(value: object) -> datetime | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise _refusal("is not an RFC 3339 time")
    try:
        moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal("is not an RFC 3339 time") from None
    if moment.year == 1:
        return None
    if moment.year not in _YEARS:
        raise _refusal("is not a plausible time")
    return moment


def told_count(value: object) -> int | None:
    """Return a number of things; None where it is not told, or makes no sense."""
    number = None if value is None else _whole(value)
    return number if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _INT64 else None


def _told_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _INT64 else None


def _told_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _told_word(value: object) -> str:
    word = _enum_word(value)
    return word if isinstance(word, str) and len(word) <= _LONGEST_NAME and word.isprintable() else ""


def _told_words(value: object) -> tuple[str, ...]:
    words = map(_told_word, value if isinstance(value, list) else ())
    return tuple(word for word in words if word)


def _told_numbers(value: object) -> dict[str, float]:
    found = value.items() if isinstance(value, dict) else ()
    numbers = ((_told_word(name), _told_number(number)) for name, number in found)
    return {name: number for name, number in numbers if name and number is not None}


@dataclass(frozen=True, slots=True)
class _Lenient:
    """Reads a field by a strict schema, and what that refuses once more in another spelling.

    Python runs for what is unusual only. `refusal` is said of what is not accepted either way.
    """

    strict: CoreSchema
    respell: Callable[[object], object]
    refusal: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        respell = core_schema.no_info_plain_validator_function(self.respell)
        return core_schema.union_schema(
            [self.strict, core_schema.chain_schema([respell, self.strict])],
            mode="left_to_right",
            custom_error_type=_REFUSED,
            custom_error_message=self.refusal,
        )


def _unless_null(zero: object) -> Callable[[object], object]:
    return lambda value: zero if value is None else value


_no_text = _unless_null("")


def _line(longest: int, respell: Callable[[object], object] = _no_text) -> _Lenient:
    """Read a string that is shown to people: one printable line of at most so many characters."""
    short = core_schema.str_schema(strict=True, max_length=longest)
    printable = core_schema.no_info_after_validator_function(_printable, short)
    return _Lenient(printable, respell, f"is not printable text of at most {longest} characters")


def _integer(lowest: int, refusal: str) -> _Lenient:
    return _Lenient(core_schema.int_schema(strict=True, ge=lowest, lt=_INT64), _whole, refusal)


Text = Annotated[str, _Lenient(core_schema.str_schema(strict=True), _no_text, "is not a string")]
"""A string."""

Name = Annotated[str, _line(_LONGEST_NAME)]
"""A printable string that is no longer than any name."""

Names = Annotated[tuple[Name, ...], FailFast(), BeforeValidator(_unless_null(()))]
"""A list of names."""

Duration = Annotated[str, _line(32)]
"""A protobuf duration (`600s`), unchecked."""

Enum = Annotated[str, _line(64, _enum_word)]
"""An enum value as the server spells it, known or not; one that came as a number as its digits."""

Enums = Annotated[tuple[Enum, ...], FailFast(), BeforeValidator(_unless_null(()))]
"""A list of enum values."""

Message = Annotated[Text, AfterValidator(_one_line)]
"""A free text of the server, made one printable line."""

StringMap = Annotated[dict[str, str], PlainValidator(_string_map)]
"""A map of strings."""

Integer = Annotated[int, _integer(-_INT64, "is not an integer")]
"""An int32 or int64, given as a number or as a string."""

Count = Annotated[int, _integer(0, "is not an integer of at least 0")]
"""A number of things."""

Boolean = Annotated[
    bool, _Lenient(core_schema.bool_schema(strict=True), _unless_null(zero=False), "is neither true nor false")
]
"""True or false."""

Time = Annotated[datetime | None, PlainValidator(_time)]
"""An RFC 3339 time in UTC, to the microsecond; empty, or Go's zero time (year 1), is None.

Years far from ours are refused: they cannot be counted with, nor be written to Kubernetes.
"""

ToldCount = Annotated[int | None, PlainValidator(told_count)]
"""A number of things that is only shown, so nothing fails over it: None where it is not told, or makes no sense."""

ToldNumber = Annotated[float | None, PlainValidator(_told_number)]
"""A number of at least 0 that is only shown, as `ToldCount`."""

ToldFlag = Annotated[bool | None, PlainValidator(_told_flag)]
"""True or false where it is only shown, as `ToldCount`."""

ToldWord = Annotated[str, PlainValidator(_told_word)]
"""A name or an enum value that is only shown; empty where it is not told, or is no printable text of a usual length."""

ToldWords = Annotated[tuple[str, ...], PlainValidator(_told_words)]
"""A list of words that is only shown, as `ToldWord`."""

ToldNumbers = Annotated[dict[str, float], PlainValidator(_told_numbers)]
"""Numbers by their names that are only shown; those that make no sense are left out."""

NULL_IS_EMPTY = BeforeValidator(_unless_null({}))
"""Before the type of a nested object."""


_readers: dict[type, TypeAdapter[Any]] = {}
"""Each is built with the first answer: most commands never have one."""


def read(kind: type[Read], obj: JsonObject, *flattened: str) -> Read:
    """Read an object; `flattened` names nested objects whose fields are attributes of its own.

    Raises:
        FireworksError: PROTOCOL, naming the first field that is not of its type.
    """
    for key in flattened:
        if obj.get(key) is not None:
            json_object(obj[key], key)
    reader = _readers.get(kind) or _readers.setdefault(kind, TypeAdapter(kind))
    try:
        answer: Read = reader.validate_python(obj)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    else:
        return answer
    field = [key for key in first["loc"] if isinstance(key, str)][-1]
    raise protocol_error(f"{field} {_WORDS.get(first['type'], first['msg'])}")


def within(nested: str, key: str) -> FieldInfo:
    """Take a field of a nested object that `read` is told of."""
    return FieldInfo(validation_alias=AliasPath(nested, key))
