"""Giving up on a choice: when, for which, and what is never given up."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.actions import Action, Choose, Create, Delete, Progress, Refuse, Rest
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.desired.choices import choices, chosen_spec, fallback_after, told
from fireworks_operator.core.desired.demands import demand_of
from fireworks_operator.core.desired.wanted import want
from fireworks_operator.core.observed.observation import Absent, Observed
from fireworks_operator.core.situation import assess
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import (
    ACCOUNT,
    ADOPTED,
    BORN,
    CLAIMED,
    MADE_HERE,
    NAME,
    NOW,
    a_context,
    a_resource,
    an_error,
    present,
)
from testkit.report_steps import after

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
FALLBACKS = [{"acceleratorType": H200}, {"acceleratorType": B200}]
SPEC: dict[str, Any] = {"acceleratorType": H100, "fallbacks": FALLBACKS}
WAITS: dict[str, JsonValue] = {
    "state": "CREATING",
    "annotations": MADE_HERE,
    "replicaCount": 1,
    "replicaStats": {"pendingSchedulingReplicaCount": 1},
}
LOADS: dict[str, JsonValue] = {**WAITS, "replicaStats": {"downloadingModelReplicaCount": 1}}
SERVES: dict[str, JsonValue] = {**WAITS, "state": "READY", "replicaStats": {"readyReplicaCount": 1}}


def at(minutes: float) -> Context:
    """Return the surroundings of a pass so long after the deployment was created."""
    return a_context(now=BORN + timedelta(minutes=minutes))


def waiting(spec: dict[str, Any] | None = None) -> FireworksDeployment:
    """Return a resource whose deployment has waited for GPUs since it was created, and was seen to."""
    create = Create(NAME, {}, {}, ("baseModel",))
    begun = after(a_resource({**SPEC, **(spec or {})}, CLAIMED), Absent(), create, begun=True, context=at(0))
    return after(begun, present(**WAITS), create, context=at(0))


def step(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    return decide(assess(resource, observed, context))


@pytest.fixture
def resource() -> FireworksDeployment:
    """A resource whose deployment waits."""
    return waiting()


def test_it_waits_as_long_as_the_spec_says_and_looks_again_then(resource: FireworksDeployment) -> None:
    action = step(resource, present(**WAITS), at(14.9))
    assert isinstance(action, Rest)
    assert action.until == BORN + timedelta(minutes=15)
    chosen = step(resource, present(**WAITS), at(15))
    assert isinstance(chosen, Choose)
    assert (chosen.choice.index, chosen.choice.accelerator_type, chosen.choice.replaces) == (1, H200, BORN)
    assert chosen.cold == demand_of(want(resource, ACCOUNT).values)


@pytest.mark.parametrize("where", ["index", "given_up"])
def test_a_status_with_a_choice_that_the_spec_has_never_had_is_chosen_from_anew(where: str) -> None:
    """Somebody else has written it, since the operator does not."""
    chosen = step(waiting(), present(**WAITS), at(15))
    assert isinstance(chosen, Choose)
    given_up = chosen.choice.given_up or []
    wrong = {"index": 9} if where == "index" else {"given_up": [given_up[0].model_copy(update={"index": 9})]}
    claimed = a_resource(
        SPEC, {**CLAIMED, "choice": chosen.choice.model_copy(update=wrong).model_dump(mode="json", by_alias=True)}
    )
    cold = a_context(cold=frozenset({demand_of(want(claimed, ACCOUNT).values)}))
    anew = step(claimed, Absent(confirmed=True), cold)
    assert isinstance(anew, Choose)
    assert anew.choice.index in range(len(FALLBACKS) + 1)


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (LOADS, "it has got its GPUs"),
        (SERVES, "it serves"),
        ({**WAITS, "state": "FAILED"}, "it failed, which other GPUs need not mend"),
        ({**WAITS, "annotations": ADOPTED}, "it was adopted"),
        ({**WAITS, "createTime": (BORN - timedelta(hours=1)).isoformat()}, "nobody knows what it did before"),
    ],
)
def test_nothing_else_is_given_up(resource: FireworksDeployment, wire: dict[str, JsonValue], why: str) -> None:
    assert not isinstance(step(resource, present(**wire), at(600)), Choose | Delete), why


def test_without_fallbacks_it_waits_for_ever() -> None:
    assert isinstance(step(waiting({"fallbacks": None}), present(**WAITS), at(600)), Rest)


def test_what_has_served_is_kept_whatever_it_lacks(resource: FireworksDeployment) -> None:
    served = after(resource, present(**SERVES), context=at(5))
    lost = after(served, present(**WAITS), context=at(6))
    for minutes in (21, 600):
        assert not isinstance(step(lost, present(**WAITS), at(minutes)), Choose | Delete)


def test_nor_is_what_was_not_seen_all_the_time(resource: FireworksDeployment) -> None:
    """A status that says Unknown for a while does not tell what happened then."""
    conditions = [
        each.model_copy(update={"last_transition_time": BORN + timedelta(minutes=5)})
        for each in resource.status.conditions
    ]
    status = resource.status.model_copy(update={"conditions": conditions})
    assert isinstance(step(resource.model_copy(update={"status": status}), present(**WAITS), at(600)), Rest)


def given_up(resource: FireworksDeployment) -> FireworksDeployment:
    return after(resource, present(**WAITS), context=at(15))


def test_it_is_deleted_only_while_it_still_waits(resource: FireworksDeployment) -> None:
    chosen = given_up(resource)
    assert chosen.status.choice is not None
    action = step(chosen, present(**WAITS), at(16))
    assert action == Delete(chosen.status.deployment_name or "", hard=True, ignore_checks=True)
    for wire in (LOADS, SERVES):
        kept = step(chosen, present(**wire), at(16))
        assert isinstance(kept, Choose)
        assert (kept.choice.index, kept.choice.replaces, kept.choice.given_up) == (0, None, None)
        then = after(chosen, present(**wire), context=at(16))
        assert isinstance(step(then, present(**wire), at(17)), Rest), "and that is that"


def test_once_it_is_deleted_the_next_is_created_with_what_was_chosen(resource: FireworksDeployment) -> None:
    deleted = after(given_up(resource), present(**WAITS), context=at(16))
    action = step(deleted, Absent(confirmed=True), at(17))
    assert isinstance(action, Create)
    assert action.body["acceleratorType"] == H200
    assert deleted.status.choice is not None
    assert deleted.status.choice.replaces is None


@pytest.mark.parametrize("policy", ["Recreate", "Report"])
def test_killed_right_after_the_deletion_it_is_not_taken_for_lost(policy: str) -> None:
    unwritten = given_up(waiting({"externalDeletionPolicy": policy}))
    action = step(unwritten, Absent(confirmed=True), at(17))
    assert isinstance(action, Create)
    begun = after(unwritten, Absent(confirmed=True), action, begun=True, context=at(17))
    assert begun.status.recreations is None, "nobody else has deleted it"


def test_a_refused_deletion_is_tried_again_after_pauses(resource: FireworksDeployment) -> None:
    chosen = given_up(resource)
    delete = step(chosen, present(**WAITS), at(16))
    refused = after(chosen, present(**WAITS), delete, error=an_error(ErrorKind.INVALID, "no"), context=at(16))
    stalled = next(each for each in refused.status.conditions if each.type == "Stalled")
    assert stalled.status == "False"
    waits = step(refused, present(**WAITS), at(16.5))
    assert isinstance(waits, Progress)
    assert waits.until == BORN + timedelta(minutes=17)
    assert isinstance(step(refused, present(**WAITS), at(17)), Delete)
    assert isinstance(step(refused, present(**LOADS), at(16.5)), Choose), "unless it has got its GPUs"


def refused(resource: FireworksDeployment, kind: ErrorKind, now: datetime = NOW) -> FireworksDeployment:
    context = a_context(now=now)
    begun = after(resource, Absent(), begun=True, context=context)
    action = step(begun, Absent(), context)
    assert isinstance(action, Create), action
    return after(begun, Absent(), action, error=an_error(kind, "in use: 1, quota: 1"), context=context)


@pytest.mark.parametrize("kind", [each for each in ErrorKind if each is not ErrorKind.QUOTA_EXCEEDED])
def test_only_a_quota_moves_on(kind: ErrorKind) -> None:
    assert refused(a_resource(SPEC, CLAIMED), kind).status.choice is None


def test_a_quota_moves_on_through_all_and_then_waits() -> None:
    resource = a_resource(SPEC, CLAIMED)
    for index, kind in ((1, H200), (2, B200)):
        resource = refused(resource, ErrorKind.QUOTA_EXCEEDED)
        assert resource.status.choice is not None
        assert resource.status.choice.index == index
        assert resource.status.deployment_name is None, "nothing exists, so the spec may be corrected"
        claimed = after(resource, Absent())
        assert want(claimed, ACCOUNT).values["acceleratorType"] == kind
        resource = claimed
    resource = refused(resource, ErrorKind.QUOTA_EXCEEDED)
    waits = step(resource, Absent(), a_context(now=NOW + timedelta(seconds=59)))
    assert isinstance(waits, Refuse)
    assert waits.reason is Reason.QUOTA_EXCEEDED
    assert f"Tried: {H100} (QuotaExceeded), {H200} (QuotaExceeded), {B200} (QuotaExceeded)." in waits.message
    later = NOW + timedelta(seconds=60)
    again = refused(after(resource, Absent(), context=a_context(now=later)), ErrorKind.QUOTA_EXCEEDED, later)
    assert again.status.last_attempt is not None
    assert again.status.last_attempt.count == 2, "pauses grow"


def test_an_answer_that_was_lost_is_not_forgotten_over_the_next_choice() -> None:
    """What may yet be created is found under the same id, and the choice follows it."""
    chosen = refused(a_resource(SPEC, CLAIMED), ErrorKind.QUOTA_EXCEEDED, BORN)
    claimed = after(chosen, Absent(), context=at(0))
    late = step(claimed, present(acceleratorType=H100, **WAITS), at(1))
    assert isinstance(late, Choose)
    assert (late.choice.index, late.choice.replaces) == (0, None)


def test_a_lost_status_is_found_again_by_what_runs() -> None:
    lost = a_resource(SPEC, CLAIMED)
    found = step(lost, present(**{**SERVES, "acceleratorType": B200}), a_context())
    assert isinstance(found, Choose)
    assert found.choice.index == 2
    others = {**SERVES, "acceleratorType": B200, "annotations": ADOPTED}
    assert isinstance(step(lost, present(**others), a_context()), Refuse), "what was adopted is as the user says"


def test_what_is_cold_is_skipped_by_those_that_ask_for_as_much_or_more() -> None:
    begins = a_resource(SPEC)
    small, large = ({**SPEC, "acceleratorCount": count} for count in (1, 8))
    cold = frozenset({demand_of(want(a_resource(large), ACCOUNT).values)})
    skips = step(a_resource(large), Absent(), a_context(cold=cold))
    assert isinstance(skips, Choose)
    assert [(each.index, each.reason) for each in skips.choice.given_up or ()] == [(0, "Skipped")]
    assert not isinstance(step(a_resource(small), Absent(), a_context(cold=cold)), Choose)
    everything = frozenset(
        demand_of({**want(begins, ACCOUNT).values, "acceleratorType": kind}) for kind in (H100, H200, B200)
    )
    assert not isinstance(step(begins, Absent(), a_context(cold=everything)), Choose), "the first is as good as any"


@pytest.mark.parametrize(
    ("spec", "fallback", "words"),
    [
        ({"acceleratorType": H100, "acceleratorCount": 2}, {"acceleratorType": H200}, f"2 x {H200}"),
        ({"acceleratorType": H100, "acceleratorCount": 2}, {"deploymentShape": "fast"}, "the shape fast"),
        ({"deploymentShape": "fast"}, {"acceleratorType": H200, "acceleratorCount": 4}, f"4 x {H200}"),
        ({"placement": {"multiRegion": "EUROPE"}}, {"acceleratorType": H200}, f"{H200} in EUROPE"),
        ({"acceleratorType": H100}, {"placement": {"regions": ["A", "B"]}}, f"{H100} in A, B"),
        ({}, {"placement": {"region": "A"}}, "the default shape in A"),
    ],
)
def test_what_a_fallback_does_not_set_is_as_in_the_spec(
    spec: dict[str, Any], fallback: dict[str, Any], words: str
) -> None:
    resource = a_resource({**spec, "fallbacks": [fallback]})
    assert told(choices(resource.spec)[1]) == words


def test_a_choice_is_void_once_the_spec_itself_asks_for_something_else(resource: FireworksDeployment) -> None:
    chosen = given_up(resource)
    assert chosen_spec(chosen).accelerator_type == H200
    edited = a_resource({**SPEC, "acceleratorType": B200, "fallbacks": None}, chosen.status.to_wire())
    assert chosen_spec(edited).accelerator_type == B200
    kept = a_resource({**SPEC, "fallbacks": None}, chosen.status.to_wire())
    assert chosen_spec(kept).accelerator_type == H200


@pytest.mark.parametrize(("text", "minutes"), [(None, 15), ("1h30m", 90), ("soon", 15), ("9" * 400 + "h", 15)])
def test_what_is_no_duration_counts_as_the_default(text: str | None, minutes: int) -> None:
    assert fallback_after(a_resource({"fallbackAfter": text}).spec) == timedelta(minutes=minutes)
