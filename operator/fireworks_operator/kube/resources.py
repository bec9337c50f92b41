"""Where resources live in the API, and reading them as lists."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote

from fireworks_operator.api.kinds import DEPLOYMENTS, Kind
from fireworks_operator.api.resource import GROUP, VERSION
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError

from .client import Json, KubernetesClient, KubernetesRefusedError

log = logging.getLogger(__name__)

CRD: Final = DEPLOYMENTS.crd
PAGE_SIZE: Final = 500
"""Objects per page of a LIST, as kubectl and client-go ask for."""

STARTS_WITHIN: Final = 10.0
"""Seconds for which an API server that starts may not know the kind yet."""

_PAUSE: Final = 2.0
_RESTARTS: Final = 3


class CrdMissingError(Exception):
    """The cluster does not serve a kind; the text says how to install its CRD."""

    def __init__(self, kind: Kind = DEPLOYMENTS) -> None:
        super().__init__(
            f"The CRD {kind.crd} is not installed in this cluster: run "
            "`fireworks-operator crd | kubectl apply --server-side -f -`, or kubectl apply -f "
            f"crds/{kind.crd_file}, then start the operator again."
        )


def collection_path(namespace: str | None, kind: Kind = DEPLOYMENTS) -> str:
    """Return the path of all resources of a kind, or of those of one namespace."""
    base = f"/apis/{GROUP}/{VERSION}"
    return f"{base}/{kind.plural}" if namespace is None else f"{base}/namespaces/{_quoted(namespace)}/{kind.plural}"


def resource_path(namespace: str, name: str, subresource: str | None = None, *, kind: Kind = DEPLOYMENTS) -> str:
    """Return the path of one resource, or of its subresource."""
    path = f"{collection_path(namespace, kind)}/{_quoted(name)}"
    return path if subresource is None else f"{path}/{subresource}"


def _quoted(name: str) -> str:
    return quote(name, safe="")


async def ensure_served(client: KubernetesClient, namespaces: Collection[str] = (), kind: Kind = DEPLOYMENTS) -> None:
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
        while not await _is_served(client, collection_path(namespace, kind)):
            if clock() >= deadline:
                raise CrdMissingError(kind)
            log.info("%s is not served: the API server may be starting, or the CRD is not installed.", kind.crd)
            await asyncio.sleep(_PAUSE)


async def _is_served(client: KubernetesClient, path: str) -> bool:
    try:
        await client.request("GET", path, query={"limit": "1"})
    except ResourceGoneError:
        return False
    return True


async def list_resources(
    client: KubernetesClient, namespace: str | None = None, *, selector: str | None = None, kind: Kind = DEPLOYMENTS
) -> tuple[list[Json], str]:
    """Return all objects of the kind as one snapshot, with its resourceVersion.

    Pages are read to the end or not at all: a caller never takes a part for the whole.

    Args:
        client: of the API server.
        namespace: where; None for all namespaces.
        selector: labels that they must have, as kubectl takes them; None for any.
        kind: of the objects.

    Raises:
        CrdMissingError: the API server does not know the kind.
        KubernetesForbiddenError: the operator may not list it.
        KubernetesUnavailableError: a page was not answered, or the snapshot expired again and again.
    """
    restarts = 0
    while True:
        try:
            wanted = {} if selector is None else {"labelSelector": selector}
            return await _list_once(client, collection_path(namespace, kind), wanted)
        except ResourceGoneError:
            raise CrdMissingError(kind) from None
        except KubernetesRefusedError as error:
            # 410: the snapshot that the next page belongs to has been compacted away.
            if error.status != 410:
                raise
            if restarts == _RESTARTS:
                raise KubernetesUnavailableError(
                    f"The list of {kind.crd} expires faster than it can be read."
                ) from None
            restarts += 1


async def _list_once(client: KubernetesClient, path: str, wanted: Mapping[str, str]) -> tuple[list[Json], str]:
    items: list[Json] = []
    query = {"limit": str(PAGE_SIZE), **wanted}
    while True:
        page = await client.request("GET", path, query=query)
        items.extend(page["items"])
        metadata = page["metadata"]
        token = metadata.get("continue")
        if not token:
            return items, str(metadata["resourceVersion"])
        query = {"limit": str(PAGE_SIZE), **wanted, "continue": token}
