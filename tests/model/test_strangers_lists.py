"""Whose LIST shows what: nothing is shown to a key of what only another key of the account has seen."""

from collections.abc import Iterator
from typing import Any

import pytest

from testkit.promises.invariants import condition, holds
from testkit.promises.specs import UNOWNED, new_spec
from testkit.virtual.fireworks import ACCOUNT, KEYS, OTHER_ACCOUNT, identifier
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

CHAT, EVIL = "team-b/chat", "mallory/evil"
BESIDE = {"accountId": ACCOUNT.encode()}
STRANGERS_LIST = {"method": "GET", "path": "/acme/deployments$", "keyId": f"{OTHER_ACCOUNT}-key-1"}
STRANGERS_GET = {"method": "GET", "path": "/acme/deployments/", "keyId": f"{OTHER_ACCOUNT}-key-1"}


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[World]:
    """A world in which team-b's deployment serves; a key of another account is told that this one is empty."""
    world = World(loop, simulator)
    simulator.fault("status", match=STRANGERS_LIST, times=1000, status=200, body="{}")
    world.server.create(CHAT, new_spec("team-b", []))
    for seconds in (0.0, 3.0, 62.0, 62.0):
        world.advance(seconds)
        world.poll()
    assert holds(status(world, CHAT), "Ready")
    yield world
    world.close()


def go_on(world: World, rounds: int = 4) -> None:
    """Let time pass, with all polls."""
    for _ in range(rounds):
        world.advance(16.0)
        world.poll()


def status(world: World, ref: str) -> dict[str, Any]:
    """The status of a resource."""
    found: dict[str, Any] = world.server.objects[ref].get("status", {})
    return found


def told(world: World, ref: str) -> str:
    """What a resource says of itself."""
    ready = condition(status(world, ref), "Ready")
    return "" if ready is None else str(ready["message"])


def a_stranger_comes(world: World, deployment: str, policy: str = "Observe") -> None:
    """A resource with a key of another account beside this account's id."""
    world.server.secrets["mallory", "fireworks"] = {"apiKey": KEYS[OTHER_ACCOUNT].encode(), **BESIDE}
    spec = new_spec("mallory", [("deploymentId", deployment), ("managementPolicy", policy)])
    world.server.create(EVIL, {**spec, "credentialsSecretRef": {"name": "fireworks"}, "adoptionPolicy": "Unowned"})


def asked(world: World) -> int:
    """How often single deployments were asked for."""
    return len(world.fireworks.simulator.journal(method="GET", path="/deployments/[^:/]+$"))


@pytest.mark.parametrize("code", ["NOT_FOUND", "PERMISSION_DENIED"])
@pytest.mark.parametrize("policy", ["Observe", "Manage"])
@pytest.mark.parametrize("theirs", ["served", "unowned"])
def test_an_empty_list_with_a_strangers_key_shows_nothing(world: World, theirs: str, policy: str, code: str) -> None:
    name = identifier(status(world, CHAT)["deploymentName"]) if theirs == "served" else UNOWNED
    world.fireworks.simulator.fault("status", match=STRANGERS_GET, times=1000, code=code)
    a_stranger_comes(world, name, policy)
    for _ in range(12):
        go_on(world, 1)
        shown = status(world, EVIL)
        assert not {"state", "replicas", "createTime", "baseModel", "deploymentName"} & shown.keys(), shown
    assert told(world, EVIL), "it says why"
    assert condition(status(world, EVIL), "Available") is None or not holds(status(world, EVIL), "Available")
    assert asked(world) <= 14
    world.server.delete(EVIL)
    go_on(world)
    if EVIL in world.server.objects:
        world.server.annotate(EVIL, "fireworks.ai/abandon", "true")
        go_on(world)
    assert EVIL not in world.server.objects
    assert len(list(world.fireworks.state().live())) == 3
    assert holds(status(world, CHAT), "Ready")


def test_one_key_asks_for_nothing_but_lists(world: World) -> None:
    before = asked(world)
    go_on(world, 20)
    assert asked(world) == before


def test_a_second_key_of_the_account_asks_once_for_what_it_has_not_seen(
    world: World, simulator: MemorySimulator
) -> None:
    simulator.add_key("fw_second_key")
    spec = {**new_spec("team-a", []), "credentialsSecretRef": {"name": "fireworks"}}
    world.restore_secret("fw_second_key")
    world.server.create("team-a/theirs", spec)  # the second key lists the account, and is the one that lists from now
    go_on(world, 8)
    world.server.create("team-b/code", new_spec("team-b", [("minReplicaCount", 1)]))
    go_on(world, 8)
    name = identifier(status(world, "team-b/code")["deploymentName"])
    world.restore_secret("fw_second_key")
    before = asked(world)
    world.server.create("team-a/shown", {**spec, "deploymentId": name, "managementPolicy": "Observe"})
    go_on(world, 20)
    assert status(world, "team-a/shown")["state"] == "READY"
    assert asked(world) - before <= 2


def test_a_strangers_empty_list_heals_no_outage_and_empties_no_picture(world: World) -> None:
    a_stranger_comes(world, UNOWNED)
    go_on(world, 2)
    account = next(each for each in world.process.accounts if each.name == ACCOUNT)
    ours = {"method": "GET", "path": "/acme/deployments$", "keyId": "acme-key-1"}
    for code in ("UNAVAILABLE", "UNAUTHENTICATED"):
        world.fireworks.simulator.fault("status", match=ours, times=3, code=code)
        for _ in range(8):
            go_on(world, 1)
            assert account.observer.has(status(world, CHAT)["deploymentName"])
    assert asked(world) < 40
