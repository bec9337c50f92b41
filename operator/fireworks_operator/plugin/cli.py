"""The commands of `kubectl fireworks`; no logic.

Each command imports what it needs when it runs: help, completion and mistakes in the command line are answered at once.
"""

import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from .completion import offer
from .connection import Choice
from .form import Form
from .options import NAME, output, timeout, with_cluster
from .own_key import require_key

Answer = TypeVar("Answer")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fireworks-operator", message="%(version)s")
def main() -> None:
    """Inspect FireworksDeployments and query their deployments at Fireworks AI; never changes either.

    \b
    Examples:
    kubectl fireworks list
    kubectl fireworks status chat --watch --timeout 30m
    kubectl fireworks query chat "Who are you?"
    """  # noqa: D301 - a real backspace tells click to leave the lines as they are


@main.command("list")
@click.option("-A", "--all-namespaces", is_flag=True, help="Show the resources of all namespaces.")
@click.option("-l", "--selector", metavar="LABELS", help="Only resources with these labels, such as team=a,env!=dev.")
@output(Form.WIDE, Form.NAME, Form.JSON, Form.YAML)
@with_cluster()
def list_command(choice: Choice, all_namespaces: bool, selector: str | None, form: Form | None) -> None:
    """Show the FireworksDeployments of a namespace.

    Shows state, replicas, GPUs, model identifier, and why a resource is not ready. The format wide adds age, account,
    deployment and message, and keeps to one line per resource.

    \b
    Examples:
    kubectl fireworks list
    kubectl fireworks list -A -o wide
    kubectl fireworks list -n team-a -l tier=production
    kubectl fireworks list -A -o json
    """  # noqa: D301
    from .listing import show_list

    _run(show_list(choice, form, every=all_namespaces, selector=selector))


@main.command()
@NAME
@click.option(
    "-w", "--watch", is_flag=True, help="Watch until it is ready (exit code 0) or user action is required (1)."
)
@timeout("How long to watch before giving up with exit code 1; without it, there is no limit.")
@output(Form.JSON, Form.YAML)
@with_cluster()
@click.pass_context
def status(
    ctx: click.Context, choice: Choice, name: str, watch: bool, seconds: float | None, form: Form | None
) -> None:
    """Show one FireworksDeployment.

    Shows progress, pending changes, conditions and notices.

    \b
    Examples:
    kubectl fireworks status chat
    kubectl fireworks status chat -n team-a --watch --timeout 30m
    kubectl fireworks status chat -o json
    """  # noqa: D301
    if seconds is not None and not watch:
        raise click.UsageError("--timeout requires --watch.")
    from .status import show_status

    ctx.exit(_run(show_status(choice, name, form, watch=watch, seconds=seconds)))


@main.command()
@NAME
@output(Form.JSON, Form.YAML)
@with_cluster()
def endpoint(choice: Choice, name: str, form: Form | None) -> None:
    """Print the settings for an OpenAI client.

    By default as lines for a shell. The API key is expected in FIREWORKS_API_KEY and is not shown.

    \b
    Examples:
    eval "$(kubectl fireworks endpoint chat)"
    kubectl fireworks endpoint chat -n team-a
    kubectl fireworks endpoint chat -o json
    """  # noqa: D301
    from .endpoint import show_endpoint

    _run(show_endpoint(choice, name, form))


@main.command()
@NAME
@click.argument("text")
@click.option("--addon", metavar="MODEL", help="Ask this LoRA addon: the full name of its model, or just the id.")
@click.option("--completions", is_flag=True, help="Use /completions with TEXT as the prompt, instead of a chat.")
@click.option("--stream", is_flag=True, help="Print the answer as it arrives.")
@click.option("--max-tokens", type=click.IntRange(1), help="Most tokens of the answer; Fireworks decides by default.")
@timeout("How long to wait for the answer; a cold start takes minutes.", default="15m")
@with_cluster()
def query(
    choice: Choice,
    name: str,
    text: str,
    addon: str | None,
    completions: bool,
    stream: bool,
    max_tokens: int | None,
    seconds: float,
) -> None:
    """Ask a deployment and print its answer.

    Sends one request with the API key of the resource, or with FIREWORKS_API_KEY if you may not read its Secret. A
    deployment that is scaled to zero wakes up, and is billed until it is idle again; the command waits for it. Time
    to first token and tokens per second are printed on standard error. TEXT may be - for standard input.

    \b
    Examples:
    kubectl fireworks query chat "Who are you?"
    kubectl fireworks query chat "Tell me a story." --stream --max-tokens 500
    kubectl fireworks query chat "Say this is" --completions -n team-a
    kubectl fireworks query support "My order is late." --addon support-en
    git diff | kubectl fireworks query chat -
    """  # noqa: D301
    text = sys.stdin.read() if text == "-" else text
    if not text.strip():
        raise click.UsageError("TEXT is empty.")
    from fireworks_operator.fireworks.inference import Question

    from .query import Query, ask

    question = Question("", text, chat=not completions, max_tokens=max_tokens)
    _run(ask(choice, name, Query(question, addon, stream, seconds)))


@main.command()
@click.argument("model")
@click.option("--addons", is_flag=True, help="Only shapes in which LoRA addons can be loaded.")
@output(Form.NAME, Form.JSON, Form.YAML)
def shapes(model: str, addons: bool, form: Form | None) -> None:
    """Show the deployment shapes and hardware for a model.

    MODEL is the full name of a model, or the id of one of your own account. The shapes are those that Fireworks has
    validated for it; put a name or the preset into spec.deploymentShape. Queries Fireworks with FIREWORKS_API_KEY.

    \b
    Examples:
    kubectl fireworks shapes accounts/fireworks/models/llama-v3p1-8b-instruct
    kubectl fireworks shapes my-model --addons
    kubectl fireworks shapes accounts/fireworks/models/gpt-oss-120b -o name
    """  # noqa: D301
    require_key()
    from .shapes import show_shapes

    _run(show_shapes(model, form, addons=addons))


@main.command("import")
@click.argument("deployments", nargs=-1, metavar="[DEPLOYMENT]...")
@click.option("--all", "every", is_flag=True, help="Import every deployment that no FireworksDeployment owns.")
@click.option("-n", "--namespace", help="Namespace to write into the manifests; none by default.")
@click.option("--secret", help="Name of the Secret with the API key to write into the manifests; none by default.")
def import_command(deployments: tuple[str, ...], every: bool, namespace: str | None, secret: str | None) -> None:
    """Print manifests of existing deployments.

    DEPLOYMENT is an id or a full name at Fireworks. The manifests use managementPolicy Observe, so applying them
    changes nothing. Queries Fireworks with FIREWORKS_API_KEY.

    \b
    Examples:
    kubectl fireworks import my-deployment -n team-a --secret fireworks
    kubectl fireworks import --all -n team-a --secret fireworks > imported.yaml
    """  # noqa: D301
    if every == bool(deployments):
        raise click.UsageError("Specify deployments, or use --all.")
    require_key()
    from .importing import print_manifests

    _run(print_manifests(deployments, every=every, namespace=namespace, secret=secret))


@main.command()
@click.option("-A", "--all-namespaces", is_flag=True, help="The default; accepted for consistency with list.")
@output(Form.NAME, Form.JSON, Form.YAML)
@with_cluster("Namespace; defaults to all namespaces.")
def orphans(choice: Choice, all_namespaces: bool, form: Form | None) -> None:
    """Show deployments without a resource.

    Lists deployments that were created by this cluster and whose FireworksDeployment does not exist. Deletes nothing.
    Queries Fireworks with FIREWORKS_API_KEY, so it covers the account of that key.

    \b
    Examples:
    kubectl fireworks orphans
    kubectl fireworks orphans -n team-a -o json
    """  # noqa: D301
    require_key()
    from .orphans import show_orphans

    _run(show_orphans(choice, form, every=all_namespaces))


@main.command()
@click.option("-A", "--all-namespaces", is_flag=True, help="Everything that the account is billed for.")
@click.option(
    "--since",
    metavar="DATE",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day, in UTC; defaults to the first of this month.",
)
@click.option(
    "--by", default="resource", show_default=True, help="Sum up by resource, by namespace, or by the value of a tag."
)
@output(Form.JSON, Form.YAML, Form.CSV)
@with_cluster()
def cost(choice: Choice, all_namespaces: bool, since: datetime | None, by: str, form: Form | None) -> None:
    """Show what deployments have cost.

    Multiplies the GPU-seconds that Fireworks has billed with the operator's price list. METER is what the operator has
    metered itself, for comparison. The format csv has a row for each deployment and day, with the columns of FOCUS.
    Queries Fireworks with FIREWORKS_API_KEY, so it covers the account of that key.

    \b
    kubectl fireworks cost -n team-a
    kubectl fireworks cost -A --by namespace --since 2026-11-01
    kubectl fireworks cost -A --by project
    kubectl fireworks cost -A -o csv > cost.csv
    """  # noqa: D301
    require_key()
    from .cost import Question, first_of_month, show_cost

    question = Question(first_of_month() if since is None else since.replace(tzinfo=UTC), by)
    _run(show_cost(choice, question, form, every=all_namespaces))


@main.command()
@click.option(
    "-f",
    "--filename",
    "names",
    metavar="FILE",
    multiple=True,
    required=True,
    type=click.Path(allow_dash=True),
    help="File or directory with manifests, or - for standard input; repeatable.",
)
@click.option("-R", "--recursive", is_flag=True, help="Also read the directories below.")
@click.option(
    "--prices",
    "price_file",
    type=click.Path(dir_okay=False),
    help="Price list; defaults to that of the operator.",
)
@click.option("--field-manager", "manager", metavar="NAME", help="Who applies the manifests with server-side apply.")
@click.option("--force-conflicts", "force", is_flag=True, help="Take fields over from other field managers.")
@output(Form.JSON, Form.YAML, Form.MARKDOWN)
@with_cluster()
@click.pass_context
def plan(
    ctx: click.Context,
    choice: Choice,
    names: tuple[str, ...],
    recursive: bool,
    price_file: str | None,
    manager: str | None,
    force: bool,
    form: Form | None,
) -> None:
    """Show what the operator would do with manifests.

    Asks the API server what it would store (a dry run), and then decides as the operator does: what it would create,
    change, replace or refuse, field by field, and what that costs by the hour. Fireworks is asked whether it would
    accept new deployments. Nothing is changed anywhere, and manifests that vanished are not known.
    Queries Fireworks with the API key of each resource, or with FIREWORKS_API_KEY if you may not read its Secret.
    Exits with code 0 if nothing would change, 2 if something would, and 1 if something would be refused or is not
    known.

    \b
    Examples:
    kubectl fireworks plan -f chat.yaml
    kubectl fireworks plan -f deployments/ -R -n team-a
    kubectl fireworks plan -f deployments/ -o markdown
    helm template . | kubectl fireworks plan -f -
    """  # noqa: D301
    from .plan.command import Question, show_plan

    ctx.exit(_run(show_plan(choice, Question(names, recursive, price_file, manager, force), form)))


@main.command()
@click.option(
    "--subject",
    metavar="USERNAME",
    help="Ask Kubernetes about the permissions of this user, without impersonating anybody.",
)
@click.option("--secret", help="A Secret to check in addition to those that FireworksDeployments refer to.")
@click.option("--key", default="apiKey", show_default=True, help="The key in that Secret.")
@output(Form.JSON, Form.YAML)
@with_cluster("Namespace; defaults to that of the context, and to all namespaces for Secrets.", checked=False)
@click.pass_context
def doctor(
    ctx: click.Context, choice: Choice, subject: str | None, secret: str | None, key: str, form: Form | None
) -> None:
    """Check the prerequisites of deployments.

    Checks Kubernetes, the CRD, permissions, the operator, Secrets and API keys; exits with code 1 if a check fails.
    With --as, all checks at Kubernetes are made as that user; for a service account, the permissions that the
    operator needs are checked.

    \b
    Examples:
    kubectl fireworks doctor -n team-a
    kubectl fireworks doctor --as jane --as-group developers
    kubectl fireworks doctor --as system:serviceaccount:fireworks-system:fireworks-operator
    kubectl fireworks doctor -n team-a --secret fireworks
    """  # noqa: D301
    from .access import User
    from .doctor import Questions, examine
    from .keys import SecretKey

    questions = Questions(
        subject=None if subject is None else User(subject),
        secret=None if secret is None else SecretKey(secret, key),
    )
    ctx.exit(0 if _run(examine(choice, questions, form)) else 1)


@main.command("__complete", hidden=True, context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def complete(words: tuple[str, ...]) -> None:
    """Offer completions in the form of kubectl; called by kubectl_complete-fireworks."""
    for line in offer(main, list(words)):
        click.echo(line)


def _run(work: Coroutine[Any, Any, Answer]) -> Answer:
    from .running import run

    return run(work)
