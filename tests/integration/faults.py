"""Faults of the Fireworks API, and what the user is told while they last."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from testkit.kubernetes_api import Json, Watch, condition, resources_path
from testkit.team import Team

HEALS_WITHIN = 120.0
"""Change requests for one spec are half a minute apart; what was refused with 401 is tried again after a minute."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to requests, and what the resource says of it.

    Attributes:
        name: as in the list of faults.
        kind: of the simulator's rule; `action` holds its further fields.
        reason: of the condition; empty where the request took effect, so that nothing need be said.
        says: a part of its message.
        final: whether a person must act (Stalled), so that it is tried again slowly.
        times: requests that meet it; None for all.
    """

    name: str
    kind: str
    action: Mapping[str, object] = field(default_factory=dict)
    reason: str = "ApiUnavailable"
    says: str = ""
    final: bool = False
    times: int | None = None

    def begin(self, team: Team, method: str, path: str | None = None) -> str:
        """Let a team's requests meet the fault; return the rule's id."""
        return team.fault(self.kind, method=method, path=path, times=self.times, action=self.action)

    def await_words(self, team: Team, watch: Watch, rule: str) -> None:
        """Wait until the fault was met and the resource has said so."""
        team.eventually(lambda: team.simulator.fault_hits(rule) >= 1, f"{self.name}: the fault is met")
        if self.reason:
            what = f"{self.name}: {self.reason} saying “{self.says}”"
            team.eventually(lambda: any(map(self._is_told, tuple(watch.objects))), what)

    def end(self, team: Team, rule: str) -> None:
        """End the fault; what was refused is tried again now rather than in a minute."""
        team.simulator.clear_fault(rule)
        if self.final:
            team.annotate("chat", "reconcile-at", "now")

    def _is_told(self, resource: Json) -> bool:
        found = condition(resource, "Stalled" if self.final else "Ready")
        met = (found.get("status"), found.get("reason")) == ("True" if self.final else "Unknown", self.reason)
        return met and self.says in found["message"]


def status(code: str, **more: object) -> Mapping[str, object]:
    """Return the action of a fault that answers with an error of the control plane."""
    return {"code": code, "message": "so it is", **more}


def answer(content: str, **more: object) -> Mapping[str, object]:
    """Return the action of a fault that answers 200 with some content."""
    return {"status": 200, "body": content, **more}


def watch(team: Team) -> Watch:
    """Begin to record a team's resources as they change."""
    return team.api.watch(resources_path(team.namespace))


FOREIGN_WORDS = "The response did not come from the Fireworks API"
NO_ANSWER = "did not return a usable response"
UNAVAILABLE = [
    Fault("500", "status", status("INTERNAL"), says="so it is"),
    Fault("502 as HTML", "html_502", says="a web page: 502"),
    Fault("503", "status", status("UNAVAILABLE"), says="so it is"),
    Fault("504", "status", status("DEADLINE_EXCEEDED"), says="so it is"),
    Fault("404 as plain text", "plain_404", says=FOREIGN_WORDS),
    Fault("404 as HTML", "html_404", says=FOREIGN_WORDS),
    Fault("reset before commit", "drop_before_commit", says=NO_ANSWER),
    Fault("JSON of another kind", "status", answer("[1, 2]"), says="HTTP 200"),
    Fault("empty answer", "status", answer(""), says="empty response"),
]
"""Whatever request meets these: nothing was done, and it is tried again by itself."""
UNREADABLE = [
    Fault("reset after commit", "drop_after_commit", reason=""),
    Fault("truncated JSON", "truncate_body", reason=""),
    Fault("no JSON", "wrong_json", reason=""),
    Fault("wrong content type", "wrong_content_type", reason=""),
]
"""The request took effect, and its answer is of no use; it may not even matter."""
REFUSALS = [
    Fault("401", "status", status("UNAUTHENTICATED"), "CredentialsInvalid", "valid key into the Secret", final=True),
    Fault("400", "status", status("INVALID_ARGUMENT"), "RejectedByFireworks", "so it is", final=True),
    Fault("403", "status", status("PERMISSION_DENIED"), "PermissionDenied", "role user or admin", final=True),
    Fault("404", "status", status("NOT_FOUND"), "ModelNotFound", "so it is", final=True),
    Fault("412", "status", status("FAILED_PRECONDITION", status=412), "AccountSuspended", "billing", final=True),
]
"""A person must act; until then it is tried again slowly."""
LIMITS = [
    Fault("429", "rate_limit", {}, "RateLimited", times=1),
    Fault("429 with Retry-After", "rate_limit", {"retryAfter": 3}, "RateLimited", times=1),
]
