"""The rows of the tables of what the API server accepts and refuses."""

from dataclasses import dataclass, field

from tests.crd.server import Object

TOO_LONG = "x" * 257
"""One character more than names of models and shapes may have."""


@dataclass(frozen=True, slots=True)
class Row:
    """A field's contract: `accepted` and `refused` are specs, `message` is a part of the server's answer."""

    name: str
    accepted: Object
    refused: Object
    message: str
    reason: str = field(kw_only=True)
