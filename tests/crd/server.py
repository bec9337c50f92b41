"""A thin client of the API server for these tests: what it stores, and in which words it refuses."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

from kubernetes import client, config

from fireworks_operator.api.kinds import DEPLOYMENTS, Kind
from fireworks_operator.api.v1alpha1 import GROUP, KIND, VERSION

MODEL = "accounts/fireworks/models/llama-v3p2-3b-instruct"
NAMESPACE = f"crd-tests-{secrets.token_hex(3)}"
"""Another one each time: in a cluster that outlives the tests the last one may still be terminating."""
MERGE = {"_content_type": "application/merge-patch+json"}

CRDS = Path(__file__).parents[2] / "crds"


Object = dict[str, Any]
Create = Callable[..., str]


class Cluster(Protocol):
    """The part of the session's cluster that these tests use."""

    @property
    def kubeconfig(self) -> Path: ...

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> CompletedProcess[str]: ...  # noqa: A002


def manifest(spec: Object, name: str = "chat") -> Object:
    """Return a resource; `baseModel` is filled in unless the spec says otherwise."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"baseModel": MODEL} | spec,
    }


@dataclass(frozen=True, slots=True)
class Server:
    """Resources of a kind in one namespace. Refusals come as `RefusedError` with the API server's own message."""

    objects: client.CustomObjectsApi
    kind: Kind = DEPLOYMENTS

    @classmethod
    def at(cls, kubeconfig: Path) -> "Server":
        """Connect with an explicit kubeconfig; the user's own is never read."""
        connection = config.new_client_from_config(config_file=str(kubeconfig))  # type: ignore[no-untyped-call]
        return cls(client.CustomObjectsApi(connection))

    def dry_create(self, body: Object, *, strict: bool = False) -> Object:
        """Return the object as it would be stored."""
        options = {"dry_run": "All"} | ({"field_validation": "Strict"} if strict else {})
        return self._call("create_namespaced_custom_object", body, **options)

    def create(self, body: Object) -> Object:
        return self._call("create_namespaced_custom_object", body)

    def dry_change(self, name: str, spec: Object) -> Object:
        """Merge fields into the spec of a stored resource (None removes one); return what would be stored."""
        return self._call("patch_namespaced_custom_object", {"spec": spec}, name=name, dry_run="All", **MERGE)

    def set_status(self, name: str, status: Object) -> Object:
        """Merge fields into the status, through the status subresource as the operator does."""
        return self._call("patch_namespaced_custom_object_status", {"status": status}, name=name, **MERGE)

    def get(self, name: str) -> Object:
        return self._call("get_namespaced_custom_object", None, name=name)

    def get_scale(self, name: str) -> Object:
        """Return the autoscaling/v1 Scale of a stored resource."""
        return self._call("get_namespaced_custom_object_scale", None, name=name)

    def put_scale(self, name: str, scale: Object) -> Object:
        """Send a Scale that was read before, as the scale client of client-go does."""
        return self._call("replace_namespaced_custom_object_scale", scale, name=name)

    def delete(self, name: str) -> None:
        self._call("delete_namespaced_custom_object", None, name=name)

    def _call(self, method: str, body: Object | None, **arguments: object) -> Object:
        place = {"group": GROUP, "version": VERSION, "namespace": NAMESPACE, "plural": self.kind.plural}
        given = place | arguments | ({} if body is None else {"body": body})
        try:
            answer: Object = getattr(self.objects, method)(**given)
        except client.ApiException as error:
            raise RefusedError(json.loads(error.body or "{}")["message"]) from None
        return answer


class RefusedError(Exception):
    """The API server's message."""
