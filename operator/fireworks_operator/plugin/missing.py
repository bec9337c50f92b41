"""Why a resource is not found: another name, another namespace, or no such namespace or kind at all."""

from collections.abc import Iterable
from difflib import get_close_matches
from urllib.parse import quote

from fireworks_operator.kube.client import Json, KubernetesClient
from fireworks_operator.kube.resources import list_resources
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError


async def explain_missing(client: KubernetesClient, namespace: str, name: str) -> str:
    """Say that a resource does not exist, and what may have been meant.

    Raises:
        CrdMissingError: the cluster does not know the kind.
    """
    here = await _names(client, namespace)
    if here is not None and not here and not await namespace_exists(client, namespace):
        return f'There is no namespace "{namespace}": specify another one with -n.'
    missing = f'There is no FireworksDeployment "{name}" in namespace {namespace}'
    close = get_close_matches(name, here or (), n=1)
    if close:
        return f'{missing}. Did you mean "{close[0]}"?'
    elsewhere = await _namespaces_of(client, name)
    if elsewhere:
        return f"{missing}, but in {', '.join(elsewhere)}: specify the namespace with -n."
    return f"{missing}: run `kubectl fireworks list -A`, and specify its namespace with -n."


async def namespace_exists(client: KubernetesClient, namespace: str) -> bool:
    """Tell whether there is such a namespace; True also where that cannot be found out."""
    try:
        await client.request("GET", f"/api/v1/namespaces/{quote(namespace, safe='')}")
    except ResourceGoneError:
        return False
    except KubernetesUnavailableError:
        return True
    return True


async def _names(client: KubernetesClient, namespace: str) -> list[str] | None:
    """Return the names in a namespace, None where they cannot be listed."""
    try:
        objects, _ = await list_resources(client, namespace)
    except KubernetesUnavailableError:
        return None
    return [_name(each) for each in objects]


async def _namespaces_of(client: KubernetesClient, name: str) -> list[str]:
    """Return the namespaces that have a resource of this name, as far as they can be seen."""
    try:
        objects, _ = await list_resources(client)
    except KubernetesUnavailableError:
        return []
    return sorted(_namespaces(each for each in objects if _name(each) == name))


def _namespaces(objects: Iterable[Json]) -> Iterable[str]:
    return (str(each["metadata"]["namespace"]) for each in objects)


def _name(raw: Json) -> str:
    return str(raw["metadata"]["name"])
