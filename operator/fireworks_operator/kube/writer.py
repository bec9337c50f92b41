"""Writes of a resource: its status and the operator's finalizer, guarded by uid and resourceVersion."""

import logging
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

from fireworks_operator.api.budget import FireworksBudget, FireworksBudgetStatus
from fireworks_operator.api.kinds import kind_of
from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError

from .client import JSON_PATCH, Json, KubernetesClient, KubernetesForbiddenError, KubernetesRefusedError
from .resources import resource_path

log = logging.getLogger(__name__)

FIELD_MANAGER: Final = "fireworks-operator"
"""The operator's name in `metadata.managedFields`."""

WriteKind = Literal["status", "finalizer", "event", "configmap"]
WriteResult = Literal["ok", "conflict", "gone", "forbidden", "refused", "unavailable"]
OnWrite = Callable[[WriteKind, WriteResult], None]
Operation = dict[str, object]
Written = TypeVar("Written", FireworksDeployment, FireworksBudget)


class StatusRefusedError(KubernetesUnavailableError):
    """The API server does not accept the content of the write; the text names the fields.

    A kind of "not now", so that it is tried again with growing pauses: what must change is the CRD (older
    than the operator) or the operator itself.
    """


class KubernetesWriter:
    """Implements `ResourceWriter` with JSON patches.

    A patch that sets `metadata.resourceVersion` to the value that was read is answered with 409 once the
    resource has changed (measured with Kubernetes 1.36), whereas a failing `test` gives an unspecific 422. The
    uid can only be tested: a status patch that sets it is accepted and changes another object of that name.

    Args:
        client: where to write.
        on_write: called with kind and result of each write that was sent.
    """

    def __init__(self, client: KubernetesClient, on_write: OnWrite | None = None) -> None:
        self._client = client
        self._on_write = on_write

    async def add_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment:
        """Add the operator's finalizer; return the resource as stored, or as given if it has it already.

        Raises:
            ResourceChangedError: somebody else wrote in between.
            ResourceGoneError: the resource is gone, or another one has taken its name.
            StatusRefusedError: the resource is being deleted, when no finalizer can be added.
            KubernetesUnavailableError: no answer; the write may or may not have happened.
        """
        finalizers = resource.metadata.finalizers
        if FINALIZER in finalizers:
            return resource
        stored = await self._set_finalizers(resource, [*finalizers, FINALIZER])
        return FireworksDeployment.parse(stored)

    async def remove_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment | None:
        """Remove the operator's finalizer; None if the resource went away with it, or was gone before.

        Raises:
            ResourceChangedError: somebody else wrote in between.
            KubernetesUnavailableError: no answer; the write may or may not have happened.
        """
        finalizers = resource.metadata.finalizers
        if FINALIZER not in finalizers:
            return resource
        try:
            stored = await self._set_finalizers(resource, [name for name in finalizers if name != FINALIZER])
        except ResourceGoneError:
            return None
        remaining = FireworksDeployment.parse(stored)
        # The API server still answers with the object when the last finalizer of a deleted one goes.
        gone = remaining.metadata.deletion_timestamp is not None and not remaining.metadata.finalizers
        return None if gone else remaining

    async def write_status(
        self, resource: Written, status: FireworksDeploymentStatus | FireworksBudgetStatus
    ) -> Written:
        """Replace the status and return the resource as stored.

        Raises:
            ResourceChangedError: somebody else wrote in between; nothing was changed.
            ResourceGoneError: the resource is gone, or another one has taken its name.
            StatusRefusedError: the status does not fit the CRD; logged with the fields.
            KubernetesUnavailableError: no answer; the write may or may not have happened.
        """
        change: Operation = {"op": "add", "path": "/status", "value": status.to_wire()}
        return type(resource).parse(await self._patch("status", resource, change, subresource="status"))

    async def _set_finalizers(self, resource: FireworksDeployment, finalizers: Sequence[str]) -> Json:
        # The whole list is safe to write: it is the one of the resourceVersion that the patch insists on.
        change: Operation = {"op": "add", "path": "/metadata/finalizers", "value": list(finalizers)}
        return await self._patch("finalizer", resource, change)

    async def _patch(
        self,
        kind: WriteKind,
        resource: FireworksDeployment | FireworksBudget,
        change: Operation,
        subresource: str | None = None,
    ) -> Json:
        metadata = resource.metadata
        operations: list[Operation] = [
            {"op": "test", "path": "/metadata/uid", "value": metadata.uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.resource_version},
            change,
        ]
        try:
            stored = await self._client.request(
                "PATCH",
                resource_path(metadata.namespace, metadata.name, subresource, kind=kind_of(resource)),
                query={"fieldManager": FIELD_MANAGER},
                body=operations,
                content_type=JSON_PATCH,
            )
        except KubernetesRefusedError as error:
            if error.status == 422 and not error.causes:
                self._report(kind, "gone")
                raise ResourceGoneError(f"{resource.ref} is no longer the resource {metadata.uid}.") from None
            self._report(kind, "refused")
            log.error("The API server rejected the %s of %s: %s", kind, resource.ref, error)  # noqa: TRY400
            raise StatusRefusedError(str(error)) from error
        except Exception as error:
            self._report(kind, result_of(error))
            raise
        self._report(kind, "ok")
        return stored

    def _report(self, kind: WriteKind, result: WriteResult) -> None:
        if self._on_write is not None:
            self._on_write(kind, result)


def result_of(error: Exception) -> WriteResult:
    """Return the metric label of a failed write."""
    match error:
        case ResourceChangedError():
            return "conflict"
        case ResourceGoneError():
            return "gone"
        case KubernetesForbiddenError():
            return "forbidden"
        case KubernetesRefusedError():
            return "refused"
        case _:
            return "unavailable"
