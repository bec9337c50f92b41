"""Orders of events in which something is lost, late or done by somebody else, each as the user would have seen it."""

from collections.abc import Iterator
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON
from fireworks_operator.fireworks.request import Call
from testkit.promises.invariants import condition, holds
from testkit.promises.specs import UNOWNED, new_spec
from testkit.virtual.fireworks import ACCOUNT, KEYS, LateRequest, identifier
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

REF = "team-a/chat"
ADOPTING: list[tuple[str, object]] = [("deploymentId", UNOWNED), ("adoptionPolicy", "Unowned")]
UNOWNED_NAME = f"accounts/{ACCOUNT}/deployments/{UNOWNED}"
ANOTHERS = {
    "custom/managed-by": "fireworks-operator",
    "custom/cluster": "cluster-2",
    "custom/namespace": "prod",
    "custom/name": "chat",
}


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world with one resource, whose deployment serves."""
    world = World(loop, simulator)
    world.server.create(REF, new_spec("team-a", []))
    live(world, 0.0, 3.0, 62.0)
    assert holds(status(world), "Ready")
    yield world
    world.close()


def live(world: World, *pauses: float) -> None:
    """Let time go by, with a poll after each pause."""
    for seconds in pauses:
        world.advance(seconds)
        world.poll()


def status(world: World, ref: str = REF) -> dict[str, Any]:
    """The status of a resource."""
    found: dict[str, Any] = world.server.objects[ref]["status"]
    return found


def stalled(world: World, ref: str = REF) -> str:
    """Why a person must act, empty if nobody must."""
    found = condition(status(world, ref), "Stalled")
    return str(found["reason"]) if found is not None and found["status"] == "True" else ""


def edit(world: World, **fields: object) -> None:
    """Change the spec; the operator hears of it."""
    world.server.edit(REF, {**world.server.objects[REF]["spec"], **fields})
    world.work()


def deployment(world: World, name: str) -> dict[str, Any]:
    """A deployment as it is now."""
    found: dict[str, Any] = world.fireworks.state().deployments[name]
    return found


def by_hand(world: World, name: str, verb: str, body: dict[str, Any]) -> None:
    """Let somebody else send a request about a deployment."""
    request = LateRequest(Call(verb, "POST", f"{name}:{verb}", body=body), KEYS[ACCOUNT], 0.0)
    world.fireworks.late.append(request)
    world.fireworks.land(request)


# --- a request without an answer that revives -------------------------------------------------------------------------


def lose_an_undelete(world: World) -> str:
    """Have the deployment deleted elsewhere, and leave the request that brings it back without an answer."""
    name: str = status(world)["deploymentName"]
    world.fireworks.simulator.vanish(identifier(name), soft=True)
    world.judge_later(name)
    world.fireworks.hang("POST", late=True)
    live(world, 61.0)
    assert [each.call.path.rpartition(":")[2] for each in world.fireworks.late] == ["undelete"]
    return name


def test_a_deployment_that_was_being_brought_back_is_not_left_running_when_its_resource_is_deleted(
    world: World,
) -> None:
    name = lose_an_undelete(world)
    world.server.delete(REF)
    live(world, *[5.0] * 30)
    world.judge()
    assert REF not in world.server.objects
    assert deployment(world, name)["state"] == "DELETED"


def test_a_restart_does_not_forget_that_a_deployment_was_being_brought_back(world: World) -> None:
    name = lose_an_undelete(world)
    world.restart()
    world.server.delete(REF)
    live(world, *[5.0] * 30)
    world.judge()
    assert REF not in world.server.objects
    assert deployment(world, name)["state"] == "DELETED"


def test_a_late_request_does_not_revive_what_was_brought_back_by_another_and_then_deleted(world: World) -> None:
    name = lose_an_undelete(world)
    live(world, *[3.0] * 4)
    assert deployment(world, name)["state"] != "DELETED", "the second request had an answer"
    assert world.fireworks.late, "and the first one is still under way"
    world.server.delete(REF)
    live(world, *[5.0] * 40)
    world.judge()
    assert REF not in world.server.objects
    assert deployment(world, name)["state"] == "DELETED"


def test_pauses_between_refused_tries_to_bring_a_deployment_back_grow_across_restarts(world: World) -> None:
    name = status(world)["deploymentName"]
    world.fireworks.fault("status", method="POST", times=1000, code="INVALID_ARGUMENT", message="not now")
    world.fireworks.simulator.vanish(identifier(name), soft=True)
    world.judge_later(name)
    live(world, 61.0)
    for _ in range(20):
        world.restart()
        live(world, 60.0)
    tries = world.fireworks.simulator.journal(method="POST", path=":undelete$")
    assert 3 <= len(tries) <= 5, "at once, and after 1, 5 and 15 minutes"
    assert status(world)["lastAttempt"]["count"] == len(tries)


# --- the finalizer goes upon a fresh answer only ----------------------------------------------------------------------


@pytest.mark.parametrize("lists", ["answered", "refused"])
def test_a_deployment_that_a_person_has_brought_back_is_not_left_running(world: World, lists: str) -> None:
    name = status(world)["deploymentName"]
    edit(world, externalDeletionPolicy="Report")
    world.fireworks.simulator.vanish(identifier(name), soft=True)
    world.judge_later(name)
    live(world, 61.0)
    assert stalled(world) == Reason.DEPLOYMENT_LOST
    if lists == "refused":
        match = {"method": "GET", "path": "/deployments$", "keyId": "acme-key-1"}
        world.fireworks.simulator.fault("status", match=match, times=1000, code="UNAVAILABLE")
        live(world, 60.0, 60.0, 60.0)
    by_hand(world, name, "undelete", {})
    world.server.delete(REF)
    world.work()
    world.judge()
    assert REF in world.server.objects or deployment(world, name)["state"] != "READY"
    world.fireworks.simulator.clear_faults()
    live(world, *[15.0] * 12)
    world.judge()
    assert REF not in world.server.objects
    assert deployment(world, name)["state"] == "DELETED"


# --- a lost status, and nobody to ask ---------------------------------------------------------------------------------


def lose_the_status(world: World, trouble: str, *, told: bool) -> None:
    """Restore the resource without its status, while nothing can be asked; the operator may have said so by then."""
    name = status(world)["deploymentName"]
    world.server.restore(REF, new_uid=False)
    world.restart()
    if trouble == "no Secret":
        world.remove_secret()
    else:
        world.fireworks.fault("status", method="GET", times=10_000, code="UNAVAILABLE")
    if told:
        live(world, 5.0, 61.0)
        assert "deploymentName" not in status(world)
        assert status(world)["conditions"]
    world.server.delete(REF)
    live(world, *[30.0] * 8)
    assert REF in world.server.objects, f"it goes, and {name} stays"


@pytest.mark.parametrize("told", [False, True], ids=["at once", "after a while"])
@pytest.mark.parametrize("trouble", ["no Secret", "an outage"])
def test_a_resource_restored_without_its_status_does_not_go_before_it_is_known_what_it_has(
    world: World, trouble: str, told: bool
) -> None:
    name = status(world)["deploymentName"]
    lose_the_status(world, trouble, told=told)
    message = condition(status(world), "Ready")["message"]  # type: ignore[index]
    assert "cannot check whether" in message
    assert ANNOTATION_ABANDON in message
    world.judge()
    world.heal()
    live(world, *[31.0] * 12)
    world.judge()
    assert REF not in world.server.objects
    assert deployment(world, name)["state"] == "DELETED"


@pytest.mark.parametrize("trouble", ["no Secret", "an outage"])
def test_a_resource_restored_without_its_status_can_be_let_go_with_a_warning(
    world: World, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    lose_the_status(world, trouble, told=True)
    world.promises.wiped.add(world.server.objects[REF]["metadata"]["uid"])  # let go by the user's word
    caplog.clear()
    world.server.annotate(REF, ANNOTATION_ABANDON, "true")
    live(world, 5.0)
    assert REF not in world.server.objects
    assert any(each.levelname == "WARNING" and "does not know" in each.getMessage() for each in caplog.records)
    assert world.process.passes.left == ["Abandon"]


@pytest.mark.parametrize("trouble", ["no Secret", "an outage"])
def test_a_resource_that_never_had_a_usable_key_is_deleted_at_once(
    loop: VirtualLoop, simulator: MemorySimulator, trouble: str
) -> None:
    world = World(loop, simulator)
    try:
        if trouble == "no Secret":
            world.remove_secret()
        else:
            world.fireworks.fault("status", method="GET", times=10_000, code="UNAVAILABLE")
        world.server.create(REF, new_spec("team-a", []))
        live(world, 0.0, 61.0, 61.0)
        assert status(world)["conditions"], "it is told what is missing"
        world.server.delete(REF)
        live(world, 1.0)
        assert REF not in world.server.objects
        assert world.process.passes.left == []
    finally:
        world.close()


def test_a_resource_whose_creation_was_refused_is_deleted_at_once_also_without_a_key(
    loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    world = World(loop, simulator)
    try:
        world.fireworks.simulator.quota("global--h100-count", 0)
        world.server.create(REF, new_spec("team-a", []))
        live(world, 0.0, 3.0, 3.0)
        assert stalled(world) == Reason.QUOTA_EXCEEDED
        assert "deploymentName" not in status(world)
        world.remove_secret()
        world.restart()
        live(world, 1.0)
        world.server.delete(REF)
        live(world, 1.0)
        assert REF not in world.server.objects
    finally:
        world.close()


# --- two who want one deployment --------------------------------------------------------------------------------------

ADOPTER = "team-b/code"


def test_a_deployment_that_another_cluster_has_just_taken_over_is_neither_taken_nor_deleted(world: World) -> None:
    live(world, 62.0)
    by_hand(world, UNOWNED_NAME, "setTags", {"tags": ANOTHERS})  # after our last LIST
    world.server.create(ADOPTER, new_spec("team-b", ADOPTING))
    world.work()
    assert stalled(world, ADOPTER) == Reason.CONFLICT
    assert "deploymentName" not in status(world, ADOPTER), "the id can still be corrected"
    world.server.delete(ADOPTER)
    live(world, *[15.0] * 6)
    assert ADOPTER not in world.server.objects
    there = deployment(world, UNOWNED_NAME)
    assert there["state"] == "READY"
    assert there["annotations"].items() >= ANOTHERS.items()


def test_who_loses_the_race_for_a_deployment_says_so_and_deletes_nothing(world: World) -> None:
    world.server.create(ADOPTER, new_spec("team-b", ADOPTING))
    live(world, 3.0)
    assert deployment(world, UNOWNED_NAME)["annotations"]["custom/name"] == "code"
    by_hand(world, UNOWNED_NAME, "setTags", {"tags": ANOTHERS})  # the other one's request came a moment later
    live(world, 61.0)
    assert stalled(world, ADOPTER) == Reason.CONFLICT
    world.server.delete(ADOPTER)
    live(world, *[15.0] * 8)
    assert ADOPTER not in world.server.objects
    there = deployment(world, UNOWNED_NAME)
    assert there["state"] == "READY"
    assert there["annotations"].items() >= ANOTHERS.items()


def test_what_another_cluster_has_taken_in_the_meantime_is_not_marked_as_let_go(world: World) -> None:
    name = status(world)["deploymentName"]
    edit(world, deletionPolicy="Retain")
    live(world, 62.0)
    by_hand(world, name, "setTags", {"tags": ANOTHERS})
    world.judge_later(name)
    world.server.delete(REF)
    live(world, 1.0)
    assert REF not in world.server.objects
    assert "custom/released" not in deployment(world, name)["annotations"]


def test_a_deployment_made_again_by_somebody_else_under_the_same_id_is_left_alone(world: World) -> None:
    name = status(world)["deploymentName"]
    copy = {"baseModel": deployment(world, name)["baseModel"], "annotations": deployment(world, name)["annotations"]}
    world.fireworks.simulator.vanish(identifier(name))
    body = {**copy, "acceleratorType": "NVIDIA_H100_80GB"}
    query = {"deploymentId": identifier(name), "acceptShapelessRisk": "true"}
    call = Call("create", "POST", f"accounts/{ACCOUNT}/deployments", query, body)
    world.fireworks.late.append(late := LateRequest(call, KEYS[ACCOUNT], 0.0))
    world.fireworks.land(late)
    world.judge_later(name)
    live(world, 62.0)
    assert stalled(world) == Reason.CONFLICT
    world.server.delete(REF)
    world.promises.left.add(name)
    live(world, *[15.0] * 4)
    assert REF not in world.server.objects
    assert deployment(world, name)["state"] == "READY"
    assert world.process.passes.left == ["NotOurs"]
