"""Requests to the Fireworks API: what is to be sent, and what is told of one that is finished."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from .errors import ErrorKind

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


@dataclass(frozen=True, slots=True)
class Call:
    """One request to be sent: `path` is below `/v1/`, percent-quoted; `operation` names the client method."""

    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, JsonValue] | None = None

    @property
    def account(self) -> str:
        """The account id in the path; empty where there is none."""
        return self.path.split("/")[1] if "/" in self.path else ""
