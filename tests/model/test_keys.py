"""Whose key acts: two keys that are alike in everything but their text."""

from collections.abc import Iterator
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from testkit.promises.invariants import condition, holds
from testkit.promises.specs import UNOWNED, Spec, new_spec
from testkit.virtual.fireworks import ACCOUNT, KEYS
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

OWNER, STRANGER = "fw_bogusaaabaaab", "fw_bogusjzeaoosd"
"""Two keys whose SHA-256 begins with the same 32 bits; Fireworks knows only the first."""
EVIL, CHAT = "mallory/evil", "team-b/chat"


@pytest.fixture
def world(loop: VirtualLoop, simulator: MemorySimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose operator has OWNER as its own key, for team-b alone, and where mallory has STRANGER."""
    monkeypatch.setitem(KEYS, ACCOUNT, OWNER)
    world = World(loop, simulator)
    simulator.add_key(OWNER)
    world.server.secrets["mallory", "fireworks"] = {"apiKey": STRANGER.encode()}
    yield world
    world.close()


def of_mallory(**changes: object) -> Spec:
    """A spec that names the Secret of its own namespace."""
    return {**new_spec("mallory", list(changes.items())), "credentialsSecretRef": {"name": "fireworks"}}


def go_on(world: World, rounds: int = 6) -> None:
    """Let time pass, with all polls."""
    for _ in range(rounds):
        world.advance(62.0)
        world.poll()


def status(world: World, ref: str) -> dict[str, Any]:
    """The status of a resource."""
    found: dict[str, Any] = world.server.objects[ref]["status"]
    return found


def owners(world: World) -> dict[str, object]:
    """The deployments that there are, each with its annotations."""
    return {each["name"]: each.get("annotations") for each in world.fireworks.state().live()}


def is_told_that_the_key_is_wrong(world: World, ref: str) -> bool:
    """Whether a resource says that Fireworks does not accept its key."""
    ready = condition(status(world, ref), "Ready")
    return ready is not None and (ready["status"], ready["reason"]) == ("False", Reason.CREDENTIALS_INVALID)


@pytest.mark.parametrize("account", [{}, {"accountId": ACCOUNT.encode()}], ids=["found out", "named"])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"deploymentId": UNOWNED, "adoptionPolicy": "Unowned"},
        {"deploymentId": UNOWNED, "managementPolicy": "Observe"},
    ],
    ids=["creates", "takes over", "looks on"],
)
def test_a_key_that_fireworks_does_not_know_never_acts_with_the_key_of_another(
    world: World, changes: dict[str, object], account: dict[str, bytes]
) -> None:
    world.server.secrets["mallory", "fireworks"] |= account
    world.server.create(CHAT, new_spec("team-b", []))
    go_on(world)
    assert holds(status(world, CHAT), "Ready")
    before = owners(world)

    world.server.create(EVIL, of_mallory(**changes))
    go_on(world)

    assert is_told_that_the_key_is_wrong(world, EVIL)
    assert not {"effective", "replicas", "modelIdentifier"} & status(world, EVIL).keys()
    world.server.delete(EVIL)
    go_on(world)
    assert EVIL not in world.server.objects
    assert owners(world) == before
    assert holds(status(world, CHAT), "Ready")


@pytest.mark.parametrize("account", [{}, {"accountId": ACCOUNT.encode()}], ids=["found out", "named"])
def test_a_valid_key_works_beside_a_refused_one_that_came_first(world: World, account: dict[str, bytes]) -> None:
    world.server.secrets["mallory", "fireworks"] |= account
    world.server.create(EVIL, of_mallory())
    go_on(world, rounds=2)
    assert is_told_that_the_key_is_wrong(world, EVIL)

    world.server.create(CHAT, new_spec("team-b", []))
    go_on(world)

    assert holds(status(world, CHAT), "Ready")
    assert is_told_that_the_key_is_wrong(world, EVIL)


@pytest.mark.parametrize("what", ["key", "account"])
def test_a_secret_that_changes_every_minute_leaves_nothing_behind(world: World, what: str) -> None:
    accounts = world.process.accounts
    world.server.create(EVIL, of_mallory())
    for number in range(60):
        secret = {"apiKey": f"fw_bogus_number_{number}".encode(), "accountId": b"acme"}
        if what == "account":
            secret = {"apiKey": OWNER.encode(), "accountId": f"account-{number}".encode()}
        world.server.secrets["mallory", "fireworks"] = secret
        go_on(world, rounds=1)
        assert len(list(accounts)) <= 2
        assert len(accounts._circuits) <= 2
        assert sum(len(account.credentials()) for account in accounts) <= 3
    world.server.delete(EVIL)
    go_on(world, rounds=12)
    assert not list(accounts)
    assert not accounts._circuits


@pytest.mark.parametrize("crossings", range(1, 12))
def test_a_resource_that_goes_during_a_pass_leaves_nothing_behind(world: World, crossings: int) -> None:
    world.server.secrets["mallory", "fireworks"] = {"apiKey": OWNER.encode()}

    def goes() -> None:
        if EVIL in world.server.objects:
            world.server.objects[EVIL]["metadata"]["finalizers"].clear()
            world.server.delete(EVIL)
            world.process.watch()

    world.process.gate.plan(crossings, goes)
    world.server.create(EVIL, {**of_mallory(), "managementPolicy": "Observe"})
    go_on(world, rounds=3)
    goes()
    go_on(world, rounds=12)
    assert not world.process.reconciler._recent
    assert not world.process.accounts._used
    assert not list(world.process.accounts)
