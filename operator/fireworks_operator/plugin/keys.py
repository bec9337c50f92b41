"""API keys: found where they should lie, and accepted by Fireworks. A key itself is never shown."""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

import click

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.fireworks.client import ApiKey, FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.ports import ACCOUNT_ID_KEY, SecretForbiddenError, SecretReader
from fireworks_operator.settings import Settings

from .advice import own_key_replaced_by, way_out
from .check import Check, State
from .fireworks import find_account, read_key


@dataclass(frozen=True, slots=True, order=True)
class SecretKey:
    """A key of a Secret; without a namespace it is not known yet which one is meant."""

    name: str
    key: str
    namespace: str = ""

    def within(self, namespace: str) -> "SecretKey":
        """Return it with a namespace."""
        return replace(self, namespace=self.namespace or namespace)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def replaced_by(self, key: str) -> str:
        """Say how to put another key there; `key` says which one."""
        patch = json.dumps({"stringData": {self.key: "YOUR_API_KEY"}})
        command = f"kubectl patch secret {self.name} -n {self.namespace} -p {shlex.quote(patch)}"
        return f'Put {key} under "{self.key}" of the Secret {self}: {command}'


@dataclass(frozen=True, slots=True)
class FoundKey:
    """An API key and where it was found, in words."""

    key: ApiKey
    source: str


async def find_key(secrets: SecretReader, resource: FireworksDeployment, settings: Settings) -> FoundKey:
    """Return the key that a resource refers to; FIREWORKS_API_KEY, if it refers to none that you may read.

    Raises:
        click.ClickException: there is no usable key.
        KubernetesUnavailableError: no answer.
    """
    reference = resource.spec.credentials_secret_ref
    wrong = None
    if reference is not None:
        where = SecretKey(reference.name, reference.key, resource.metadata.namespace)
        found = await read_secret(secrets, where)
        if not isinstance(found, Check):
            return FoundKey(found[0], f'the Secret {where} (key "{where.key}")')
        if found.state is State.FAILED:
            raise click.ClickException(f"No API key: {found.message}. Way out: {found.way_out}.")
        wrong = f"you may not read the Secret {where}"
    own = read_key(settings)
    if own is None:
        why = wrong or f"{resource.metadata.name} uses the operator's own, which the plugin cannot read"
        raise click.ClickException(f"No API key: {why}. Set FIREWORKS_API_KEY to a key of the same account.")
    return FoundKey(own, "FIREWORKS_API_KEY")


async def check_secret(fireworks: FireworksClient, secrets: SecretReader, where: SecretKey) -> Check:
    """Check that a Secret holds a key and that Fireworks accepts it.

    Raises:
        KubernetesUnavailableError: no answer.
    """
    found = await read_secret(secrets, where)
    return found if isinstance(found, Check) else await _ask(fireworks, f"Secret {where}", *found, where.replaced_by)


async def check_own(fireworks: FireworksClient, settings: Settings) -> Check | None:
    """Check the key in FIREWORKS_API_KEY; None if it is not set."""
    own = read_key(settings)
    return None if own is None else await _ask(fireworks, "FIREWORKS_API_KEY", own, settings.account_id)


async def read_secret(secrets: SecretReader, where: SecretKey) -> tuple[ApiKey, str | None] | Check:
    """Return the key and the account in a Secret, or what is wrong with it."""
    try:
        secret = await secrets.read(where.namespace, where.name, (where.key, ACCOUNT_ID_KEY))
    except SecretForbiddenError:
        return Check.skipped("API key", f"you may not read the Secret {where}; the operator may be able to")
    if secret is None:
        literal = f"--from-literal={where.key}=YOUR_API_KEY"
        command = f"kubectl create secret generic {where.name} -n {where.namespace} {literal}"
        return Check.failed("API key", f"the Secret {where} does not exist", command)
    try:
        key = ApiKey((secret.values.get(where.key, b"") or b"").decode())
        return key, (secret.values.get(ACCOUNT_ID_KEY, b"") or b"").decode().strip() or None
    except ValueError:
        advice = f"put the API key under {where.key}; the Secret has: {secret.has}"
        return Check.failed("API key", f'the Secret {where} has no usable API key under "{where.key}"', advice)


async def _ask(
    client: FireworksClient,
    where: str,
    key: ApiKey,
    account: str | None,
    replaced_by: Callable[[str], str] = own_key_replaced_by,
) -> Check:
    """Try a key: which account it is for, and whether that account's deployments can be listed."""
    try:
        found = account or await find_account(client, key)
        await client.list_deployments(key, found, page_size=1)
    except FireworksError as error:
        advice = way_out(error, replaced_by)
        if account is not None and error.kind is ErrorKind.PERMISSION_DENIED:
            advice = f'Correct the account id "{account}", or use another API key. {advice}'
        return Check.failed("API key", f"{where}: {error}", advice)
    except click.ClickException as error:
        return Check.failed("API key", where, error.message)
    return Check.ok("API key", f"{where}: Fireworks accepts it, account {found}")
