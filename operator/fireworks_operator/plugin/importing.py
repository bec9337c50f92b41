"""`kubectl fireworks import`: manifests for deployments that exist already; changes nothing anywhere."""

from collections.abc import Sequence
from typing import Final

import click

from fireworks_operator.core.identity import deployment_name, is_released, parse_marker
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.fireworks.models import Deployment

from .fireworks import Account, read_settings, signed_in
from .manifests import NotImportableError, manifest_of

_GONE: Final = ("DELETING", "DELETED")


async def print_manifests(names: Sequence[str], *, every: bool, namespace: str | None, secret: str | None) -> None:
    """Print a manifest for each named deployment, or for each that no resource owns.

    Raises:
        click.ClickException: a named deployment does not exist, is deleted, or has an owner.
    """
    async with signed_in(read_settings()) as account:
        found = await _unowned(account) if every else [await _named(account, name) for name in names]
        addons = await account.deployed_models() if any(each.enable_addons for each in found) else []
    texts = []
    for deployment in found:
        try:
            texts.append(manifest_of(deployment, addons, namespace=namespace, secret=secret))
        except NotImportableError as error:
            if not every:
                raise click.ClickException(str(error)) from None
            click.echo(f"{error} It is skipped.", err=True)
    if not texts:
        click.echo(f"Account {account.id} has no deployment without an owner.", err=True)
    click.echo("---\n".join(texts), nl=False)


async def _unowned(account: Account) -> list[Deployment]:
    """Return what lives and belongs to no resource of any cluster."""
    deployments = [each for each in await account.deployments() if each.state not in _GONE]
    found = [each for each in deployments if _is_unowned(each)]
    owned = len(deployments) - len(found)
    if owned:
        click.echo(f"Skipped because a FireworksDeployment owns them: {owned}.", err=True)
    return found


def _is_unowned(deployment: Deployment) -> bool:
    return parse_marker(deployment.annotations) is None or is_released(deployment.annotations)


async def _named(account: Account, name: str) -> Deployment:
    full = name if "/" in name else deployment_name(account.id, name)
    try:
        deployment = await account.client.get_deployment(account.key, full)
    except FireworksError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        raise click.ClickException(
            f"There is no deployment {full}, or this API key cannot read it: check the id and FIREWORKS_API_KEY."
        ) from None
    if deployment.state in _GONE:
        raise click.ClickException(f"{full} is {deployment.state} and cannot be imported.")
    owner = parse_marker(deployment.annotations)
    if owner is not None and not _is_unowned(deployment):
        raise click.ClickException(
            f"{full} belongs to the FireworksDeployment {owner.namespace}/{owner.name} of cluster {owner.cluster}: "
            "apply it again, or delete it with deletionPolicy Retain first."
        )
    return deployment
