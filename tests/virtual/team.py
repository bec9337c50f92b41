"""A team on the virtual stage: a namespace, a Fireworks account, an API key in a Secret, and what users do."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, ClassVar, TypeVar

from fireworks_operator.api.v1alpha1 import GROUP
from fireworks_simulator.testing import JournalEntry
from testkit.conditions import condition, holds, summary
from testkit.stories.team import AT_REST, MODEL, SECRET, SPEC, AnyTeam, Json
from testkit.virtual.api_server import Event, Raw
from testkit.virtual.copying import copied
from testkit.virtual.simulator import MemorySimulator
from tests.virtual.stage import OWN_ACCOUNT, OWN_KEY, PATIENCE, Stage

OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"
T = TypeVar("T")


@dataclass(slots=True)
class Team(AnyTeam):
    """One namespace with its account; `own` teams have no Secret and use the operator's own key."""

    patience: ClassVar[float] = PATIENCE
    slack: ClassVar[float] = 0.0
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
        labels: Mapping[str, str] | None = None,
        spec: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        """Create a resource: the least that Fireworks accepts and `spec`, where None removes a field."""
        secret = {} if self.own else {"credentialsSecretRef": {"name": SECRET}}
        fields = {**SPEC, **secret, **(spec or {}), **more}
        wanted = {key: value for key, value in fields.items() if value is not None}
        self.stage.server.create(self.ref(name), wanted, labels=labels)
        for annotation, value in (annotations or {}).items():
            self.annotate(name, annotation, value)

    def create_at_once(self, *names: str, **spec: object) -> None:
        """Create several resources before the operator sees any of them."""
        for name in names:
            self.create(name, spec=spec)

    def find(self, name: str = "chat") -> Raw | None:
        """Return a resource, None if it is gone."""
        return copied(self.stage.server.objects.get(self.ref(name)))

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

    def happened(self, name: str = "chat") -> set[tuple[str, str]]:
        """Return types and reasons of the events about a resource."""
        return {(each.kind, each.reason) for each in self.events(name)}

    # --- budgets ---------------------------------------------------------------------------------------------------

    def put_budget(self, name: str = "team", /, **spec: object) -> None:
        """Create a FireworksBudget, or replace the spec of one."""
        self.stage.server.put_budget(self.ref(name), spec)

    def limit(self, name: str = "team", /, **limits: object) -> None:
        """Create a FireworksBudget of nothing but limits, or replace the spec of one."""
        self.put_budget(name, limits=limits)

    def delete_budget(self, name: str = "team") -> None:
        """Delete a FireworksBudget."""
        self.stage.server.delete_budget(self.ref(name))

    def budget(self, name: str = "team") -> Json:
        """Return the status of a FireworksBudget."""
        return copied(dict(self.stage.server.budgets[self.ref(name)]["status"]))

    # --- Secrets ---------------------------------------------------------------------------------------------------

    def put_secret(self, name: str = SECRET, /, **data: str) -> None:
        """Create or replace a Secret."""
        self.stage.server.secrets[self.namespace, name] = {key: value.encode() for key, value in data.items()}

    def delete_secret(self, name: str = SECRET) -> None:
        """Delete a Secret."""
        del self.stage.server.secrets[self.namespace, name]

    # --- the operator ----------------------------------------------------------------------------------------------

    def restart_operator(self) -> None:
        """End the operator's process and start another one."""
        self.stage.restart()

    def hurry(self, name: str = "chat") -> None:
        """Leave the operator to wait: that costs nothing here."""

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass, for all."""
        self.stage.wait(seconds)

    # --- waiting ---------------------------------------------------------------------------------------------------

    def eventually(
        self, look: Callable[[], T | None], what: str, *, name: str | None = None, within: float | None = None
    ) -> T:
        """Let time pass as `Stage.eventually` does, and tell status and requests if it does not happen."""
        within = self.patience if within is None else within
        return self.stage.eventually(look, what, within=within, explain=lambda: self.explain(name))

    def steadily(self, look: Callable[[], bool], what: str, *, seconds: float) -> None:
        """Let time pass as `Stage.steadily` does."""
        self.stage.steadily(look, what, seconds=seconds, explain=self.explain)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.stage.wait(seconds)

    def assert_at_rest(self, *names: str, said: tuple[str, ...] = AT_REST, seconds: float = 40.0) -> None:
        """Assert that after some seconds nothing is written anywhere for a while."""
        self.wait(10)
        seen, writes = self.seen(), self.stage.server.writes
        self.wait(seconds)
        assert self.writes(since=seen) == [], self.explain()
        assert self.stage.server.writes == writes
        resources = names or ("chat",)
        assert [summary(self.get(each)) for each in resources] == [said] * len(resources)

    def explain(self, name: str | None = None) -> str:
        """Describe the situation for a failure message."""
        objects = (
            each for each in self.stage.server.objects.values() if each["metadata"]["namespace"] == self.namespace
        )
        found = [each for each in objects if name in (None, each["metadata"]["name"])]
        shown = [{"metadata": each["metadata"], "status": each["status"]} for each in found[:3]]
        began = self.journal()[:1]
        requests = [
            f"{each.virtual - began[0].virtual:.1f} s: {each.method} {each.path} {dict(each.query)} → {each.status} "
            f"{each.fault}"
            for each in self.journal()
        ]
        return "\n".join((json.dumps(shown, indent=1), *requests[-25:]))

    # --- Fireworks -------------------------------------------------------------------------------------------------

    def ask(self, path: str, body: Mapping[str, object] | None, method: str = "POST", **query: str) -> tuple[int, Json]:
        """Send a request with the team's key and without a user agent; return HTTP status and JSON of the answer."""
        status, content = self.simulator.exchange(method, path, body, query, api_key=self.api_key)
        return status, json.loads(content)

    # --- the end ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Assert what holds at any time: one deployment per resource at most, and no API key where people read.

        Two while one is replaced by the other, and then the status names both.
        """
        owners: dict[str, list[str]] = {}
        for each in self.deployments():
            marks = each.get("annotations", {})
            if marks.get("custom/namespace") == self.namespace and marks.get("custom/released") != "true":
                owners.setdefault(str(marks["custom/name"]), []).append(each["name"])
        for name, found in owners.items():
            status = (self.find(name) or {"status": {}})["status"]
            known = {status.get("deploymentName"), status.get("replacement", {}).get("deploymentName")}
            assert len(found) == 1 or set(found) == known, f"too many deployments for {name}: {found}"
        server = self.stage.server
        shown = json.dumps([*server.objects.values(), *(each.message for each in server.events)]) + self.stage.log()
        assert not any(key in shown for key in (self.api_key, *self.keys)), "an API key is shown"


NewTeam = Callable[[], Team]
"""Makes one more team of a stage."""


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


__all__ = ["MODEL", "OTHER_MODEL", "SECRET", "Json", "NewTeam", "Team", "condition", "holds", "pauses"]
