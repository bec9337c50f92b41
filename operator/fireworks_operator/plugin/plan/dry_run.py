"""What the API server would store: a dry run of the very request that would apply the manifest."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fireworks_operator.api.v1alpha1 import FireworksDeployment, InvalidResourceError
from fireworks_operator.kube.client import (
    Json,
    KubernetesClient,
    KubernetesForbiddenError,
    KubernetesRefusedError,
)
from fireworks_operator.kube.resources import CrdMissingError, collection_path, resource_path
from fireworks_operator.plugin.missing import namespace_exists
from fireworks_operator.plugin.running import sentence
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError

from .reading import Manifest

FIELD_MANAGER: Final = "kubectl-client-side-apply"
"""As `kubectl apply` names itself."""
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_NO_SUCH_FIELD: Final = "failed to create typed patch object"
"""In the API server's 500 to a server-side apply of a field that the schema does not have."""
_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Stored:
    """A resource as it would be stored, and as it is; None while it does not exist."""

    resource: FireworksDeployment
    live: FireworksDeployment | None


@dataclass(frozen=True, slots=True)
class NotStored:
    """Why it would not be stored, and the resource as it is.

    `refused`: the manifest is what has to be changed; else nothing is known.
    """

    message: str
    refused: bool
    live: FireworksDeployment | None = None


@dataclass(frozen=True, slots=True)
class DryRun:
    """How manifests would be applied.

    Attributes:
        client: of the API server.
        manager: the field manager of server-side apply; None: whoever applied the resource so before, and a merge as
            `kubectl apply` makes it if nobody did.
        force: take fields over from other managers.
    """

    client: KubernetesClient
    manager: str | None = None
    force: bool = False

    async def of(self, manifest: Manifest) -> Stored | NotStored:
        """Ask what would be stored.

        Raises:
            CrdMissingError: the cluster does not know the kind.
            KubernetesUnavailableError: no answer.
        """
        live: FireworksDeployment | None = None
        try:
            found = await self._live(manifest)
            live = None if found is None else FireworksDeployment.parse(found)
            raw = await self._apply(manifest, found)
            metadata = {"uid": "", "resourceVersion": "", **raw["metadata"]}
            return Stored(FireworksDeployment.parse({**raw, "metadata": metadata}), live)
        except InvalidResourceError as error:
            return NotStored(
                f"The resource cannot be parsed ({error}): use the plugin version that matches the CRD.", refused=False
            )
        except KubernetesForbiddenError as error:
            return NotStored(
                f"{sentence(error)} A plan needs the right to get and patch FireworksDeployments, which a dry run is "
                "subject to although it changes nothing.",
                refused=False,
            )
        except ResourceChangedError as error:
            return NotStored(
                f"{sentence(error)} Remove the fields from the manifest, or have them taken over with "
                "--force-conflicts here and when you apply.",
                refused=True,
                live=live,
            )
        except KubernetesRefusedError as error:
            causes = "; ".join(f"{each.field}: {each.message}" if each.field else each.message for each in error.causes)
            return NotStored(causes or str(error), refused=True, live=live)
        except ResourceGoneError:
            return await self._missing(manifest)
        except KubernetesUnavailableError as error:
            if _NO_SUCH_FIELD not in str(error):
                raise
            return NotStored(str(error), refused=True, live=live)

    async def _live(self, manifest: Manifest) -> Json | None:
        try:
            return await self.client.request("GET", resource_path(manifest.namespace, manifest.name))
        except ResourceGoneError:
            return None

    async def _apply(self, manifest: Manifest, live: Json | None) -> Json:
        """Send what `kubectl apply` would send: a merge of three, or a server-side apply where that is in use."""
        path = resource_path(manifest.namespace, manifest.name)
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        body = {name: value for name, value in manifest.raw.items() if name != "status"}
        manager = self.manager or (None if live is None else _applied_by(live))
        if manager is not None:
            query |= {"fieldManager": manager, "force": "true" if self.force else "false"}
            return await self.client.request("PATCH", path, query=query, body=body, content_type=_APPLY)
        query["fieldManager"] = FIELD_MANAGER
        if live is None:
            return await self.client.request("POST", collection_path(manifest.namespace), query=query, body=body)
        patch = _merge_patch(_last_applied(live), body, live)
        return await self.client.request("PATCH", path, query=query, body=patch, content_type=_MERGE)

    async def _missing(self, manifest: Manifest) -> NotStored:
        """Say what is not there: the namespace or the kind."""
        if not await namespace_exists(self.client, manifest.namespace):
            return NotStored(
                f'There is no namespace "{manifest.namespace}": create it first, or specify another one with -n.',
                refused=True,
            )
        try:
            await self.client.request("GET", collection_path(manifest.namespace), query={"limit": "1"})
        except ResourceGoneError:
            raise CrdMissingError from None
        return NotStored(f"{manifest.ref} was deleted meanwhile: try again.", refused=False)


def _applied_by(live: Json) -> str | None:
    """Return who applies the spec with server-side apply; None if nobody does."""
    if _LAST_APPLIED in (live["metadata"].get("annotations") or {}):
        return None
    managers = live["metadata"].get("managedFields") or []
    applied = [each for each in managers if each.get("operation") == "Apply" and "f:spec" in each.get("fieldsV1", {})]
    return str(applied[-1]["manager"]) if applied else None


def _last_applied(live: Json) -> Mapping[str, Any]:
    """Return the manifest that `kubectl apply` wrote down; the empty annotations that it always adds say nothing."""
    try:
        found = json.loads((live["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "{}"))
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    metadata = found.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("annotations"):
        metadata.pop("annotations", None)
    return found


def _merge_patch(before: Mapping[str, Any], manifest: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch of three: what the manifest says, without what it said before and no longer does."""
    patch: dict[str, Any] = {}
    for name, value in manifest.items():
        there, known = live.get(name), before.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            inner = _merge_patch(known if isinstance(known, Mapping) else {}, value, there)
            if inner:
                patch[name] = inner
        elif value != there:
            patch[name] = value
    return {**patch, **{name: None for name in before if name not in manifest and name in live and name != "status"}}
