"""What the controller needs of Kubernetes, as Protocols; `kube/` implements them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus

EventType = Literal["Normal", "Warning"]

ACCOUNT_ID_KEY: Final = "accountId"
"""What in a Secret names the account that the API key beside it is for."""
LONGEST_VALUE: Final = 4096
"""Bytes of a Secret's value that are looked at: eight times the longest API key."""
_NAMES_TOLD: Final = 10
_LONGEST_NAME_TOLD: Final = 63


class ResourceChangedError(Exception):
    """The resource is no longer at the resourceVersion that the write was based on: look again, then decide."""


class ResourceGoneError(Exception):
    """The resource, or the one with this uid, no longer exists."""


class KubernetesUnavailableError(Exception):
    """The API server did not answer, or refused for now; the text carries no secrets."""


class SecretForbiddenError(Exception):
    """The operator may not read this Secret."""


class ConfigMapRefusedError(Exception):
    """A ConfigMap belongs to somebody else, or must not be written; the text says what to do."""


@dataclass(frozen=True, slots=True)
class SecretExcerpt:
    """What is kept of a Secret: the values that were asked for, and which keys it has.

    Attributes:
        values: by key, without those that the Secret lacks; None where a value is longer than `LONGEST_VALUE`.
        has: the names of its keys for a message; of many only some, and long ones cut.
        uid: tells the Secret from a later one of the same name.
        resource_version: another one after each change of it.
    """

    values: Mapping[str, bytes | None] = field(repr=False)
    has: str
    uid: str = ""
    resource_version: str = ""

    @classmethod
    def of(
        cls, data: Mapping[str, bytes], wanted: Collection[str], uid: str = "", version: str = ""
    ) -> "SecretExcerpt":
        """Take from decoded data what is wanted."""
        values = {key: data[key] if len(data[key]) <= LONGEST_VALUE else None for key in wanted if key in data}
        return cls(values, tell_names(data), uid, version)


def tell_names(names: Iterable[str]) -> str:
    """Return the names of a Secret's keys for a message, of bounded length."""
    every = sorted(names)
    told = [name if len(name) <= _LONGEST_NAME_TOLD else f"{name[:_LONGEST_NAME_TOLD]}…" for name in every]
    more = f" and {len(every) - _NAMES_TOLD} more" if len(every) > _NAMES_TOLD else ""
    return ", ".join(told[:_NAMES_TOLD]) + more or "nothing"


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

    async def read(
        self, namespace: str, name: str, wanted: tuple[str, ...], *, fresh: bool = False
    ) -> SecretExcerpt | None:
        """Return the values under the wanted keys of a Secret, None if it does not exist; `fresh` asks anew.

        Raises:
            SecretForbiddenError: the operator lacks the permission.
            KubernetesUnavailableError: no answer.
        """
        ...


class ConfigMapWriter(Protocol):
    """Writes and deletes ConfigMaps that belong to a resource, in its namespace, and no others.

    Raises:
        ConfigMapRefusedError: it is somebody else's, or must not be written.
        ResourceChangedError: somebody else wrote in between: try again soon.
        KubernetesUnavailableError: no answer; the write may or may not have happened.
    """

    async def put(self, resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> None:
        """Have a ConfigMap of this name with this content; what has it already is not written."""
        ...

    async def remove(self, resource: FireworksDeployment, name: str) -> None:
        """Delete the ConfigMap of this name if it belongs to the resource."""
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
