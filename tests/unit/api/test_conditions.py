"""Conditions: lastTransitionTime moves with status alone, the order is fixed, others' conditions are kept."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.status_condition import CONDITION_REASON_PATTERN, CONDITION_TYPE_PATTERN
from fireworks_operator.api.v1alpha1 import Condition, ConditionStatus

THEN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = THEN + timedelta(hours=1)


def put(
    conditions: list[Condition],
    kind: ConditionType = ConditionType.READY,
    status: ConditionStatus = "True",
    reason: Reason = Reason.SERVING,
    message: str = "It serves.",
    *,
    generation: int = 1,
    now: datetime = NOW,
) -> list[Condition]:
    return set_condition(conditions, kind, status, reason, message, generation=generation, now=now)


def test_setting_the_same_condition_again_changes_nothing_at_all() -> None:
    before = put([], now=THEN)
    assert put(before, now=NOW) == before


@pytest.mark.parametrize("change", [{"reason": Reason.PARKED}, {"message": "Still."}, {"generation": 2}])
def test_the_transition_time_stays_while_the_status_stays(change: dict[str, object]) -> None:
    before = put([], now=THEN)
    (after,) = put(before, now=NOW, **change)  # type: ignore[arg-type]
    assert after.last_transition_time == THEN
    assert after != before[0]


def test_the_transition_time_moves_with_the_status() -> None:
    (after,) = put(put([], now=THEN), status="Unknown", reason=Reason.API_UNAVAILABLE, now=NOW)
    assert after.last_transition_time == NOW


def test_conditions_stand_in_one_order_whatever_order_they_are_set_in() -> None:
    conditions: list[Condition] = []
    for kind in reversed(ConditionType):
        conditions = put(conditions, kind)
    assert [condition.type for condition in conditions] == list(ConditionType)


def test_a_condition_that_somebody_else_set_is_kept_and_comes_last() -> None:
    foreign = Condition(type="Inspected", status="True", reason="ByHand", last_transition_time=THEN)
    assert [condition.type for condition in put([foreign])] == ["Ready", "Inspected"]


def test_the_wire_carries_plain_texts() -> None:
    (condition,) = put([], now=THEN)
    assert {type(value) for value in condition.to_wire().values()} == {str, int}
    assert condition.to_wire() == {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "It serves.",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize("member", [*ConditionType, *Reason])
def test_every_type_and_reason_is_documented_and_fits_the_api_conventions(member: ConditionType | Reason) -> None:
    pattern = CONDITION_TYPE_PATTERN if isinstance(member, ConditionType) else CONDITION_REASON_PATTERN
    assert re.fullmatch(pattern, member.value)
    assert re.fullmatch(r"[A-Z][A-Za-z]+", member.value), "CamelCase"
    assert member.doc.endswith(".")
