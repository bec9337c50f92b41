"""The budgets of the cluster, as Kubernetes last told of them."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from logging import getLogger
from typing import Any

from fireworks_operator.api.budget import FireworksBudget
from fireworks_operator.controller.store import Seen, Store, Versions

log = getLogger(__name__)


class BudgetBook:
    """Takes in budgets from the watch and from LISTs, and tells in which namespace something has changed.

    Attributes:
        sweep_wanted: set when a LIST of all budgets is due before its time.
    """

    def __init__(self, on_change: Callable[[str], None]) -> None:
        """Create an empty one.

        Args:
            on_change: called with a namespace whenever a budget of it appears, is changed by a user, or goes; what
                the operator writes into its status is no change.
        """
        self.store = Store(FireworksBudget)
        self.sweep_wanted = asyncio.Event()
        self._on_change = on_change

    def __iter__(self) -> Iterator[FireworksBudget]:
        """Iterate over all budgets that can be read."""
        return iter(self.store)

    def of_namespace(self, namespace: str) -> list[FireworksBudget]:
        """Return the budgets of a namespace by name."""
        found = (each for each in self.store if each.metadata.namespace == namespace)
        return sorted(found, key=lambda each: each.metadata.name)

    def on_object(self, raw: Mapping[str, Any], deleted: bool) -> None:
        """Take in an object from the watch or from a LIST."""
        metadata = raw.get("metadata", {})
        namespace = str(metadata.get("namespace"))
        if deleted:
            if self.store.remove(f"{namespace}/{metadata.get('name')}", str(metadata.get("uid"))):
                self._on_change(namespace)
            return
        ref, seen = self.store.see(raw)
        unreadable = self.store.unreadable(ref)
        if unreadable is not None:
            log.error("FireworksBudget %s cannot be parsed and is not enforced: %s", ref, unreadable.problem)
        if seen is Seen.OLDER:
            self.sweep_wanted.set()  # mostly a late word, but only a LIST can tell
        elif seen in (Seen.NEW, Seen.WISH):
            self._on_change(namespace)

    def versions(self) -> Versions:
        """Return what is known before a LIST is asked for."""
        return self.store.versions()

    def replace_all(self, objects: Sequence[Mapping[str, Any]], version: int, known: Versions) -> None:
        """Take in a complete LIST: what it lacks is gone, even if the watch never said so.

        Args:
            objects: all that there are.
            version: the LIST's resourceVersion.
            known: what was known before it was asked for.
        """
        put_back, gone = self.store.take_list(objects, version, known)
        if put_back:
            self.sweep_wanted.set()  # late words from before may have come in meanwhile
        for namespace in sorted({ref.split("/")[0] for ref in gone}):
            self._on_change(namespace)
        for each in objects:
            self.on_object(each, False)

    def clear(self) -> None:
        """Forget all budgets: the cluster no longer serves them."""
        known = self.versions()
        self.replace_all([], known.newest, known)
