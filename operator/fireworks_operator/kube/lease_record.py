"""The Lease object itself: reading it, judging whether it may be taken, and writing it."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from fireworks_operator.ports import (
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)

from .client import Json, KubernetesClient
from .writer import FIELD_MANAGER

LEASE_ERRORS: Final = (
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)
"""What the methods of `LeaseRecord` may raise; none of them says whether the Lease is held."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """The Lease as last read or written, and when by the own clock its spec was first seen like that."""

    stored: Json
    since: float

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.stored.get("spec") or {}

    @property
    def holder(self) -> str:
        return self.spec.get("holderIdentity") or ""


class LeaseRecord:
    """One candidate's view of one Lease.

    Clocks of different machines are never compared: a Lease counts as expired when this candidate has seen it
    unchanged for the duration that stands in it.

    Args:
        client: where the Lease is.
        namespace: of the Lease.
        name: of the Lease.
        identity: the candidate's name; unique to this process.
        duration: seconds that a renewal holds for.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        client: KubernetesClient,
        namespace: str,
        name: str,
        identity: str,
        *,
        duration: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._duration = duration
        self._clock = clock
        self._seen: _Seen | None = None
        self.renewed_at: float | None = None
        """By the own clock, just before the last write that was answered began; None if the Lease is not ours."""

    @property
    def holder(self) -> str:
        """Who holds the Lease as far as known; empty if nobody does."""
        return "" if self._seen is None else self._seen.holder

    @property
    def is_held_by_another(self) -> bool:
        """Whether the last look showed somebody else as the holder."""
        return self.holder not in ("", self._identity)

    async def hold(self) -> bool:
        """Take or renew the Lease; False if somebody else holds it.

        Raises:
            ResourceChangedError: another candidate was faster.
            KubernetesUnavailableError: no answer, when the write may have happened, or a refusal.
        """
        if self.holder == self._identity:
            try:
                return await self._write()
            except (ResourceChangedError, ResourceGoneError):
                pass  # an unanswered write of our own, a foreign edit, or a new holder: look
        await self._look()
        return self._may_take() and await self._write()

    async def release(self) -> bool:
        """Leave the Lease to whoever comes next, if it is ours.

        Raises:
            ResourceChangedError: it has changed and may not be ours any more.
            KubernetesUnavailableError: no answer.
        """
        if self._seen is None or self.holder != self._identity:
            return False
        self.renewed_at = None
        spec = {**self._seen.spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _now()}
        await self._client.request(
            "PUT", self._path(self._name), query=_QUERY, body={**self._seen.stored, "spec": spec}
        )
        self._seen = None
        return True

    async def _look(self) -> None:
        try:
            stored = await self._client.request("GET", self._path(self._name))
        except ResourceGoneError:
            self._seen = None
            return
        before = self._seen
        unchanged = before is not None and before.spec == stored.get("spec")
        since = before.since if before is not None and unchanged else self._clock()
        self._seen = _Seen(stored, since)

    def _may_take(self) -> bool:
        seen = self._seen
        if seen is None or seen.holder in ("", self._identity):
            return True
        promised = seen.spec.get("leaseDurationSeconds") or self._duration
        return self._clock() - seen.since >= promised

    async def _write(self) -> bool:
        began = self._clock()
        if self._seen is None:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            lease = {**body, "metadata": {"name": self._name, "namespace": self._namespace}, "spec": self._spec()}
            stored = await self._client.request("POST", self._path(), query=_QUERY, body=lease)
        else:
            lease = {**self._seen.stored, "spec": self._spec()}
            # The resourceVersion in it makes the API server refuse the write if anybody wrote in between.
            stored = await self._client.request("PUT", self._path(self._name), query=_QUERY, body=lease)
        self._seen = _Seen(stored, self._clock())
        self.renewed_at = began
        return True

    def _spec(self) -> dict[str, object]:
        now = _now()
        before: Mapping[str, Any] = {} if self._seen is None else self._seen.spec
        spec = {
            **before,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._duration),
            "renewTime": now,
        }
        if self.holder != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = 0 if self._seen is None else int(before.get("leaseTransitions") or 0) + 1
        return spec

    def _path(self, name: str | None = None) -> str:
        base = f"/apis/coordination.k8s.io/v1/namespaces/{quote(self._namespace, safe='')}/leases"
        return base if name is None else f"{base}/{quote(name, safe='')}"


_QUERY: Final = {"fieldManager": FIELD_MANAGER}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
