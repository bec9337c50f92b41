"""The judge of `make chaos` sees what must never happen: each broken promise, made by hand."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from benchmarks.chaos.plan import draw_round
from benchmarks.chaos.users import Slot
from benchmarks.chaos.verdict import (
    DELETION_SECONDS,
    BrokenPromiseError,
    Snapshot,
    accept,
    judge_journal,
    leaks,
    unsettled,
    untouched,
)
from fireworks_operator.api.v1alpha1 import FINALIZER
from fireworks_simulator.testing import JournalEntry
from testkit.team import Team

REF, NAMESPACE, NAME = "team/chat", "team", "chat"
FIRST, SECOND, FOREIGN = (f"accounts/acme/deployments/{each}" for each in ("first", "second", "foreign-0"))
OURS = {
    "custom/managed-by": "fireworks-operator",
    "custom/cluster": "here",
    "custom/namespace": NAMESPACE,
    "custom/name": NAME,
}


class _Team:
    """As much of a team as a slot needs."""

    namespace = NAMESPACE


def a_slot() -> Slot:
    return Slot(cast("Team", _Team()), NAME)


def a_deployment(name: str, **more: object) -> dict[str, Any]:
    return {
        "name": name,
        "state": "READY",
        "baseModel": "m",
        "replicaStats": {"readyReplicaCount": 1},
        "annotations": OURS,
        **more,
    }


def a_resource(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of metadata, spec and status alike
    conditions = {"Ready": "True", "Available": "True", "Reconciling": "False", "Stalled": "False"}
    raw: dict[str, Any] = {
        "metadata": {"generation": 1, "finalizers": [FINALIZER]},
        "spec": {"baseModel": "m"},
        "status": {
            "observedGeneration": 1,
            "deploymentName": FIRST,
            "state": "READY",
            "conditions": [
                {"type": kind, "status": value, "reason": "So", "message": "So it is.", "observedGeneration": 1}
                for kind, value in conditions.items()
            ],
        },
    }
    for part, fields in more.items():
        raw[part] |= fields
    return raw


def a_world(
    resource: dict[str, Any] | None, *deployments: dict[str, Any], addons: Mapping[str, dict[str, Any]] | None = None
) -> Snapshot:
    resources = {} if resource is None else {REF: resource}
    return Snapshot(resources, {each["name"]: each for each in deployments}, addons or {})


def a_request(method: str, path: str, *, body: object = None, query: Mapping[str, str] | None = None) -> JournalEntry:
    return JournalEntry(
        sequence=1,
        method=method,
        path=f"/v1/{path}",
        query=query or {},
        body=cast("Any", body),
        status=200,
        committed=True,
        mask_missing=False,
        fault="",
        account="acme",
        key_id="",
        user_agent="",
        virtual=0.0,
        monotonic=0.0,
        wall="",
        route="",
    )


def a_create(name: str) -> JournalEntry:
    collection, _, identifier = name.rpartition("/")
    return a_request("POST", collection, body={"annotations": OURS}, query={"deploymentId": identifier})


def test_a_ready_resource_with_its_one_deployment_is_as_it_must_be() -> None:
    world = a_world(a_resource(), a_deployment(FIRST))
    assert unsettled(a_slot(), world) is None
    assert leaks([a_slot()], world) == []


@pytest.mark.parametrize(
    ("reason", "world"),
    [
        ("there is no deployment", a_world(a_resource())),
        ("it is deleted", a_world(a_resource(), a_deployment(FIRST, state="DELETED"))),
        ("it fails", a_world(a_resource(), a_deployment(FIRST, state="FAILED"))),
        ("it is another's", a_world(a_resource(), a_deployment(FIRST, annotations={**OURS, "custom/name": "code"}))),
        ("it was let go", a_world(a_resource(), a_deployment(FIRST, annotations={**OURS, "custom/released": "true"}))),
        ("it is not as the spec says", a_world(a_resource(spec={"displayName": "x"}), a_deployment(FIRST))),
        ("the status lags", a_world(a_resource(status={"state": "CREATING"}), a_deployment(FIRST))),
        ("the spec was not seen", a_world(a_resource(metadata={"generation": 2}), a_deployment(FIRST))),
        ("nobody is told", a_world(a_resource(status={"conditions": []}), a_deployment(FIRST))),
        ("the finalizer is gone", a_world(a_resource(metadata={"finalizers": []}), a_deployment(FIRST))),
        ("an addon is missing", a_world(a_resource(spec={"addons": [{"model": "lora"}]}), a_deployment(FIRST))),
        ("only observed", a_world(a_resource(spec={"managementPolicy": "Observe"}), a_deployment(FIRST))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_resource_that_is_not_as_it_must_be_is_seen(reason: str, world: Snapshot) -> None:
    assert unsettled(a_slot(), world) is not None, reason


def test_a_deletion_that_does_not_end_is_seen() -> None:
    slot, world = a_slot(), a_world(a_resource(metadata={"deletionTimestamp": "now"}), a_deployment(FIRST))
    slot.asked = 1000.0
    assert unsettled(slot, world, now=1000.0 + DELETION_SECONDS - 1) is None
    assert unsettled(slot, world, now=1000.0 + DELETION_SECONDS + 1) is not None


@pytest.mark.parametrize("resource", [None, a_resource(status={"deploymentName": SECOND})])
def test_a_deployment_that_runs_for_nobody_is_seen_unless_a_user_has_left_it(resource: dict[str, Any] | None) -> None:
    slot, world = a_slot(), a_world(resource, a_deployment(FIRST))
    assert leaks([slot], world)
    slot.may_leave = True
    assert not leaks([slot], world)
    accept([slot], world)
    assert slot.left == {FIRST}
    slot.may_leave = False
    assert not leaks([slot], world)
    assert leaks([slot], a_world(resource, a_deployment(FIRST), a_deployment(SECOND))) or resource is not None


def test_a_second_deployment_is_seen_even_if_it_does_not_last() -> None:
    slots, before = {REF: a_slot()}, a_world(a_resource(), a_deployment(FIRST))
    with pytest.raises(BrokenPromiseError, match="two deployments at a time"):
        judge_journal([a_create(SECOND), a_request("DELETE", SECOND)], before, slots)
    judge_journal([a_request("DELETE", FIRST), a_create(SECOND)], before, slots)


def test_a_request_that_touches_what_is_foreign_is_seen() -> None:
    with pytest.raises(BrokenPromiseError, match="foreign"):
        judge_journal([a_request("POST", f"{FOREIGN}:setTags", body={"tags": {}})], a_world(None), {REF: a_slot()})
    before, after = (a_world(None, a_deployment(FOREIGN, displayName=each)) for each in ("theirs", "ours"))
    untouched(before, before)
    with pytest.raises(BrokenPromiseError, match="foreign"):
        untouched(before, after)


def test_the_same_seed_draws_the_same_round() -> None:
    assert draw_round("7/0/3", 10, 8, 2) == draw_round("7/0/3", 10, 8, 2)
    assert draw_round("7/0/3", 10, 8, 2) != draw_round("7/0/4", 10, 8, 2)
