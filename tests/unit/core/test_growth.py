"""What raises a ceiling is asked of the budgets first; what does not is never held up by them."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Action, Claim, Create, Refuse, Rest, Undelete, Update
from fireworks_operator.core.budgets import Ceiling, Committed, Hardware, Limits, Room
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.decisions.growth import ceiling_after, granted_still, hardware_question
from fireworks_operator.core.observed.observation import Absent
from fireworks_operator.core.situation import Situation, assess
from testkit.builders import CREATED, MADE_HERE, NOW, a_context, a_deployment_json, a_resource, present

MONTH_ENDS = datetime(2026, 4, 1, tzinfo=UTC)
H100 = {"acceleratorType": "NVIDIA_H100_80GB", "acceleratorCount": 2}


def a_room(
    gpus: int | None = None,
    hourly: str | None = None,
    monthly: str | None = None,
    *,
    others: Committed | None = None,
    spent: int | str = 0,
) -> Room:
    limits = Limits(gpus, *(None if each is None else Decimal(each) for each in (hourly, monthly)))
    return Room("team", limits, MONTH_ENDS, others or Committed(), Decimal(spent))


def with_room(*rooms: Room, granted: Ceiling | None = None, hardware: tuple[Hardware, ...] | None = None) -> Context:
    return a_context(rooms=rooms, granted=granted or Ceiling(), hardware=hardware)


def nothing_there(context: Context, **spec: object) -> Situation:
    return assess(a_resource(spec={**H100, **spec}), Absent(), context)


def running(context: Context, spec: dict[str, object], **wire: JsonValue) -> Situation:
    """Return a deployment of 2 replicas at most, with 2 GPUs each, that was made by an older spec."""
    applied = ["baseModel", "acceleratorType", "acceleratorCount", "maxReplicaCount", "minReplicaCount", "displayName"]
    resource = a_resource(
        spec={**H100, "maxReplicaCount": 2, **spec}, status={**CREATED, "appliedFields": applied}, generation=2
    )
    return assess(resource, present(annotations=MADE_HERE, acceleratorCount=2, maxReplicaCount=2, **wire), context)


def refused(action: Action, *words: str) -> bool:
    assert isinstance(action, Refuse), action
    assert action.reason is Reason.BUDGET_EXCEEDED, action
    assert all(word in action.message for word in words), action.message
    return True


def test_a_creation_needs_room_for_all_its_replicas() -> None:
    assert isinstance(decide(nothing_there(with_room(a_room(gpus=8)), maxReplicaCount=4)), Claim)
    full = with_room(a_room(gpus=8, others=Committed(2, Decimal(16))))
    assert refused(decide(nothing_there(full, maxReplicaCount=4)), "team allows 8 GPUs", "2 are committed", "for 8")
    assert isinstance(decide(nothing_there(full, maxReplicaCount=3)), Claim)


@pytest.mark.parametrize("beyond", ["minReplicaCount", "maxWithRevocableReplicaCount"])
def test_what_may_run_beyond_the_maximum_counts(beyond: str) -> None:
    spec = {beyond: 5} if beyond == "minReplicaCount" else {beyond: 5, "maxReplicaCount": 1}
    assert refused(decide(nothing_there(with_room(a_room(gpus=9)), **spec)), "for 10")


def test_every_budget_must_have_room() -> None:
    wide, narrow = a_room(gpus=100), replace(a_room(hourly="15.99"), budget="narrow")
    assert refused(decide(nothing_there(with_room(wide, narrow))), "narrow allows $15.99 per hour", "asks for $16.00")


def test_a_limit_of_nothing_allows_nothing_and_no_limit_allows_all() -> None:
    assert refused(decide(nothing_there(with_room(a_room(gpus=0)))), "allows 0 GPUs")
    assert isinstance(decide(nothing_there(with_room(a_room(hourly="1000000")))), Claim)


def test_a_parked_deployment_needs_no_room() -> None:
    assert isinstance(decide(nothing_there(with_room(a_room(gpus=0)), maxReplicaCount=0, minReplicaCount=0)), Claim)


def test_an_unknown_price_is_refused_where_money_is_limited_and_only_there() -> None:
    other = {"acceleratorType": "NVIDIA_FUTURE", "acceleratorCount": 1}
    for room in (a_room(hourly="100"), a_room(monthly="100")):
        assert refused(decide(nothing_there(with_room(room), **other)), "price of these GPUs is not known", "prices")
    assert isinstance(decide(nothing_there(with_room(a_room(gpus=1)), **other)), Claim)


def test_a_spent_month_lets_nothing_grow() -> None:
    spent = with_room(a_room(monthly="100", spent=100))
    assert refused(decide(nothing_there(spent)), "$100.00 per month", "2026-04-01 00:00 UTC", "monthlyCost")
    assert refused(decide(running(spent, {"maxReplicaCount": 3})), "per month")
    assert isinstance(decide(running(spent, {"maxReplicaCount": 1})), Update)
    assert isinstance(decide(nothing_there(with_room(a_room(monthly="100", spent="99.99")))), Claim)


def test_a_create_is_asked_again_and_what_was_granted_is_kept() -> None:
    resource = a_resource(spec=H100, status={"deploymentName": CREATED["deploymentName"], "account": "acme"})
    full = a_room(gpus=2, others=Committed(2, Decimal(16)))
    assert refused(decide(assess(resource, Absent(), with_room(full))), "2 GPUs")
    granted = with_room(full, granted=Ceiling(2, Decimal(16)))
    assert isinstance(decide(assess(resource, Absent(), granted)), Create)


def test_a_patch_that_raises_and_mends_sends_what_mends() -> None:
    full = with_room(a_room(gpus=4))
    action = decide(running(full, {"maxReplicaCount": 3, "displayName": "Chat"}))
    assert isinstance(action, Update)
    assert action.fields == ("displayName",)
    assert "maxReplicaCount" not in action.body
    rest = decide(running(full, {"maxReplicaCount": 3, "displayName": "Chat"}, displayName="Chat"))
    assert refused(rest, "allows 4 GPUs", "asks for 6")


def test_a_minimum_that_fits_is_sent_although_the_maximum_is_not() -> None:
    action = decide(running(with_room(a_room(gpus=4)), {"minReplicaCount": 2, "maxReplicaCount": 5}))
    assert isinstance(action, Update)
    assert action.fields == ("minReplicaCount",)


def test_more_gpus_for_a_replica_need_room_unless_fewer_replicas_make_up_for_it() -> None:
    full = with_room(a_room(gpus=4))
    assert refused(decide(running(full, {"acceleratorCount": 4})), "asks for 8")
    assert isinstance(decide(running(full, {"acceleratorCount": 4, "maxReplicaCount": 1})), Update)


def test_a_lowered_limit_takes_nothing_away() -> None:
    over = with_room(a_room(gpus=1, hourly="1", monthly="1", spent=5))
    assert isinstance(decide(running(over, {})), Rest)
    assert isinstance(decide(running(over, {"maxReplicaCount": 1})), Update)


def test_what_is_deleted_needs_room_to_come_back() -> None:
    resource = a_resource(spec=H100, status=CREATED)
    deleted = present(annotations=MADE_HERE, state="DELETED", acceleratorCount=2)
    assert isinstance(decide(assess(resource, deleted, with_room(a_room(gpus=2)))), Undelete)
    assert refused(decide(assess(resource, deleted, with_room(a_room(gpus=1)))), "allows 1 GPU;", "asks for 2")


def test_unknown_hardware_is_asked_for_and_the_most_of_it_counts() -> None:
    model_alone = assess(a_resource(), Absent(), with_room(a_room(gpus=4)))
    assert refused(decide(model_alone), "does not tell how many", "kubectl fireworks shapes")
    question = hardware_question(model_alone)
    assert question is not None
    assert (question.shape, question.accelerator_type) == (None, None)
    shapes = (Hardware("NVIDIA_H100_80GB", 1), Hardware("NVIDIA_H200_141GB", 4))
    known = assess(a_resource(), Absent(), with_room(a_room(gpus=4), hardware=shapes))
    assert isinstance(decide(known), Claim)
    assert ceiling_after(known, decide(known)) == Ceiling(4, Decimal(32))
    tight = assess(a_resource(), Absent(), with_room(a_room(gpus=3), hardware=shapes))
    assert refused(decide(tight), "asks for 4")


def test_without_a_budget_nothing_is_asked() -> None:
    assert hardware_question(assess(a_resource(), Absent(), a_context())) is None
    assert isinstance(decide(assess(a_resource(), Absent(), a_context())), Claim)


def test_another_shape_is_asked_for_too() -> None:
    shaped = running(with_room(a_room(gpus=4)), {"deploymentShape": "accounts/fireworks/deploymentShapes/big"})
    assert refused(decide(shaped), "does not tell how many")
    known = replace(shaped, context=replace(shaped.context, hardware=(Hardware("NVIDIA_H100_80GB", 2),)))
    assert isinstance(decide(known), Update)
    bigger = replace(shaped, context=replace(shaped.context, hardware=(Hardware("NVIDIA_H100_80GB", 4),)))
    assert refused(decide(bigger), "asks for 8")


GRANTED = Ceiling(8, Decimal(64))


@pytest.mark.parametrize(
    ("status", "action", "expected"),
    [
        ({}, Claim("accounts/acme/deployments/x", "acme"), GRANTED),
        ({}, Refuse(Reason.QUOTA_EXCEEDED, "no"), Ceiling()),
        ({}, Rest(), GRANTED),
    ],
)
def test_what_was_granted_is_kept_until_nothing_is_going_to_be_made(
    status: dict[str, object], action: Action, expected: Ceiling
) -> None:
    situation = assess(a_resource(spec=H100, status=status), Absent(), a_context())
    assert granted_still(situation, action, GRANTED) == expected


def test_a_create_without_an_answer_keeps_what_it_was_granted() -> None:
    attempt = {"action": "Create", "generation": 1, "count": 1, "time": NOW.isoformat(), "reason": "ApiUnavailable"}
    resource = a_resource(spec=H100, status={"lastAttempt": attempt})
    situation = assess(resource, Absent(), a_context())
    assert granted_still(situation, Refuse(Reason.REJECTED_BY_FIREWORKS, "no"), GRANTED) == GRANTED


def test_what_is_there_counts_as_it_is() -> None:
    situation = assess(a_resource(spec=H100, status=CREATED), present(annotations=MADE_HERE), a_context())
    assert granted_still(situation, Rest(), GRANTED) == Ceiling(1, Decimal(8))
    assert a_deployment_json()["maxReplicaCount"] == 1
