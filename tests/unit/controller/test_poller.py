"""How often an account is listed, and what makes a LIST complete; in virtual time."""

import asyncio
from typing import cast

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModelPage, DeploymentPage
from testkit.builders import NAME, a_deployment, an_addon
from tests.unit.controller.account_scene import OTHER_NAME, Scene, play
from tests.unit.controller.fakes import GOOD, OTHER


def test_observation_is_quick_after_a_change_and_slow_at_rest() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(119)
        assert scene.lists() == pytest.approx(120 / 3, abs=2)
        before = scene.lists()
        await asyncio.sleep(481)
        assert scene.lists() - before == pytest.approx(480 / 15, abs=2)
        before = scene.lists()
        await asyncio.sleep(3600)
        assert scene.lists() - before == pytest.approx(60, abs=2)
        scene.account.touch()
        before = scene.lists()
        await asyncio.sleep(60)
        assert scene.lists() - before == pytest.approx(20, abs=2)

    play(scenario)


@pytest.mark.parametrize(
    ("rate", "pages", "seconds", "reason"),
    [
        (600.0, 1, 3.0, "One page every 3 s is 3 % of the budget."),
        (600.0, 10, 5.0, "10 pages every 5 s are a fifth of 10 requests per second."),
        (60.0, 1, 5.0, "A small budget slows down even one page."),
    ],
)
def test_polls_take_at_most_a_fifth_of_the_budget(rate: float, pages: int, seconds: float, reason: str) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.pages = [DeploymentPage((), next_page_token=f"t{page}") for page in range(1, pages)]
        scene.fireworks.pages.append(DeploymentPage(()))
        scene.credential()
        scene.account.start()
        await asyncio.sleep(2)
        assert scene.account.observer.listing is not None
        assert scene.account.poller.interval() == pytest.approx(seconds), reason

    play(scenario, rate=rate, start=False)


def test_an_account_that_nobody_uses_is_not_asked() -> None:
    async def scenario(scene: Scene) -> None:
        scene.bindings.in_use = False
        scene.credential()
        await asyncio.sleep(3600)
        assert scene.lists() == 0
        scene.bindings.in_use = True
        scene.account.touch()
        await asyncio.sleep(1)
        assert scene.lists() == 1

    play(scenario)


def test_all_pages_make_one_picture() -> None:
    async def scenario(scene: Scene) -> None:
        other = a_deployment(name="accounts/acme/deployments/other")
        scene.fireworks.pages = [
            DeploymentPage((other,), next_page_token="2"),
            DeploymentPage((a_deployment(),), frozenset({"accounts/acme/deployments/odd"})),
        ]
        scene.credential()
        await asyncio.sleep(1)
        listing = scene.account.observer.listing
        assert listing is not None
        assert set(listing.deployments) == {other.name, NAME}
        assert listing.unreadable == {"accounts/acme/deployments/odd"}

    play(scenario)


def test_a_page_token_that_comes_twice_is_a_failed_list_and_nothing_is_gone() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(1)
        assert scene.observe() == Present(a_deployment())
        scene.fireworks.pages = [DeploymentPage((), next_page_token="same")]
        await asyncio.sleep(10)
        assert scene.observe() == Present(a_deployment())
        failure = scene.account.observer.failure
        assert failure is not None
        assert failure.diagnosis.reason is Reason.API_UNAVAILABLE

    play(scenario)


def test_a_list_without_an_end_is_a_failed_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fireworks_operator.controller.accounts.pages.MAX_DEPLOYMENTS", 100)

    async def scenario(scene: Scene) -> None:
        scene.fireworks.pages = [
            DeploymentPage((a_deployment(name=f"accounts/acme/deployments/d{page}"),), next_page_token=f"t{page}")
            for page in range(1000)
        ]
        scene.credential()
        await asyncio.sleep(2)
        failure = scene.account.observer.failure
        assert failure is not None
        assert "more than 100 deployments" in failure.diagnosis.message
        assert scene.account.observer.listing is None

    play(scenario, rate=60_000)


def test_what_has_not_changed_from_one_list_to_the_next_is_kept_in_memory_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(1)
        first = scene.account.observer.listing
        scene.fireworks.deployments = {NAME: a_deployment(), OTHER_NAME: a_deployment(name=OTHER_NAME)}
        await asyncio.sleep(10)
        second = scene.account.observer.listing
        assert first is not None
        assert second is not None
        assert set(second.deployments) == {NAME, OTHER_NAME}
        assert second.deployments[NAME] is first.deployments[NAME]

    play(scenario)


def test_a_failed_second_page_is_a_failed_list() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(1)
        scene.fireworks.pages = [DeploymentPage((), next_page_token="2")]
        scene.fireworks.fail("list_deployments", ErrorKind.NO_ANSWER)
        await asyncio.sleep(10)
        assert scene.observe() == Present(a_deployment())
        assert scene.account.observer.failure is not None

    play(scenario)


def test_addons_are_listed_once_somebody_wants_them() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.addons = [DeployedModelPage((an_addon(),))]
        scene.credential()
        await asyncio.sleep(1)
        assert scene.fireworks.calls["list_deployed_models"] == 0
        scene.account.observer.want_addons("team-a/chat", NAME)
        await asyncio.sleep(4)
        assert scene.account.observer.observe(NAME, with_addons=True) == Present(a_deployment(), (an_addon(),))

    play(scenario)


def test_a_list_of_addons_that_is_never_answered_holds_up_nobody_and_is_asked_for_ever_more_rarely(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(scene: Scene) -> None:
        async def hang(*_: object) -> DeployedModelPage:
            scene.fireworks.calls["list_deployed_models"] += 1
            await asyncio.sleep(20)
            raise FireworksError(ErrorKind.NO_ANSWER, "no answer within 20 s")

        monkeypatch.setattr(scene.fireworks, "list_deployed_models", hang)
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.credential()
        for _ in range(100):
            await asyncio.sleep(1)
            assert scene.account.observed_for() < 4, "the deployments are listed every three seconds"
            assert scene.account.observer.failure is None
        await asyncio.sleep(3600)
        assert 10 < scene.fireworks.calls["list_deployed_models"] < 25

    play(scenario)
    assert sum("addons of account acme" in each.message for each in caplog.records) == 1


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value)
def test_addons_that_cannot_be_listed_are_nobody_elses_trouble(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.fireworks.fail("list_deployed_models", kind)
        credential = scene.credential()
        await asyncio.sleep(600)
        assert scene.account.observer.failure is None
        assert scene.account.budget.paused_until is None
        assert credential.circuit.retry_at is None
        assert scene.observe() == Present(a_deployment())
        failure = scene.account.observer.addons_failure
        assert failure is not None
        assert "spec.baseModel" not in failure.diagnosis.message
        scene.fireworks.heal()
        await asyncio.sleep(600)
        assert scene.account.observer.addons_failure is None

    play(scenario)


def test_a_failed_second_page_of_addons_is_no_complete_list() -> None:
    async def scenario(scene: Scene) -> None:
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.fireworks.addons = [DeployedModelPage((an_addon(),), next_page_token="same")]
        scene.credential()
        await asyncio.sleep(30)
        assert scene.account.observer.observe(NAME, with_addons=True) == Present(a_deployment(), None)
        assert scene.account.observer.addons_failure is not None

    play(scenario)


@pytest.mark.parametrize("kind", [ErrorKind.PERMISSION_DENIED, ErrorKind.UNAUTHENTICATED, ErrorKind.NOT_FOUND])
def test_addons_are_listed_with_another_key_where_the_first_may_not(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.fireworks.addons = [DeployedModelPage((an_addon(),))]
        for text in (GOOD, OTHER):
            scene.credential(text)
        for refused, allowed in ((GOOD, OTHER), (OTHER, GOOD)):
            scene.fireworks.heal()
            scene.fireworks.fail(f"list_deployed_models {refused}", kind)
            before = scene.fireworks.calls[f"list_deployed_models {allowed}"]
            await asyncio.sleep(200)
            assert scene.fireworks.calls[f"list_deployed_models {allowed}"] > before
            assert scene.account.observer.addons_failure is None

    play(scenario)


def test_an_outage_with_ever_new_words_and_kinds_is_one_warning_and_one_piece_of_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(1)
        scene.changes.told.clear()
        for count in range(40):
            kind = (ErrorKind.NO_ANSWER, ErrorKind.UNREACHABLE, ErrorKind.PROTOCOL)[count % 3]
            scene.fireworks.fail("list_deployments", kind, f"no answer to request {chr(97 + count % 26) * 3}{count}")
            await asyncio.sleep(3.0)
        assert scene.changes.told == [None]

    play(scenario)
    assert sum("could not observe account acme" in each.message for each in caplog.records) == 1


def test_an_unexpected_defect_is_told_and_observation_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.errors["list_deployments"] = cast("FireworksError", KeyError("bug"))
        scene.credential()
        await asyncio.sleep(1)
        assert scene.account.observer.failure is not None
        scene.fireworks.heal()
        await asyncio.sleep(10)
        assert scene.account.observer.failure is None

    play(scenario)
    assert "observing account acme failed" in caplog.text


def test_stopping_ends_the_observation_also_right_after_a_change() -> None:
    async def scenario(scene: Scene) -> None:
        scene.credential()
        await asyncio.sleep(10)
        scene.account.touch()
        await scene.account.stop()
        before = scene.lists()
        await asyncio.sleep(100)
        assert scene.lists() == before

    play(scenario)
