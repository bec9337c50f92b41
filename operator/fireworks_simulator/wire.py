"""Requests, answers and error envelopes as they look on the wire."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"


class Code(IntEnum):
    """gRPC status codes, the `code` of control-plane errors (Fireworks REST reference, schema gatewayCode)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


HTTP_STATUS: Mapping[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, body bytes, content type and further headers."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def encode(value: JsonValue) -> bytes:
    """JSON text of a value, compact, keys sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def ok(value: JsonObject) -> Reply:
    """200 with a JSON object."""
    return Reply(200, encode(value))


class WireError(Exception):
    """A request is refused; `reply` is what the client gets."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status, reply.body.decode())
        self.reply = reply


class ApiError(WireError):
    """A control-plane error in the envelope of the gateway: `{"code", "details", "message"}`."""

    def __init__(self, code: Code, message: str, *, status: int | None = None) -> None:
        body = encode({"code": int(code), "details": [], "message": message})
        super().__init__(Reply(HTTP_STATUS[code] if status is None else status, body))
        self.code = code
        self.message = message


class InferenceError(WireError):
    """An error of inference or of the edge: `{"error": {"message", "code", "type", …}}`."""

    def __init__(
        self, status: int, message: str, code: str | int | None = None, *, kind: str = "error", param: str | None = None
    ) -> None:
        error: JsonObject = {"message": message, "type": kind}
        if code is not None:
            error["code"] = code
        if param is not None:
            error["param"] = param
        super().__init__(Reply(status, encode({"error": error})))


def invalid(message: str) -> ApiError:
    """400 code 3."""
    return ApiError(Code.INVALID_ARGUMENT, message)


def precondition(message: str) -> ApiError:
    """400 code 9."""
    return ApiError(Code.FAILED_PRECONDITION, message)


def not_found(message: str) -> ApiError:
    """404 code 5 in the control plane's envelope."""
    return ApiError(Code.NOT_FOUND, message)


EDGE_MISS = Reply(404, b"fault filter abort", "text/plain")
"""What the edge answers for a path that it does not route."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: the id of the API key (never the key), its account, its role and the name of its user."""

    key_id: str
    account: str
    role: str

    @property
    def email(self) -> str:
        """The e-mail address under which the key's user appears as creator."""
        return f"{self.key_id}@{self.account}.example.com"


@dataclass(frozen=True, slots=True)
class Call:
    """One request after routing: path parameters, query with camelCase names, body and caller."""

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    identity: Identity
    now: float
    notes: dict[str, JsonValue] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def account(self) -> str:
        """The account id in the path."""
        return self.params["account"]

    def repeated(self, name: str) -> list[str]:
        """All values of a query parameter, in order; those of `query` are the last ones."""
        return [value for key, value in self.pairs if key == name]

    def flag(self, name: str) -> bool:
        """A boolean query parameter; absent is false.

        Raises:
            ApiError: the value is not one that Go's strconv.ParseBool takes.
        """
        text = self.query.get(name, "false")
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        raise invalid(f'parsing field "{snake(name)}": strconv.ParseBool: parsing "{text}": invalid syntax')

    def number(self, name: str, default: int) -> int:
        """An int32 query parameter.

        Raises:
            ApiError: the value is not a number.
        """
        text = self.query.get(name)
        if text is None or text == "":
            return default
        if not re.fullmatch(r"[+-]?[0-9]{1,10}", text):
            raise invalid(f'parsing field "{snake(name)}": strconv.ParseInt: parsing "{text}": invalid syntax')
        return int(text)


_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def camel(name: str) -> str:
    """snake_case to lowerCamelCase; a name that is camelCase already stays."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def snake(name: str) -> str:
    """LowerCamelCase to snake_case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
