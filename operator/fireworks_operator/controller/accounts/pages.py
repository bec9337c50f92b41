"""LISTs of an account, page by page: read to the end or not at all."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import DeployedModel, Deployment
from fireworks_operator.fireworks.request_budget import Lane, RequestBudget
from fireworks_operator.fireworks.routers import Router

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
    tokens: set[str] = set()
    token = ""
    while True:
        await budget.acquire(lane=Lane.LIST)
        page = await client.list_deployments(api_key, account, page_token=token or None, known=known)
        deployments |= {each.name: each for each in page.deployments}
        unreadable |= page.unreadable
        if len(deployments) + len(unreadable) > MAX_DEPLOYMENTS:
            raise FireworksError(ErrorKind.PROTOCOL, f"more than {MAX_DEPLOYMENTS:,} deployments in one list")
        token = _next(page.next_page_token, tokens)
        if not token:
            return FoundDeployments(deployments, frozenset(unreadable), len(tokens) + 1)


async def list_addons(client: FireworksClient, budget: RequestBudget, api_key: ApiKey, account: str) -> Addons:
    """List the loaded addons of an account, by the name of their deployment.

    Raises:
        FireworksError: a page was not answered, or they do not come to an end.
    """
    found: defaultdict[str, list[DeployedModel]] = defaultdict(list)
    tokens: set[str] = set()
    token = ""
    while True:
        await budget.acquire(lane=Lane.LIST)
        page = await client.list_deployed_models(api_key, account, token or None)
        for each in page.deployed_models:
            found[each.deployment].append(each)
        token = _next(page.next_page_token, tokens)
        if not token:
            return {name: tuple(models) for name, models in found.items()}


async def list_routers(client: FireworksClient, budget: RequestBudget, api_key: ApiKey, account: str) -> RouterListing:
    """List the routers of an account.

    Raises:
        FireworksError: a page was not answered, or they do not come to an end.
    """
    found: dict[str, Router] = {}
    unreadable: set[str] = set()
    tokens: set[str] = set()
    token = ""
    while True:
        await budget.acquire(lane=Lane.LIST)
        page = await client.list_routers(api_key, account, token or None)
        found |= {each.name: each for each in page.routers}
        unreadable |= page.unreadable
        token = _next(page.next_page_token, tokens)
        if not token:
            return RouterListing(found, frozenset(unreadable))


def _next(token: str, seen: set[str]) -> str:
    """Return the next page's token; a token that comes twice would go round for ever, and is no complete LIST."""
    if not token:
        return ""
    if token in seen or len(seen) >= MAX_PAGES:
        raise FireworksError(ErrorKind.PROTOCOL, "the same page token was returned twice in one list")
    seen.add(token)
    return token
