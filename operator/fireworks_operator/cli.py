"""The commands of `fireworks-operator`; no logic."""

import asyncio
import sys
from importlib import metadata
from pathlib import Path

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fireworks-operator", message="%(version)s")
def main() -> None:
    """Manage dedicated LLM deployments on Fireworks AI from Kubernetes."""


@main.command()
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Path of the kubeconfig; overrides KUBECONFIG.",
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="Overrides FIREWORKS_OPERATOR_LOG_LEVEL.",
)
@click.option("--log-format", type=click.Choice(["json", "text"]), help="Overrides FIREWORKS_OPERATOR_LOG_FORMAT.")
def run(kubeconfig: Path | None, log_level: str | None, log_format: str | None) -> None:
    """Run the operator, configured by the environment variables FIREWORKS_* and FIREWORKS_OPERATOR_*."""
    # Imported here and below: help, mistakes and `version` need none of it and should be answered at once.
    from pydantic import ValidationError

    from fireworks_operator import app
    from fireworks_operator.kube.cluster import StartError
    from fireworks_operator.kube.credentials import CredentialsError
    from fireworks_operator.kube.resources import CrdMissingError
    from fireworks_operator.kube.watch import WatchEndedError
    from fireworks_operator.observability.logging import configure
    from fireworks_operator.settings import Settings, explain_settings

    given = {"kubeconfig": kubeconfig, "log_level": log_level and log_level.upper(), "log_format": log_format}
    try:
        settings = Settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise click.ClickException(explain_settings(error)) from None
    configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(app.run(settings))
    except (StartError, CredentialsError, CrdMissingError, WatchEndedError, ValueError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
def crd() -> None:
    """Print the CustomResourceDefinitions, for `kubectl apply --server-side -f -`."""
    from fireworks_operator.api.crd import render_crds

    sys.stdout.write(render_crds())


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(metadata.version("fireworks-operator"))
