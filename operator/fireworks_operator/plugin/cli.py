"""The commands of `kubectl fireworks`; no logic."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from fireworks_operator.api.v1alpha1 import InvalidResourceError
from fireworks_operator.fireworks.errors import FireworksError
from fireworks_operator.fireworks.inference import Question
from fireworks_operator.kube.client import KubernetesForbiddenError
from fireworks_operator.kube.credentials import CredentialsError
from fireworks_operator.kube.resources import CRD, CrdMissingError
from fireworks_operator.ports import KubernetesUnavailableError

from .access import User
from .completion import complete_names, offer
from .connection import Choice
from .doctor import Questions, examine
from .duration import to_seconds
from .endpoint import show_endpoint
from .fireworks import explain
from .importing import print_manifests
from .keys import SecretKey
from .listing import show_list
from .orphans import show_orphans
from .output import Format
from .query import Query, ask
from .shapes import ShapeFormat, show_shapes
from .status import show_status

Answer = TypeVar("Answer")
Command = TypeVar("Command", bound=Callable[..., object])

_PARAMETERS = {
    "kubeconfig": click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Path of the kubeconfig; overrides KUBECONFIG.",
    ),
    "context": click.option("--context", help="Context of the kubeconfig; defaults to the current context."),
}
_NAMESPACE = click.option("-n", "--namespace", help="Namespace; defaults to that of the context.")
_NAMESPACE_OR_ALL = click.option("-n", "--namespace", help="Namespace; defaults to all namespaces.")
_OUTPUT = click.option(
    "-o", "--output", type=click.Choice([each.value for each in Format]), help="Machine-readable output format."
)
_NAME = click.argument("name", shell_complete=complete_names)


def _cluster_options(command: Command) -> Command:
    for option in _PARAMETERS.values():
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fireworks-operator", message="%(version)s")
def main() -> None:
    """Inspect FireworksDeployments and query their deployments at Fireworks AI; never changes either."""


@main.command("list")
@_NAMESPACE_OR_ALL
@click.option("-A", "--all-namespaces", is_flag=True, help="The default; accepted for consistency with kubectl.")
@_OUTPUT
@_cluster_options
def list_command(
    kubeconfig: Path | None, context: str | None, namespace: str | None, all_namespaces: bool, output: str | None
) -> None:
    """Show all FireworksDeployments.

    Shows state, replicas, GPUs, model identifier, and why a resource is not ready.
    """
    choice = Choice(kubeconfig, context, None if all_namespaces else namespace)
    _run(show_list(choice, _format(output)))


@main.command()
@_NAME
@_NAMESPACE
@click.option(
    "-w", "--watch", is_flag=True, help="Watch until it is ready (exit code 0) or user action is required (1)."
)
@_OUTPUT
@_cluster_options
@click.pass_context
def status(
    ctx: click.Context,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    name: str,
    watch: bool,
    output: str | None,
) -> None:
    """Show one FireworksDeployment.

    Shows progress, pending changes, conditions and notices.
    """
    ctx.exit(_run(show_status(Choice(kubeconfig, context, namespace), name, _format(output), watch=watch)))


@main.command()
@_NAME
@_NAMESPACE
@_cluster_options
def endpoint(kubeconfig: Path | None, context: str | None, namespace: str | None, name: str) -> None:
    """Print the settings for an OpenAI client.

    Use it as eval "$(kubectl fireworks endpoint NAME)". The API key is expected in FIREWORKS_API_KEY and is not
    shown.
    """
    _run(show_endpoint(Choice(kubeconfig, context, namespace), name))


@main.command()
@_NAME
@click.argument("text")
@_NAMESPACE
@click.option("--addon", metavar="MODEL", help="Ask this LoRA addon: the full name of its model, or just the id.")
@click.option("--completions", is_flag=True, help="Use /completions with TEXT as the prompt, instead of a chat.")
@click.option("--stream", is_flag=True, help="Print the answer as it arrives.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens of the answer; Fireworks decides by default.")
@click.option(
    "--timeout",
    metavar="DURATION",
    callback=to_seconds,
    default="15m",
    show_default=True,
    help="How long to wait for the answer; a cold start takes minutes.",
)
@_cluster_options
def query(
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    name: str,
    text: str,
    addon: str | None,
    completions: bool,
    stream: bool,
    max_tokens: int | None,
    timeout: float,
) -> None:
    """Ask a deployment and print its answer.

    Sends one request with the API key of the resource, or with FIREWORKS_API_KEY if you may not read its Secret. A
    deployment that is scaled to zero wakes up, and is billed until it is idle again; the command waits for it. Time
    to first token and tokens per second are printed on standard error. TEXT may be - for standard input.

    \b
    kubectl fireworks query chat "Who are you?"
    kubectl fireworks query chat "Tell me a story." --stream --max-tokens 500
    kubectl fireworks query chat "Say this is" --completions -n team-a
    kubectl fireworks query support "My order is late." --addon support-en
    git diff | kubectl fireworks query chat -
    """  # noqa: D301 - a real backspace tells click to leave the lines as they are
    text = sys.stdin.read() if text == "-" else text
    if not text.strip():
        raise click.UsageError("TEXT is empty.")
    question = Question("", text, chat=not completions, max_tokens=max_tokens)
    _run(ask(Choice(kubeconfig, context, namespace), name, Query(question, addon, stream, timeout)))


@main.command()
@click.argument("model")
@click.option("--addons", is_flag=True, help="Only shapes in which LoRA addons can be loaded.")
@click.option(
    "-o", "--output", type=click.Choice([each.value for each in ShapeFormat]), help="Machine-readable output format."
)
def shapes(model: str, addons: bool, output: str | None) -> None:
    """Show the deployment shapes and hardware for a model.

    MODEL is the full name of a model, or the id of one of your own account. The shapes are those that Fireworks has
    validated for it; put a name or the preset into spec.deploymentShape. Queries Fireworks with FIREWORKS_API_KEY.

    \b
    kubectl fireworks shapes accounts/fireworks/models/llama-v3p1-8b-instruct
    kubectl fireworks shapes my-model --addons
    kubectl fireworks shapes accounts/fireworks/models/gpt-oss-120b -o name
    """  # noqa: D301 - a real backspace tells click to leave the lines as they are
    _run(show_shapes(model, None if output is None else ShapeFormat(output), addons=addons))


@main.command("import")
@click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]...")
@click.option("--all", "every", is_flag=True, help="Import every deployment that no FireworksDeployment owns.")
@click.option("-n", "--namespace", help="Namespace to write into the manifests; none by default.")
@click.option("--secret", help="Name of the Secret with the API key to write into the manifests; none by default.")
def import_command(deployments: tuple[str, ...], every: bool, namespace: str | None, secret: str | None) -> None:
    """Print manifests of existing deployments.

    DEPLOYMENT is an id or a full name at Fireworks. The manifests use managementPolicy Observe, so applying them
    changes nothing. Queries Fireworks with FIREWORKS_API_KEY.
    """
    if every == bool(deployments):
        raise click.UsageError("Specify deployments, or use --all.")
    _run(print_manifests(deployments, every=every, namespace=namespace, secret=secret))


@main.command()
@_NAMESPACE_OR_ALL
@_OUTPUT
@_cluster_options
def orphans(kubeconfig: Path | None, context: str | None, namespace: str | None, output: str | None) -> None:
    """Show deployments without a resource.

    Lists deployments that were created by this cluster and whose FireworksDeployment does not exist. Deletes nothing.
    Queries Fireworks with FIREWORKS_API_KEY, so it covers the account of that key.
    """
    _run(show_orphans(Choice(kubeconfig, context, namespace), _format(output)))


@main.command()
@click.option(
    "-n", "--namespace", help="Namespace; defaults to that of the context, and to all namespaces for Secrets."
)
@click.option(
    "--as",
    "user",
    help="User whose permissions to check; for a service account, the permissions that the operator needs.",
)
@click.option("--secret", help="A Secret to check in addition to those that FireworksDeployments refer to.")
@click.option("--key", default="apiKey", show_default=True, help="The key in that Secret.")
@_cluster_options
@click.pass_context
def doctor(
    ctx: click.Context,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    user: str | None,
    secret: str | None,
    key: str,
) -> None:
    """Check the prerequisites of deployments.

    Checks Kubernetes, the CRD, permissions, Secrets and API keys; exits with code 1 if a check fails.
    """
    questions = Questions(
        user=None if user is None else User(user), secret=None if secret is None else SecretKey(secret, key)
    )
    ctx.exit(0 if _run(examine(Choice(kubeconfig, context, namespace), questions)) else 1)


@main.command("__complete", hidden=True, context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def complete(words: tuple[str, ...]) -> None:
    """Offer completions in the form of kubectl; called by kubectl_complete-fireworks."""
    for line in offer(main, list(words)):
        click.echo(line)


def _format(output: str | None) -> Format | None:
    return None if output is None else Format(output)


def _run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run to the end; what went wrong is said in one sentence, with the way out."""
    try:
        return asyncio.run(work)
    except CrdMissingError:
        raise click.ClickException(
            f"{CRD} is not installed in this cluster: install it with `fireworks-operator crd | kubectl apply "
            "--server-side -f -`."
        ) from None
    except KubernetesForbiddenError as error:
        raise click.ClickException(
            f"{error} Ask for the permission; `kubectl fireworks doctor` shows which one."
        ) from None
    except KubernetesUnavailableError as error:
        raise click.ClickException(f"{error} Check the context: kubectl config current-context.") from None
    except InvalidResourceError as error:
        raise click.ClickException(
            f"The resource cannot be parsed ({error}): correct it, or use the plugin version that matches the operator."
        ) from None
    except FireworksError as error:
        raise click.ClickException(explain(error)) from None
    except CredentialsError as error:
        raise click.ClickException(str(error)) from None
