"""What the operator asks of the cluster itself: its id, and whether the CRD is being deleted."""

import logging

from fireworks_operator.controller.ports import ResourceGoneError

from .client import KubernetesClient, KubernetesForbiddenError
from .resources import CRD

logger = logging.getLogger(__name__)

_CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{CRD}"


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
                logger.warning("Deleting the CRD would delete every deployment: %s", error)
                self._warned = True
            return False
        return "deletionTimestamp" in crd["metadata"]
