"""Whether the API server accepts what this process asks; one that it refuses, or that is cut off, is not ready."""

import time
from collections.abc import Callable
from typing import Final

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
