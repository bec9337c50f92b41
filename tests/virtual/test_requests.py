"""Each request that changes something, and each way in which it can go wrong: told, paused, tried again, done once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from fireworks_simulator.testing import JournalEntry
from testkit.stories.faults import (
    ABORTED,
    ANOTHERS,
    IN_USE,
    LATE,
    NOT_THERE,
    RATE_LIMIT,
    REFUSALS,
    RETRY_AFTER,
    SLOW,
    TAKEN,
    TIME_OUT,
    UNAVAILABLE,
    UNREADABLE,
    Fault,
)
from testkit.virtual.api_server import Raw
from tests.virtual.team import Team, condition, holds, pauses

REFUSED = (60, 300, 900, 3600)
"""Seconds between two tries of what Fireworks has refused: the cause is a person's to remove."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that changes something, how a user brings it about, and what is true once it has taken effect.

    Attributes:
        name: what is asked for.
        method: of the request; `path` is a regular expression of where it goes.
        ask: brings it about.
        done: whether it has taken effect, and nothing is left to do.
        served: whether the deployment serves all the while.
    """

    name: str
    method: str
    path: str
    ask: Callable[[Team], None]
    done: Callable[[Team], bool]
    before: Callable[[Team], None] = lambda team: None
    served: bool = False

    def journal(self, team: Team) -> list[JournalEntry]:
        """Return how often it was sent."""
        return team.journal(self.method, self.path)


def _ready(team: Team) -> None:
    team.create()
    team.until_ready()


def _is_ready(team: Team) -> bool:
    resource = team.get()
    current = resource["status"]["observedGeneration"] == resource["metadata"]["generation"]
    return current and holds(resource, "Ready") == "True" and team.deployment()["state"] == "READY"


def _found(team: Team) -> None:
    team.simulator.create_foreign(prefix="old")


CREATE = Request("create", "POST", "/deployments$", Team.create, _is_ready)
CHANGE = Request(
    "change",
    "PATCH",
    "/deployments/",
    lambda team: team.change(displayName="changed"),
    lambda team: _is_ready(team) and team.deployment()["displayName"] == "changed",
    _ready,
    served=True,
)
DELETE = Request(
    "delete",
    "DELETE",
    "/deployments/",
    Team.delete,
    lambda team: team.find() is None and team.deployments() == [],
    _ready,
)
UNDELETE = Request(
    "bring back",
    "POST",
    ":undelete$",
    lambda team: team.simulator.vanish(team.deployment_id(), soft=True),
    lambda team: bool(team.journal("POST", ":undelete$")) and _is_ready(team),
    _ready,
)
ADOPT = Request(
    "adopt",
    "POST",
    ":setTags$",
    lambda team: team.create(deploymentId="old-0", adoptionPolicy="Unowned"),
    lambda team: _is_ready(team) and team.deployment()["annotations"].get("custom/name") == "chat",
    _found,
)
REQUESTS = [CREATE, CHANGE, DELETE, UNDELETE, ADOPT]


@dataclass(frozen=True, slots=True)
class Row:
    """A fault of a request, and the seconds between its tries."""

    request: Request
    fault: Fault
    pauses: Sequence[float] = ()

    @property
    def id(self) -> str:
        """What the test of this row is called."""
        return f"{self.request.name}: {self.fault.name}"

    def tell(self, team: Team) -> tuple[str, int]:
        """Let the request be made while the fault lasts; return the rule's id, and what the watch had told before."""
        self.request.before(team)
        rule = self.fault.begin(team, self.request.method, self.request.path)
        told = team.told()
        self.request.ask(team)
        return rule, told

    def committed(self, team: Team) -> int:
        """Return how often the request has taken effect."""
        return sum(each.committed for each in self.request.journal(team))


def _rows(request: Request, faults: Sequence[Fault], *pauses: float) -> list[Row]:
    return [Row(request, each, pauses) for each in faults]


_DOUBT = (3, 3, 3, 6, 12, 24, 48, 96)
"""It may have taken effect all the same, so the next LIST is waited for; then pauses double up to five minutes."""
_NOTHING_DONE = (0.75, 1.5, 3, 6, 12, 24, 48, 96)
"""Fireworks itself has said that nothing was done."""
_LIMITED = (10, 10, 10, 10, 12, 24, 48)
"""Ten seconds of silence for the account; then this request's own pause is the longer one."""
_ASKED_FOR = (3, 3, 3, 6, 12, 24)
"""The silence that Fireworks asks for, and then the same."""
_TIME_OUT = (9, 9.5, 11, 14, 20, 32, 56)
"""Eight seconds for the answer, and the pause."""
_SPACED = (30.5, 30.5, 30.5, 30.5)
"""Change requests for one spec are half a minute apart, whatever became of them."""
TRANSIENT = [
    row
    for request in (CREATE, DELETE)
    for row in (
        *_rows(request, UNAVAILABLE, *_DOUBT),
        *_rows(request, [ABORTED], *_NOTHING_DONE),
        *_rows(request, [TIME_OUT], *_TIME_OUT),
        *_rows(request, [RATE_LIMIT], *_LIMITED),
        *_rows(request, [RETRY_AFTER], *_ASKED_FOR),
    )
] + _rows(CHANGE, [*UNAVAILABLE, ABORTED, TIME_OUT, RATE_LIMIT, RETRY_AFTER], *_SPACED)
_WORK = {("False", "Creating"), ("False", "Updating"), ("False", "Deleting"), ("", "")}
"""What Ready says while nothing is known of the fault yet, or no more."""


def _ready_of(resource: Raw) -> tuple[str, str]:
    found = condition(resource, "Ready")
    return found.get("status", ""), found.get("reason", "")


@pytest.mark.parametrize("row", TRANSIENT, ids=lambda row: row.id)
def test_a_request_that_fails_for_a_while_is_told_and_tried_again_by_itself_until_it_is_done_once(
    team: Team, row: Row
) -> None:
    rule, told = row.tell(team)
    team.wait(sum(row.pauses) + 2)
    assert pauses(row.request.journal(team)) == pytest.approx(row.pauses, abs=0.7)
    versions = team.versions(since=told)
    expected = {("Unknown", row.fault.reason), *_WORK, ("True", "Serving")}
    assert {_ready_of(each) for each in versions} <= expected
    said = [condition(each, "Ready")["message"] for each in versions if _ready_of(each)[0] == "Unknown"]
    assert said
    assert all(row.fault.says in each for each in said), said
    assert {holds(each, "Stalled") for each in versions} <= {"False", ""}, "nobody has to act"
    if row.request.served:
        assert {holds(each, "Available") for each in versions} == {"True"}, "it serves on"
    assert row.committed(team) == 0
    team.simulator.clear_fault(rule)
    team.eventually(lambda: row.request.done(team), "it is done", within=310)
    assert row.committed(team) == 1
    assert [each.reason for each in team.events() if each.kind == "Warning"] == [], "nobody was called"


# --- refused --------------------------------------------------------------------------------------------------------

BLOCKED = (60, 120, 300, 600)
"""Seconds between two tries to delete: GPUs cost money until they are gone."""
_KEPT = [each for each in REFUSALS if each.name not in ("400", "404")]
REFUSED_ROWS = [
    *(pytest.param(row, id=row.id) for row in _rows(CREATE, REFUSALS, *REFUSED)),
    *(pytest.param(row, id=row.id) for row in _rows(CHANGE, REFUSALS, *REFUSED)),
    *(pytest.param(row, id=row.id) for row in _rows(DELETE, [*_KEPT, IN_USE], *BLOCKED)),
]


@pytest.mark.parametrize("row", REFUSED_ROWS)
def test_a_request_that_is_refused_is_told_with_the_way_out_and_tried_again_ever_more_rarely(
    team: Team, row: Row
) -> None:
    rule, told = row.tell(team)
    resource = team.until("chat", "Stalled", "True", row.fault.reason, says=row.fault.says)
    assert (holds(resource, "Ready"), holds(resource, "Reconciling")) == ("False", "False")
    version = resource["metadata"]["resourceVersion"]
    team.wait(row.pauses[0] - 5)
    if row.fault.name != "401":  # such a key is tried by a LIST meanwhile
        assert team.get()["metadata"]["resourceVersion"] == version, "nothing is written while it is waited"
    team.wait(sum(row.pauses) - row.pauses[0] + 10)
    assert pauses(row.request.journal(team)) == pytest.approx(row.pauses, abs=2)
    if row.request is not CREATE:
        assert {holds(each, "Available") for each in team.versions(since=told)} == {"True"}, "it serves on"
    assert ("Warning", row.fault.reason) in {(each.kind, each.reason) for each in team.events()}, "somebody is called"
    team.simulator.clear_fault(rule)
    team.eventually(lambda: row.request.done(team), "it is done by itself", within=row.pauses[-1] + 70)
    assert row.committed(team) == 1


@pytest.mark.parametrize("how", ["reconcile-at", "another key"])
@pytest.mark.parametrize("request_", [CREATE, CHANGE, DELETE], ids=lambda request: request.name)
def test_who_has_removed_the_cause_of_a_refusal_need_not_wait(team: Team, request_: Request, how: str) -> None:
    refusal = REFUSALS[2]
    row = Row(request_, refusal)
    rule, _ = row.tell(team)
    team.until("chat", "Stalled", "True", refusal.reason)
    team.wait(400)  # the second pause has begun
    team.simulator.clear_fault(rule)
    if how == "another key":
        team.keys.add(team.api_key)
        team.api_key = team.new_key("better")
        team.simulator.add_key(team.api_key)
        team.put_secret(apiKey=team.api_key)
    else:
        team.annotate("chat", "reconcile-at", "now")
    team.eventually(lambda: row.request.done(team), "it is done", within=75 if how == "another key" else 15)
    assert row.committed(team) == 1


# --- done, and nobody knows -----------------------------------------------------------------------------------------

DONE_ROWS = [
    *(Row(request, each) for request in (CREATE, CHANGE, DELETE) for each in (*UNREADABLE, *LATE, SLOW)),
    Row(CREATE, TAKEN),
    Row(CREATE, ANOTHERS),
    Row(CHANGE, ANOTHERS),
    Row(DELETE, NOT_THERE),
]


@pytest.mark.parametrize("row", DONE_ROWS, ids=lambda row: row.id)
def test_a_request_whose_answer_says_nothing_is_done_once_and_nobody_has_to_act(team: Team, row: Row) -> None:
    _, told = row.tell(team)
    team.eventually(lambda: row.request.done(team), "it is done", within=BLOCKED[0] + BLOCKED[1] + 70)
    assert {holds(each, "Stalled") for each in team.versions(since=told)} <= {"False", ""}
    committed = [each.committed for each in row.request.journal(team)]
    assert committed.count(True) == 1
    if row.fault in UNREADABLE and row.request is not CHANGE:
        assert committed == [True], "a LIST shows that it was done"
    team.wait(120)
    assert row.committed(team) == 1
    if team.find() is not None:
        team.delete()
        team.until_gone()
    assert team.deployments() == [], "nothing is left behind"
    assert len(team.simulator.deployments()) == 1
