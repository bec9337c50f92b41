"""The outcome of one check of `kubectl fireworks doctor`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


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
