"""Whose key lists an account, and which are tried when; in virtual time."""

import asyncio

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.observed.observation import Present, Unknown
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.request_budget import Circuit
from testkit.builders import NAME, a_deployment
from tests.unit.controller.account_scene import OTHER_NAME, Scene, play
from tests.unit.controller.fakes import GOOD, OTHER


def test_a_refused_key_does_not_disturb_what_another_key_observes() -> None:
    async def scenario(scene: Scene) -> None:
        good = scene.credential(GOOD)
        await asyncio.sleep(1)
        scene.fireworks.fail(f"list_deployments {OTHER}", ErrorKind.UNAUTHENTICATED)
        bad = scene.credential(OTHER)
        await asyncio.sleep(600)
        assert scene.account.observer.failure is None
        assert scene.observe() == Present(a_deployment())
        assert (good.circuit.retry_at, good.listed_at is not None) == (None, True)
        assert (bad.circuit.retry_at is not None, bad.listed_at) == (True, None)
        assert scene.lists(OTHER) < 10  # at growing pauses, 30 s to 5 min

    play(scenario)


@pytest.mark.parametrize(
    "kind", [each for each in ErrorKind if each is not ErrorKind.UNREACHABLE], ids=lambda kind: kind.value
)
@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_a_key_that_somebody_else_puts_beside_our_account_id_does_not_disturb_us(kind: ErrorKind, first: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail(f"list_deployments {OTHER}", kind)
        if first == "ours":
            scene.credential(GOOD)
            scene.account.start()
            await asyncio.sleep(1)
        theirs, ours = scene.credential(OTHER), scene.credential(GOOD)
        scene.account.start()
        await asyncio.sleep(1)
        for _ in range(60):
            await asyncio.sleep(10)
            assert scene.account.observer.failure is None
            assert scene.account.budget.paused_until is None
            assert scene.account.observed_for() < 30
        assert (ours.listed_at is not None, ours.circuit.retry_at) == (True, None)
        assert (theirs.listed_at, theirs.circuit.retry_at is not None) == (None, True)
        assert scene.lists(OTHER) < 10, "asked at growing pauses"

    play(scenario, start=False)


def test_when_no_key_gets_an_answer_none_is_to_blame_and_all_list_as_soon_as_there_is_one() -> None:
    async def scenario(scene: Scene) -> None:
        credentials = [scene.credential(f"fw_key_number_{number}") for number in range(8)]
        for credential in credentials:
            scene.fireworks.fail(f"list_deployments {credential.api_key.reveal()}", ErrorKind.NO_ANSWER)
        scene.account.start()
        await asyncio.sleep(60)
        assert scene.account.observer.failure is not None
        assert {credential.circuit.retry_at for credential in credentials} == {None}
        assert all(scene.lists(credential.api_key.reveal()) for credential in credentials), "each has its turn"
        scene.fireworks.heal()
        await asyncio.sleep(30)
        assert all(credential.listed_at is not None for credential in credentials)

    play(scenario, start=False)


def test_a_refused_key_that_was_replaced_is_asked_for_no_more() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail(f"list_deployments {OTHER}", ErrorKind.UNAUTHENTICATED)
        good, bad = scene.credential(), scene.credential(OTHER)
        await asyncio.sleep(30)
        assert scene.account.credentials() == (good, bad)
        scene.bindings.replaced = {GOOD, OTHER}
        await asyncio.sleep(30)
        asked = scene.lists(OTHER)
        await asyncio.sleep(3600)
        assert scene.account.credentials() == (good,), "one that works may be needed for a deletion yet"
        assert scene.lists(OTHER) == asked

    play(scenario)


def test_a_refused_key_is_taken_back_when_it_works_again_beside_another() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential(GOOD)
        scene.fireworks.fail(f"list_deployments {OTHER}", ErrorKind.PERMISSION_DENIED)
        refused = scene.credential(OTHER)
        await asyncio.sleep(10)
        before = refused.listed_at
        scene.fireworks.heal()
        await asyncio.sleep(600)
        assert (before, refused.listed_at is None, refused.circuit.retry_at) == (None, False, None)

    play(scenario)


def test_the_only_key_is_probed_until_it_works_again() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.fireworks.fail("list_deployments", ErrorKind.UNAUTHENTICATED)
        await asyncio.sleep(600)
        failure = scene.account.observer.failure
        assert failure is not None
        assert (failure.diagnosis.reason, failure.diagnosis.needs_user) == (Reason.CREDENTIALS_INVALID, True)
        assert scene.lists() < 10
        scene.fireworks.heal()
        await asyncio.sleep(600)
        assert scene.account.observer.failure is None
        assert credential.circuit.retry_at is None

    play(scenario)


def test_a_new_key_is_tried_at_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail(f"list_deployments {GOOD}", ErrorKind.UNAUTHENTICATED)
        scene.credential(GOOD)
        await asyncio.sleep(1)
        assert scene.observe() == Unknown()
        scene.credential(OTHER)
        await asyncio.sleep(0.1)
        assert scene.observe() == Present(a_deployment())

    play(scenario)


def test_an_account_id_that_does_not_exist_is_told_as_such() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_deployments", ErrorKind.NOT_FOUND)
        credential = scene.credential()
        await asyncio.sleep(1)
        assert credential.circuit.retry_at is not None
        assert 'has no account "acme"' in credential.circuit.reason
        assert scene.observe() == Unknown()

    play(scenario)


def test_too_many_requests_pause_the_whole_account_for_as_long_as_asked() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        error = FireworksError(ErrorKind.RATE_LIMITED, "slow down", status=429, retry_after=40.0)
        scene.account.refused(credential, error)
        until = scene.account.budget.paused_until
        assert until == pytest.approx(scene.clock() + 40)
        scene.account.refused(credential, FireworksError(ErrorKind.QUOTA_EXCEEDED, "in use: 8, quota: 8", status=429))
        assert scene.account.budget.paused_until == until
        assert credential.circuit.retry_at is None

    play(scenario, start=False)


def test_a_forbidden_change_does_not_stop_a_key_that_may_list() -> None:
    async def scenario(scene: Scene) -> None:
        credential = scene.credential()
        scene.account.refused(credential, FireworksError(ErrorKind.PERMISSION_DENIED, "no", status=403))
        assert credential.circuit.retry_at is None
        scene.account.refused(credential, FireworksError(ErrorKind.UNAUTHENTICATED, "no", status=401))
        assert credential.circuit.retry_at is not None

    play(scenario, start=False)


def test_one_short_list_of_the_key_that_sees_most_does_not_hand_the_account_to_one_that_sees_less() -> None:
    async def scenario(scene: Scene) -> None:
        full, limited = scene.credential(), scene.credential(OTHER)
        full.listed({NAME, OTHER_NAME}, scene.clock())
        limited.listed({OTHER_NAME}, scene.clock())
        full.listed(set(), scene.clock())
        assert scene.account.keyring.listers() == [full, limited]
        full.listed(set(), scene.clock())
        assert scene.account.keyring.listers() == [limited, full], "that was no slip"

    play(scenario, start=False)


def test_a_key_that_is_perhaps_a_strangers_lists_after_those_of_the_account() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.deployments.clear()
        ours, stranger = scene.credential(), scene.credential(OTHER)
        for each in (ours, stranger):
            each.listed(set(), scene.clock())
        assert scene.account.keyring.listers() == [stranger, ours], "the newest"
        ours.saw(NAME)
        assert scene.account.keyring.listers() == [ours, stranger], "it has made one there"

    play(scenario, start=False)


def test_whoever_brings_a_second_key_is_told_of_its_first_list() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(10)
        scene.changes.told.clear()
        second = scene.credential(OTHER)
        await asyncio.sleep(10)
        assert second.listed_at is not None
        assert scene.changes.told == [None], "its resources have waited for that, and no difference would tell them"

    play(scenario)


def test_after_a_transient_401_a_key_is_taken_back_within_minutes_however_many_others_are_refused() -> None:
    async def scenario(scene: Scene) -> None:
        victim = scene.account.credential(ApiKey(GOOD), Circuit(scene.clock), namespace="team-a")
        await asyncio.sleep(10)
        for number in range(40):
            text = f"fw_bogus_number_{number}"
            scene.fireworks.fail(f"list_deployments {text}", ErrorKind.UNAUTHENTICATED)
            scene.account.credential(ApiKey(text), Circuit(scene.clock), namespace="mallory")
        await asyncio.sleep(1000)
        scene.account.refused(victim, FireworksError(ErrorKind.UNAUTHENTICATED, "no", status=401))
        await asyncio.sleep(180)
        assert victim.circuit.retry_at is None

    play(scenario)


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_after_a_restart_a_valid_key_is_tried_soon_among_hundreds_of_others(first: str) -> None:
    async def scenario(scene: Scene) -> None:
        for number in range(300):
            text = f"fw_bogus_number_{number}"
            scene.fireworks.fail(f"list_deployments {text}", ErrorKind.UNAUTHENTICATED)
        if first == "ours":
            scene.account.credential(ApiKey(GOOD), Circuit(scene.clock), namespace="team-a")
        for number in range(300):
            scene.account.credential(ApiKey(f"fw_bogus_number_{number}"), Circuit(scene.clock), namespace="mallory")
        ours = scene.account.credential(ApiKey(GOOD), Circuit(scene.clock), namespace="team-a")
        scene.account.start()
        await asyncio.sleep(10)
        assert ours.listed_at is not None
        before = sum(scene.fireworks.calls[f"list_deployments fw_bogus_number_{number}"] for number in range(300))
        await asyncio.sleep(600)
        after = sum(scene.fireworks.calls[f"list_deployments fw_bogus_number_{number}"] for number in range(300))
        assert after - before <= 0.1 * 600 * 10 + 3, "a tenth of the budget at most"
        assert all(scene.lists(f"fw_bogus_number_{number}") for number in range(300)), "each has its turn"
        assert scene.account.observer.failure is None

    play(scenario, start=False)


def test_of_keys_that_see_the_same_the_newest_lists() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential(GOOD)
        await asyncio.sleep(10)
        scene.credential(OTHER)
        await asyncio.sleep(10)
        before = scene.lists(GOOD), scene.lists(OTHER)
        await asyncio.sleep(60)
        assert scene.lists(GOOD) == before[0], "the older one may be revoked any time"
        assert scene.lists(OTHER) > before[1]

    play(scenario)
