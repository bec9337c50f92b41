"""Whether the API server accepts what this process asks; one that it refuses, or that is cut off, is not ready."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from fireworks_operator.observability.health import Health
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError
from fireworks_operator.timing import Backoff

from .client import KubernetesClient
from .resources import collection_path

INTERVAL: Final = Backoff(12.0, 12.0, jitter=1 / 3)
"""Seconds between two looks whether the API server still accepts this process."""

PATIENCE: Final = 60.0
"""Seconds without an accepted request after which the process counts as cut off.

Longer than an API server takes to be restarted or to elect another one (kubeadm: half a minute), so that all the pods
of a cluster do not become unready together, and long before a person would notice that nothing is reconciled.
"""


class Contact:
    """Outcomes of requests over one connection. Safe in any thread."""

    def __init__(self, *, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._failing: tuple[float, str] | None = None

    def succeeded(self) -> None:
        """Note that a request was accepted."""
        self._failing = None

    def failed(self, why: str) -> None:
        """Note that there was no answer, or that it was not accepted, with a sentence that says why."""
        failing = self._failing
        self._failing = (self._clock() if failing is None else failing[0], why)

    @property
    def is_open(self) -> bool:
        """Whether the last request was accepted."""
        return self._failing is None

    def complaint(self) -> str | None:
        """Return why the process is cut off; None if it is not, or not for long enough to say so."""
        failing = self._failing
        if failing is None or self._clock() - failing[0] < self._patience:
            return None
        return f"The API server has not accepted a request for {self._patience:g} s or more: {failing[1]}"


async def keep_contact(
    client: KubernetesClient, namespaces: Sequence[str], contacts: Sequence[Contact], health: Health
) -> None:
    """Ask for resources now and then, and be ready only while the API server accepts that; runs until cancelled.

    At rest nothing else would be asked, and nobody would notice that a certificate has expired.

    Args:
        client: the one that everything but the Lease and the watch goes through.
        namespaces: those that are watched; empty means all.
        contacts: the first is that of `client`; others are kept by their owners.
        health: gets to know.
    """
    own = contacts[0]
    path = collection_path(namespaces[0] if namespaces else None)
    while True:
        try:
            await client.request("GET", path, query={"limit": "1"})
        except KubernetesUnavailableError as error:
            own.failed(str(error))
        except ResourceGoneError:  # the kind is not known, but who asks is
            own.succeeded()
        else:
            own.succeeded()
        complaint = next(filter(None, (each.complaint() for each in contacts)), None)
        if complaint is not None:
            health.miss("api-server", complaint)
        elif own.is_open:
            health.satisfy("api-server")
        await asyncio.sleep(INTERVAL.pause(1))
