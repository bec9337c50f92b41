"""The picture of an account's routers: what counts of LISTs and of our own writes, and who is told."""

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.controller.accounts.observer import STALE_AFTER, Observer
from fireworks_operator.controller.accounts.routers import RouterListing, Routers
from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.observed.router import SeenRouter
from fireworks_operator.fireworks.routers import Router
from testkit.builders import NAME
from tests.unit.controller.fakes import Changes

CHAT = "accounts/acme/routers/chat"
READY = Router(CHAT, state="READY", deployments=(NAME,))
NO_ANSWER = Diagnosis(Reason.API_UNAVAILABLE, "No answer.", needs_user=False)


class Scene:
    """The routers of an account, a clock, and what was told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.changes = Changes()
        self.routers = Routers(Observer("acme", self.changes, lambda: self.now), lambda: self.now)

    def listed(self, *routers: Router, began: float | None = None, unreadable: frozenset[str] = frozenset()) -> None:
        started = self.now if began is None else began
        self.routers.listed(started, RouterListing({each.name: each for each in routers}, unreadable))

    def news(self) -> list[frozenset[str] | None]:
        told, self.changes.told = self.changes.told, []
        return told


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.routers.want("team-a/chat", CHAT, NAME)
    return scene


def test_nothing_is_wanted_until_somebody_does_nor_after_the_last_one_is_gone(scene: Scene) -> None:
    scene.listed(READY)
    wanted = [scene.routers.wanted]
    scene.routers.want("team-a/chat", None, None)
    assert [*wanted, scene.routers.wanted] == [True, False]
    assert scene.routers.observe(CHAT) is None, "what was listed for others is of a while ago"


def test_the_first_list_tells_all_and_the_next_ones_only_what_differs(scene: Scene) -> None:
    assert scene.routers.observe(CHAT) is None
    scene.listed()
    assert scene.routers.observe(CHAT) == SeenRouter(CHAT, None)
    scene.listed()
    scene.listed(READY, Router("accounts/acme/routers/other"))
    assert scene.routers.observe(CHAT) == SeenRouter(CHAT, READY)
    scene.listed(READY)
    assert scene.news() == [frozenset({NAME})] * 2


def test_our_own_write_counts_until_a_list_that_began_after_it(scene: Scene) -> None:
    scene.listed()
    scene.now += 10
    scene.routers.wrote(CHAT, READY)
    assert scene.routers.observe(CHAT) == SeenRouter(CHAT, READY)
    scene.listed(began=scene.now - 1)
    assert scene.routers.observe(CHAT) == SeenRouter(CHAT, READY), "it had begun before"
    scene.now += 1
    scene.news()
    scene.listed()
    assert scene.routers.observe(CHAT) == SeenRouter(CHAT, None)
    assert scene.news() == [frozenset({NAME})], "who was told of the answer is told of the LIST"


def test_a_write_without_an_answer_makes_it_unknown(scene: Scene) -> None:
    scene.listed(READY)
    scene.now += 1
    scene.routers.wrote(CHAT, None)
    assert scene.routers.observe(CHAT) is None


def test_what_cannot_be_read_is_unknown_and_not_gone(scene: Scene) -> None:
    scene.listed(unreadable=frozenset({CHAT}))
    assert scene.routers.observe(CHAT) is None


def test_the_last_list_counts_for_a_while_when_they_fail(scene: Scene) -> None:
    scene.listed(READY)
    assert scene.routers.failed(NO_ANSWER)
    assert not scene.routers.failed(NO_ANSWER), "no news"
    assert scene.routers.observe(CHAT) == SeenRouter(CHAT, READY)
    scene.now += STALE_AFTER + 1
    scene.routers.failed(NO_ANSWER)
    assert scene.routers.observe(CHAT) is None
