"""After a pass: the ConfigMap from which applications read how to reach the deployment."""

from collections.abc import Callable
from datetime import datetime, timedelta
from logging import getLogger

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.v1alpha1 import ConnectionStatus, FireworksDeployment
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.connection import ConnectionStep, connection_notices, connection_step
from fireworks_operator.ports import (
    ConfigMapRefusedError,
    ConfigMapWriter,
    KubernetesUnavailableError,
    MutationFence,
    ResourceChangedError,
    ResourceGoneError,
    ResourceWriter,
)

from .recent import CONNECT_PAUSE, Recent

log = getLogger(__name__)

RETRY = timedelta(seconds=15)
"""How long it is left alone after no answer, or after somebody else wrote it at the same time."""


class Connecting:
    """Writes the ConfigMap of a resource once its identifiers have changed, and remembers that in the status.

    Nothing that goes wrong here keeps the deployment from being looked after: it is told, and tried again.
    """

    def __init__(
        self,
        store: DeploymentStore,
        config_maps: ConfigMapWriter,
        writer: ResourceWriter,
        fence: MutationFence,
        wall_clock: Callable[[], datetime],
    ) -> None:
        """Connect the parts."""
        self._store = store
        self._config_maps = config_maps
        self._writer = writer
        self._fence = fence
        self._wall_clock = wall_clock

    async def connect(self, ref: str, recent: Recent, *, look: bool) -> float | None:
        """Do what has to be done for the ConfigMap of a resource; return in how many seconds to come back.

        Args:
            ref: `namespace/name` of the resource.
            recent: what was lately done for it.
            look: write it again if it is not as it was written, and try again at once what was refused.
        """
        resource = self._store.get(ref)
        # What waits to be written to the status comes first: it would be lost by a write of ours.
        if resource is None or recent.unwritten is not None:
            return None
        step = connection_step(resource)
        if step is None or (not look and step.done == resource.status.connection):
            recent.connect_at = None
            return None
        now = self._wall_clock()
        if not look and recent.connect_at is not None and now < recent.connect_at:
            return (recent.connect_at - now).total_seconds()
        return await self._carry_out(resource, step, recent, now)

    async def _carry_out(
        self, resource: FireworksDeployment, step: ConnectionStep, recent: Recent, now: datetime
    ) -> float | None:
        pause: timedelta | None = RETRY
        if self._fence.may_mutate():
            try:
                resource, pause, connection = await self._write(resource, step)
                if await self._remember(resource, connection):
                    recent.connect_at = None if pause is None else now + pause
                    return 0.0  # the notices are another pass's
            except (ResourceChangedError, KubernetesUnavailableError) as error:
                pause = RETRY
                log.warning("%s: spec.connection: %s", resource.ref, error)
            except ResourceGoneError:
                return None
        if pause is None:
            recent.connect_at = None
            return None
        recent.connect_at = now + pause
        return pause.total_seconds()

    async def _write(
        self, resource: FireworksDeployment, step: ConnectionStep
    ) -> tuple[FireworksDeployment, timedelta | None, ConnectionStatus | None]:
        """Return the resource as stored, after which pause to try again, if so, and what is to be remembered."""
        # Dying in between: the status names all that may exist, and all is done again, to the same end; or, if the spec
        # names another one by then, what it no longer names is deleted.
        try:
            if step.stale is not None:
                await self._config_maps.remove(resource, step.stale)
            if step.name is not None:
                resource = await self._store_connection(resource, step.announced(resource.status.connection))
                await self._config_maps.put(resource, step.name, step.data)
            if step.former is not None:
                await self._config_maps.remove(resource, step.former)
        except ConfigMapRefusedError as error:
            return resource, CONNECT_PAUSE, step.refused(resource.status.connection, str(error))
        return resource, None, step.done

    async def _remember(self, resource: FireworksDeployment, connection: ConnectionStatus | None) -> bool:
        """Write down what has come of it; return whether the notices have to say something else now."""
        stored = await self._store_connection(resource, connection)
        return connection_notices(stored.status) != connection_notices(resource.status)

    async def _store_connection(
        self, resource: FireworksDeployment, connection: ConnectionStatus | None
    ) -> FireworksDeployment:
        """Write it to the status if it says anything new; return the resource as stored."""
        connection = None if connection is None else bounded(connection)
        if connection == resource.status.connection:
            return resource
        status = resource.status.model_copy(update={"connection": connection})
        stored = await self._writer.write_status(resource, status)
        self._store.put(stored)
        return stored
