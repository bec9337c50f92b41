"""Has every resource looked at again when the price list changes."""

import asyncio
from collections.abc import Callable
from logging import getLogger

from fireworks_operator.controller.queue import WorkQueue
from fireworks_operator.controller.store import DeploymentStore

log = getLogger(__name__)

INTERVAL = 15.0
"""Seconds between two looks at the file."""


class Repricing:
    """Reads the price list again and again."""

    def __init__(self, refresh: Callable[[], bool], store: DeploymentStore, queue: WorkQueue) -> None:
        """Connect the parts; `refresh` reads the list and tells whether it is another one."""
        self._refresh = refresh
        self._store = store
        self._queue = queue

    async def run(self) -> None:
        """Keep the prices up to date until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        """Read the list once."""
        if self._refresh():
            log.info("the price list has changed")
            for resource in self._store:
                self._queue.add(resource.ref)
