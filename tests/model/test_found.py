"""What the model has found, each as the user would have seen it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment
from testkit.promises.invariants import condition, holds
from testkit.promises.specs import new_spec
from testkit.virtual.api_server import ApiServer, Raw
from testkit.virtual.fireworks import ADDONS, identifier
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.process import Process
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

REF = "team-b/chat"
SECRET = {"credentialsSecretRef": {"name": "fireworks"}}


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world with one resource, whose deployment serves."""
    world = World(loop, simulator)
    world.server.create(REF, new_spec("team-b", []))
    for seconds in (0.0, 3.0, 62.0):
        world.advance(seconds)
        world.poll()
    assert holds(status(world), "Ready")
    yield world
    world.close()


def status(world: World) -> dict[str, Any]:
    """The status of the resource."""
    found: dict[str, Any] = world.server.objects[REF]["status"]
    return found


def observe(world: World) -> None:
    """Only observe the deployment from now on."""
    world.server.edit(REF, {**world.server.objects[REF]["spec"], "managementPolicy": "Observe"})
    world.work()


@pytest.mark.parametrize(
    ("ends", "reason"), [("fails", Reason.DEPLOYMENT_FAILED), ("is deleted", Reason.DEPLOYMENT_LOST)]
)
def test_an_observed_deployment_that_comes_to_an_end_does_not_look_like_work_in_progress(
    world: World, ends: str, reason: Reason
) -> None:
    observe(world)
    deployment = identifier(status(world)["deploymentName"])
    if ends == "fails":
        world.fireworks.simulator.fail(deployment, "out of memory")
    else:
        world.fireworks.simulator.vanish(deployment, soft=True)
    for _ in range(3):
        world.advance(60.0)
        world.poll()
    stalled = condition(status(world), "Stalled")
    assert stalled is not None
    assert (stalled["status"], stalled["reason"]) == ("True", reason)
    assert not holds(status(world), "Reconciling")


def test_an_addon_that_is_said_to_be_loaded_but_is_in_no_list_is_told_and_asked_for_ever_more_rarely(
    world: World,
) -> None:
    world.fireworks.fault("status", method="POST", times=1000, code="ALREADY_EXISTS")
    world.server.edit(
        REF, {**world.server.objects[REF]["spec"], "minReplicaCount": 1, "addons": [{"model": ADDONS[0]}]}
    )
    for _ in range(30):
        world.advance(60.0)
        world.poll()
    loads = world.fireworks.simulator.journal(method="POST", path="/deployedModels$")
    assert 3 <= len(loads) <= 5, "at once, when it was not found, and after 5, 15 and 60 minutes"
    told = condition(status(world), "AddonsReady")
    assert told is not None
    assert (told["status"], told["reason"]) == ("False", Reason.ADDON_FAILED)
    assert "already loaded but does not list it" in told["message"]
    assert holds(status(world), "Available")
    assert holds(status(world), "Stalled")
    world.heal()
    for _ in range(70):
        world.advance(60.0)
        world.poll()
    assert holds(status(world), "AddonsReady")


@pytest.mark.parametrize("soft", [True, False], ids=["softly", "for good"])
@pytest.mark.parametrize("policy", [{"externalDeletionPolicy": "Report"}, {"managementPolicy": "Observe"}])
def test_a_loss_that_is_only_reported_costs_nothing_but_lists(world: World, soft: bool, policy: dict[str, str]) -> None:
    world.server.edit(REF, {**world.server.objects[REF]["spec"], **policy})
    world.work()
    world.fireworks.simulator.vanish(identifier(status(world)["deploymentName"]), soft=soft)
    for _ in range(3):
        world.advance(60.0)
        world.poll()
    stalled = condition(status(world), "Stalled")
    assert stalled is not None
    assert stalled["reason"] == Reason.DEPLOYMENT_LOST
    seen = world.fireworks.simulator.last_sequence()
    for _ in range(20):
        world.advance(60.0)
        world.poll()
    requests = world.fireworks.simulator.journal(since=seen)
    assert len(requests) >= 20
    assert {(each.method, each.path.rsplit("/", 1)[-1]) for each in requests} == {("GET", "deployments")}
    world.advance(7 * 86_400.0)
    world.poll()
    assert "state" not in status(world) or "managementPolicy" in policy, "purged, and status does not describe it"


def test_a_resource_that_is_applied_again_at_once_gets_its_deployment_back_also_with_the_policy_report(
    world: World,
) -> None:
    spec = {**world.server.objects[REF]["spec"], "externalDeletionPolicy": "Report"}
    world.server.edit(REF, spec)
    world.work()
    world.server.delete(REF)
    world.work()
    deployment = world.fireworks.state().deployments[status(world)["deploymentName"]]
    assert deployment["state"] == "DELETING"
    world.server.objects[REF]["metadata"]["finalizers"].clear()  # as somebody does who does not want to wait
    world.server.delete(REF)
    world.server.create(REF, spec)
    for seconds in (0.0, 3.0, 62.0, 62.0, 62.0):
        world.advance(seconds)
        world.poll()
    assert holds(status(world), "Ready"), status(world)


def test_an_addon_that_is_accepted_but_is_in_no_list_is_told_and_not_asked_for_at_each_poll(world: World) -> None:
    accepted = {"name": "accounts/acme/deployedModels/x", "model": ADDONS[0], "state": "DEPLOYING"}
    world.fireworks.fault("status", method="POST", times=1000, status=200, body=json.dumps(accepted))
    world.server.edit(
        REF, {**world.server.objects[REF]["spec"], "minReplicaCount": 1, "addons": [{"model": ADDONS[0]}]}
    )
    for _ in range(30):
        world.advance(60.0)
        world.poll()
    loads = world.fireworks.simulator.journal(method="POST", path="/deployedModels$")
    assert 5 <= len(loads) <= 7, "every five minutes"
    told = condition(status(world), "AddonsReady")
    assert told is not None
    assert (told["status"], told["reason"]) == ("False", Reason.ADDON_FAILED)
    assert "accepted the addon but does not list it" in told["message"]
    assert holds(status(world), "Available")
    assert holds(status(world), "Stalled")
    writes = world.server.writes
    for _ in range(12):
        world.advance(30.0)
        world.poll()
    assert world.server.writes == writes, "nothing new is told"
    world.heal()
    for _ in range(10):
        world.advance(60.0)
        world.poll()
    assert holds(status(world), "AddonsReady")


def test_an_id_that_is_taken_by_no_deployment_is_asked_for_ever_more_rarely_until_it_is_free(
    loop: VirtualLoop, simulator: MemorySimulator
) -> None:
    world = World(loop, simulator)
    try:
        world.fireworks.fault("status", method="POST", times=1000, code="ALREADY_EXISTS")
        world.server.create(REF, new_spec("team-b", []))
        _live(world, 600.0)
        assert len(world.fireworks.simulator.journal(method="POST")) <= 14
        told = condition(status(world), "Ready")
        assert told is not None
        assert (told["status"], told["reason"]) == ("Unknown", Reason.API_UNAVAILABLE)
        assert "is reported as taken, but no such deployment exists" in told["message"]
        world.heal()
        _live(world, 320.0)
        assert holds(status(world), "Ready")
    finally:
        world.close()


def test_an_owner_marker_that_is_accepted_but_never_seen_is_written_ever_more_rarely(world: World) -> None:
    world.fireworks.fault("status", method="POST", times=1000, status=200, body="{}")
    world.fireworks.simulator.edit(identifier(status(world)["deploymentName"]), clear=["annotations"])
    _live(world, 600.0)
    assert 3 <= len(world.fireworks.simulator.journal(method="POST", path=":setTags$")) <= 14
    world.heal()
    _live(world, 320.0)
    name = status(world)["deploymentName"]
    assert world.fireworks.state().deployments[name]["annotations"]["custom/name"] == "chat"
    assert holds(status(world), "Ready")


def test_an_addon_that_is_not_unloaded_whatever_is_answered_is_asked_for_ever_more_rarely(world: World) -> None:
    spec = {**world.server.objects[REF]["spec"], "minReplicaCount": 1, "enableAddons": True}
    world.server.edit(REF, {**spec, "addons": [{"model": ADDONS[0]}]})
    _live(world, 180.0)
    assert holds(status(world), "AddonsReady")
    world.fireworks.fault("status", method="DELETE", times=1000, status=200, body="{}")
    world.server.edit(REF, spec)
    _live(world, 600.0)
    assert 3 <= len(world.fireworks.simulator.journal(method="DELETE")) <= 14
    world.heal()
    _live(world, 320.0)
    assert ADDONS[0] not in {each["model"] for each in world.fireworks.state().addons.values()}


def _live(world: World, seconds: float) -> None:
    """Let time go by, with a poll every ten seconds."""
    until = world.loop.time() + seconds
    while world.loop.time() < until:
        world.advance(10.0)
        world.poll()


def _remembered(process: Process) -> dict[str, object]:
    """What the parts of a process hold of a resource."""
    parts = (process.reconciler, process.controller, process.queue, process.store, process.reconciler._bindings)
    return {
        f"{type(part).__name__}.{name}": held
        for part in parts
        for name, held in vars(part).items()
        if isinstance(held, dict | set) and REF in held
    }


@pytest.mark.parametrize("told", ["before the answer", "after the answer"])
def test_a_resource_that_is_gone_leaves_nothing_behind_in_memory(
    world: World, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = world.server.remove_finalizer

    def remove_and_tell(server: ApiServer, resource: FireworksDeployment) -> Raw | None:
        stored = remove(resource)
        world.process.watch()
        return stored

    if told == "before the answer":
        monkeypatch.setattr(ApiServer, "remove_finalizer", remove_and_tell)
    assert _remembered(world.process)
    world.server.delete(REF)
    for _ in range(3):
        world.advance(20.0)
        world.poll()
    assert REF not in world.server.objects
    assert not _remembered(world.process)


def test_one_answer_that_denies_a_listed_deployment_neither_leaves_it_behind_nor_makes_a_second_one(
    world: World,
) -> None:
    """A GET says 404 in the control plane's own words while the LIST has the deployment: one of the two is wrong."""
    deployment = status(world)["deploymentName"]
    deny = {"method": "GET", "path": "/deployments/", "keyId": "acme-key-1"}
    for happens in (ask_for_a_change, ask_for_the_deletion):
        world.fireworks.simulator.fault("status", match=deny, times=1, code="NOT_FOUND")
        happens(world)
        for _ in range(4):
            world.advance(20.0)
            world.poll()
            world.judge()
    assert REF not in world.server.objects
    assert world.fireworks.state().deployments[deployment]["state"] == "DELETED"
    posts = world.fireworks.simulator.journal(method="POST", path="/deployments$")
    assert sum(each.committed for each in posts) == 1


@pytest.mark.parametrize("wish", ["change", "deletion"])
def test_a_listed_deployment_that_is_denied_for_good_is_told_and_asked_for_ever_more_rarely(
    world: World, wish: str
) -> None:
    deployment = status(world)["deploymentName"]
    deny = {"method": "GET", "path": "/deployments/", "keyId": "acme-key-1"}
    world.fireworks.simulator.fault("status", match=deny, times=1000, code="NOT_FOUND")
    {"change": ask_for_a_change, "deletion": ask_for_the_deletion}[wish](world)
    _live(world, 190.0)
    kind = "Ready" if wish == "change" else "Reconciling"
    told = condition(status(world), kind)
    assert told is not None
    assert "reports that it does not exist when it is requested by name" in told["message"], (
        "after two minutes and a bit"
    )
    assert wish == "change" or "fireworks.ai/abandon" in told["message"]
    asked, writes = len(world.fireworks.simulator.journal(path="/deployments/")), world.server.writes
    assert asked <= 12
    _live(world, 900.0)
    assert len(world.fireworks.simulator.journal(path="/deployments/")) - asked <= 6, "in a quarter of an hour"
    assert world.server.writes == writes
    assert world.fireworks.state().deployments[deployment]["state"] == "READY"
    world.heal()
    _live(world, 400.0)
    if wish == "change":
        assert world.fireworks.state().deployments[deployment]["displayName"] == "New"
        assert holds(status(world), "Ready")
    else:
        assert REF not in world.server.objects
        assert world.fireworks.state().deployments[deployment]["state"] == "DELETED"


def ask_for_a_change(world: World) -> None:
    """Change the spec, so that the deployment is looked at before it is changed."""
    world.server.edit(REF, {**world.server.objects[REF]["spec"], "displayName": "New"})
    world.work()


def ask_for_the_deletion(world: World) -> None:
    """Delete the resource."""
    world.server.delete(REF)
    world.work()


@pytest.mark.parametrize("garbage", ["foo", "accounts/acme", "", "accounts/acme/deployments/..", "x" * 256])
@pytest.mark.parametrize("deleted", [False, True], ids=["kept", "deleted"])
def test_garbage_in_the_status_neither_stops_the_resource_nor_leaves_its_deployment_behind(
    world: World, garbage: str, deleted: bool
) -> None:
    deployment = status(world)["deploymentName"]
    raw = world.server.objects[REF]
    raw["status"]["deploymentName"] = garbage
    world.server._changed(raw)
    if deleted:
        world.server.delete(REF)
    for _ in range(5):
        world.advance(20.0)
        world.poll()
    if deleted:
        assert REF not in world.server.objects
        assert world.fireworks.state().deployments[deployment]["state"] == "DELETED"
    else:
        assert status(world)["deploymentName"] == deployment
        assert holds(status(world), "Ready")
    posts = world.fireworks.simulator.journal(method="POST", path="/deployments$")
    assert sum(each.committed for each in posts) == 1


def test_another_account_in_the_status_than_in_the_deployments_name_opens_nothing(world: World) -> None:
    raw = world.server.objects[REF]
    raw["status"]["deploymentName"] = "accounts/another/deployments/theirs"
    world.server._changed(raw)
    seen = world.fireworks.simulator.last_sequence()
    for _ in range(3):
        world.advance(20.0)
        world.poll()
    told = condition(status(world), "Stalled")
    assert told is not None
    assert told["reason"] == Reason.ACCOUNT_MISMATCH
    assert "another" in told["message"]
    assert not [each.path for each in world.fireworks.simulator.journal(since=seen) if "/another/" in each.path]


@pytest.mark.parametrize("purged", [True, False], ids=["purged", "given back"])
def test_a_deployment_that_another_cluster_took_over_is_not_shown_as_serving_and_waiting_for_it_has_an_end(
    world: World, purged: bool
) -> None:
    deployment = identifier(status(world)["deploymentName"])
    ours = dict(world.fireworks.state().deployments[status(world)["deploymentName"]]["annotations"])
    world.fireworks.simulator.edit(deployment, {"annotations": {**ours, "custom/cluster": "another"}})
    _live(world, 120.0)
    stalled, available = condition(status(world), "Stalled"), condition(status(world), "Available")
    assert stalled is not None
    assert stalled["reason"] == Reason.CONFLICT
    assert available is not None
    assert available["status"] == "Unknown"
    assert not {"state", "modelIdentifier", "replicas", "effective"} & status(world).keys()
    if not purged:
        world.fireworks.simulator.edit(deployment, {"annotations": ours})
        _live(world, 120.0)
        assert holds(status(world), "Ready")
        assert holds(status(world), "Available")
        return
    world.fireworks.simulator.vanish(deployment, soft=True)
    _live(world, 120.0)
    seen = world.fireworks.simulator.last_sequence()
    for _ in range(6 * 24):
        world.advance(3600.0)
        world.poll()
    requests = {(each.method, each.path.rsplit("/", 1)[-1]) for each in world.fireworks.simulator.journal(since=seen)}
    assert requests == {("GET", "deployments")}, "it is waited for at no cost"
    world.advance(86_400.0)
    _live(world, 180.0)
    assert holds(status(world), "Ready"), "its id is free again"
    assert len(world.ours()) == 1


def test_what_is_refused_is_told_of_the_account_of_the_key_that_is_there_now(world: World) -> None:
    ref = "team-a/look"
    world.server.create(ref, {"baseModel": "m", "managementPolicy": "Observe", "deploymentId": "nowhere"} | SECRET)

    def told() -> str:
        for _ in range(3):
            world.advance(31.0)
            world.poll()
        ready = condition(world.server.objects[ref]["status"], "Ready")
        return str(ready["message"]) if ready is not None else ""

    assert "accounts/acme/deployments/nowhere" in told()
    world.exchange_secret()
    assert "accounts/acme/" not in told()
    world.restore_secret()
    assert "accounts/acme/deployments/nowhere" in told()
