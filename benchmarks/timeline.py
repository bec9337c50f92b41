"""What happens to the resources of a namespace and when, by a watch."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from testkit.kubernetes_api import Json, KubernetesApi, condition, resources_path

LOOK_SECONDS = 0.1
"""Between two looks at whether all is there; what is recorded does not depend on it."""


class Timeline:
    """Records moments by resource name, as monotonic seconds; a context manager.

    Attributes:
        ready: when a resource was first seen Ready for its spec as it was then.
        gone: when it was gone.
        changes: how often each resource was changed so far, by whomever.
    """

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self.ready: dict[str, float] = {}
        self.gone: dict[str, float] = {}
        self.changes: Counter[str] = Counter()
        self._watch = api.follow(resources_path(namespace), self._take)

    def __enter__(self) -> Self:
        self._watch.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.__exit__(kind, error, trace)

    @property
    def writes(self) -> int:
        """Changes of all resources so far."""
        return self.changes.total()

    def until_ready(self, names: Collection[str], within: float) -> bool:
        """Wait until all of these were seen Ready; False if some were not in that time, in seconds."""
        return self._until(lambda: self.ready.keys() >= set(names), within)

    def until_gone(self, names: Collection[str], within: float) -> bool:
        """Wait until all of these are gone; False if some are not in that time, in seconds."""
        return self._until(lambda: self.gone.keys() >= set(names), within)

    def _take(self, kind: str, found: Json) -> None:
        now, name = time.monotonic(), found["metadata"]["name"]
        self.changes[name] += kind == "MODIFIED"
        if kind == "DELETED":
            self.gone.setdefault(name, now)
        elif name not in self.ready and _is_ready(found):
            self.ready[name] = now

    def _until(self, done: Callable[[], bool], within: float) -> bool:
        deadline = time.monotonic() + within
        while not done():
            if self._watch.lost:
                raise ConnectionError(f"nothing can be measured after the end of the watch: {self._watch.lost}")
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True


def _is_ready(found: Json) -> bool:
    ready = condition(found, "Ready")
    return ready.get("status") == "True" and ready.get("observedGeneration") == found["metadata"]["generation"]
