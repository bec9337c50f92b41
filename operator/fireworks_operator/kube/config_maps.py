"""ConfigMaps that belong to a resource: written and deleted by name, and never one that belongs to somebody else."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from fireworks_operator.api.v1alpha1 import GROUP, KIND, VERSION, FireworksDeployment
from fireworks_operator.ports import ConfigMapRefusedError, ResourceChangedError, ResourceGoneError

from .client import Json, KubernetesClient, KubernetesForbiddenError, KubernetesRefusedError
from .writer import FIELD_MANAGER, OnWrite, WriteResult, result_of

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_QUERY: Final = {"fieldManager": FIELD_MANAGER}


class KubernetesConfigMaps:
    """Implements `ConfigMapWriter`.

    Whose a ConfigMap is, its controller says: the reference to the resource by uid. Each change holds only for the
    very ConfigMap that was looked at (its uid and resourceVersion), so that it cannot hit another one of that name.

    Args:
        client: where to read and write.
        on_write: called with `configmap` and the result of each write that was sent.
    """

    def __init__(self, client: KubernetesClient, on_write: OnWrite | None = None) -> None:
        self._client = client
        self._on_write = on_write

    async def put(self, resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> None:
        """Have a ConfigMap with this content, which belongs to the resource.

        Raises:
            ConfigMapRefusedError: it is somebody else's, or must not be written; the text says what to do.
            ResourceChangedError: it was written in between, or its former owner is still being cleaned up after.
            KubernetesUnavailableError: no answer; it may or may not have been written.
        """
        try:
            await self._put(resource, name, data)
        except (KubernetesForbiddenError, KubernetesRefusedError) as error:
            raise _refused(name, error) from error

    async def remove(self, resource: FireworksDeployment, name: str) -> None:
        """Delete a ConfigMap if it belongs to the resource; one that does not is left alone.

        Raises:
            ConfigMapRefusedError, ResourceChangedError, KubernetesUnavailableError: as `put`.
        """
        try:
            found = await self._find(resource, name)
            if found is None or not _owned(found, resource):
                return
            metadata = found["metadata"]
            conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
            options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
            await self._write("DELETE", _path(resource, name), options)
        except ResourceGoneError:
            return
        except (KubernetesForbiddenError, KubernetesRefusedError) as error:
            raise _refused(name, error) from error

    async def _put(self, resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> None:
        found = await self._find(resource, name)
        if found is None:
            await self._store("POST", _path(resource), _new(resource, name, data))
            return
        if not _owned(found, resource):
            raise _not_ours(found, resource, name)
        if "deletionTimestamp" in found["metadata"]:
            raise ResourceChangedError(f"The ConfigMap {name} of {resource.ref} is being deleted.")
        if found.get("data") != data or found.get("binaryData"):
            kept = {key: value for key, value in found.items() if key != "binaryData"}
            await self._store("PUT", _path(resource, name), {**kept, "data": dict(data)})

    async def _store(self, method: Literal["POST", "PUT"], path: str, body: Mapping[str, object]) -> None:
        try:
            await self._write(method, path, body, _QUERY)
        except ResourceGoneError as error:  # the ConfigMap, or its namespace
            raise ResourceChangedError(str(error)) from error

    async def _write(
        self,
        method: Literal["POST", "PUT", "DELETE"],
        path: str,
        body: Mapping[str, object],
        query: Mapping[str, str] | None = None,
    ) -> None:
        try:
            await self._client.request(method, path, query=query, body=body)
        except Exception as error:
            self._report(result_of(error))
            raise
        self._report("ok")

    def _report(self, result: WriteResult) -> None:
        if self._on_write is not None:
            self._on_write("configmap", result)

    async def _find(self, resource: FireworksDeployment, name: str) -> Json | None:
        if not _NAME.fullmatch(name):
            raise ConfigMapRefusedError("configMapName is not a name that a ConfigMap can have; choose another one.")
        try:
            return await self._client.request("GET", _path(resource, name))
        except ResourceGoneError:
            return None


def _path(resource: FireworksDeployment, name: str | None = None) -> str:
    path = f"/api/v1/namespaces/{resource.metadata.namespace}/configmaps"
    return path if name is None else f"{path}/{name}"


def _new(resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> dict[str, object]:
    metadata = resource.metadata
    owner = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
    }
    labels = {"app.kubernetes.io/managed-by": FIELD_MANAGER}
    about = {"name": name, "namespace": metadata.namespace, "labels": labels, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": dict(data)}


def _controller(found: Json) -> Mapping[str, Any]:
    owners = found["metadata"].get("ownerReferences") or ()
    return next((each for each in owners if each.get("controller")), {})


def _owned(found: Json, resource: FireworksDeployment) -> bool:
    return bool(_controller(found).get("uid") == resource.metadata.uid)


def _not_ours(found: Json, resource: FireworksDeployment, name: str) -> Exception:
    """Say whose it is; that of a former resource of this name is about to be deleted by Kubernetes."""
    owner = _controller(found)
    api_group = str(owner.get("apiVersion", "")).partition("/")[0]
    if (api_group, owner.get("kind"), owner.get("name")) == (GROUP, KIND, resource.metadata.name):
        return ResourceChangedError(f"The ConfigMap {name} of a former {resource.ref} is still there.")
    whose = f"belongs to the {owner['kind']} {owner['name']}" if owner else "does not belong to this resource"
    return ConfigMapRefusedError(
        f"the ConfigMap {name} exists and {whose}; it is left as it is. Choose another configMapName, or delete that "
        "ConfigMap."
    )


def _refused(name: str, error: Exception) -> ConfigMapRefusedError:
    hint = (
        " To give the operator the right to write ConfigMaps, set rbac.connectionConfigMaps=true in the chart."
        if isinstance(error, KubernetesForbiddenError)
        else ""
    )
    return ConfigMapRefusedError(f"the ConfigMap {name} cannot be written: {error}{hint}")
