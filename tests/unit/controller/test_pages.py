"""The three LISTs of an account are read to the end or not at all, each page with its place in the budget."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import pytest

from fireworks_operator.controller.accounts import pages
from fireworks_operator.controller.accounts.pages import list_addons, list_deployments, list_routers
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModelPage, Deployment, DeploymentPage
from fireworks_operator.fireworks.request_budget import Lane, RequestBudget
from fireworks_operator.fireworks.routers import Router, RouterPage
from testkit.builders import NAME, a_deployment, an_addon, an_error

KEY = ApiKey("fw_good_key_1234567890")
OTHER = "accounts/acme/deployments/other"
ODD = frozenset({"accounts/acme/deployments/odd"})
GOOD_ROUTER, OTHER_ROUTER = Router("accounts/acme/routers/a"), Router("accounts/acme/routers/b")
HANGS = "hangs"
"""The token of a page that is never answered."""

Listed = Mapping[str, object]


class Fireworks:
    """Answers a page by its token, and notes the order in which places and pages were asked for."""

    def __init__(self, *answers: object) -> None:
        self.answers = dict(zip((None, "2", "3"), answers, strict=False))
        self.asked: list[object] = []
        self.hangs = asyncio.Event()

    async def acquire(self, *, lane: Lane) -> None:
        self.asked.append(lane)

    async def _page(self, token: str | None) -> object:
        self.asked.append(token)
        if token == HANGS:
            self.hangs.set()
            await asyncio.get_running_loop().create_future()
        answer = self.answers[token]
        if isinstance(answer, FireworksError):
            raise answer
        return answer

    async def list_deployments(
        self, _key: ApiKey, _account: str, *, page_token: str | None, known: Mapping[str, Deployment]
    ) -> object:
        assert known == {NAME: a_deployment()}
        return await self._page(page_token)

    async def list_deployed_models(self, _key: ApiKey, _account: str, page_token: str | None) -> object:
        return await self._page(page_token)

    async def list_routers(self, _key: ApiKey, _account: str, page_token: str | None) -> object:
        return await self._page(page_token)


async def deployments(client: FireworksClient, budget: RequestBudget) -> Listed:
    """List deployments."""
    found = await list_deployments(client, budget, KEY, "acme", {NAME: a_deployment()})
    assert found.unreadable <= ODD
    return {"pages": found.pages, **found.deployments, **dict.fromkeys(found.unreadable)}


async def addons(client: FireworksClient, budget: RequestBudget) -> Listed:
    """List addons."""
    return await list_addons(client, budget, KEY, "acme")


async def routers(client: FireworksClient, budget: RequestBudget) -> Listed:
    """List routers."""
    found = await list_routers(client, budget, KEY, "acme")
    return {**found.routers, **dict.fromkeys(found.unreadable)}


Ask = Callable[[FireworksClient, RequestBudget], Awaitable[Listed]]
FIRST_ADDON, ADDON_OF_SAME, ADDON_OF_OTHER = an_addon(), an_addon("accounts/acme/models/b"), an_addon(deployment=OTHER)
LISTS: tuple[tuple[Ask, Callable[[str], object], object, Listed], ...] = (
    (
        deployments,
        lambda token: DeploymentPage((a_deployment(),), next_page_token=token),
        DeploymentPage((a_deployment(name=OTHER),), ODD),
        {"pages": 2, NAME: a_deployment(), OTHER: a_deployment(name=OTHER), **dict.fromkeys(ODD)},
    ),
    (
        addons,
        lambda token: DeployedModelPage((FIRST_ADDON,), next_page_token=token),
        DeployedModelPage((ADDON_OF_OTHER, ADDON_OF_SAME)),
        {NAME: (FIRST_ADDON, ADDON_OF_SAME), OTHER: (ADDON_OF_OTHER,)},
    ),
    (
        routers,
        lambda token: RouterPage((GOOD_ROUTER,), ODD, next_page_token=token),
        RouterPage((OTHER_ROUTER,)),
        {GOOD_ROUTER.name: GOOD_ROUTER, OTHER_ROUTER.name: OTHER_ROUTER, **dict.fromkeys(ODD)},
    ),
)
NAMES = [getattr(ask, "__name__", "") for ask, *_ in LISTS]


async def read(ask: Ask, fireworks: Fireworks) -> Listed:
    """Read a LIST of a Fireworks that answers as a test says."""
    return await ask(cast("FireworksClient", fireworks), cast("RequestBudget", fireworks))


@pytest.mark.parametrize(("ask", "first", "last", "whole"), LISTS, ids=NAMES)
async def test_pages_come_together_and_each_waits_for_its_place(
    ask: Ask, first: Callable[[str], object], last: object, whole: Listed
) -> None:
    fireworks = Fireworks(first("2"), last)
    assert await read(ask, fireworks) == whole
    assert fireworks.asked == [Lane.LIST, None, Lane.LIST, "2"]


@pytest.mark.parametrize(("ask", "first", "_last", "_whole"), LISTS, ids=NAMES)
async def test_a_page_that_fails_fails_the_list_and_ends_it(
    ask: Ask, first: Callable[[str], object], _last: object, _whole: Listed
) -> None:
    error = an_error(ErrorKind.NO_ANSWER)
    fireworks = Fireworks(first("2"), error)
    with pytest.raises(FireworksError) as failed:
        await read(ask, fireworks)
    assert failed.value is error
    assert fireworks.asked == [Lane.LIST, None, Lane.LIST, "2"]


@pytest.mark.parametrize(("ask", "first", "_last", "_whole"), LISTS, ids=NAMES)
async def test_a_list_that_goes_in_circles_fails_once_a_token_comes_again(
    ask: Ask, first: Callable[[str], object], _last: object, _whole: Listed
) -> None:
    fireworks = Fireworks(first("2"), first("3"), first("2"))
    with pytest.raises(FireworksError, match="page token was returned twice"):
        await read(ask, fireworks)
    assert [each for each in fireworks.asked if each is not Lane.LIST] == [None, "2", "3"]


@pytest.mark.parametrize(("ask", "first", "last", "_whole"), LISTS, ids=NAMES)
async def test_a_list_of_too_many_pages_fails(
    ask: Ask, first: Callable[[str], object], last: object, _whole: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 1)
    await read(ask, Fireworks(first("2"), last))
    with pytest.raises(FireworksError):
        await read(ask, Fireworks(first("2"), first("3"), last))


@pytest.mark.parametrize(("ask", "first", "_last", "_whole"), LISTS, ids=NAMES)
async def test_a_list_that_is_cancelled_half_way_asks_for_nothing_more(
    ask: Ask, first: Callable[[str], object], _last: object, _whole: Listed
) -> None:
    fireworks = Fireworks(first(HANGS))
    task = asyncio.ensure_future(read(ask, fireworks))
    await fireworks.hangs.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert fireworks.asked == [Lane.LIST, None, Lane.LIST, HANGS]
