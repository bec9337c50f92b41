"""LISTs of all resources, which find what a watch has missed."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from fireworks_operator.api.kinds import DEPLOYMENTS, Kind
from fireworks_operator.ports import KubernetesUnavailableError

from .client import KubernetesClient
from .resources import CrdMissingError, list_resources

log = logging.getLogger(__name__)

SWEEP_GAP: Final = 30.0
"""Seconds between two LISTs of all resources at least, whatever the watch says."""

Known = TypeVar("Known")
"""What the receiver remembers of the time before a LIST."""


class Receiver(Protocol[Known]):
    """Takes in LISTs.

    Attributes:
        sweep_wanted: set when a LIST is due before its time.
    """

    sweep_wanted: asyncio.Event

    def versions(self) -> Known:
        """Return what is known before a LIST is asked for."""
        ...

    def replace_all(self, objects: Sequence[Mapping[str, Any]], version: int, known: Known) -> None:
        """Take in a LIST of all that there is, its resourceVersion, and what was known before."""
        ...


class Sweep(Generic[Known]):
    """Lists all resources now and then: finds what the watch missed, above all deletions.

    It comes early where the watch says what only a LIST can explain, but never again within `SWEEP_GAP`.
    """

    def __init__(
        self,
        client: KubernetesClient,
        namespaces: tuple[str, ...],
        receiver: Receiver[Known],
        interval: float,
        kind: Kind = DEPLOYMENTS,
    ) -> None:
        """Set it up; `interval` seconds lie between two LISTs, if nothing is wanted before."""
        self._client = client
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self._receiver = receiver
        self._interval = interval
        self._kind = kind

    async def once(self) -> None:
        """List them now.

        Raises:
            CrdMissingError, KubernetesUnavailableError: as `list_resources` does.
        """
        found, versions = [], []
        known = self._receiver.versions()
        for namespace in self._namespaces:
            objects, version = await list_resources(self._client, namespace, kind=self._kind)
            found.extend(objects)
            versions.append(int(version))
        self._receiver.replace_all(found, min(versions), known)

    async def run(self) -> None:
        """List them now and then, until cancelled."""
        while True:
            await self._next()
            wanted = self._receiver.sweep_wanted.is_set()
            self._receiver.sweep_wanted.clear()
            try:
                await self.once()
            except (KubernetesUnavailableError, CrdMissingError) as error:
                log.warning("%s", error)
                if wanted:
                    self._receiver.sweep_wanted.set()

    async def _next(self) -> None:
        gap = min(SWEEP_GAP, self._interval)
        await asyncio.sleep(gap)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._receiver.sweep_wanted.wait(), self._interval - gap)
