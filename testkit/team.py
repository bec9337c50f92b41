"""A team as the operator sees it: a namespace, a Fireworks account, an API key in a Secret."""

import base64
import contextlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FINALIZER, GROUP, KIND, VERSION
from fireworks_simulator.testing import JournalEntry, SimulatorClient
from testkit.kubernetes_api import (
    MERGE_PATCH,
    Json,
    KubernetesApi,
    KubernetesError,
    condition,
    core_path,
    resources_path,
)
from testkit.processes import Operator
from testkit.waiting import PATIENCE, eventually

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SPEC: Mapping[str, Any] = {"baseModel": MODEL, "acceleratorType": "NVIDIA_H100_80GB", "minReplicaCount": 1}
SECRET = "fireworks"
T = TypeVar("T")
_STATES_GONE = frozenset({"DELETING", "DELETED"})


def new_api_key() -> str:
    """Return a key that no other test has, and that is easy to find where it must not be."""
    return f"fw_{secrets.token_hex(16)}"


@dataclass(slots=True)
class Team:
    """One namespace with its account. `own` teams have no Secret and use the operator's own key."""

    api: KubernetesApi
    simulator: SimulatorClient
    namespace: str
    api_key: str
    operator: Operator | None = None
    own: bool = False

    @classmethod
    def begin(
        cls,
        api: KubernetesApi,
        simulator: SimulatorClient,
        *,
        own: tuple[str, str] | None = None,
        name: str = "team",
        apart: bool = False,
    ) -> Self:
        """Make a namespace, and an account with a key in a Secret.

        Args:
            api: where the namespace goes.
            simulator: where the account goes.
            own: the operator's own account and key, to use these instead.
            name: what the namespace's name begins with.
            apart: the account has a world of its own in the simulator; of an own one it is expected.
        """
        namespace = f"{name}-{secrets.token_hex(4)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        api.request("POST", "/api/v1/namespaces", body)
        account, key = own or (namespace, new_api_key())
        fireworks = SimulatorClient(simulator.url, account, account if apart else "")
        team = cls(api, fireworks, namespace, key, own=own is not None)
        if own is None and apart:
            simulator.add_world(account, key)
        elif own is None:
            simulator.add_account(account, key)
        if own is None:
            team.put_secret(SECRET, apiKey=key)
        return team

    @property
    def account(self) -> str:
        """Id of the Fireworks account."""
        return self.simulator.account

    # --- resources -------------------------------------------------------------------------------------------------

    def manifest(self, name: str, metadata: Mapping[str, object], spec: Mapping[str, object]) -> Json:
        """Return a resource: the least that Fireworks accepts and `spec`, where None removes a field."""
        fields = {**SPEC, **({} if self.own else {"credentialsSecretRef": {"name": SECRET}}), **spec}
        return {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "spec": {key: value for key, value in fields.items() if value is not None},
        }

    def create(
        self,
        name: str = "chat",
        /,
        *,
        metadata: Mapping[str, object] | None = None,
        spec: Mapping[str, object] | None = None,
        **fields: object,
    ) -> Json:
        """Create a resource; see `manifest`."""
        body = self.manifest(name, metadata or {}, {**(spec or {}), **fields})
        return self.api.request("POST", resources_path(self.namespace), body)

    def find(self, name: str = "chat") -> Json | None:
        """Return a resource, None if it is gone."""
        return self.api.find(resources_path(self.namespace, name))

    def get(self, name: str = "chat") -> Json:
        """Return a resource that exists."""
        found = self.find(name)
        assert found is not None, f"{name} is gone"
        return found

    def status(self, name: str = "chat") -> Json:
        """Return a resource's status."""
        status: Json = self.get(name).get("status", {})
        return status

    def change(self, name: str = "chat", /, **spec: object) -> Json:
        """Merge fields into a spec; None removes one."""
        return self._merge(name, {"spec": spec})

    def annotate(self, name: str, annotation: str, value: str) -> None:
        """Set an annotation of this operator, without its prefix."""
        self._merge(name, {"metadata": {"annotations": {f"{GROUP}/{annotation}": value}}})

    def set_status(self, name: str, status: Mapping[str, Any]) -> None:
        """Merge fields into the status by hand; None removes one."""
        path = resources_path(self.namespace, name, "status")
        self.api.request("PATCH", path, {"status": status}, content_type=MERGE_PATCH)

    def delete(self, name: str = "chat") -> None:
        """Ask for deletion, without waiting for it."""
        self.api.request("DELETE", resources_path(self.namespace, name))

    def resources(self) -> list[Json]:
        """Return all resources of the namespace."""
        items: list[Json] = self.api.request("GET", resources_path(self.namespace))["items"]
        return items

    def events(self, name: str = "chat") -> list[Json]:
        """Return the events about a resource, oldest first."""
        query = {"fieldSelector": f"involvedObject.name={name}"}
        items: list[Json] = self.api.request("GET", core_path(self.namespace, "events"), query=query)["items"]
        return sorted(items, key=lambda event: str(event["firstTimestamp"]))

    def _merge(self, name: str, body: Json) -> Json:
        return self.api.request("PATCH", resources_path(self.namespace, name), body, content_type=MERGE_PATCH)

    # --- Secrets ---------------------------------------------------------------------------------------------------

    def put_secret(self, name: str = SECRET, /, **data: str) -> None:
        """Create or replace a Secret."""
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
        try:
            self.api.request("POST", core_path(self.namespace, "secrets"), body)
        except KubernetesError as error:
            if error.status != 409:
                raise
            self.api.request("PUT", core_path(self.namespace, "secrets", name), body)

    def delete_secret(self, name: str = SECRET) -> None:
        """Delete a Secret."""
        self.api.request("DELETE", core_path(self.namespace, "secrets", name))

    # --- waiting ---------------------------------------------------------------------------------------------------

    def until_ready(self, name: str = "chat", *, within: float = PATIENCE) -> Json:
        """Wait until a resource is Ready for its spec as it is now, and return it."""
        return self.until(name, "Ready", "True", within=within)

    def until(
        self, name: str, kind: str, value: str, reason: str | None = None, *, within: float = PATIENCE, says: str = ""
    ) -> Json:
        """Wait for a condition of the current generation, and return the resource.

        Args:
            name: of the resource.
            kind: type of the condition.
            value: True, False or Unknown.
            reason: its reason; None for any.
            within: seconds to wait at most.
            says: text that its message must contain.
        """

        def look() -> Json | None:
            resource = self.get(name)
            found = condition(resource, kind)
            generation = resource["metadata"]["generation"]
            current = found.get("observedGeneration") == generation == resource["status"].get("observedGeneration")
            met = found.get("status") == value and reason in (None, found.get("reason"))
            return resource if current and met and says in found["message"] else None

        what = f"{name}: {kind}={value}" + (f" {reason}" if reason else "") + (f" saying “{says}”" if says else "")
        found: Json = self.eventually(look, what, name=name, within=within)
        return found

    def until_gone(self, name: str = "chat", *, within: float = PATIENCE) -> None:
        """Wait until a resource no longer exists."""
        self.eventually(lambda: self.find(name) is None, f"{name} is gone", name=name, within=within)

    def eventually(
        self, look: Callable[[], T | None], what: str, *, name: str | None = None, within: float = PATIENCE
    ) -> T:
        """Wait as `waiting.eventually` does, and tell status, requests and log if it does not happen."""
        return eventually(look, what, within=within, explain=lambda: self.explain(name))

    def explain(self, name: str | None = None) -> str:
        """Describe the situation for a failure message."""
        found = [each for each in self.resources() if name in (None, each["metadata"]["name"])][:3]
        shown = [{"metadata": _brief(each["metadata"]), "status": each.get("status")} for each in found]
        requests = [
            f"{each.method} {each.path} {dict(each.query)} → {each.status} {each.fault}" for each in self.journal()
        ]
        log = self.operator.tail() if self.operator is not None else ""
        return "\n".join((json.dumps(shown, indent=1), *requests[-15:], log))

    # --- Fireworks -------------------------------------------------------------------------------------------------

    def journal(self, method: str | None = None, path: str | None = None, since: int = 0) -> list[JournalEntry]:
        """Return the requests for this account so far."""
        return self.simulator.journal(method=method, path=path, account=self.account, since=since)

    def posts(self) -> list[JournalEntry]:
        """Return the create requests so far."""
        return self.journal("POST", r"/deployments$")

    def writes(self, since: int = 0) -> list[JournalEntry]:
        """Return the requests that change something at Fireworks."""
        return [each for each in self.journal(since=since) if each.method != "GET" and "/inference/" not in each.path]

    def deployments(self) -> list[Json]:
        """Return the deployments of the account that are not deleted."""
        return [each for each in self.simulator.deployments() if each["state"] not in _STATES_GONE]

    def deployment(self) -> Json:
        """Return the account's only deployment."""
        (found,) = self.deployments()
        return found

    def deployment_id(self, name: str = "chat") -> str:
        """Return the id of a resource's deployment."""
        return str(self.status(name)["deploymentName"]).rsplit("/", 1)[-1]

    def fault(
        self,
        kind: str,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = None,
        action: Mapping[str, object] | None = None,
        **more: object,
    ) -> str:
        """Make requests for this account go wrong; see SimulatorClient.fault. `more` adds to `action`."""
        match = {"account": self.account, "method": method, "path": path}
        given = {name: value for name, value in match.items() if value is not None}
        body = {"match": given, "action": {"kind": kind, **(action or {}), **more}, "times": times}
        return str(self.simulator.call("POST", "/faults", body)["id"])

    # --- the end ---------------------------------------------------------------------------------------------------

    def assert_no_secret(self, *more: str) -> None:
        """Assert that no API key stands where people and programs read."""
        shown = json.dumps([self.resources(), self.api.request("GET", core_path(self.namespace, "events"))])
        if self.operator is not None and self.operator.running:
            shown += self.operator.metrics()
        assert not any(key in shown for key in (self.api_key, *more)), "an API key is shown"

    def clean(self) -> None:
        """Remove all resources: by the operator if it runs, else by force."""
        self.simulator.clear_faults()
        for resource in self.resources():
            if resource["metadata"].get("annotations", {}).get(ANNOTATION_ABANDON) != "true":
                with contextlib.suppress(KubernetesError):  # it has just gone
                    self._merge(
                        resource["metadata"]["name"], {"metadata": {"annotations": {ANNOTATION_ABANDON: "true"}}}
                    )
        self.api.request("DELETE", resources_path(self.namespace))
        try:
            if self.operator is not None and self.operator.running:
                self.eventually(lambda: not self.resources(), "all resources are gone", within=60)
        finally:
            self._strip(self.resources())
            self.api.request("DELETE", f"/api/v1/namespaces/{self.namespace}")

    def _strip(self, resources: Iterable[Json]) -> None:
        for resource in resources:
            others = [each for each in resource["metadata"].get("finalizers", []) if each != FINALIZER]
            with contextlib.suppress(KubernetesError):
                self._merge(resource["metadata"]["name"], {"metadata": {"finalizers": others}})


def _brief(metadata: Mapping[str, Any]) -> Json:
    return {key: value for key, value in metadata.items() if key not in ("managedFields", "uid")}
