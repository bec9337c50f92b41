"""The Fireworks API as the user of the command line sees it: with the key in FIREWORKS_API_KEY."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.metadata import version

import click
from pydantic import ValidationError

from fireworks_operator.fireworks.client import ApiKey, FireworksClient
from fireworks_operator.fireworks.models import DeployedModel, Deployment
from fireworks_operator.settings import Settings, explain_settings

from .own_key import no_key


def read_settings() -> Settings:
    """Return the operator's settings of the environment, such as FIREWORKS_BASE_URL.

    Raises:
        click.ClickException: a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise click.ClickException(explain_settings(error)) from None


def open_client(settings: Settings) -> FireworksClient:
    """Return a client of the API that FIREWORKS_BASE_URL names.

    Raises:
        click.ClickException: it cannot be a base URL, or the proxy or the authorities of the environment are of no use.
    """
    agent = f"kubectl-fireworks/{version('fireworks-operator')}"
    try:
        return FireworksClient(settings.base_url, user_agent=agent, allow_http=settings.allow_http)
    except ValueError as error:
        raise click.ClickException(f"{error}.") from None


def read_key(settings: Settings) -> ApiKey | None:
    """Return the key in FIREWORKS_API_KEY, None if it is not set.

    Raises:
        click.ClickException: it cannot be a key.
    """
    if settings.api_key is None or not settings.api_key.get_secret_value().strip():
        return None
    try:
        return ApiKey(settings.api_key.get_secret_value())
    except ValueError as error:
        raise click.ClickException(f"FIREWORKS_API_KEY: {error}.") from None


@dataclass(frozen=True, slots=True)
class Account:
    """One account and the way to it. Reads only."""

    client: FireworksClient
    key: ApiKey
    id: str
    base_url: str

    async def deployments(self) -> list[Deployment]:
        """Return all deployments that are not deleted; one that cannot be understood is told and left out."""
        found: list[Deployment] = []
        token: str | None = None
        while True:
            page = await self.client.list_deployments(self.key, self.id, page_token=token)
            found.extend(page.deployments)
            for name in sorted(page.unreadable):
                click.echo(
                    f"{name} is skipped: Fireworks describes it in a format that the plugin does not understand.",
                    err=True,
                )
            token = page.next_page_token
            if not token:
                return found

    async def deployed_models(self) -> list[DeployedModel]:
        """Return all models that are loaded on deployments of the account."""
        found: list[DeployedModel] = []
        token: str | None = None
        while True:
            page = await self.client.list_deployed_models(self.key, self.id, token)
            found.extend(page.deployed_models)
            token = page.next_page_token
            if not token:
                return found


@contextlib.asynccontextmanager
async def signed_in(settings: Settings) -> AsyncIterator[Account]:
    """Open the account of FIREWORKS_API_KEY.

    Raises:
        click.ClickException: there is no key, or it is not clear which account is meant.
        FireworksError: Fireworks does not answer, or not to this key.
    """
    key = read_key(settings)
    if key is None:
        raise no_key()
    async with open_client(settings) as client:
        account = settings.account_id or await find_account(client, key)
        yield Account(client, key, account, settings.base_url.rstrip("/"))


async def find_account(client: FireworksClient, key: ApiKey) -> str:
    """Ask Fireworks which account a key is for.

    Raises:
        click.ClickException: for none or several.
        FireworksError: Fireworks does not answer, or not to this key.
    """
    accounts = await client.list_accounts(key)
    if len(accounts) != 1:
        seen = ", ".join(sorted(each.id for each in accounts)) or "none"
        raise click.ClickException(
            f"The API key does not belong to exactly one account (it can see: {seen}): specify one with "
            "FIREWORKS_ACCOUNT_ID, or with accountId in the Secret."
        )
    return accounts[0].id
