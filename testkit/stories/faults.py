"""Faults of the Fireworks API, why each may happen, and what the user is told while they last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .team import AnyTeam


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to requests, and what the resource says of it.

    Attributes:
        name: as in the list of faults.
        why: how one gets there.
        kind: of the simulator's rule; `action` holds its further fields.
        reason: of the condition.
        says: a part of its message.
        times: requests that meet it; None for all.
        needs_user: a person must act, and it is tried again slowly.
    """

    name: str
    why: str
    kind: str
    action: Mapping[str, object] = field(default_factory=dict)
    reason: str = "ApiUnavailable"
    says: str = ""
    times: int | None = None
    needs_user: bool = False

    def begin(self, team: AnyTeam, method: str, path: str | None = None) -> str:
        """Let a team's requests meet the fault; return the rule's id."""
        return team.fault(self.kind, method=method, path=path, times=self.times, action=self.action)


def error(code: str, **more: object) -> Mapping[str, object]:
    """Return the action of a fault that answers with an error of the control plane."""
    return {"code": code, "message": "so it is", **more}


def answer(content: str, **more: object) -> Mapping[str, object]:
    """Return the action of a fault that answers 200 with some content."""
    return {"status": 200, "body": content, **more}


def names(faults: Sequence[Fault]) -> list[str]:
    """Return what the tests of these faults are called."""
    return [each.name for each in faults]


FOREIGN_WORDS = "The response did not come from the Fireworks API"
NO_ANSWER = "did not return a usable response"
UNAVAILABLE = [
    Fault("500", "a bug or an overload of the control plane", "status", error("INTERNAL"), says="so it is"),
    Fault("502 as HTML", "a proxy whose upstream is gone", "html_502", says="a web page: 502"),
    Fault("503", "an outage", "status", error("UNAVAILABLE"), says="so it is"),
    Fault("504", "the control plane's own time-out", "status", error("DEADLINE_EXCEEDED"), says="so it is"),
    Fault("404 as plain text", "the edge knows no such route for a moment", "plain_404", says=FOREIGN_WORDS),
    Fault("404 as HTML", "a proxy, or a wrong base URL", "html_404", says=FOREIGN_WORDS),
    Fault("reset before commit", "a connection is cut on the way there", "drop_before_commit", says=NO_ANSWER),
    Fault("JSON of another kind", "a new version of the API", "status", answer("[1, 2]"), says="HTTP 200"),
    Fault("empty answer", "a proxy that loses the body", "status", answer(""), says="empty response"),
]
"""Whatever request meets these: nothing was done, and it is tried again by itself."""
TIME_OUT = Fault("time-out before commit", "a request that gets lost", "hang", says="no complete response within 8 s")
ABORTED = Fault("409 of another kind", "two writers at Fireworks", "status", error("ABORTED"), says="aborted")
UNREADABLE = [
    Fault("reset after commit", "a connection is cut on the way back", "drop_after_commit"),
    Fault("truncated JSON", "a connection is cut in the middle of the answer", "truncate_body"),
    Fault("no JSON", "a proxy writes into the answer", "wrong_json"),
    Fault("wrong content type", "a proxy relabels the answer, which is whole all the same", "wrong_content_type"),
]
"""The request took effect, and its answer is of no use; it may not even matter."""
REFUSALS = [
    Fault(
        "401",
        "the key was revoked",
        "status",
        error("UNAUTHENTICATED"),
        "CredentialsInvalid",
        "Put a valid key into the Secret",
        needs_user=True,
    ),
    Fault(
        "400",
        "a value that Fireworks does not take",
        "status",
        error("INVALID_ARGUMENT"),
        "RejectedByFireworks",
        "so",
        needs_user=True,
    ),
    Fault(
        "403",
        "the key's role is too small",
        "status",
        error("PERMISSION_DENIED"),
        "PermissionDenied",
        "role user or admin",
        needs_user=True,
    ),
    Fault(
        "404",
        "a model that does not exist",
        "status",
        error("NOT_FOUND"),
        "ModelNotFound",
        "so it is",
        needs_user=True,
    ),
    Fault(
        "412",
        "an unpaid bill",
        "status",
        error("FAILED_PRECONDITION", status=412),
        "AccountSuspended",
        "Resolve the billing",
        needs_user=True,
    ),
    Fault(
        "402",
        "no credit left",
        "status",
        error("FAILED_PRECONDITION", status=402),
        "AccountSuspended",
        "https://fireworks.ai/account/billing",
        needs_user=True,
    ),
]
"""A person must act; until then it is tried again slowly."""
RATE_LIMIT = Fault("429", "more requests than the account may send", "rate_limit", {}, "RateLimited")
RETRY_AFTER = Fault(
    "429 with Retry-After", "the same, and Fireworks says for how long", "rate_limit", {"retryAfter": 3}, "RateLimited"
)
LATE = [
    Fault("commit as the client gives up", "a slow control plane", "late_commit", {"seconds": 0}, times=1),
    Fault("commit 1 s after the client gave up", "the same", "late_commit", {"seconds": 1}, times=1),
]
SLOW = Fault("slow answer", "a busy control plane", "latency", {"seconds": 3})

# --- of one kind of request -----------------------------------------------------------------------------------------

TAKEN = Fault("409 though nothing is there", "an id that is not free yet", "status", error("ALREADY_EXISTS"), times=3)
ANOTHERS = Fault(
    "answer about another",
    "a cache that mixes answers up",
    "status",
    answer('{"name": "accounts/x/deployments/y"}'),
    says="does not understand",
    times=2,
)
NOT_THERE = Fault("404 though it is there", "a cache at Fireworks", "status", error("NOT_FOUND"), times=2)
IN_USE = Fault(
    "400",
    "it is in use",
    "status",
    error("INVALID_ARGUMENT"),
    "DeletionBlocked",
    "refuses to delete the deployment",
    needs_user=True,
)
QUIET_LISTS = [
    *UNAVAILABLE,
    *UNREADABLE[:3],
    Fault("time-out", "an outage that swallows requests", "hang", says="within 20 s"),
    Fault("429", "others use up the account's requests", "rate_limit", {"retryAfter": 1}, "RateLimited"),
    Fault("400", "a control plane that slips: a LIST asks for nothing of a spec", "status", error("INVALID_ARGUMENT")),
    Fault("400 for the state it is in", "the same", "status", error("FAILED_PRECONDITION", status=400)),
    Fault("answer in an envelope of errors", "an API gateway", "status", answer('{"error": {"code": 5}}')),
    Fault("first page fails", "an outage in the middle of a LIST", "fail_page", {"page": 1}),
    Fault("second page fails", "the same: half a LIST is none", "fail_page", {"page": 2}),
    Fault("same page again and again", "a bug: the LIST has no end", "duplicate_page_token"),
]
"""Nobody can do anything about these, and at rest nothing is said of them for ten minutes."""
TOLD_LISTS = [
    *(each for each in REFUSALS if each.name in ("401", "412")),
    Fault(
        "403",
        "the key may not list",
        "status",
        error("PERMISSION_DENIED"),
        "PermissionDenied",
        "role user",
        needs_user=True,
    ),
    Fault(
        "404",
        "an account of that id is gone",
        "status",
        error("NOT_FOUND"),
        "CredentialsInvalid",
        "no account",
        needs_user=True,
    ),
]
SEVERAL_PAGES = {"fail_page", "duplicate_page_token"}
"""Kinds that only show where a LIST has several pages."""
