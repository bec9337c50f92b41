"""A team as the operator sees it: a namespace, a Fireworks account, an API key in a Secret."""

import base64
import contextlib
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import urlencode

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FINALIZER, GROUP, KIND, VERSION
from fireworks_simulator.testing import SimulatorClient
from testkit.conditions import summary
from testkit.kubernetes_api import (
    MERGE_PATCH,
    Json,
    KubernetesApi,
    KubernetesError,
    core_path,
    resources_path,
)
from testkit.processes import Operator
from testkit.stories.team import AT_REST, MODEL, SECRET, SPEC, AnyTeam
from testkit.waiting import PATIENCE, eventually

T = TypeVar("T")


def new_api_key() -> str:
    """Return a key that no other test has, and that is easy to find where it must not be."""
    return f"fw_{secrets.token_hex(16)}"


@dataclass(slots=True)
class Team(AnyTeam):
    """One namespace with its account. `own` teams have no Secret and use the operator's own key."""

    patience: ClassVar[float] = PATIENCE
    slack: ClassVar[float] = 15.0
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

    def create_at_once(self, *names: str, **spec: object) -> None:
        """Create several resources as nearly at the same time as possible."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(partial(self.create, spec=spec), names))

    def find(self, name: str = "chat") -> Json | None:
        """Return a resource, None if it is gone."""
        return self.api.find(resources_path(self.namespace, name))

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

    def happened(self, name: str = "chat") -> set[tuple[str, str]]:
        """Return types and reasons of the events about a resource."""
        return {(each["type"], each["reason"]) for each in self.events(name)}

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

    # --- the operator ----------------------------------------------------------------------------------------------

    def restart_operator(self) -> None:
        """End the operator's process and start another one."""
        assert self.operator is not None
        self.operator.restart()

    def hurry(self, name: str = "chat") -> None:
        """Have the operator try again at once what it waits for."""
        self.annotate(name, "reconcile-at", str(time.monotonic_ns()))

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass at Fireworks."""
        self.simulator.advance(seconds)

    # --- waiting ---------------------------------------------------------------------------------------------------

    def eventually(
        self, look: Callable[[], T | None], what: str, *, name: str | None = None, within: float | None = None
    ) -> T:
        """Wait as `waiting.eventually` does, and tell status, requests and log if it does not happen."""
        within = self.patience if within is None else within
        return eventually(look, what, within=within, explain=lambda: self.explain(name))

    def assert_at_rest(self, *names: str, said: tuple[str, ...] = AT_REST) -> None:
        """Assert that it all comes to rest, and that nothing is written anywhere for some polls."""
        resources = names or ("chat",)

        def still() -> bool:
            before, seen = [self.get(name) for name in resources], self.seen()
            self.polls(3)
            versions = [each["metadata"]["resourceVersion"] for each in before]
            same = [self.get(name)["metadata"]["resourceVersion"] for name in resources] == versions
            return same and self.writes(since=seen) == [] and all(summary(each) == said for each in before)

        self.eventually(still, f"{', '.join(resources)}: {said}, and no more writes")

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

    def ask(self, path: str, body: Mapping[str, object] | None, method: str = "POST", **query: str) -> tuple[int, Json]:
        """Send a request with the team's key and without a user agent; return HTTP status and JSON of the answer."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json", "User-Agent": ""}
        content = None if body is None else json.dumps(body).encode()
        url = f"{self.simulator.url}{path}?{urlencode(query)}"
        request = urllib.request.Request(url, content, headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

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


__all__ = ["MODEL", "SECRET", "SPEC", "Team", "new_api_key"]
