"""Where FireworksDeployments live in the API, and reading them as lists."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote

from fireworks_operator.api.v1alpha1 import GROUP, PLURAL, VERSION
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError

from .client import Json, KubernetesClient, KubernetesRefusedError

log = logging.getLogger(__name__)

CRD: Final = f"{PLURAL}.{GROUP}"
PAGE_SIZE: Final = 500
"""Objects per page of a LIST, as kubectl and client-go ask for."""

STARTS_WITHIN: Final = 10.0
"""Seconds for which an API server that starts may not know the kind yet."""

_PAUSE: Final = 2.0
_RESTARTS: Final = 3


class CrdMissingError(Exception):
    """The cluster does not serve FireworksDeployments; the text says how to install the CRD."""

    def __init__(self) -> None:
        super().__init__(
            f"The CRD {CRD} is not installed in this cluster: run "
            "`fireworks-operator crd | kubectl apply --server-side -f -`, or kubectl apply -f "
            f"crds/{GROUP}_{PLURAL}.yaml, then start the operator again."
        )


def collection_path(namespace: str | None) -> str:
    """Return the path of all resources, or of those of one namespace."""
    base = f"/apis/{GROUP}/{VERSION}"
    return f"{base}/{PLURAL}" if namespace is None else f"{base}/namespaces/{quote(namespace, safe='')}/{PLURAL}"


def resource_path(namespace: str, name: str, subresource: str | None = None) -> str:
    """Return the path of one resource, or of its subresource."""
    path = f"{collection_path(namespace)}/{quote(name, safe='')}"
    return path if subresource is None else f"{path}/{subresource}"


async def ensure_served(client: KubernetesClient, namespaces: Collection[str] = ()) -> None:
    """Return once a LIST of the kind has succeeded, cluster-wide or in each of `namespaces`.

    Kopf waits silently for a CRD that is missing, so this must come first.

    Raises:
        CrdMissingError: the API server does not know the kind, and has not just been started either.
        KubernetesForbiddenError: the operator may not list it.
        KubernetesUnavailableError: no answer.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + STARTS_WITHIN
    for namespace in namespaces or (None,):
        while not await _is_served(client, namespace):
            if clock() >= deadline:
                raise CrdMissingError
            log.info("%s is not served: the API server may be starting, or the CRD is not installed.", CRD)
            await asyncio.sleep(_PAUSE)


async def _is_served(client: KubernetesClient, namespace: str | None) -> bool:
    try:
        await client.request("GET", collection_path(namespace), query={"limit": "1"})
    except ResourceGoneError:
        return False
    return True


async def list_resources(
    client: KubernetesClient, namespace: str | None = None, *, selector: str | None = None
) -> tuple[list[Json], str]:
    """Return all objects of the kind as one snapshot, with its resourceVersion.

    Pages are read to the end or not at all: a caller never takes a part for the whole.

    Args:
        client: of the API server.
        namespace: where; None for all namespaces.
        selector: labels that they must have, as kubectl takes them; None for any.

    Raises:
        CrdMissingError: the API server does not know the kind.
        KubernetesForbiddenError: the operator may not list it.
        KubernetesUnavailableError: a page was not answered, or the snapshot expired again and again.
    """
    restarts = 0
    while True:
        try:
            return await _list_once(client, namespace, {} if selector is None else {"labelSelector": selector})
        except ResourceGoneError:
            raise CrdMissingError from None
        except KubernetesRefusedError as error:
            # 410: the snapshot that the next page belongs to has been compacted away.
            if error.status != 410:
                raise
            if restarts == _RESTARTS:
                raise KubernetesUnavailableError(f"The list of {CRD} expires faster than it can be read.") from None
            restarts += 1


async def _list_once(
    client: KubernetesClient, namespace: str | None, wanted: Mapping[str, str]
) -> tuple[list[Json], str]:
    items: list[Json] = []
    query = {"limit": str(PAGE_SIZE), **wanted}
    while True:
        page = await client.request("GET", collection_path(namespace), query=query)
        items.extend(page["items"])
        metadata = page["metadata"]
        token = metadata.get("continue")
        if not token:
            return items, str(metadata["resourceVersion"])
        query = {"limit": str(PAGE_SIZE), **wanted, "continue": token}
