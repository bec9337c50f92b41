"""What a story can do and see as a team: the same on a virtual clock and on real processes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from fireworks_simulator.testing import JournalEntry, SimulatorClient
from testkit.conditions import condition

MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SPEC: Mapping[str, Any] = {"baseModel": MODEL, "acceleratorType": "NVIDIA_H100_80GB", "minReplicaCount": 1}
SECRET = "fireworks"
AT_REST = ("True", "False", "False")
"""Ready, Reconciling and Stalled of a resource that nothing is to be done for."""
LOADING = ("False", "True", "False")
STALLED = ("False", "False", "True")
Json = dict[str, Any]
T = TypeVar("T")
_STATES_GONE = frozenset({"DELETING", "DELETED"})


class AnyTeam(ABC):
    """One namespace with its account.

    Attributes:
        patience: seconds to wait at most, unless said otherwise.
        slack: seconds that everything may take longer than by the operator's own pace.
        simulator: the team's account at Fireworks.
        namespace: the team's namespace.
        api_key: what the team's Secret holds.
    """

    __slots__ = ()
    patience: ClassVar[float]
    slack: ClassVar[float]
    simulator: SimulatorClient
    namespace: str
    api_key: str

    @property
    @abstractmethod
    def account(self) -> str:
        """Id of the Fireworks account."""

    # --- resources -------------------------------------------------------------------------------------------------

    @abstractmethod
    def create(
        self,
        name: str = "chat",
        /,
        *,
        spec: Mapping[str, object] | None = None,
        **more: Any,  # noqa: ANN401 - fields of the spec
    ) -> object:
        """Create a resource: the least that Fireworks accepts and `spec`, where None removes a field."""

    @abstractmethod
    def create_at_once(self, *names: str, **spec: object) -> None:
        """Create several resources as nearly at the same time as possible."""

    @abstractmethod
    def find(self, name: str = "chat") -> Json | None:
        """Return a resource, None if it is gone."""

    def get(self, name: str = "chat") -> Json:
        """Return a resource that exists."""
        found = self.find(name)
        assert found is not None, f"{name} is gone"
        return found

    def status(self, name: str = "chat") -> Json:
        """Return a resource's status."""
        status: Json = self.get(name).get("status", {})
        return status

    @abstractmethod
    def change(self, name: str = "chat", /, **spec: object) -> object:
        """Merge fields into a spec; None removes one."""

    @abstractmethod
    def annotate(self, name: str, annotation: str, value: str) -> None:
        """Set an annotation of this operator, without its prefix."""

    @abstractmethod
    def set_status(self, name: str, status: Mapping[str, Any]) -> None:
        """Merge fields into the status by hand; None removes one."""

    @abstractmethod
    def delete(self, name: str = "chat") -> None:
        """Ask for deletion, without waiting for it."""

    @abstractmethod
    def happened(self, name: str = "chat") -> set[tuple[str, str]]:
        """Return types and reasons of the events about a resource."""

    # --- Secrets ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def put_secret(self, name: str = SECRET, /, **data: str) -> None:
        """Create or replace a Secret."""

    @abstractmethod
    def delete_secret(self, name: str = SECRET) -> None:
        """Delete a Secret."""

    # --- the operator ----------------------------------------------------------------------------------------------

    @abstractmethod
    def restart_operator(self) -> None:
        """End the operator's process and start another one."""

    @abstractmethod
    def hurry(self, name: str = "chat") -> None:
        """Have the operator try again at once what it waits for, where waiting takes real time."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass at Fireworks."""

    # --- waiting ---------------------------------------------------------------------------------------------------

    def until_ready(self, name: str = "chat", *, within: float | None = None) -> Json:
        """Wait until a resource is Ready for its spec as it is now, and return it."""
        return self.until(name, "Ready", "True", within=within)

    def until(
        self,
        name: str,
        kind: str,
        value: str,
        reason: str | None = None,
        *,
        within: float | None = None,
        says: str = "",
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

    def until_gone(self, name: str = "chat", *, within: float | None = None) -> None:
        """Wait until a resource no longer exists."""
        self.eventually(lambda: self.find(name) is None, f"{name} is gone", name=name, within=within)

    @abstractmethod
    def eventually(
        self, look: Callable[[], T | None], what: str, *, name: str | None = None, within: float | None = None
    ) -> T:
        """Wait until there is something true, and return it; describe the resource `name` if that does not happen."""

    def polls(self, count: int = 2) -> None:
        """Wait until the account has been listed so many times."""
        seen = self.seen()

        def listed() -> bool:
            return len(self.journal("GET", "/deployments$", since=seen)) >= count

        self.eventually(listed, f"{count} polls", within=count * 90.0)

    @abstractmethod
    def assert_at_rest(self, *names: str, said: tuple[str, ...] = AT_REST) -> None:
        """Assert that nothing is written anywhere for a while, and what Ready, Reconciling and Stalled are."""

    @abstractmethod
    def explain(self, name: str | None = None) -> str:
        """Describe the situation for a failure message."""

    # --- Fireworks -------------------------------------------------------------------------------------------------

    def journal(self, method: str | None = None, path: str | None = None, since: int = 0) -> list[JournalEntry]:
        """Return the requests for this account so far, without those of `ask`."""
        found = self.simulator.journal(method=method, path=path, account=self.account, since=since)
        return [each for each in found if each.user_agent]

    def seen(self) -> int:
        """Return the number of the latest request."""
        return self.simulator.last_sequence()

    def posts(self) -> list[JournalEntry]:
        """Return the create requests so far."""
        return self.journal("POST", r"/deployments$")

    def patches(self) -> list[JournalEntry]:
        """Return the change requests so far."""
        return self.journal("PATCH", r"/deployments/")

    def writes(self, since: int = 0) -> list[JournalEntry]:
        """Return the requests that change something at Fireworks."""
        return [each for each in self.journal(since=since) if each.method != "GET" and "/inference/" not in each.path]

    def methods(self, since: int = 0) -> list[str]:
        """Return what was asked to be changed: the verb after the colon where there is one, else the method."""
        return [each.path.partition(":")[2] or each.method for each in self.writes(since)]

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

    @abstractmethod
    def ask(self, path: str, body: Mapping[str, object] | None, method: str = "POST", **query: str) -> tuple[int, Json]:
        """Send a request with the team's key and without a user agent; return HTTP status and JSON of the answer."""

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
