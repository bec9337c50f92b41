"""Every way in which a call to the Fireworks API can fail: a closed set of kinds with one reaction each."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import urlsplit

from fireworks_operator.text import REDACTED, one_line, redact_shapes

from .wire import decode_json

MESSAGE_LIMIT = 500
# What exceeds this of a text is not even looked at: patterns and characters are searched one by one.
LONGEST_TEXT = 10_000


class ErrorKind(StrEnum):
    """Why a call failed; `doc` says what it means, `reaction` what the operator does about it."""

    doc: str
    reaction: str

    def __new__(cls, value: str, doc: str, reaction: str) -> "ErrorKind":
        """Build a member whose value is its stable name and which carries its documentation."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        member.reaction = reaction
        return member

    UNREACHABLE = (
        "Unreachable",
        "The request was never sent: name resolution, connection, TLS or the proxy failed.",
        "Retry with growing pauses; a change may be sent again as if it had never been tried.",
    )
    NO_ANSWER = (
        "NoAnswer",
        "No usable answer after the request was sent: time-out, reset, truncated or undecodable answer, 5xx.",
        "The request may have been carried out: look again before anything else, then retry.",
    )
    WRONG_ENDPOINT = (
        "WrongEndpoint",
        "The answer is not the control plane's: a redirect, an HTML or plain-text page, a 404 of the edge.",
        "Says nothing about any deployment: keep what is known, retry with pauses, name the base URL.",
    )
    UNAUTHENTICATED = (
        "Unauthenticated",
        "401: the API key is not accepted.",
        "Open the circuit of this credential alone, read its Secret again, probe with growing pauses.",
    )
    PERMISSION_DENIED = (
        "PermissionDenied",
        "403: the API key is valid but may not do this.",
        "Stop this resource's change and say so; only a refused list opens the circuit of the credential.",
    )
    SUSPENDED = (
        "Suspended",
        "402 or 412: the account has no credit left, or is suspended, usually over billing.",
        "Pause all changes of the account and say so; probe slowly.",
    )
    RATE_LIMITED = (
        "RateLimited",
        "429: the account sends more requests than it may.",
        "Pause the whole account, for as long as Retry-After says if it does.",
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        "The account's quota (`in use: N, quota: N`) does not cover the request.",
        "An error of this one resource, retried slowly; never pauses the account or another's deletion.",
    )
    NOT_FOUND = (
        "NotFound",
        "404 in the control plane's own words (code 5): it does not exist, or not for this API key.",
        "To a GET with a credential that lists the account: absent. Else: something named does not exist.",
    )
    ALREADY_EXISTS = (
        "AlreadyExists",
        "409, code 6: the id is taken, perhaps by an earlier try of our own or by a soft-deleted deployment.",
        "Read what is there and compare its owner marker.",
    )
    ABORTED = (
        "Aborted",
        "409 of any other kind: somebody else is changing the same thing.",
        "Look again, decide again.",
    )
    INVALID = (
        "Invalid",
        "400 or 422: the request is refused for what it says.",
        "Pass the server's words on to the user; the same request is repeated slowly, a changed one at once.",
    )
    FAILED_PRECONDITION = (
        "FailedPrecondition",
        "400, code 9: right in itself, but not in the present state of the deployment.",
        "Pass the server's words on; retry, since the state changes by itself or by the user's doing.",
    )
    PROTOCOL = (
        "Protocol",
        "2xx with JSON that is not what the API reference promises.",
        "Treat as unknown; a change may have been carried out: look again, then retry.",
    )


_TRANSIENT = frozenset(
    {
        ErrorKind.UNREACHABLE,
        ErrorKind.NO_ANSWER,
        ErrorKind.WRONG_ENDPOINT,
        ErrorKind.RATE_LIMITED,
        ErrorKind.ABORTED,
        ErrorKind.PROTOCOL,
    }
)
_NOT_DEFINITE = frozenset({ErrorKind.NO_ANSWER, ErrorKind.WRONG_ENDPOINT, ErrorKind.PROTOCOL})


class FireworksError(Exception):
    """A call to the Fireworks API failed.

    Attributes:
        kind: why, one of a closed set.
        message: the server's words as one printable line of at most 500 characters, without request ids and
            keys, so that the same refusal always reads the same; of an answer that may pass by itself also without
            the times, addresses, ids and numbers that make each of one outage different.
        status: HTTP status of the answer; None when there was none.
        retry_after: seconds for which the server asks for silence; None when it does not ask.
        advice: what to check, where more is known than the kind says, without a full stop; else empty.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        definite: bool | None = None,
        advice: str = "",
    ) -> None:
        self.kind = kind
        self.message = _presentable(message)
        self.status = status
        self.retry_after = retry_after
        self.advice = advice
        self._definite = kind not in _NOT_DEFINITE if definite is None else definite
        super().__init__(kind, self.message)

    @property
    def definite(self) -> bool:
        """True when the request was certainly not carried out: never sent, or a 4xx of the control plane.

        A 4xx page of somebody in between (proxy, edge) is not definite: it may have passed the request on.
        """
        return self._definite

    @property
    def transient(self) -> bool:
        """True when the failure says nothing about the request and may pass without anybody acting."""
        return self.kind in _TRANSIENT

    def __str__(self) -> str:
        return self.message if self.status is None else f"{self.message} (HTTP {self.status})"

    def __repr__(self) -> str:
        return f"FireworksError({self.kind.name}, {self.message!r}, status={self.status})"


# gRPC codes (google.rpc.Code) that tell answers of one HTTP status apart.
_NOT_FOUND = 5
_ALREADY_EXISTS = 6
_RESOURCE_EXHAUSTED = 8
_FAILED_PRECONDITION = 9
_CODE_NAMES = {
    "NOT_FOUND": _NOT_FOUND,
    "ALREADY_EXISTS": _ALREADY_EXISTS,
    "RESOURCE_EXHAUSTED": _RESOURCE_EXHAUSTED,
    "FAILED_PRECONDITION": _FAILED_PRECONDITION,
}

# Seen with 400, 403 and 429 alike, so the text decides.
_QUOTA = re.compile(r"\bin use:\s*[\d.]+,\s*quota:\s*[\d.]+")

# Request Timeout and nginx' and gRPC's "client closed request": the other side may have begun.
_MAY_HAVE_PASSED = frozenset({HTTPStatus.REQUEST_TIMEOUT, 499})

_WHATEVER_THE_BODY: Mapping[int, ErrorKind] = {
    HTTPStatus.UNAUTHORIZED: ErrorKind.UNAUTHENTICATED,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorKind.RATE_LIMITED,
}
# A firewall's HTML page with one of these says nothing about the key, the account or the request.
_UNLESS_FOREIGN: Mapping[int, ErrorKind] = {
    HTTPStatus.BAD_REQUEST: ErrorKind.INVALID,
    HTTPStatus.UNPROCESSABLE_ENTITY: ErrorKind.INVALID,
    HTTPStatus.PAYMENT_REQUIRED: ErrorKind.SUSPENDED,
    HTTPStatus.FORBIDDEN: ErrorKind.PERMISSION_DENIED,
    HTTPStatus.PRECONDITION_FAILED: ErrorKind.SUSPENDED,
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """An error body as far as it can be understood."""

    message: str
    code: int | None = None
    envelope: bool = False  # in one of Fireworks' two envelopes
    control_plane: bool = False  # in the control plane's envelope, `{"code", "message", "details"}`
    foreign: bool = False  # a text or a page of somebody else
    broken: bool = False  # empty, or JSON that cannot be decoded, as after a cut connection


def classify(status: int, headers: Mapping[str, str], body: bytes, *, hidden: Collection[str] = ()) -> FireworksError:
    """Say what an answer that is no success means.

    Args:
        status: HTTP status. A 2xx is given only if its body is not the promised JSON object.
        headers: of the answer, in any case; `Retry-After`, `Date`, `Content-Type` and `Location` are used.
        body: the decoded (unzipped) body.
        hidden: secrets that the message must not show, in whatever way they are escaped in the body.

    Both envelopes are understood: `{"code", "message", "details"}` of the control plane and `{"error": {…}}`
    of the edge. Source: Fireworks REST reference (gatewayCode) and grpc-gateway's mapping of codes to HTTP.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    answer = _read(status, lower, body)
    kind = _kind(status, answer)
    message = answer.message
    for secret in hidden:
        message = message.replace(secret, REDACTED)
    return FireworksError(
        kind,
        _without_numbers(message) if kind in _TRANSIENT else message,
        status=status,
        retry_after=_retry_after(lower),
        definite=kind not in _NOT_DEFINITE and answer.envelope and 400 <= status < 500,
    )


def _kind(status: int, answer: _Answer) -> ErrorKind:
    if status < 400:
        return _kind_of_no_error(status, answer)
    refused = status < 500
    if _QUOTA.search(answer.message) and (refused or answer.code == _RESOURCE_EXHAUSTED):
        return ErrorKind.QUOTA_EXCEEDED
    if not refused or status in _MAY_HAVE_PASSED:
        return ErrorKind.NO_ANSWER
    return _kind_of_refusal(status, answer)


def _kind_of_refusal(status: int, answer: _Answer) -> ErrorKind:
    """Sort a 4xx: who says it, and the code in the body, tell meanings of one status apart."""
    if status == HTTPStatus.NOT_FOUND:
        own_words = answer.control_plane and answer.code == _NOT_FOUND
        return ErrorKind.NOT_FOUND if own_words else ErrorKind.WRONG_ENDPOINT
    if status == HTTPStatus.CONFLICT:
        return ErrorKind.ALREADY_EXISTS if answer.code == _ALREADY_EXISTS else ErrorKind.ABORTED
    if status in _WHATEVER_THE_BODY:
        return _WHATEVER_THE_BODY[status]
    if answer.foreign:
        return ErrorKind.WRONG_ENDPOINT
    if status == HTTPStatus.BAD_REQUEST and answer.code == _FAILED_PRECONDITION:
        return ErrorKind.FAILED_PRECONDITION
    return _UNLESS_FOREIGN.get(status, ErrorKind.INVALID if answer.envelope else ErrorKind.WRONG_ENDPOINT)


def _kind_of_no_error(status: int, answer: _Answer) -> ErrorKind:
    """Sort a 2xx or 3xx that is not what was promised: a success may hide behind a broken body."""
    if not 200 <= status < 300:
        return ErrorKind.WRONG_ENDPOINT
    if answer.foreign:
        return ErrorKind.WRONG_ENDPOINT
    return ErrorKind.NO_ANSWER if answer.broken else ErrorKind.PROTOCOL


def _read(status: int, headers: Mapping[str, str], body: bytes) -> _Answer:
    """Find message and code in an error body; describe a body that has none."""
    try:
        value = decode_json(body)
    except ValueError:
        broken = _meant_as_json(headers, body)
        return _Answer(_describe(status, headers, body), broken=broken, foreign=not broken)
    inner = value.get("error") if isinstance(value, dict) else None
    source = inner if isinstance(inner, dict) else value
    if not isinstance(source, dict):
        return _Answer(f"HTTP {status} without a message")
    raw_code, raw_message = source.get("code"), source.get("message")
    has_message = isinstance(raw_message, str) and raw_message.strip() != ""
    control_plane = source is value and isinstance(raw_code, int) and not isinstance(raw_code, bool)
    return _Answer(
        str(raw_message)[:LONGEST_TEXT] if has_message else f"HTTP {status} without a message",
        code=_code(raw_code),
        control_plane=control_plane,
        envelope=control_plane or (source is inner and has_message),
    )


def _meant_as_json(headers: Mapping[str, str], body: bytes) -> bool:
    start = body.lstrip()[:1]
    return start in b"{[" or "json" in headers.get("content-type", "").lower()


def _code(value: object) -> int | None:
    if isinstance(value, str):
        return _CODE_NAMES.get(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _describe(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """Describe an answer that is no JSON, in words that do not change from one answer to the next."""
    if 300 <= status < 400:
        host = _host(headers.get("location", ""))
        return f"the base URL does not point to the Fireworks API: it redirects to {host or 'another address'}"
    text = body[:LONGEST_TEXT].decode("utf-8", "replace").strip()
    if not text:
        return f"HTTP {status} with an empty response"
    if _meant_as_json(headers, body):
        return f"HTTP {status} with a response that cannot be decoded"
    if text.startswith("<") or "html" in headers.get("content-type", "").lower():
        # Pages carry ray ids and times: only their title is the same each time.
        title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
        return f"not a response of the Fireworks API but a web page: {title[1] if title else 'without a title'}"
    return f"not a response of the Fireworks API: {one_line(text, 100)}"


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or ""
    except ValueError:
        return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `Retry-After-Ms` or `Retry-After` (RFC 9110 §10.2.3).

    A date counts from the answer's own `Date`, so that a wrong clock here does no harm.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


# `(request id: 01HX…)`, `request_id=…`, `Ray ID: …`: different for each answer, so never part of a message.
_REQUEST_ID = re.compile(r"[\[(]?\b(?:request|trace|ray|correlation)[ _-]?id\b\s*[:=]?\s*[\w.:-]+[\])]?", re.IGNORECASE)


def _presentable(text: str) -> str:
    return one_line(_REQUEST_ID.sub("", redact_shapes(text[:LONGEST_TEXT])), MESSAGE_LIMIT) or "no message"


# What differs from one answer of an outage to the next: ids, times of day, addresses with ports, words made of both
# letters and digits (hex, pods, hosts). Lengths are bounded, so that no text takes long.
_VARYING = re.compile(
    r"""
    \b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b
    | \b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?
    | \b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b
    | \[[0-9a-f:.%]{2,60}\](?::\d{1,5})?
    | (?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])
    | \b\d{1,3}(?:\.\d{1,3}){3}\b(?::\d{1,5})?
    | \b(?=[a-z_-]{0,60}\d)(?=\d{0,60}[a-z_-])[\w-]{6,200}\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NUMBER = re.compile(r"(?<!HTTP )(?<![\w.])(?![45]\d\d\b)\d[\d.,]*(?:ns|us|µs|ms|s|m|h)?\b")


def steady(text: str) -> str:
    """Take out of a transient failure's words what would make each of them news, but for numbers."""
    return _VARYING.sub("…", text[:LONGEST_TEXT])


def _without_numbers(text: str) -> str:
    return _NUMBER.sub("…", steady(text))
