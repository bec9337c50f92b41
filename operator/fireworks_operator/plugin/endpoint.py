"""`kubectl fireworks endpoint`: what an OpenAI-compatible client needs to reach a deployment."""

import json
import shlex

import click
from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.connection import preferred_identifier

from .connection import Choice, connected
from .form import Form
from .output import clean, print_data
from .status import get_resource
from .summary import summary_of


async def show_endpoint(choice: Choice, name: str, form: Form | None) -> None:
    """Print export lines, or data, on standard output, and a request to try on standard error.

    So `eval "$(kubectl fireworks endpoint NAME)"` sets the variables and shows the request.
    """
    async with connected(choice) as connection:
        resource = await get_resource(connection, name)
    endpoint, identifier = resource.status.endpoint, preferred_identifier(resource.status)
    summary = summary_of(resource)
    if not endpoint or not identifier:
        watch = f"wait for it with `kubectl fireworks status {name} -n {connection.namespace} --watch`"
        advice = "fix that first" if summary.stalled else watch
        raise click.ClickException(f"{name} has no endpoint yet: {advice}. {summary.reason}: {clean(summary.message)}")
    endpoint, identifier = clean(endpoint), clean(identifier)
    if form is not None:
        print_data(_to_data(resource, endpoint, identifier), form)
        return
    for line in export_lines(resource, endpoint, identifier):
        click.echo(line)
    if resource.status.replicas is None or resource.status.replicas.ready == 0:
        click.echo(f"# No replica is serving now, {summary.reason}: {clean(summary.message)}", err=True)
    click.echo(f"# Try it:\n{curl(endpoint, identifier)}", err=True)


def _to_data(resource: FireworksDeployment, endpoint: str, identifier: str) -> JsonValue:
    addons = [each for each in resource.status.addons or () if each.model_identifier]
    return {
        "namespace": resource.metadata.namespace,
        "name": resource.metadata.name,
        "baseURL": endpoint,
        "model": identifier,
        "apiKeyVariable": "FIREWORKS_API_KEY",
        "addons": [{"model": clean(each.model), "modelIdentifier": each.model_identifier} for each in addons],
    }


def export_lines(resource: FireworksDeployment, endpoint: str, identifier: str) -> list[str]:
    """Return shell lines; the key is taken from the environment, never shown. Addons come as comments."""
    addons = [each.model_identifier for each in resource.status.addons or () if each.model_identifier]
    return [
        f"export OPENAI_BASE_URL={shlex.quote(endpoint)}",
        'export OPENAI_API_KEY="$FIREWORKS_API_KEY"',
        f"export OPENAI_MODEL={shlex.quote(identifier)}",
        *(f"# addon: export OPENAI_MODEL={shlex.quote(clean(each))}" for each in addons),
    ]


def curl(endpoint: str, identifier: str) -> str:
    """Return a command that asks the deployment something."""
    body = json.dumps({"model": identifier, "messages": [{"role": "user", "content": "Hello!"}]})
    return (
        f"curl {shlex.quote(f'{endpoint}/chat/completions')} \\\n"
        '  -H "Authorization: Bearer $FIREWORKS_API_KEY" -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )
