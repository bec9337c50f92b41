"""How an account is observed: whose key lists, how often, and what a 404 is worth; in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.controller.account import Account, Credential, Pace
from fireworks_operator.core.observed import DENIED, UNPROVEN, UNSEEN, Absent, Observed, Present, Unknown
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.budget import AccountBudget, Circuit
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, DeployedModelPage, DeploymentPage
from unit.builders import NAME, a_deployment, an_addon
from unit.controller.fakes import GOOD, OTHER, FakeFireworks
from unit.fireworks.virtual_time import run

STEADY = Pace(jitter=0.0)
OTHER_NAME = "accounts/acme/deployments/other"


class Scene:
    """An account that is observed, and the API it sees."""

    def __init__(self, *, rate: float = 600.0) -> None:
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        self.fireworks = FakeFireworks()
        self.fireworks.deployments[NAME] = a_deployment()
        self.told: list[frozenset[str] | None] = []
        self.in_use = True
        self.replaced: set[str] = set()
        self.watched = {NAME}
        self.account = Account(
            "acme",
            cast("FireworksClient", self.fireworks),
            budget=AccountBudget(rate_per_minute=rate, burst=100, clock=loop.time),
            pace=STEADY,
            rate_per_minute=rate,
            clock=loop.time,
            on_change=self.told.append,
            in_use=lambda: self.in_use,
            uses_key=lambda credential: credential.key.reveal() not in self.replaced,
            watches=self.watched.__contains__,
        )

    def key(self, text: str = GOOD) -> Credential:
        """Register a key, as a resource that uses it does."""
        return self.account.credential(ApiKey(text), Circuit(self.clock))

    def lists(self, key: str | None = None) -> int:
        """Return how often the deployments were listed, with any key or with one."""
        return self.fireworks.calls["list_deployments" if key is None else f"list_deployments {key}"]

    def observe(self) -> object:
        return self.account.observer.observe(NAME, with_addons=False)


def play(scenario: Callable[[Scene], Awaitable[None]], *, rate: float = 600.0, start: bool = True) -> None:
    """Run a scenario with an account that is being observed."""

    async def whole() -> None:
        scene = Scene(rate=rate)
        if start:
            scene.account.start()
        try:
            await scenario(scene)
        finally:
            await scene.account.stop()

    run(whole())


def test_observation_is_quick_after_a_change_and_slow_at_rest() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
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
        scene.key()
        scene.account.start()
        await asyncio.sleep(2)
        assert scene.account.observer.listing is not None
        assert scene.account.interval() == pytest.approx(seconds), reason

    play(scenario, rate=rate, start=False)


def test_an_account_that_nobody_uses_is_not_asked() -> None:
    async def scenario(scene: Scene) -> None:
        scene.in_use = False
        scene.key()
        await asyncio.sleep(3600)
        assert scene.lists() == 0
        scene.in_use = True
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
        scene.key()
        await asyncio.sleep(1)
        listing = scene.account.observer.listing
        assert listing is not None
        assert set(listing.deployments) == {other.name, NAME}
        assert listing.unreadable == {"accounts/acme/deployments/odd"}

    play(scenario)


def test_a_page_token_that_comes_twice_is_a_failed_list_and_nothing_is_gone() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
        await asyncio.sleep(1)
        assert scene.observe() == Present(a_deployment())
        scene.fireworks.pages = [DeploymentPage((), next_page_token="same")]
        await asyncio.sleep(10)
        assert scene.observe() == Present(a_deployment())
        trouble = scene.account.observer.trouble
        assert trouble is not None
        assert trouble.explanation.reason is Reason.API_UNAVAILABLE

    play(scenario)


def test_a_list_without_an_end_is_a_failed_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fireworks_operator.controller.pages.MAX_DEPLOYMENTS", 100)

    async def scenario(scene: Scene) -> None:
        scene.fireworks.pages = [
            DeploymentPage((a_deployment(name=f"accounts/acme/deployments/d{page}"),), next_page_token=f"t{page}")
            for page in range(1000)
        ]
        scene.key()
        await asyncio.sleep(2)
        trouble = scene.account.observer.trouble
        assert trouble is not None
        assert "more than 100 deployments" in trouble.explanation.message
        assert scene.account.observer.listing is None

    play(scenario, rate=60_000)


def test_what_has_not_changed_from_one_list_to_the_next_is_kept_in_memory_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
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
        scene.key()
        await asyncio.sleep(1)
        scene.fireworks.pages = [DeploymentPage((), next_page_token="2")]
        scene.fireworks.fail("list_deployments", ErrorKind.NO_ANSWER)
        await asyncio.sleep(10)
        assert scene.observe() == Present(a_deployment())
        assert scene.account.observer.trouble is not None

    play(scenario)


def test_addons_are_listed_once_somebody_wants_them() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.addons = [DeployedModelPage((an_addon(),))]
        scene.key()
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
        scene.key()
        for _ in range(100):
            await asyncio.sleep(1)
            assert scene.account.observed_for() < 4, "the deployments are listed every three seconds"
            assert scene.account.observer.trouble is None
        await asyncio.sleep(3600)
        assert 10 < scene.fireworks.calls["list_deployed_models"] < 25

    play(scenario)
    assert sum("addons of account acme" in each.message for each in caplog.records) == 1


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value)
def test_addons_that_cannot_be_listed_are_nobody_elses_trouble(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.fireworks.fail("list_deployed_models", kind)
        key = scene.key()
        await asyncio.sleep(600)
        assert scene.account.observer.trouble is None
        assert scene.account.budget.paused_until is None
        assert key.circuit.retry_at is None
        assert scene.observe() == Present(a_deployment())
        trouble = scene.account.observer.addons_trouble
        assert trouble is not None
        assert "spec.baseModel" not in trouble.explanation.message
        scene.fireworks.heal()
        await asyncio.sleep(600)
        assert scene.account.observer.addons_trouble is None

    play(scenario)


def test_a_failed_second_page_of_addons_is_no_complete_list() -> None:
    async def scenario(scene: Scene) -> None:
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.fireworks.addons = [DeployedModelPage((an_addon(),), next_page_token="same")]
        scene.key()
        await asyncio.sleep(30)
        assert scene.account.observer.observe(NAME, with_addons=True) == Present(a_deployment(), None)
        assert scene.account.observer.addons_trouble is not None

    play(scenario)


@pytest.mark.parametrize("kind", [ErrorKind.PERMISSION_DENIED, ErrorKind.UNAUTHENTICATED, ErrorKind.NOT_FOUND])
def test_addons_are_listed_with_another_key_where_the_first_may_not(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        scene.account.observer.want_addons("team-a/chat", NAME)
        scene.fireworks.addons = [DeployedModelPage((an_addon(),))]
        for key in (GOOD, OTHER):
            scene.key(key)
        for refused, allowed in ((GOOD, OTHER), (OTHER, GOOD)):
            scene.fireworks.heal()
            scene.fireworks.fail(f"list_deployed_models {refused}", kind)
            before = scene.fireworks.calls[f"list_deployed_models {allowed}"]
            await asyncio.sleep(200)
            assert scene.fireworks.calls[f"list_deployed_models {allowed}"] > before
            assert scene.account.observer.addons_trouble is None

    play(scenario)


def test_a_refused_key_does_not_disturb_what_another_key_observes() -> None:
    async def scenario(scene: Scene) -> None:
        good = scene.key(GOOD)
        await asyncio.sleep(1)
        scene.fireworks.fail(f"list_deployments {OTHER}", ErrorKind.UNAUTHENTICATED)
        bad = scene.key(OTHER)
        await asyncio.sleep(600)
        assert scene.account.observer.trouble is None
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
            scene.key(GOOD)
            scene.account.start()
            await asyncio.sleep(1)
        theirs, ours = scene.key(OTHER), scene.key(GOOD)
        scene.account.start()
        await asyncio.sleep(1)
        for _ in range(60):
            await asyncio.sleep(10)
            assert scene.account.observer.trouble is None
            assert scene.account.budget.paused_until is None
            assert scene.account.observed_for() < 30
        assert (ours.listed_at is not None, ours.circuit.retry_at) == (True, None)
        assert (theirs.listed_at, theirs.circuit.retry_at is not None) == (None, True)
        assert scene.lists(OTHER) < 10, "asked at growing pauses"

    play(scenario, start=False)


def test_when_no_key_gets_an_answer_none_is_to_blame_and_all_list_as_soon_as_there_is_one() -> None:
    async def scenario(scene: Scene) -> None:
        keys = [scene.key(f"fw_key_number_{number}") for number in range(8)]
        for key in keys:
            scene.fireworks.fail(f"list_deployments {key.key.reveal()}", ErrorKind.NO_ANSWER)
        scene.account.start()
        await asyncio.sleep(60)
        assert scene.account.observer.trouble is not None
        assert {key.circuit.retry_at for key in keys} == {None}
        assert all(scene.lists(key.key.reveal()) for key in keys), "each has its turn"
        scene.fireworks.heal()
        await asyncio.sleep(30)
        assert all(key.listed_at is not None for key in keys)

    play(scenario, start=False)


def test_a_refused_key_that_was_replaced_is_asked_for_no_more() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail(f"list_deployments {OTHER}", ErrorKind.UNAUTHENTICATED)
        good, bad = scene.key(), scene.key(OTHER)
        await asyncio.sleep(30)
        assert scene.account.credentials() == (good, bad)
        scene.replaced = {GOOD, OTHER}
        await asyncio.sleep(30)
        asked = scene.lists(OTHER)
        await asyncio.sleep(3600)
        assert scene.account.credentials() == (good,), "one that works may be needed for a deletion yet"
        assert scene.lists(OTHER) == asked

    play(scenario)


def test_a_refused_key_is_taken_back_when_it_works_again_beside_another() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key(GOOD)
        scene.fireworks.fail(f"list_deployments {OTHER}", ErrorKind.PERMISSION_DENIED)
        refused = scene.key(OTHER)
        await asyncio.sleep(10)
        before = refused.listed_at
        scene.fireworks.heal()
        await asyncio.sleep(600)
        assert (before, refused.listed_at is None, refused.circuit.retry_at) == (None, False, None)

    play(scenario)


def test_the_only_key_is_probed_until_it_works_again() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.fireworks.fail("list_deployments", ErrorKind.UNAUTHENTICATED)
        await asyncio.sleep(600)
        trouble = scene.account.observer.trouble
        assert trouble is not None
        assert (trouble.explanation.reason, trouble.explanation.final) == (Reason.CREDENTIALS_INVALID, True)
        assert scene.lists() < 10
        scene.fireworks.heal()
        await asyncio.sleep(600)
        assert scene.account.observer.trouble is None
        assert key.circuit.retry_at is None

    play(scenario)


def test_a_new_key_is_tried_at_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail(f"list_deployments {GOOD}", ErrorKind.UNAUTHENTICATED)
        scene.key(GOOD)
        await asyncio.sleep(1)
        assert scene.observe() == Unknown()
        scene.key(OTHER)
        await asyncio.sleep(0.1)
        assert scene.observe() == Present(a_deployment())

    play(scenario)


def test_an_account_id_that_does_not_exist_is_told_as_such() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.fail("list_deployments", ErrorKind.NOT_FOUND)
        key = scene.key()
        await asyncio.sleep(1)
        assert key.circuit.retry_at is not None
        assert 'knows no account "acme"' in key.circuit.reason
        assert scene.observe() == Unknown()

    play(scenario)


def test_too_many_requests_pause_the_whole_account_for_as_long_as_asked() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        error = FireworksError(ErrorKind.RATE_LIMITED, "slow down", status=429, retry_after=40.0)
        scene.account.refused(key, error)
        until = scene.account.budget.paused_until
        assert until == pytest.approx(scene.clock() + 40)
        scene.account.refused(key, FireworksError(ErrorKind.QUOTA_EXCEEDED, "in use: 8, quota: 8", status=429))
        assert scene.account.budget.paused_until == until
        assert key.circuit.retry_at is None

    play(scenario, start=False)


def test_a_forbidden_change_does_not_stop_a_key_that_may_list() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.account.refused(key, FireworksError(ErrorKind.PERMISSION_DENIED, "no", status=403))
        assert key.circuit.retry_at is None
        scene.account.refused(key, FireworksError(ErrorKind.UNAUTHENTICATED, "no", status=401))
        assert key.circuit.retry_at is not None

    play(scenario, start=False)


def test_an_outage_with_ever_new_words_and_kinds_is_one_warning_and_one_piece_of_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
        await asyncio.sleep(1)
        scene.told.clear()
        for count in range(40):
            kind = (ErrorKind.NO_ANSWER, ErrorKind.UNREACHABLE, ErrorKind.PROTOCOL)[count % 3]
            scene.fireworks.fail("list_deployments", kind, f"no answer to request {chr(97 + count % 26) * 3}{count}")
            await asyncio.sleep(3.0)
        assert scene.told == [None]

    play(scenario)
    assert sum("account acme cannot be observed" in each.message for each in caplog.records) == 1


def test_an_unexpected_defect_is_told_and_observation_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.errors["list_deployments"] = cast("FireworksError", KeyError("bug"))
        scene.key()
        await asyncio.sleep(1)
        assert scene.account.observer.trouble is not None
        scene.fireworks.heal()
        await asyncio.sleep(10)
        assert scene.account.observer.trouble is None

    play(scenario)
    assert "observing account acme failed" in caplog.text


# GETs.


def test_a_get_is_an_observation() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        assert await scene.account.look(key, NAME, "team-a") == Present(a_deployment(), None, fresh=True)
        assert scene.observe() == Present(a_deployment())

    play(scenario, start=False)


def test_a_404_is_confirmed_by_a_list_of_the_same_key() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.fireworks.deployments.clear()
        assert await scene.account.look(key, NAME, "team-a") == Absent(confirmed=True)
        assert scene.lists() == 1
        assert await scene.account.look(key, NAME, "team-a") == Absent(confirmed=True)
        assert scene.lists() == 1
        await asyncio.sleep(600)
        assert await scene.account.look(key, NAME, "team-a") == Absent(confirmed=True)
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
        looked = await scene.account.look_at_addon(scene.key(), seen, listed.name, "team-a")
        assert looked.addons == ((stays, now) if ours else (stays,)), reason

    play(scenario, start=False)


def test_a_404_to_what_is_listed_is_doubted_in_words_after_two_minutes() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        await scene.account._observe()
        scene.fireworks.fail("get_deployment", ErrorKind.NOT_FOUND)
        told: list[Observed] = []
        pauses: list[float] = []
        for _ in range(60):
            scene.told.clear()
            await scene.account._observe()
            if frozenset({NAME}) in scene.told or not told:
                told.append(await scene.account.look(key, NAME, "team-a"))
                pauses.append(scene.clock())
            await asyncio.sleep(10)
        doubted = [at - pauses[0] for at, each in zip(pauses, told, strict=True) if each == Unknown(doubt=DENIED)]
        assert 120 <= doubted[0] <= 130
        assert len(told) <= 10
        assert all(each == Unknown() for each in told[: len(told) - len(doubted)])
        scene.fireworks.heal()
        assert await scene.account.look(key, NAME, "team-a") == Present(a_deployment(), None, fresh=True)
        scene.fireworks.fail("get_deployment", ErrorKind.NOT_FOUND)
        assert await scene.account.look(key, NAME, "team-a") == Unknown(), "another story"

    play(scenario, start=False)


@pytest.mark.parametrize("kind", [ErrorKind.PERMISSION_DENIED, ErrorKind.UNAUTHENTICATED, ErrorKind.NOT_FOUND])
def test_a_404_to_a_key_that_may_not_list_is_no_absence(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.fireworks.deployments.clear()
        scene.fireworks.fail("list_deployments", kind)
        with pytest.raises(FireworksError):
            await scene.account.look(key, NAME, "team-a")
        assert scene.observe() == Unknown()
        assert key.circuit.retry_at is not None

    play(scenario, start=False)


def test_a_404_to_a_key_that_has_seen_nothing_is_no_absence_unless_the_account_is_its_own() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.fireworks.deployments.clear()
        scene.fireworks.accounts[GOOD] = ("elsewhere",)
        assert await scene.account.look(key, NAME, "team-a") == Unknown(doubt=UNPROVEN)
        scene.fireworks.fail("list_accounts", ErrorKind.PERMISSION_DENIED)
        assert await scene.account.look(key, NAME, "team-a") == Unknown(doubt=UNPROVEN)
        scene.fireworks.heal()
        scene.fireworks.accounts[GOOD] = ("acme",)
        for _ in range(3):
            assert await scene.account.look(key, NAME, "team-a") == Absent(confirmed=True)
        assert scene.fireworks.calls["list_accounts"] == 3, "asked no more than needed"

    play(scenario, start=False)


def test_a_404_to_a_key_that_has_seen_a_deployment_needs_no_other_proof() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.fireworks.accounts[GOOD] = ()
        await scene.account._observe()
        scene.fireworks.deployments.clear()
        await scene.account._observe()
        assert await scene.account.look(key, NAME, "team-a") == Absent(confirmed=True)
        assert scene.fireworks.calls["list_accounts"] == 0

    play(scenario, start=False)


def test_what_another_key_lists_and_this_one_is_denied_is_said_at_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
        await scene.account._observe()
        limited = scene.key(OTHER)
        scene.fireworks.fail(f"get_deployment {OTHER}", ErrorKind.NOT_FOUND)
        assert await scene.account.look(limited, NAME, "team-b") == Unknown(doubt=UNSEEN)
        assert scene.observe() == Present(a_deployment()), "for whom it is there"

    play(scenario, start=False)


def test_one_short_list_of_the_key_that_sees_most_does_not_hand_the_account_to_one_that_sees_less() -> None:
    async def scenario(scene: Scene) -> None:
        full, limited = scene.key(), scene.key(OTHER)
        full.listed({NAME, OTHER_NAME}, scene.clock())
        limited.listed({OTHER_NAME}, scene.clock())
        full.listed(set(), scene.clock())
        assert scene.account._listers() == [full, limited]
        full.listed(set(), scene.clock())
        assert scene.account._listers() == [limited, full], "that was no slip"

    play(scenario, start=False)


def test_a_key_that_is_perhaps_a_strangers_lists_after_those_of_the_account() -> None:
    async def scenario(scene: Scene) -> None:
        scene.fireworks.deployments.clear()
        ours, stranger = scene.key(), scene.key(OTHER)
        for each in (ours, stranger):
            each.listed(set(), scene.clock())
        assert scene.account._listers() == [stranger, ours], "the newest"
        ours.saw(NAME)
        assert scene.account._listers() == [ours, stranger], "it has made one there"

    play(scenario, start=False)


@pytest.mark.parametrize("kind", sorted(set(ErrorKind) - {ErrorKind.NOT_FOUND}))
def test_no_other_error_of_a_get_is_an_absence(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        key.listed_at = scene.clock()
        scene.fireworks.fail("get_deployment", kind)
        with pytest.raises(FireworksError) as raised:
            await scene.account.look(key, NAME, "team-a")
        assert raised.value.kind is kind
        assert scene.observe() == Unknown()

    play(scenario, start=False)


def test_why_a_replica_died_is_asked_once_per_failure() -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        failed = a_deployment(state="FAILED")
        for _ in range(3):
            assert await scene.account.termination_message(key, failed, "team-a") == "out of memory"
        assert scene.fireworks.calls["termination_message"] == 1
        later = a_deployment(state="FAILED", updateTime="2026-03-01T12:00:00Z")
        await scene.account.termination_message(key, later, "team-a")
        assert scene.fireworks.calls["termination_message"] == 2

    play(scenario, start=False)


@pytest.mark.parametrize("kind", ErrorKind, ids=lambda kind: kind.value)
def test_why_a_replica_died_cannot_be_asked_and_nothing_else_suffers(kind: ErrorKind) -> None:
    async def scenario(scene: Scene) -> None:
        key = scene.key()
        scene.fireworks.fail("termination_message", kind)
        assert await scene.account.termination_message(key, a_deployment(state="FAILED"), "team-a") == ""
        assert (key.circuit.retry_at, scene.account.budget.paused_until) == (None, None)

    play(scenario, start=False)


def test_why_a_deployment_failed_is_forgotten_with_it() -> None:
    async def scenario(scene: Scene) -> None:
        failed, key = a_deployment(state="FAILED"), scene.key()
        scene.fireworks.deployments = {NAME: failed}
        await asyncio.sleep(5)
        await scene.account.termination_message(key, failed, "team-a")
        await asyncio.sleep(60)
        await scene.account.termination_message(key, failed, "team-a")
        assert scene.fireworks.calls["termination_message"] == 1
        scene.fireworks.deployments = {}
        await asyncio.sleep(60)
        await scene.account.termination_message(key, failed, "team-a")
        assert scene.fireworks.calls["termination_message"] == 2

    play(scenario)


def test_whoever_brings_a_second_key_is_told_of_its_first_list() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
        await asyncio.sleep(10)
        scene.told.clear()
        second = scene.key(OTHER)
        await asyncio.sleep(10)
        assert second.listed_at is not None
        assert scene.told == [None], "its resources have waited for that, and no difference would tell them"

    play(scenario)


def test_stopping_ends_the_observation_also_right_after_a_change() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key()
        await asyncio.sleep(10)
        scene.account.touch()
        await scene.account.stop()
        before = scene.lists()
        await asyncio.sleep(100)
        assert scene.lists() == before

    play(scenario)


# Many keys beside one account id.


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
        assert scene.account.observer.trouble is None

    play(scenario, start=False)


def test_of_keys_that_see_the_same_the_newest_lists() -> None:
    async def scenario(scene: Scene) -> None:
        scene.key(GOOD)
        await asyncio.sleep(10)
        scene.key(OTHER)
        await asyncio.sleep(10)
        before = scene.lists(GOOD), scene.lists(OTHER)
        await asyncio.sleep(60)
        assert scene.lists(GOOD) == before[0], "the older one may be revoked any time"
        assert scene.lists(OTHER) > before[1]

    play(scenario)
