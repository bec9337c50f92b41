"""Parking: when it begins and ends, what is written down before it, and what a budget's order comes to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, Parked
from fireworks_operator.core.actions import Action, Create, Park, Refuse, Rest, Update
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.desired.parking import ParkingOrder, expires_at, next_expiry
from fireworks_operator.core.observed.observation import Absent, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import BORN, CREATED, MADE_HERE, NOW, a_context, a_resource, an_attempt, an_error, present
from testkit.report_steps import ASLEEP, GONE, after, find

Json = dict[str, Any]
SPENT = ParkingOrder(Reason.BUDGET_EXCEEDED, "The budget is spent: have its limit raised.", NOW + timedelta(days=9))
MADE: Json = {"annotations": MADE_HERE}
OFF: Json = {**MADE, **ASLEEP, "minReplicaCount": 0, "maxReplicaCount": None}
RECORD: Json = {"reason": "Expired", "since": NOW}
FIELDS = ["baseModel", "minReplicaCount", "maxReplicaCount"]


def old(spec: Json | None = None, status: Json | None = None, **metadata: object) -> FireworksDeployment:
    """Build a resource that is an hour old and expires after half of it, unless the spec says otherwise."""
    made = {"creationTimestamp": BORN, **metadata}
    return a_resource({"expiresAfter": "30m", **(spec or {})}, {**CREATED, **(status or {})}, **made)


def step(resource: FireworksDeployment, observed: Present | Absent, **context: Any) -> Action:  # noqa: ANN401 - Context's own fields
    """Return what `decide()` names."""
    return decide(assess(resource, observed, a_context(**context)))


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("created", "lifetime", "end"),
    [
        (BORN, "1h", BORN + timedelta(hours=1)),
        (BORN, "1h30m", BORN + timedelta(minutes=90)),
        (BORN, "60.5s", BORN + timedelta(seconds=60)),
        (BORN, "8760h", BORN + timedelta(hours=8760)),
        (NOW + timedelta(days=400), "1h", NOW + timedelta(days=400, hours=1)),
        (BORN, None, None),
        (None, "1h", None),
        (BORN, "59s", None),
        (BORN, "8761h", None),
        (BORN, "soon", None),
        (BORN, "-1h", None),
        (BORN, "9999999999999h", None),
        (datetime(9999, 12, 31, 23, tzinfo=UTC), "8760h", None),
        (datetime(1, 1, 1, tzinfo=UTC), "1m", datetime(1, 1, 1, 0, 1, tzinfo=UTC)),
    ],
)
def test_when_a_resource_expires(created: datetime | None, lifetime: str | None, end: datetime | None) -> None:
    resource = old({"expiresAfter": lifetime}, creationTimestamp=created)
    assert expires_at(resource) == end
    for now in (datetime.min.replace(tzinfo=UTC), NOW, datetime.max.replace(tzinfo=UTC)):
        decide(assess(resource, present(**MADE), a_context(now=now)))
        after(resource, present(**MADE), context=a_context(now=now))


@pytest.mark.parametrize("lifetime", ["59s", "8761h", "soon", "-1h", "9999999999999h"])
def test_what_the_api_server_should_have_refused_is_refused(lifetime: str) -> None:
    found = step(old({"expiresAfter": lifetime}), present(**MADE))
    assert isinstance(found, Refuse)
    assert found.reason is Reason.INVALID_SPEC
    assert f'spec.expiresAfter is "{lifetime}"' in found.message


def test_it_is_parked_from_that_second_on() -> None:
    resource, observed = old({"expiresAfter": "1h"}), present(**MADE)
    assert isinstance(step(resource, observed, now=NOW - timedelta(seconds=1)), Rest)
    assert next_expiry(resource, NOW - timedelta(seconds=1)) == NOW
    assert isinstance(step(resource, observed, now=NOW), Park)
    assert next_expiry(resource, NOW) is None


# --- what is written down ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "applied", "recorded"),
    [
        ({}, ["baseModel"], (1, 3, 5)),
        ({"minReplicaCount": 1}, ["baseModel"], (None, 3, 5)),
        ({"maxReplicaCount": 3}, ["baseModel"], (1, None, 5)),
        ({}, FIELDS, (None, None, 5)),
        ({"maxWithRevocableReplicaCount": 5}, FIELDS, (None, None, None)),
        ({}, None, (1, 3, 5)),
    ],
)
def test_only_what_is_not_the_specs_is_recorded(spec: Json, applied: list[str] | None, recorded: object) -> None:
    resource = old(spec, {"appliedFields": applied})
    observed = present(annotations={**MADE_HERE, "custom/adopted": "true"} if applied is None else MADE_HERE, **THREE)
    action = step(resource, observed)
    assert isinstance(action, Park)
    found = action.parked
    counts = (found.min_replica_count, found.max_replica_count, found.max_with_revocable_replica_count)
    assert counts == recorded
    assert (found.reason, found.since) == ("Expired", NOW)


THREE: Json = {"minReplicaCount": 1, "maxReplicaCount": 3, "maxWithRevocableReplicaCount": 5}


def test_the_record_is_written_before_anything_is_changed_and_dropped_after_all_is_back() -> None:
    resource = old({}, {"appliedFields": ["baseModel"]})
    running = present(**MADE, **THREE)
    resource = after(resource, running)
    record = resource.status.parked
    assert record is not None
    parks = step(resource, running)
    assert isinstance(parks, Update)
    assert parks.body == {
        "baseModel": resource.spec.base_model,
        "minReplicaCount": 0,
        "maxReplicaCount": 0,
        "maxWithRevocableReplicaCount": 0,
    }
    refused = an_error(ErrorKind.INVALID, "not now")
    assert after(resource, running, parks, error=refused).status.parked == record
    resource = after(after(resource, running, parks), present(**OFF))
    assert resource.status.parked == record
    assert resource.status.applied_fields == ["baseModel"], "none of the bounds is the spec's"
    early = a_context(now=NOW - timedelta(hours=1))
    returns = decide(assess(resource, present(**OFF), early))
    assert isinstance(returns, Update)
    assert {name: returns.body[name] for name in THREE} == THREE
    resource = after(resource, present(**OFF), returns, context=early)
    assert resource.status.parked == record, "Fireworks has accepted it, and may not do it"
    resource = after(resource, running, context=early)
    assert resource.status.parked is None
    assert isinstance(decide(assess(resource, running, early)), Rest)


def test_what_left_the_spec_while_parked_returns_to_its_default() -> None:
    resource = old({"minReplicaCount": 2}, {"appliedFields": FIELDS, "parked": RECORD})
    resource = after(resource, present(**OFF))
    assert resource.status.applied_fields == ["baseModel", "minReplicaCount"], "as at any rest"
    without = old({"expiresAfter": None}, {**resource.status.to_wire()}, generation=2)
    action = step(without, present(**OFF))
    assert isinstance(action, Update)
    assert action.body["maxReplicaCount"] == 1
    assert "minReplicaCount" not in action.body, "0 is the default"


@pytest.mark.parametrize(
    ("spec", "recorded", "returned"),
    [
        ({"minReplicaCount": 5}, {"maxReplicaCount": 3}, (5, 5)),
        ({"maxReplicaCount": 1}, {"minReplicaCount": 2}, (1, 1)),
        ({"minReplicaCount": 0}, {"maxReplicaCount": 0}, None),
        ({"maxReplicaCount": 9}, {"minReplicaCount": 0, "maxWithRevocableReplicaCount": 4}, (0, 9)),
    ],
)
def test_what_does_not_fit_the_spec_any_more_moves_along(
    spec: Json, recorded: Json, returned: tuple[int, int] | None
) -> None:
    resource = old({**spec, "expiresAfter": None}, {"appliedFields": FIELDS, "parked": {**RECORD, **recorded}})
    action = step(resource, present(**OFF))
    if returned is None:
        assert isinstance(action, Rest)
        return
    assert isinstance(action, Update)
    assert (action.body.get("minReplicaCount", 0), action.body.get("maxReplicaCount", 0)) == returned
    assert "maxWithRevocableReplicaCount" not in action.body, "0: less than the maximum would be refused"


@pytest.mark.parametrize(
    ("resource", "observed"),
    [
        (old({}, {"parked": RECORD}), GONE),
        (old({"managementPolicy": "Observe"}, {"parked": RECORD}, finalizers=[]), present(**OFF)),
    ],
    ids=["gone for good", "let go"],
)
def test_there_is_nothing_to_give_back(resource: FireworksDeployment, observed: Present | Absent) -> None:
    assert after(resource, observed).status.parked is None


# --- what keeps it from being parked ----------------------------------------------------------------------------------


def test_a_refusal_of_something_else_does_not_hold_it_back() -> None:
    refused = {**an_attempt("Update", "RejectedByFireworks", ago=10, count=9), "message": "No."}
    resource = old({"displayName": "blue"}, {"lastAttempt": refused})
    resource = after(resource, present(**MADE))
    action = step(resource, present(**MADE))
    assert isinstance(action, Update)
    assert action.fields == ("maxReplicaCount",), "what was refused is not sent along"


def test_a_spec_that_contradicts_itself_does_not_keep_it_from_being_parked() -> None:
    twice = {"tags": {"name": "reserved"}}
    resource = after(old(twice), present(**MADE))
    assert isinstance(step(resource, present(**MADE)), Update)
    parked = step(old(twice, {"parked": RECORD}), present(**OFF))
    assert isinstance(parked, Refuse)
    assert parked.reason is Reason.INVALID_SPEC
    unclaimed = a_resource({"expiresAfter": "30m", **twice}, creationTimestamp=BORN)
    found = step(unclaimed, present(**MADE))
    assert isinstance(found, Refuse)
    assert found.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("state", ["READY", "CREATING", "UPDATING"])
def test_it_is_not_parked_when_fireworks_does_not_make_the_change(state: str) -> None:
    resource, running = old({}, {"parked": RECORD}), present(**MADE, state=state, minReplicaCount=1)
    for second in (0, 31, 62):
        context = a_context(now=NOW + timedelta(seconds=second))
        action = decide(assess(resource, running, context))
        assert isinstance(action, Update)
        resource = after(resource, running, action, context=context)
    last = decide(assess(resource, running, a_context(now=NOW + timedelta(seconds=93))))
    assert isinstance(last, Refuse)
    assert last.reason is Reason.NOT_CONVERGING


@pytest.mark.parametrize("annotations", [{}, {"fireworks.ai/abandon": "true"}])
def test_what_is_being_deleted_is_not_parked(annotations: Json) -> None:
    resource = old(deletionTimestamp=NOW, annotations=annotations)
    assert assess(resource, present(**MADE), a_context(parked_by=SPENT)).parking is None


# --- a budget's order -------------------------------------------------------------------------------------------------

Told = tuple[str, str, str]


def told(resource: FireworksDeployment) -> Told:
    """Return Ready, Stalled and Ready's reason."""
    ready, stalled = (find(resource.status, kind) for kind in (ConditionType.READY, ConditionType.STALLED))
    return ready.status, stalled.status, ready.reason


def until_rest(resource: FireworksDeployment, wire: Json, context: Callable[[int], Context]) -> FireworksDeployment:
    """Make passes until nothing is sent any more, with a Fireworks that does what a PATCH says; `context` of a pass."""
    for number in range(6):
        observed = present(**wire)
        action = decide(assess(resource, observed, context(number)))
        if isinstance(action, Update):
            wire |= {name: value for name, value in action.body.items() if name != "baseModel"}
            wire |= ASLEEP if wire["maxReplicaCount"] == 0 else {"replicaStats": {"readyReplicaCount": 1}}
        resource = after(resource, present(**wire), action, context=context(number))
    return resource


def at(minutes: float, **others: Any) -> Callable[[int], Context]:  # noqa: ANN401 - Context's own fields
    """Return contexts with a minute between two passes."""
    return lambda number: a_context(now=NOW + timedelta(minutes=minutes + number), **others)


@pytest.mark.parametrize("spec", [{}, {"minReplicaCount": 1}, {"maxReplicaCount": 3}], ids=["neither", "min", "max"])
def test_a_budget_parks_and_gives_back(spec: Json) -> None:
    wire: Json = {**MADE, "minReplicaCount": 1, "maxReplicaCount": 3}
    applied = ["baseModel", *spec]
    resource = old({"expiresAfter": None, **spec}, {"appliedFields": applied})
    resource = until_rest(resource, wire, at(0, parked_by=SPENT))
    assert (wire["minReplicaCount"], wire["maxReplicaCount"]) == (0, 0)
    assert told(resource) == ("False", "True", "BudgetExceeded")
    assert find(resource.status, ConditionType.READY).message == SPENT.message
    assert find(resource.status, ConditionType.AVAILABLE).reason == "BudgetExceeded"
    assert resource.status.parked is not None
    assert resource.status.parked.reason == "BudgetExceeded"
    assert resource.status.last_attempt is None, "nothing of it counts when it ends"
    assert step(resource, present(**wire), parked_by=SPENT) == Refuse(SPENT.reason, SPENT.message, SPENT.until)
    assert resource.status.cost is not None
    assert resource.status.cost.hourly_ceiling == "0.00"
    later = a_context(now=NOW + timedelta(minutes=30), parked_by=SPENT)
    idle = assess(resource, present(**wire), later)
    assert report(idle, Outcome(decide(idle))) == resource.status, "nothing is written at rest"
    resource = until_rest(resource, wire, at(60))
    assert (wire["minReplicaCount"], wire["maxReplicaCount"]) == (1, 3)
    assert told(resource) == ("True", "False", "Serving")
    assert resource.status.parked is None
    assert resource.status.applied_fields == sorted(applied)


def test_what_has_expired_stays_parked_when_the_budget_has_room_again() -> None:
    wire: Json = {**MADE, "minReplicaCount": 1, "maxReplicaCount": 3}
    resource = old({"expiresAfter": "2h"})
    resource = until_rest(resource, wire, at(0, parked_by=SPENT))
    assert told(resource)[2] == "BudgetExceeded"
    record = resource.status.parked
    resource = until_rest(resource, wire, at(90, parked_by=SPENT))
    assert told(resource) == ("True", "False", "Expired")
    assert record is not None
    assert resource.status.parked == record.model_copy(update={"reason": "Expired"})
    resource = until_rest(resource, wire, at(120))
    assert (wire["minReplicaCount"], wire["maxReplicaCount"]) == (0, 0)


@pytest.mark.parametrize(
    ("status", "observed"),
    [(None, Absent()), ({"createTime": None}, Absent()), ({}, GONE)],
    ids=["not claimed", "claimed", "gone"],
)
def test_a_budget_that_parks_has_nothing_created(status: Json | None, observed: Absent) -> None:
    resource = a_resource(None, None if status is None else {**CREATED, **status})
    action = step(resource, observed, parked_by=SPENT)
    assert isinstance(action, Refuse)
    assert (action.reason, action.until) == (Reason.BUDGET_EXCEEDED, SPENT.until)
    assert not isinstance(step(resource, observed), Refuse)


def test_what_was_gone_is_created_by_the_spec_alone() -> None:
    record = Parked.model_validate({**RECORD, "maxReplicaCount": 7})
    resource = after(old({}, {"parked": record.to_wire()}), GONE)
    action = decide(assess(resource, GONE, a_context(now=NOW - timedelta(minutes=40))))
    assert isinstance(action, Create)
    assert "maxReplicaCount" not in action.body
