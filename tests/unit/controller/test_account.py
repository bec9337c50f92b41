"""What a GET is worth, a 404 above all; in virtual time."""

import asyncio

import pytest

from fireworks_operator.core.observed.observation import DENIED, UNPROVEN, UNSEEN, Absent, Observed, Present, Unknown
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, DeployedModelPage
from testkit.builders import NAME, a_deployment, an_addon
from tests.unit.controller.account_scene import OTHER_NAME, Scene, play
from tests.unit.controller.fakes import GOOD, OTHER


def test_a_get_is_an_observation() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        assert await scene.account.look(credential, NAME, "team-a") == Present(a_deployment(), None, fresh=True)
        assert scene.observe() == Present(a_deployment())

    play(scenario, start=False)


def test_a_404_is_confirmed_by_a_list_of_the_same_key() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.fireworks.deployments.clear()
        assert await scene.account.look(credential, NAME, "team-a") == Absent(confirmed=True)
        assert scene.lists() == 1
        assert await scene.account.look(credential, NAME, "team-a") == Absent(confirmed=True)
        assert scene.lists() == 1
        await asyncio.sleep(600)
        assert await scene.account.look(credential, NAME, "team-a") == Absent(confirmed=True)
        assert scene.lists() == 2

    play(scenario, start=False)


@pytest.mark.parametrize(
    ("now", "ours", "reason"),
    [
        (an_addon(state="UNDEPLOYING"), True, "What is said of it now counts."),
        (an_addon(deployment=OTHER_NAME), False, "It is loaded on another deployment now."),
        (None, False, "It is gone."),
    ],
)
def test_an_addon_is_looked_at_before_it_is_unloaded(now: DeployedModel | None, ours: bool, reason: str) -> None:
    async def scenario(scene: Scene) -> None:
        listed, stays = an_addon(), an_addon("accounts/acme/models/lora-2")
        scene.fireworks.addons = [DeployedModelPage(() if now is None else (now,))]
        seen = Present(a_deployment(), (listed, stays))
        looked = await scene.account.look_at_addon(scene.credential(), seen, listed.name, "team-a")
        assert looked.addons == ((stays, now) if ours else (stays,)), reason

    play(scenario, start=False)


def test_a_404_to_what_is_listed_is_doubted_in_words_after_two_minutes() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        await scene.account.poller.poll()
        scene.fireworks.fail("get_deployment", ErrorKind.NOT_FOUND)
        told: list[Observed] = []
        pauses: list[float] = []
        for _ in range(60):
            scene.changes.told.clear()
            await scene.account.poller.poll()
            if frozenset({NAME}) in scene.changes.told or not told:
                told.append(await scene.account.look(credential, NAME, "team-a"))
                pauses.append(scene.clock())
            await asyncio.sleep(10)
        doubted = [at - pauses[0] for at, each in zip(pauses, told, strict=True) if each == Unknown(doubt=DENIED)]
        assert 120 <= doubted[0] <= 130
        assert len(told) <= 10
        assert all(each == Unknown() for each in told[: len(told) - len(doubted)])
        scene.fireworks.heal()
        assert await scene.account.look(credential, NAME, "team-a") == Present(a_deployment(), None, fresh=True)
        scene.fireworks.fail("get_deployment", ErrorKind.NOT_FOUND)
        assert await scene.account.look(credential, NAME, "team-a") == Unknown(), "another story"

    play(scenario, start=False)


@pytest.mark.parametrize("kind", [ErrorKind.PERMISSION_DENIED, ErrorKind.UNAUTHENTICATED, ErrorKind.NOT_FOUND])
def test_a_404_to_a_key_that_may_not_list_is_no_absence(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.fireworks.deployments.clear()
        scene.fireworks.fail("list_deployments", kind)
        with pytest.raises(FireworksError):
            await scene.account.look(credential, NAME, "team-a")
        assert scene.observe() == Unknown()
        assert credential.circuit.retry_at is not None

    play(scenario, start=False)


def test_a_404_to_a_key_that_has_seen_nothing_is_no_absence_unless_the_account_is_its_own() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.fireworks.deployments.clear()
        scene.fireworks.accounts[GOOD] = ("elsewhere",)
        assert await scene.account.look(credential, NAME, "team-a") == Unknown(doubt=UNPROVEN)
        scene.fireworks.fail("list_accounts", ErrorKind.PERMISSION_DENIED)
        assert await scene.account.look(credential, NAME, "team-a") == Unknown(doubt=UNPROVEN)
        scene.fireworks.heal()
        scene.fireworks.accounts[GOOD] = ("acme",)
        for _ in range(3):
            assert await scene.account.look(credential, NAME, "team-a") == Absent(confirmed=True)
        assert scene.fireworks.calls["list_accounts"] == 3, "asked no more than needed"

    play(scenario, start=False)


def test_a_404_to_a_key_that_has_seen_a_deployment_needs_no_other_proof() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.fireworks.accounts[GOOD] = ()
        await scene.account.poller.poll()
        scene.fireworks.deployments.clear()
        await scene.account.poller.poll()
        assert await scene.account.look(credential, NAME, "team-a") == Absent(confirmed=True)
        assert scene.fireworks.calls["list_accounts"] == 0

    play(scenario, start=False)


def test_what_another_key_lists_and_this_one_is_denied_is_said_at_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await scene.account.poller.poll()
        limited = scene.credential(OTHER)
        scene.fireworks.fail(f"get_deployment {OTHER}", ErrorKind.NOT_FOUND)
        assert await scene.account.look(limited, NAME, "team-b") == Unknown(doubt=UNSEEN)
        assert scene.observe() == Present(a_deployment()), "for whom it is there"

    play(scenario, start=False)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {ErrorKind.NOT_FOUND}))
def test_no_other_error_of_a_get_is_an_absence(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        credential.listed_at = scene.clock()
        scene.fireworks.fail("get_deployment", kind)
        with pytest.raises(FireworksError) as raised:
            await scene.account.look(credential, NAME, "team-a")
        assert raised.value.kind is kind
        assert scene.observe() == Unknown()

    play(scenario, start=False)


def test_why_a_replica_died_is_asked_once_per_failure() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        failed = a_deployment(state="FAILED")
        for _ in range(3):
            assert await scene.account.termination_message(credential, failed, "team-a") == "out of memory"
        assert scene.fireworks.calls["termination_message"] == 1
        later = a_deployment(state="FAILED", updateTime="2026-03-01T12:00:00Z")
        await scene.account.termination_message(credential, later, "team-a")
        assert scene.fireworks.calls["termination_message"] == 2

    play(scenario, start=False)


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value)
def test_why_a_replica_died_cannot_be_asked_and_nothing_else_suffers(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.fireworks.fail("termination_message", kind)
        assert await scene.account.termination_message(credential, a_deployment(state="FAILED"), "team-a") == ""
        assert (credential.circuit.retry_at, scene.account.budget.paused_until) == (None, None)

    play(scenario, start=False)


def test_why_a_deployment_failed_is_forgotten_with_it() -> None:
    async def scenario(scene: Scene) -> None:
        failed, credential = a_deployment(state="FAILED"), scene.credential()
        scene.fireworks.deployments = {NAME: failed}
        await asyncio.sleep(5)
        await scene.account.termination_message(credential, failed, "team-a")
        await asyncio.sleep(60)
        await scene.account.termination_message(credential, failed, "team-a")
        assert scene.fireworks.calls["termination_message"] == 1
        scene.fireworks.deployments = {}
        await asyncio.sleep(60)
        await scene.account.termination_message(credential, failed, "team-a")
        assert scene.fireworks.calls["termination_message"] == 2

    play(scenario)
