"""A kind that the operator can do without: looked for now and then, and watched while the cluster serves it."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from fireworks_operator.api.kinds import Kind
from fireworks_operator.ports import KubernetesUnavailableError
from fireworks_operator.timing import Patience

from .client import KubernetesClient, KubernetesForbiddenError
from .resources import CrdMissingError, ensure_served
from .sweep import Receiver, Sweep
from .watch import DEFAULT_TIMINGS, KopfWatch, WatchEndedError, WatchTimings
from .watch_session import QUIET_WATCH

log = logging.getLogger(__name__)

LOOK_AGAIN: Final = 60.0
"""Seconds between two looks for a kind that the cluster does not serve, or that may not be listed."""

Known = TypeVar("Known")


class OptionalReceiver(Receiver[Known], Protocol[Known]):
    """Takes in LISTs, single objects, and that there are none any more."""

    def on_object(self, raw: Mapping[str, Any], deleted: bool) -> None:
        """Take in an object, and whether it is gone."""
        ...

    def clear(self) -> None:
        """Take in that the kind is no longer served."""
        ...


class OptionalKind:
    """Lists and watches a kind whose CRD may be missing, and which the operator may not be allowed to list.

    Nothing of that ends the process. Without the CRD there are no objects; those that may not be listed any more stay
    as they were last seen.

    Args:
        kind: of the objects.
        client: lists them.
        receiver: gets them.
        on_served: told whether they are listed and watched, each time that changes.
        kubeconfig, namespaces, interval, timings: as for `KopfWatch` and `Sweep`.
        look_again: seconds between two looks while the kind is not served.
    """

    def __init__(
        self,
        kind: Kind,
        client: KubernetesClient,
        receiver: OptionalReceiver[Known],
        on_served: Callable[[bool], None],
        *,
        interval: float,
        kubeconfig: Path | None = None,
        namespaces: tuple[str, ...] = (),
        timings: WatchTimings = DEFAULT_TIMINGS,
        look_again: float = LOOK_AGAIN,
    ) -> None:
        self._kind = kind
        self._client = client
        self._namespaces = namespaces
        self._clear = receiver.clear
        self._on_served = on_served
        self._look_again = look_again
        self._patience = Patience(timings.retry, quiet=QUIET_WATCH)
        self._sweep = Sweep(client, namespaces, receiver, interval, kind)
        self._watch = KopfWatch(
            receiver.on_object, kubeconfig=kubeconfig, namespaces=namespaces, timings=timings, kind=kind
        )
        self._served: bool | None = None
        self._said = ""

    async def begin(self) -> None:
        """List the objects before anything is decided without them; if that is not possible, say so and go on.

        Raises:
            KubernetesUnavailableError: no answer.
        """
        try:
            await ensure_served(self._client, self._namespaces, self._kind)
        except (CrdMissingError, KubernetesForbiddenError) as error:
            self._lost(error)
        else:
            await self._list()

    async def run(self) -> None:
        """List and watch for as long as that is possible, and look for it again otherwise; runs until cancelled."""
        while True:
            if self._served:
                why = await self._follow()
                pause = self._patience.next_pause()
                log.warning("The watch of %s was closed: %s. Relisting in %.0f s.", self._kind.plural, why, pause)
            else:
                pause = self._look_again
            await asyncio.sleep(pause)
            try:
                await self._list()
            except KubernetesUnavailableError as error:
                log.warning("%s", error)

    async def _follow(self) -> str:
        """Watch until that ends or is refused, and return why."""
        sweeping = asyncio.create_task(self._sweep.run(), name=f"sweep {self._kind.plural}")
        ends = [asyncio.create_task(each) for each in (self._watch_once(), self._until_refused())]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            for task in (sweeping, *ends):
                task.cancel()
            await asyncio.gather(sweeping, *ends, return_exceptions=True)

    async def _watch_once(self) -> str:
        try:
            return await self._watch.run_once()
        except (CrdMissingError, WatchEndedError) as error:
            return str(error)

    async def _until_refused(self) -> str:
        """Ask now and then whether objects may be listed: Kopf would try for ever, and say so nowhere else."""
        while True:
            await asyncio.sleep(self._look_again)
            try:
                await ensure_served(self._client, self._namespaces, self._kind)
            except (CrdMissingError, KubernetesForbiddenError) as error:
                return str(error)
            except KubernetesUnavailableError as error:
                log.debug("%s", error)

    async def _list(self) -> None:
        """List all objects, and note whether that is possible.

        Raises:
            KubernetesUnavailableError: no answer; nothing is known anew.
        """
        try:
            await self._sweep.once()
        except (CrdMissingError, KubernetesForbiddenError) as error:
            self._lost(error)
            return
        if self._served is False:
            log.info("The operator lists and watches %s from now on.", self._kind.plural)
        self._note(served=True)
        self._said = ""

    def _lost(self, error: CrdMissingError | KubernetesForbiddenError) -> None:
        """Note that the kind cannot be listed, and say once why."""
        kind, missing = self._kind, isinstance(error, CrdMissingError)
        if missing:
            self._clear()
        if str(error) == self._said:
            return
        self._said = str(error)
        if missing:
            log.warning(
                "The CRD %s is not installed in this cluster, so there are no %ss and nothing is limited: run "
                "`fireworks-operator crd | kubectl apply --server-side -f -`, or kubectl apply -f crds/%s. The "
                "operator looks again every %g s.",
                kind.crd,
                kind.name,
                kind.crd_file,
                self._look_again,
            )
        else:
            log.warning(
                "The operator may not read %ss, so only those that it has read before are enforced: %s Upgrade the "
                "chart with rbac.create, or let its role get, list and watch %s and patch %s/status. The operator "
                "looks again every %g s.",
                kind.name,
                error,
                kind.crd,
                kind.plural,
                self._look_again,
            )
        self._note(served=False)

    def _note(self, *, served: bool) -> None:
        self._served = served
        self._on_served(served)
