"""LISTs of an account, page by page: read to the end or not at all."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, DeployedModelPage, Deployment, DeploymentPage
from fireworks_operator.fireworks.request_budget import Lane, RequestBudget
from fireworks_operator.fireworks.routers import Router, RouterPage

from .routers import RouterListing

MAX_PAGES = 10_000
MAX_DEPLOYMENTS = 50_000
"""Of one account; each takes 3 to 6 KiB of memory. A list without an end would take all there is."""

Addons = dict[str, tuple[DeployedModel, ...]]
"""Loaded addons by the name of their deployment."""


@dataclass(frozen=True, slots=True)
class FoundDeployments:
    """All deployments of an account by name, the names of those that cannot be read, and how many pages it took."""

    deployments: dict[str, Deployment]
    unreadable: frozenset[str]
    pages: int


async def list_deployments(
    client: FireworksClient, budget: RequestBudget, api_key: ApiKey, account: str, known: Mapping[str, Deployment]
) -> FoundDeployments:
    """List an account; of what is the same in `known`, its objects are taken.

    Raises:
        FireworksError: a page was not answered, or they do not come to an end.
    """
    deployments: dict[str, Deployment] = {}
    unreadable: set[str] = set()

    def take(page: DeploymentPage) -> None:
        deployments.update({each.name: each for each in page.deployments})
        unreadable.update(page.unreadable)
        if len(deployments) + len(unreadable) > MAX_DEPLOYMENTS:
            raise FireworksError(ErrorKind.PROTOCOL, f"more than {MAX_DEPLOYMENTS:,} deployments in one list")

    pages = await _read_pages(
        budget, lambda token: client.list_deployments(api_key, account, page_token=token, known=known), take
    )
    return FoundDeployments(deployments, frozenset(unreadable), pages)


async def list_addons(client: FireworksClient, budget: RequestBudget, api_key: ApiKey, account: str) -> Addons:
    """List the loaded addons of an account, by the name of their deployment.

    Raises:
        FireworksError: a page was not answered, or they do not come to an end.
    """
    found: defaultdict[str, list[DeployedModel]] = defaultdict(list)

    def take(page: DeployedModelPage) -> None:
        for each in page.deployed_models:
            found[each.deployment].append(each)

    await _read_pages(budget, lambda token: client.list_deployed_models(api_key, account, token), take)
    return {name: tuple(models) for name, models in found.items()}


async def list_routers(client: FireworksClient, budget: RequestBudget, api_key: ApiKey, account: str) -> RouterListing:
    """List the routers of an account.

    Raises:
        FireworksError: a page was not answered, or they do not come to an end.
    """
    found: dict[str, Router] = {}
    unreadable: set[str] = set()

    def take(page: RouterPage) -> None:
        found.update({each.name: each for each in page.routers})
        unreadable.update(page.unreadable)

    await _read_pages(budget, lambda token: client.list_routers(api_key, account, token), take)
    return RouterListing(found, frozenset(unreadable))


class _Page(Protocol):
    @property
    def next_page_token(self) -> str:
        """What the next page is asked for by; empty on the last one."""
        ...


PageT = TypeVar("PageT", bound=_Page)


async def _read_pages(
    budget: RequestBudget, ask: Callable[[str | None], Awaitable[PageT]], take: Callable[[PageT], None]
) -> int:
    """Read a LIST to its end, and return how many pages it took.

    Args:
        budget: has a place for each page.
        ask: requests the page of a token; None is the first one.
        take: keeps what a page holds; may refuse it with a FireworksError.

    Raises:
        FireworksError: a page was not answered, or they do not come to an end.
    """
    seen: set[str] = set()
    token: str | None = None
    while True:
        await budget.acquire(lane=Lane.LIST)
        page = await ask(token)
        take(page)
        token = page.next_page_token
        if not token:
            return len(seen) + 1
        # A token that comes twice would go round for ever, and is no complete LIST.
        if token in seen or len(seen) >= MAX_PAGES:
            raise FireworksError(ErrorKind.PROTOCOL, "the same page token was returned twice in one list")
        seen.add(token)
