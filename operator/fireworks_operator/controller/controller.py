"""The loop: what is seen puts resources into the queue, and workers take them out again."""

import asyncio
from collections.abc import Mapping, Sequence
from logging import getLogger
from time import perf_counter
from typing import Any, Protocol

from fireworks_operator.controller.passes.reconciler import Reconciler
from fireworks_operator.controller.passes.result import After, Now, PassResult, Retry
from fireworks_operator.core.actions import RemoveFinalizer, Waiting
from fireworks_operator.fireworks.request_budget import WithdrawnError
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError

from .queue import Priority, WorkQueue
from .store import DeploymentStore, Seen, Versions

log = getLogger(__name__)

SLOTS = 16
"""Passes at work at a time, a write each. More of them only take the API server from users and from one another."""


class PassObserver(Protocol):
    """Is told about every pass; `observability.metrics` implements it through the app."""

    def waited(self, seconds: float) -> None:
        """A resource waited so long for its pass."""

    def passed(self, action: str, result: str, seconds: float) -> None:
        """A pass ended."""

    def corrected(self) -> None:
        """A deployment that somebody else had changed was put back."""

    def left_running(self, cause: str) -> None:
        """A deployment was let go without being deleted."""


class _Slot:
    """The place of one pass among those at work."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._held = True

    def release(self) -> None:
        """Give it back, if that has not been done yet."""
        if self._held:
            self._held = False
            self._free.release()


class Controller:
    """Connects the watch and the reconciler by the queue.

    Attributes:
        sweep_wanted: set when a LIST of all resources is due before its time.
    """

    def __init__(self, store: DeploymentStore, queue: WorkQueue, reconciler: Reconciler, watcher: PassObserver) -> None:
        """Connect the parts; nothing runs before `run()`."""
        self._store = store
        self._queue = queue
        self._reconciler = reconciler
        self._watcher = watcher
        self._skip_pauses: set[str] = set()
        self._told: dict[str, str] = {}
        self._passes: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(SLOTS)
        self.sweep_wanted = asyncio.Event()

    def on_object(self, raw: Mapping[str, Any], deleted: bool) -> None:
        """Take in an object from the watch or from a LIST."""
        if deleted:
            self._on_deleted(raw)
            return
        ref, seen = self._store.see(raw)
        unreadable = self._store.unreadable(ref)
        if unreadable is not None:
            log.error("%s cannot be parsed and is skipped: %s", ref, unreadable.problem)
        elif seen is Seen.OLDER:
            self.sweep_wanted.set()  # mostly a late word, but only a LIST can tell
        elif seen is Seen.NEW:
            self._queue.add(ref, Priority.USER)
        elif seen is Seen.WISH:
            self._skip_pauses.add(ref)
            self._queue.add(ref, Priority.USER)
            self._reconciler.interrupt(ref)
        elif seen is Seen.STATUS and self._queue.holds(ref):
            # Mostly a write of the pass itself, told before it is answered: the end of the pass knows.
            self._told[ref] = raw["metadata"]["resourceVersion"]
        elif seen is Seen.STATUS:
            self._queue.add(ref)

    def _on_deleted(self, raw: Mapping[str, Any]) -> None:
        metadata = raw.get("metadata", {})
        ref = f"{metadata.get('namespace')}/{metadata.get('name')}"
        if self._store.remove(ref, str(metadata.get("uid"))):
            self._forget(ref)

    def _forget(self, ref: str) -> None:
        self._queue.drop(ref)
        self._reconciler.forget(ref)
        self._skip_pauses.discard(ref)
        self._told.pop(ref, None)

    def versions(self) -> Versions:
        """Return what is known before a LIST is asked for."""
        return self._store.versions()

    def replace_all(self, objects: Sequence[Mapping[str, Any]], version: int, known: Versions) -> None:
        """Take in a complete LIST: what it lacks is gone, even if the watch never said so.

        Args:
            objects: all that there are.
            version: the LIST's resourceVersion.
            known: what was known before it was asked for.
        """
        put_back, gone = self._store.take_list(objects, version, known)
        if put_back:
            log.warning("The API server went back in time, perhaps restored from a backup. All resources are reloaded.")
            self.sweep_wanted.set()  # late words from before may have come in meanwhile
        for ref in gone:
            log.info("%s was deleted; the watch missed the event", ref)
            self._forget(ref)
        for each in objects:
            self.on_object(each, False)

    async def run(self) -> None:
        """Hand out resources until cancelled; passes under way are then given up."""
        try:
            while True:
                await self._free.acquire()
                try:
                    ref, waited = await self._queue.get()
                except BaseException:
                    self._free.release()
                    raise
                self._watcher.waited(waited)
                task = asyncio.get_running_loop().create_task(self._pass(ref), name=f"pass {ref}")
                self._passes.add(task)
                task.add_done_callback(self._passes.discard)
        finally:
            for task in self._passes:
                task.cancel()
            await asyncio.gather(*self._passes, return_exceptions=True)

    async def _pass(self, ref: str) -> None:
        started = perf_counter()
        slot = _Slot(self._free)
        skip_pauses = ref in self._skip_pauses
        self._skip_pauses.discard(ref)
        action, outcome = "None", "error"
        try:
            result = await self._reconciler.reconcile(ref, skip_pauses=skip_pauses, release_slot=slot.release)
            if result is None:
                self._queue.forget(ref)
            else:
                action, outcome = result.action.name, _label(result)
                self._tell(result)
                self._plan(ref, result, skip_pauses=skip_pauses)
        except ResourceChangedError:
            outcome = "changed"
            self._again(ref, skip_pauses=skip_pauses)
        except WithdrawnError:
            outcome = "changed"  # the wish that interrupted it has queued the next pass
        except ResourceGoneError:
            outcome = "gone"
        except KubernetesUnavailableError as error:
            outcome = "unavailable"
            pause = self._again(ref, skip_pauses=skip_pauses)
            log.warning("%s: %s Trying again in %.0f s.", ref, error, pause)
        except Exception:
            pause = self._again(ref, skip_pauses=skip_pauses)
            log.exception("%s: the pass failed unexpectedly; retrying in %.0f s", ref, pause)
        finally:
            told = self._told.pop(ref, None)
            if told is not None and not self._store.is_own(ref, told):
                self._queue.add(ref)
            self._queue.done(ref)
            if self._store.get(ref) is None and self._store.unreadable(ref) is None:
                self._reconciler.forget(ref)  # it went during the pass, which has noted something since
            slot.release()
            self._watcher.passed(action, outcome, perf_counter() - started)

    def _tell(self, result: PassResult) -> None:
        if result.drift:
            self._watcher.corrected()
        if isinstance(result.action, RemoveFinalizer) and result.action.left is not None:
            self._watcher.left_running(result.action.cause)

    def _again(self, ref: str, *, skip_pauses: bool) -> float:
        if skip_pauses:
            self._skip_pauses.add(ref)
        return self._queue.add_failed(ref)

    def _plan(self, ref: str, result: PassResult, *, skip_pauses: bool) -> None:
        if skip_pauses and not result.conclusive:
            self._skip_pauses.add(ref)
        if result.conclusive and not isinstance(result.next, Retry):
            self._queue.forget(ref)
        match result.next:
            case Now(priority):
                self._queue.add(ref, priority)
            case After(seconds):
                self._queue.add_after(ref, seconds)
            case Retry():
                self._queue.add_failed(ref)


def _label(result: PassResult) -> str:
    if result.error is not None:
        return "error"
    return "waiting" if isinstance(result.action, Waiting) else "done"
