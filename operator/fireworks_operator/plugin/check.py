"""The outcome of one check of `kubectl fireworks doctor`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pydantic import JsonValue


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, what was found, and the way out where something is missing."""

    state: State
    subject: str
    message: str
    way_out: str = ""

    def to_data(self) -> dict[str, JsonValue]:
        """Return the same for programs."""
        data: dict[str, JsonValue] = {"state": self.state.value, "subject": self.subject, "message": self.message}
        return data | ({"wayOut": self.way_out} if self.way_out else {})

    @classmethod
    def ok(cls, subject: str, message: str) -> Self:
        """All is well."""
        return cls(State.OK, subject, message)

    @classmethod
    def failed(cls, subject: str, message: str, way_out: str) -> Self:
        """Something is missing."""
        return cls(State.FAILED, subject, message, way_out)

    @classmethod
    def skipped(cls, subject: str, message: str, way_out: str = "") -> Self:
        """It was not looked at."""
        return cls(State.SKIPPED, subject, message, way_out)
