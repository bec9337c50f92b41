"""Leader election with a coordination.k8s.io Lease, in a thread of its own, and the fence that follows from it.

The rules are those of client-go's leaderelection package, with two additions. The Lease is renewed only while the
main loop is alive, so that a hung process loses it. And a thread of its own renews it, so that a main loop that
is busy for a few seconds does not.
"""

import asyncio
import concurrent.futures
import logging
import random
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fireworks_operator.fireworks.request import WRITE_DEADLINE
from fireworks_operator.ports import KubernetesUnavailableError

from .client import connect
from .contact import Contact
from .lease_record import LEASE_ERRORS, LeaseRecord

log = logging.getLogger(__name__)

MUTATION_MARGIN: Final = WRITE_DEADLINE + 1.0
"""Seconds of Lease that must be left to send a change to Fireworks: its deadline, and some for the clocks."""

_JOIN_TIMEOUT: Final = 5.0


@dataclass(frozen=True, slots=True)
class LeaseTimings:
    """Durations in seconds; the defaults are those of Kubernetes' own components.

    Attributes:
        duration: others take the Lease over when it has not been renewed for this long.
        renew_deadline: the holder gives up when it could not renew for this long.
        retry_period: between two tries to renew; candidates wait up to a fifth longer.
        max_heartbeat_age: the Lease is not renewed while the main loop's last heartbeat is older.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    max_heartbeat_age: float = 10.0


DEFAULT_TIMINGS: Final = LeaseTimings()


class LeaseLostError(Exception):
    """The Lease is held by somebody else, or could not be renewed in time."""


def default_identity() -> str:
    """Return a name for this process that no other one has: host name (in a pod: the pod's) and a UUID."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class LeaseElector:
    """Takes the Lease, keeps it, and tells when it is lost. Used once: start, acquired, stop.

    Args:
        namespace: of the Lease.
        name: of the Lease.
        identity: the name of this process in it.
        heartbeat_age: seconds since the main loop last proved to be alive; called from the elector's thread.
        on_lost: called once with a sentence, from the elector's thread, when the Lease is lost. The process must
            end then, within the difference of `duration` and `renew_deadline`.
        kubeconfig: as for `kube.client.connect`.
        timings: durations.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        namespace: str,
        name: str,
        identity: str,
        heartbeat_age: Callable[[], float],
        on_lost: Callable[[str], None],
        kubeconfig: Path | None = None,
        timings: LeaseTimings = DEFAULT_TIMINGS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._heartbeat_age = heartbeat_age
        self._on_lost = on_lost
        self._kubeconfig = kubeconfig
        self._timings = timings
        self._clock = clock
        self.contact = Contact(clock=clock)
        """Whether the Lease can be asked for, which a standby needs to ever take over."""
        self._renewed_at: float | None = None
        self._acquired: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def start(self) -> None:
        """Begin to stand for election."""
        self._thread.start()

    async def acquired(self) -> None:
        """Return once the Lease is held.

        Raises:
            CredentialsError: there is no usable way to reach an API server.
            asyncio.CancelledError: `stop` was called before.
        """
        await asyncio.shield(asyncio.wrap_future(self._acquired))

    async def stop(self) -> None:
        """Give the Lease back, so that another process takes over at once, and end the thread.

        To be called when nothing is under way any more that needs the Lease.
        """
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, _JOIN_TIMEOUT)

    def held_for(self) -> float:
        """Return how many seconds of the Lease are left; 0 if it is not held. Safe in any thread."""
        renewed_at = self._renewed_at
        return 0.0 if renewed_at is None else max(0.0, renewed_at + self._timings.duration - self._clock())

    def _run(self) -> None:
        try:
            asyncio.run(self._elect())
        except Exception as error:
            if not self._acquired.done():
                self._acquired.set_exception(error)
                return
            log.exception("Leader election has failed.")
            self._lose(str(error))

    def _lose(self, sentence: str) -> None:
        self._renewed_at = None
        self._on_lost(sentence)

    async def _elect(self) -> None:
        async with await connect(self._kubeconfig) as client:
            record = LeaseRecord(
                client,
                self._namespace,
                self._name,
                self._identity,
                duration=self._timings.duration,
                clock=self._clock,
            )
            if not await self._acquire(record):
                self._acquired.cancel()
                return
            self._renewed_at = record.renewed_at
            log.info("Became the leader as %s.", self._identity)
            self._acquired.set_result(None)
            try:
                await self._hold(record)
            except LeaseLostError as error:
                self._lose(str(error))
                return
            self._renewed_at = None
            await self._in_time(record.release, self._timings.renew_deadline / 2)

    async def _acquire(self, record: LeaseRecord) -> bool:
        """Try until the Lease is held, or until `stop`; return whether it is."""
        told = ""
        while not await self._in_time(record.hold, self._timings.renew_deadline):
            if record.holder and record.holder != told:
                told = record.holder
                log.info("The Lease %s/%s is held by %s; waiting.", self._namespace, self._name, told)
            # The jitter keeps candidates apart that started together.
            if await self._stopped_within(self._timings.retry_period * random.uniform(1, 1.2)):  # noqa: S311
                return False
        return True

    async def _hold(self, record: LeaseRecord) -> None:
        """Renew until `stop`.

        Raises:
            LeaseLostError: somebody else holds it, or the renew deadline has passed.
        """
        timings = self._timings
        while (left := self._until_deadline(record)) > 0:
            if await self._stopped_within(min(timings.retry_period, left)):
                return
            if self._heartbeat_age() > timings.max_heartbeat_age:
                log.warning("The main loop has been unresponsive for too long; the Lease is not renewed.")
                continue
            # Half of it, so that one connection that has gone dead leaves time for a new one.
            patience = min(self._until_deadline(record), timings.renew_deadline / 2)
            if patience > 0 and await self._in_time(record.hold, patience):
                self._renewed_at = record.renewed_at
            elif record.is_held_by_another:
                raise LeaseLostError(f"The Lease {self._namespace}/{self._name} is held by {record.holder}.")
        raise LeaseLostError(
            f"The Lease {self._namespace}/{self._name} could not be renewed for {timings.renew_deadline:g} s."
        )

    def _until_deadline(self, record: LeaseRecord) -> float:
        if record.renewed_at is None:
            return 0.0
        return record.renewed_at + self._timings.renew_deadline - self._clock()

    async def _stopped_within(self, seconds: float) -> bool:
        return await asyncio.to_thread(self._stop.wait, seconds)

    async def _in_time(self, action: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Return the action's result, or False if it fails or takes longer."""
        try:
            async with asyncio.timeout(seconds):
                done = await action()
        except TimeoutError:
            log.warning("The Lease: no response within %.1f s.", seconds)
            self.contact.failed("The Lease: no response in time.")
        except LEASE_ERRORS as error:
            log.warning("The Lease: %s", error)
            if isinstance(error, KubernetesUnavailableError):
                self.contact.failed(f"The Lease: {error}")
            else:  # another candidate was faster
                self.contact.succeeded()
        else:
            self.contact.succeeded()
            return done
        return False


class LeaseFence:
    """Implements `MutationFence`: open while more of the Lease is left than one change can take."""

    def __init__(self, elector: LeaseElector, margin: float = MUTATION_MARGIN) -> None:
        self._elector = elector
        self._margin = margin

    def may_mutate(self) -> bool:
        """Return whether a change that begins now must end before another process can take over."""
        return self._elector.held_for() >= self._margin


class NoLease:
    """Implements `MutationFence` for a process that is the only one by other means."""

    def may_mutate(self) -> bool:
        """Return True."""
        return True
