"""An account whose LIST takes many pages: what is under way is asked for by itself, in virtual time."""

import asyncio

import pytest

from fireworks_operator.controller.accounts.following import FEW_PAGES
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import NAME, a_deployment
from tests.unit.controller.account_scene import Scene, play

PAGES = 25
PAGE_SIZE = 200


def fill(scene: Scene, pages: int, state: str = "READY") -> None:
    """Have so many pages of deployments of others in the account, and one of ours in a state."""
    for number in range(pages * PAGE_SIZE - 1):
        name = f"accounts/acme/deployments/other-{number}"
        scene.fireworks.deployments[name] = a_deployment(name=name)
    scene.fireworks.deployments[NAME] = a_deployment(state=state)


def gets(scene: Scene) -> int:
    return scene.fireworks.calls["get_deployment"]


def seen(scene: Scene) -> str:
    observed = scene.account.observer.observe(NAME, with_addons=False)
    return observed.deployment.state if isinstance(observed, Present) else ""


def test_what_is_under_way_in_a_large_account_is_seen_within_seconds() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, PAGES, "CREATING")
        scene.credential()
        await asyncio.sleep(20)
        assert seen(scene) == "CREATING"
        scene.account.touch()
        scene.changes.told.clear()
        scene.fireworks.deployments[NAME] = a_deployment(state="READY")
        await asyncio.sleep(5)
        assert seen(scene) == "READY", "a LIST takes 12 s"
        assert scene.changes.told == [frozenset({NAME})], "its resource is looked at"

    play(scenario)


def test_it_is_asked_for_until_it_has_arrived() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, PAGES, "CREATING")
        scene.credential()
        await asyncio.sleep(20)
        scene.account.touch()
        await asyncio.sleep(30)
        assert gets(scene) == pytest.approx(10, abs=3)
        scene.fireworks.deployments[NAME] = a_deployment(state="READY")
        await asyncio.sleep(10)
        before = gets(scene)
        await asyncio.sleep(60)
        assert gets(scene) == before

    play(scenario)


async def change_and_wait(scene: Scene) -> None:
    """Let the account be listed, something change, and a minute go by."""
    scene.credential()
    await asyncio.sleep(20)
    scene.account.touch()
    await asyncio.sleep(60)


def test_a_small_account_is_only_listed() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, FEW_PAGES, "CREATING")
        await change_and_wait(scene)
        assert gets(scene) == 0

    play(scenario)


def test_much_that_is_under_way_is_left_to_the_list() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, PAGES, "CREATING")
        for number in range(4):
            name = f"accounts/acme/deployments/other-{number}"
            scene.fireworks.deployments[name] = a_deployment(name=name, state="CREATING")
            scene.bindings.watched.add(name)
        await change_and_wait(scene)
        assert gets(scene) == 0

    play(scenario)


def test_what_others_have_under_way_is_not_asked_for() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, PAGES, "CREATING")
        scene.bindings.watched.clear()
        await change_and_wait(scene)
        assert gets(scene) == 0

    play(scenario)


def test_lists_and_what_is_asked_in_between_stay_within_a_fifth_of_the_budget() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, PAGES, "CREATING")
        scene.credential()
        await asyncio.sleep(60)
        before = scene.lists() + gets(scene)
        for _ in range(10):
            scene.account.touch()
            await asyncio.sleep(60)
        used = scene.lists() + gets(scene) - before
        assert used <= 0.2 * 600 * 10 + 20
        assert scene.lists() >= 4 * PAGES, "the LISTs go on"

    play(scenario)


def test_a_failed_look_is_left_to_the_next_list() -> None:
    async def scenario(scene: Scene) -> None:
        fill(scene, PAGES, "CREATING")
        scene.credential()
        await asyncio.sleep(20)
        scene.fireworks.fail("get_deployment", ErrorKind.NO_ANSWER)
        scene.account.touch()
        await asyncio.sleep(10)
        assert seen(scene) == "CREATING"
        scene.fireworks.heal()
        scene.fireworks.deployments[NAME] = a_deployment(state="READY")
        await asyncio.sleep(5)
        assert seen(scene) == "READY"

    play(scenario)
