"""A LIST beside that of an account's deployments: asked for while somebody wants it, and no trouble of others."""

import asyncio
from collections.abc import Awaitable, Callable
from logging import getLogger
from typing import Final, Generic, Protocol, TypeVar

from fireworks_operator.core.diagnosis import Diagnosis, diagnose
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.timing import Backoff

log = getLogger(__name__)

PAUSES: Final = Backoff(5.0, 300.0)
"""Seconds until a LIST that failed is tried again."""
LONGEST_SILENCE: Final = 3600.0
"""Whatever Fireworks asks for, it is asked again after so many seconds."""


Found = TypeVar("Found")
Taken = TypeVar("Taken", contravariant=True)


class Taker(Protocol[Taken]):
    """Whom a LIST is for."""

    @property
    def wanted(self) -> bool:
        """Whether any resource wants it."""
        ...

    def listed(self, started: float, found: Taken) -> None:
        """Take in a complete LIST that began at a time."""
        ...

    def failed(self, diagnosis: Diagnosis) -> bool:
        """Take in that it failed; return whether the words are news."""
        ...


class SideList(Generic[Found]):
    """Lists something beside the deployments, so that neither waits for the other.

    Args:
        account: its id, for the log.
        what: is listed, for the log.
        taker: knows whether anybody wants it, and takes in the answers.
        ask: lists it; fails with a FireworksError.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        account: str,
        what: str,
        taker: Taker[Found],
        ask: Callable[[], Awaitable[Found]],
        clock: Callable[[], float],
    ) -> None:
        """Set it up; `begin()` starts it."""
        self._account = account
        self._what = what
        self._taker = taker
        self._ask = ask
        self._clock = clock
        self._failures = 0
        self._due = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """List once, in a task of its own, unless that is being done already."""
        if self._is_due() and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self.update(), name=f"{self._what} of {self._account}")

    async def stop(self) -> None:
        """List nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def update(self) -> None:
        """List once if somebody wants it and no pause is running; a failure is told to those who do."""
        if not self._is_due():
            return
        started = self._clock()
        try:
            found = await self._ask()
        except FireworksError as error:
            self._failed(error)
        except Exception as error:
            log.exception("listing the %s of account %s failed", self._what, self._account)
            self._failed(FireworksError(ErrorKind.PROTOCOL, f"{type(error).__name__}."))
        else:
            self._failures = 0
            self._taker.listed(started, found)

    def _is_due(self) -> bool:
        return self._taker.wanted and self._clock() >= self._due

    def _failed(self, error: FireworksError) -> None:
        self._failures += 1
        # "Too many requests" silences this LIST alone: if it is meant for the account, the deployments' says so, too.
        asked = min(error.retry_after or 0.0, LONGEST_SILENCE) if error.kind is ErrorKind.RATE_LIMITED else 0.0
        self._due = self._clock() + max(PAUSES.pause(self._failures), asked)
        diagnosis = diagnose(error)
        if self._taker.failed(diagnosis):
            log.warning("could not list the %s of account %s: %s", self._what, self._account, diagnosis.message)
