"""In a large account, a GET for each of the few deployments on which something is under way, besides the LISTs."""

import asyncio
from collections.abc import Awaitable, Callable

from fireworks_operator.fireworks.errors import FireworksError

from .bindings import Bindings
from .observer import Observer

FEW_PAGES = 5
"""Pages of a LIST that can be repeated often enough: more take longer than the shortest interval, by the budget."""


class Following:
    """Asks again and again for what is under way, while there is little of it; the LISTs go on, more slowly.

    Args:
        observer: knows what is under way, and takes in the answers.
        look: asks for one deployment, and has the observer learn the answer; fails with a FireworksError.
        bindings: know whether a deployment is of any interest: most of an account may belong to others.
        most: as many deployments may be followed; more are left to the LIST.
        pause: seconds between two rounds.
    """

    def __init__(
        self,
        observer: Observer,
        look: Callable[[str], Awaitable[None]],
        bindings: Bindings,
        *,
        most: int,
        pause: float,
    ) -> None:
        """Set it up; `begin()` starts it."""
        self._observer = observer
        self._look = look
        self._bindings = bindings
        self._most = most
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    def begin(self, needed: Callable[[], bool]) -> None:
        """Follow for as long as `needed` says, unless that is done already."""
        if needed() and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._run(needed), name="follow")

    async def stop(self) -> None:
        """Follow nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, needed: Callable[[], bool]) -> None:
        while needed():
            await asyncio.sleep(self._pause)
            names = [name for name in self._observer.under_way() if self._bindings.watches(name)]
            if len(names) <= self._most:
                await self._look_at(names)

    async def _look_at(self, names: list[str]) -> None:
        for name in names:
            before = self._observer.observe(name, with_addons=False)
            try:
                await self._look(name)
            except FireworksError:
                return  # the next LIST fails as well, and says why
            if self._observer.observe(name, with_addons=False) != before:
                self._observer.tell(frozenset({name}))
