"""Situations and the step that must follow: the rows of the tests of `decide()`."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import (
    Action,
)
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.identity import Owner, deployment_name
from fireworks_operator.core.observed.observation import DENIED, Absent, Observed, Unknown
from fireworks_operator.core.situation import assess
from testkit.builders import (
    ACCOUNT,
    CLAIMED,
    CREATED,
    NOW,
    a_context,
    a_resource,
    an_attempt,
)

GONE = Absent(confirmed=True)
ODD = Unknown(unreadable=True)
DOUBT = Unknown(doubt=DENIED)
BY_HAND = deployment_name(ACCOUNT, "by-hand")
OTHERS: dict[str, JsonValue] = {**Owner("cluster-1", "team-b", "chat").marker()}
NO_KEY = Unusable(Reason.CREDENTIALS_MISSING, "Create the Secret.")
SHAKY_KEY = Unusable(Reason.API_UNAVAILABLE, "It is tried again.", needs_user=False)
NEW_SPEC: dict[str, Any] = {"generation": 2}
BLUE = {"displayName": "blue"}


@dataclass(frozen=True, slots=True)
class Row:
    """One situation, and what `decide()` must name; `fields` are attributes of the action."""

    reason: str
    resource: FireworksDeployment
    observed: Observed
    action: type[Action]
    fields: dict[str, object] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)


def claimed(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: object
) -> FireworksDeployment:
    return a_resource(spec, {**CLAIMED, **(status or {})}, **meta)


def created(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **meta: object
) -> FireworksDeployment:
    return a_resource(spec, {**CREATED, **(status or {})}, **meta)


def tried(action: str, reason: str, *, ago: float = 0.0, count: int = 1, generation: int = 1) -> dict[str, Any]:
    return {"lastAttempt": an_attempt(action, reason, ago=ago, count=count, generation=generation)}


def brought_back(*hours: float) -> dict[str, Any]:
    """Build a status that remembers recreations so many hours ago, the latest given first."""
    return {"recreations": [(NOW - timedelta(hours=each)).isoformat() for each in reversed(hours)]}


def refuses(reason: Reason, **others: object) -> dict[str, object]:
    return {"reason": reason, **others}


UNMANAGED_ID = {"deploymentId": "by-hand"}
HAND_MADE = {"deploymentName": BY_HAND}


def check(row: Row) -> None:
    """Assert that `decide()` names the row's action."""
    action = decide(assess(row.resource, row.observed, a_context(**row.context)))
    assert type(action) is row.action, f"{row.reason} {action}"
    assert {name: getattr(action, name) for name in row.fields} == row.fields, row.reason
