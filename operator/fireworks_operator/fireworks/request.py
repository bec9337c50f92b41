"""Requests to the Fireworks API: what is to be sent, and what is told of one that is finished."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from .errors import ErrorKind

ROUTE_KEYS_FIELD = "directRouteApiKeys"
"""The field of a deployment that holds the API keys of its direct route in plain text."""
WRITE_DEADLINE = 8.0
"""Seconds for a whole POST, PATCH or DELETE; how long the Lease must last follows from it."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One finished request, for metrics and logs.

    Attributes:
        operation: name of the client method, a closed set.
        account: account id in the path; empty where there is none.
        code: HTTP status as text; without one the error kind; `Cancelled` if the caller gave up.
        seconds: from before a connection was sought until the body was read.
        kind: why it failed; None for a success.
        fingerprint: of the API key.
    """

    operation: str
    account: str
    code: str
    seconds: float
    kind: ErrorKind | None
    fingerprint: str


class Secret(Protocol):
    """A text that is sent in confidence, such as an API key."""

    def reveal(self) -> str:
        """Return the text itself."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be sent: `path` is below `/v1/`, percent-quoted; `operation` names the client method.

    `route_keys` are sent as a part of `body`, where they do not stand: what describes a request does not show them.
    """

    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, JsonValue] | None = None
    route_keys: Sequence[Secret] = ()

    def content(self) -> bytes | None:
        """Return the body as it is sent, None if there is none."""
        if self.body is None:
            return None
        keys = {ROUTE_KEYS_FIELD: [key.reveal() for key in self.route_keys]} if self.route_keys else {}
        return json.dumps({**self.body, **keys}, allow_nan=False).encode()

    @property
    def account(self) -> str:
        """The account id in the path; empty where there is none."""
        return self.path.split("/")[1] if "/" in self.path else ""
