"""What the controller needs of Kubernetes, as Protocols; `kube/` implements them."""

from collections.abc import Mapping
from typing import Literal, Protocol

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus

EventType = Literal["Normal", "Warning"]


class ResourceChangedError(Exception):
    """The resource is no longer at the resourceVersion that the write was based on: look again, then decide."""


class ResourceGoneError(Exception):
    """The resource, or the one with this uid, no longer exists."""


class KubernetesUnavailableError(Exception):
    """The API server did not answer, or refused for now; the text carries no secrets."""


class SecretForbiddenError(Exception):
    """The operator may not read this Secret."""


class ResourceWriter(Protocol):
    """Writes a resource's status and the operator's finalizer, nothing else.

    Every write holds only for the uid and resourceVersion of the resource it is given.

    Raises:
        ResourceChangedError: somebody else wrote in between.
        ResourceGoneError: the resource is gone.
        KubernetesUnavailableError: no answer, time-out, 429 or 5xx; the write may or may not have happened.
    """

    async def add_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment:
        """Add the operator's finalizer and return the resource as stored."""
        ...

    async def remove_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment | None:
        """Remove the operator's finalizer; None when the resource went away with it."""
        ...

    async def write_status(
        self, resource: FireworksDeployment, status: FireworksDeploymentStatus
    ) -> FireworksDeployment:
        """Replace the status subresource and return the resource as stored."""
        ...


class SecretReader(Protocol):
    """Reads single Secrets by name."""

    async def read(self, namespace: str, name: str, *, fresh: bool = False) -> Mapping[str, bytes] | None:
        """Return the decoded data of a Secret, None if it does not exist; `fresh` goes past the cache.

        Raises:
            SecretForbiddenError: the operator lacks the permission.
            KubernetesUnavailableError: no answer.
        """
        ...


class EventRecorder(Protocol):
    """Records events on a resource without making the caller wait."""

    def record(self, resource: FireworksDeployment, kind: EventType, reason: Reason, message: str) -> None:
        """Queue an event; repeated ones are aggregated, and lost ones cost nothing but a log line."""
        ...


class MutationFence(Protocol):
    """Says whether this process may still start a change at Fireworks."""

    def may_mutate(self) -> bool:
        """True while the Lease is held for longer than one mutation can take (always True without a Lease)."""
        ...
