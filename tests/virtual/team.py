"""A team on the virtual stage: a namespace, a Fireworks account, an API key in a Secret, and what users do."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

from fireworks_operator.api.v1alpha1 import GROUP
from fireworks_simulator.testing import JournalEntry
from testkit.virtual.api_server import Event, Raw
from tests.virtual.stage import OWN_ACCOUNT, OWN_KEY, PATIENCE, MemorySimulator, Stage

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"
SPEC: Mapping[str, Any] = {"baseModel": MODEL, "acceleratorType": "NVIDIA_H100_80GB", "minReplicaCount": 1}
SECRET = "fireworks"
Json = dict[str, Any]
T = TypeVar("T")
_STATES_GONE = frozenset({"DELETING", "DELETED"})


@dataclass(slots=True)
class Team:
    """One namespace with its account; `own` teams have no Secret and use the operator's own key."""

    stage: Stage
    simulator: MemorySimulator
    namespace: str
    api_key: str
    own: bool = False
    keys: set[str] = field(default_factory=set)

    @classmethod
    def begin(cls, stage: Stage, *, own: bool = False) -> "Team":
        """Make a namespace, and an account with a key in a Secret."""
        stage.teams += 1
        namespace = f"team-{stage.teams}"
        if own:
            return cls(stage, stage.simulator, namespace, OWN_KEY, own=True)
        team = cls(stage, stage.simulator.of(namespace), namespace, f"fw_secret-of-{namespace}")
        stage.simulator.add_account(namespace, team.api_key)
        team.put_secret(SECRET, apiKey=team.api_key)
        return team

    @property
    def account(self) -> str:
        """Id of the Fireworks account."""
        return OWN_ACCOUNT if self.own else self.namespace

    def new_key(self, name: str) -> str:
        """Return an API key that Fireworks does not know yet."""
        api_key = f"fw_{name}-of-{self.namespace}"
        self.keys.add(api_key)
        return api_key

    # --- resources -------------------------------------------------------------------------------------------------

    def ref(self, name: str) -> str:
        """Return `namespace/name`."""
        return f"{self.namespace}/{name}"

    def create(
        self,
        name: str = "chat",
        /,
        *,
        annotations: Mapping[str, str] | None = None,
        spec: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        """Create a resource: the least that Fireworks accepts and `spec`, where None removes a field."""
        secret = {} if self.own else {"credentialsSecretRef": {"name": SECRET}}
        fields = {**SPEC, **secret, **(spec or {}), **more}
        self.stage.server.create(self.ref(name), {key: value for key, value in fields.items() if value is not None})
        for annotation, value in (annotations or {}).items():
            self.annotate(name, annotation, value)

    def find(self, name: str = "chat") -> Raw | None:
        """Return a resource, None if it is gone."""
        return copy.deepcopy(self.stage.server.objects.get(self.ref(name)))

    def get(self, name: str = "chat") -> Raw:
        """Return a resource that exists."""
        found = self.find(name)
        assert found is not None, f"{name} is gone"
        return found

    def status(self, name: str = "chat") -> Json:
        """Return a resource's status."""
        status: Json = self.get(name)["status"]
        return status

    def change(self, name: str = "chat", /, **spec: object) -> None:
        """Merge fields into a spec; None removes one."""
        self.stage.server.edit(self.ref(name), _merged(self.get(name)["spec"], spec))

    def annotate(self, name: str, annotation: str, value: str) -> None:
        """Set an annotation of this operator, without its prefix."""
        self.stage.server.annotate(self.ref(name), f"{GROUP}/{annotation}", value)

    def set_status(self, name: str, status: Mapping[str, Any]) -> None:
        """Merge fields into the status by hand; None removes one."""
        self.stage.server.put_status(self.ref(name), {"observedGeneration": -1, **_merged(self.status(name), status)})

    def delete(self, name: str = "chat") -> None:
        """Ask for deletion, without waiting for it."""
        self.stage.server.delete(self.ref(name))

    def versions(self, name: str = "chat", since: int = 0) -> list[Raw]:
        """Return every version of a resource that the watch has told of; `since`: a length that `told()` gave."""
        seen = self.stage.server.history[since:]
        metadata = ((event.raw, event.raw["metadata"]) for event in seen if not event.deleted)
        return [raw for raw, each in metadata if (each["namespace"], each["name"]) == (self.namespace, name)]

    def told(self) -> int:
        """Return how much the watch has told so far."""
        return len(self.stage.server.history)

    def events(self, name: str = "chat") -> list[Event]:
        """Return the events about a resource, oldest first."""
        return [each for each in self.stage.server.events if each.ref == self.ref(name)]

    # --- Secrets ---------------------------------------------------------------------------------------------------

    def put_secret(self, name: str = SECRET, /, **data: str) -> None:
        """Create or replace a Secret."""
        self.stage.server.secrets[self.namespace, name] = {key: value.encode() for key, value in data.items()}

    def delete_secret(self, name: str = SECRET) -> None:
        """Delete a Secret."""
        del self.stage.server.secrets[self.namespace, name]

    # --- waiting ---------------------------------------------------------------------------------------------------

    def until_ready(self, name: str = "chat", *, within: float = PATIENCE) -> Raw:
        """Let time pass until a resource is Ready for its spec as it is now, and return it."""
        return self.until(name, "Ready", "True", within=within)

    def until(
        self, name: str, kind: str, value: str, reason: str | None = None, *, within: float = PATIENCE, says: str = ""
    ) -> Raw:
        """Let time pass until there is a condition of the current generation, and return the resource."""

        def look() -> Raw | None:
            resource = self.get(name)
            found = condition(resource, kind)
            generation = resource["metadata"]["generation"]
            current = found.get("observedGeneration") == generation == resource["status"].get("observedGeneration")
            met = found.get("status") == value and reason in (None, found.get("reason"))
            return resource if current and met and says in found["message"] else None

        what = f"{name}: {kind}={value}" + (f" {reason}" if reason else "") + (f" saying “{says}”" if says else "")
        return self.eventually(look, what, within=within)

    def until_gone(self, name: str = "chat", *, within: float = PATIENCE) -> None:
        """Let time pass until a resource no longer exists."""
        self.eventually(lambda: self.find(name) is None, f"{name} is gone", within=within)

    def eventually(self, look: Callable[[], T | None], what: str, *, within: float = PATIENCE) -> T:
        """Let time pass as `Stage.eventually` does, and tell status and requests if it does not happen."""
        return self.stage.eventually(look, what, within=within, explain=self.explain)

    def steadily(self, look: Callable[[], bool], what: str, *, seconds: float) -> None:
        """Let time pass as `Stage.steadily` does."""
        self.stage.steadily(look, what, seconds=seconds, explain=self.explain)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.stage.wait(seconds)

    def polls(self, count: int = 2) -> None:
        """Let time pass until the account has been listed so many times."""
        seen = self.simulator.last_sequence()
        self.eventually(
            lambda: len(self.journal("GET", "/deployments$", since=seen)) >= count,
            f"{count} polls",
            within=count * 90.0,
        )

    def explain(self) -> str:
        """Describe the situation for a failure message."""
        found = [each for ref, each in self.stage.server.objects.items() if ref.startswith(f"{self.namespace}/")]
        shown = [{"metadata": each["metadata"], "status": each["status"]} for each in found[:3]]
        began = self.journal()[:1]
        requests = [
            f"{each.virtual - began[0].virtual:.1f} s: {each.method} {each.path} {dict(each.query)} → {each.status} "
            f"{each.fault}"
            for each in self.journal()
        ]
        return "\n".join((json.dumps(shown, indent=1), *requests[-25:]))

    # --- Fireworks -------------------------------------------------------------------------------------------------

    def journal(self, method: str | None = None, path: str | None = None, since: int = 0) -> list[JournalEntry]:
        """Return the operator's requests for this account so far; `virtual` is when, in seconds."""
        found = self.simulator.journal(method=method, path=path, account=self.account, since=since)
        return [each for each in found if each.user_agent]

    def posts(self) -> list[JournalEntry]:
        """Return the create requests so far."""
        return self.journal("POST", r"/deployments$")

    def patches(self) -> list[JournalEntry]:
        """Return the change requests so far."""
        return self.journal("PATCH", r"/deployments/")

    def writes(self, since: int = 0) -> list[JournalEntry]:
        """Return the requests that change something at Fireworks."""
        return [each for each in self.journal(since=since) if each.method != "GET"]

    def methods(self, since: int = 0) -> list[str]:
        """Return what was asked to be changed: the verb after the colon where there is one, else the method."""
        return [each.path.partition(":")[2] or each.method for each in self.writes(since)]

    def seen(self) -> int:
        """Return the number of the latest request."""
        return self.simulator.last_sequence()

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

    def ask(self, path: str, body: Mapping[str, object] | None, method: str = "POST", **query: str) -> tuple[int, Json]:
        """Send a request with the team's key, not by the operator; return HTTP status and JSON of the answer."""
        status, content = self.simulator.request(method, path, body, query, api_key=self.api_key)
        return status, json.loads(content)

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

    def hits(self, rule: str) -> int:
        """Return how many requests have met a fault."""
        return self.simulator.fault_hits(rule)

    # --- the end ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert what holds at any time: one deployment per resource at most, and no API key where people read."""
        owners = [
            str(each["annotations"]["custom/name"])
            for each in self.deployments()
            if each.get("annotations", {}).get("custom/namespace") == self.namespace
        ]
        assert len(owners) == len(set(owners)), f"two deployments for one resource: {owners}"
        server = self.stage.server
        shown = json.dumps([*server.objects.values(), *(each.message for each in server.events)]) + self.stage.log()
        assert not any(key in shown for key in (self.api_key, *self.keys)), "an API key is shown"


NewTeam = Callable[[], Team]
"""Makes one more team of a stage."""


def condition(resource: Raw | None, kind: str) -> Json:
    """Return a condition of a resource; empty if it has none of that type."""
    conditions = (resource or {}).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), {})


def holds(resource: Raw | None, kind: str) -> str:
    """Return the status of a condition: True, False or Unknown; empty if there is none of that type."""
    return str(condition(resource, kind).get("status", ""))


def pauses(requests: Sequence[JournalEntry]) -> list[float]:
    """Return the seconds from each request to the next."""
    return [later.virtual - earlier.virtual for earlier, later in pairwise(requests)]


def _merged(value: Mapping[str, Any], patch: Mapping[str, Any]) -> Json:
    """Merge as a JSON merge patch does: None removes."""
    merged = dict(value)
    for name, new in patch.items():
        if new is None:
            merged.pop(name, None)
        elif isinstance(new, Mapping):
            before = merged.get(name)
            merged[name] = _merged(before if isinstance(before, Mapping) else {}, new)
        else:
            merged[name] = new
    return merged
