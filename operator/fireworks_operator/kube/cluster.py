"""What the operator asks of the cluster itself: its id, and whether the CRD is being deleted."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError

from .client import KubernetesClient, KubernetesForbiddenError
from .resources import CRD, STARTS_WITHIN, CrdMissingError, list_resources

log = logging.getLogger(__name__)

CONNECT_RETRY: Final = 2.0
"""Seconds between two tries to reach the API server before the work begins."""

Answer = TypeVar("Answer")

_CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"


class StartError(Exception):
    """The operator cannot start; the text says what to do."""


async def patiently(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat a call until the API server answers it."""
    while True:
        try:
            return await call()
        except KubernetesUnavailableError as error:
            log.warning("%s Trying again in %.0f s.", error, CONNECT_RETRY)
            await asyncio.sleep(CONNECT_RETRY)


async def read_cluster_id(client: KubernetesClient) -> str | None:
    """Return the uid of the namespace kube-system, None where it may not be read.

    Raises:
        KubernetesUnavailableError: no answer.
    """
    try:
        namespace = await client.request("GET", "/api/v1/namespaces/kube-system")
    except (KubernetesForbiddenError, ResourceGoneError):
        return None
    return str(namespace["metadata"]["uid"])


async def read_cluster_uid(client: KubernetesClient) -> str:
    """Return what tells this cluster from another one with the same id; empty where nothing of it may be read.

    `kube-system/UID`, or else `crd/UID`: two kinds that are never compared with each other.

    Raises:
        KubernetesUnavailableError: no answer.
    """
    namespace = await read_cluster_id(client)
    if namespace is not None:
        return f"kube-system/{namespace}"
    try:
        crd = await client.request("GET", _CRD_PATH)
    except (KubernetesForbiddenError, ResourceGoneError):
        return ""
    return f"crd/{crd['metadata']['uid']}"


async def find_cluster_id(client: KubernetesClient, namespaces: Sequence[str]) -> str:
    """Return the uid of kube-system; `namespaces` are those that are watched, none means all.

    Raises:
        StartError: it may not be read; a new id is only suggested where no resource can have an id yet.
    """
    deadline = time.monotonic() + STARTS_WITHIN  # an API server that starts refuses everything at first
    while (found := await patiently(lambda: read_cluster_id(client))) is None:
        if time.monotonic() >= deadline:
            break
        await asyncio.sleep(CONNECT_RETRY)
    if found is not None:
        return found
    if await _is_new_here(client, namespaces):
        raise StartError(
            "The operator is not allowed to read the namespace kube-system, so it cannot derive a cluster id: set "
            "FIREWORKS_OPERATOR_CLUSTER_ID to a name that no other cluster of your Fireworks accounts uses, and "
            "never change it."
        )
    raise StartError(
        "The operator is not allowed to read the namespace kube-system, but there are FireworksDeployments that may "
        "already use an id of this cluster: let the operator get the namespace kube-system again, as the chart's "
        "ClusterRole does, or set FIREWORKS_OPERATOR_CLUSTER_ID to its previous value; a different one would leave "
        "their deployments unmanaged."
    )


async def _is_new_here(client: KubernetesClient, namespaces: Sequence[str]) -> bool:
    """Return whether certainly no resource has been claimed by an operator yet."""
    try:
        for namespace in namespaces or (None,):
            objects, _ = await list_resources(client, namespace)
            if any((each.get("status") or {}).get("deploymentName") for each in objects):
                return False
    except CrdMissingError:
        return True
    except KubernetesUnavailableError:
        return False
    return True


class CrdGuard:
    """Tells whether the CRD is being deleted, which must not tear down every deployment of the cluster."""

    def __init__(self, client: KubernetesClient) -> None:
        self._client = client
        self._warned = False

    async def is_deleting(self) -> bool:
        """Ask the API server.

        Raises:
            KubernetesUnavailableError: no answer; then nothing may be deleted either.
        """
        try:
            crd = await self._client.request("GET", _CRD_PATH)
        except ResourceGoneError:
            return True
        except KubernetesForbiddenError as error:
            if not self._warned:
                log.warning("Deleting the CRD would delete every deployment: %s", error)
                self._warned = True
            return False
        return "deletionTimestamp" in crd["metadata"]
