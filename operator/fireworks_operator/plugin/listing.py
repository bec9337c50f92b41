"""`kubectl fireworks list`: every resource with what it serves and costs."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click
from rich.console import Console

from fireworks_operator.api.v1alpha1 import GROUP, KIND, FireworksDeploymentStatus
from fireworks_operator.kube.resources import list_resources

from .connection import Choice, Connection, connected
from .form import Form
from .missing import namespace_exists
from .output import Row, new_console, print_columns, print_data, print_table
from .replacement_view import ReplacementView
from .summary import Summary, age_text, summarize

HEAD = ("NAMESPACE", "NAME", "STATE", "REPLICAS", "GPUS", "REASON")
WIDE = ("AGE", "ACCOUNT", "DEPLOYMENT", "REPLACEMENT", "MODEL IDENTIFIER")


async def show_list(choice: Choice, form: Form | None, *, every: bool = False, selector: str | None = None) -> None:
    """Print the resources of one namespace, or of every one, with these labels.

    Raises:
        CrdMissingError, KubernetesUnavailableError: they cannot be listed.
    """
    async with connected(choice) as connection:
        namespace = None if every else connection.namespace
        objects, _ = await list_resources(connection.client, namespace, selector=selector)
        found = sorted(map(summarize, objects), key=lambda each: (each.namespace, each.name))
        if form in (Form.JSON, Form.YAML):
            print_data([each.to_data() for each in found], form)
        elif form is Form.NAME:
            for each in found:
                click.echo(f"{KIND.lower()}.{GROUP}/{each.name}")
        elif found:
            _print(new_console(), found, wide=form is Form.WIDE, every=every)
        else:
            click.echo(await _nothing(connection, namespace, selector))


def _print(console: Console, found: Sequence[Summary], *, wide: bool, every: bool) -> None:
    if wide:
        now = datetime.now(UTC)
        print_columns((*HEAD, *WIDE), [_wide_row(each, now) for each in found], "MESSAGE")
    elif not console.is_terminal:
        print_columns(HEAD, [_row(each) for each in found], "MODEL IDENTIFIER")
    else:
        rows, names = [_row(each) for each in found], 2
        if not every:  # as kubectl: all are in the namespace that was asked for
            rows, names = [Row(each.cells[1:], each.style, each.below) for each in rows], 1
        print_table(console, HEAD[2 - names :], rows, names=names)
        console.print(f"\n{_totals(found)}", soft_wrap=True)


def _row(summary: Summary) -> Row:
    style = "green" if summary.ready else "red" if summary.stalled else "yellow"
    reason = "" if summary.ready else summary.reason
    cells = (summary.namespace, summary.name, summary.state, summary.replicas, summary.gpus, reason)
    return Row(cells, style, summary.model_identifier)


def _wide_row(summary: Summary, now: datetime) -> Row:
    status = summary.status
    deployment = (status.deployment_name or "").rsplit("/", 1)[-1]
    replacement = ReplacementView.of(status)
    second = "" if replacement is None else replacement.brief()
    more = (age_text(summary.created, now), status.account or "", deployment, second, summary.model_identifier)
    return Row((*_row(summary).cells, *more), below=summary.message)


def _totals(rows: Sequence[Summary]) -> str:
    gpus = sum(_gpus(row.status) for row in rows)
    deployments = f"{len(rows)} FireworksDeployment" + ("" if len(rows) == 1 else "s")
    return f"{deployments}, {sum(row.ready for row in rows)} ready; {gpus} GPUs in ready replicas"


def _gpus(status: FireworksDeploymentStatus) -> int:
    """Return the GPUs of ready replicas; of both deployments while one replaces the other, by the meter."""
    replicas, effective = status.replicas, status.effective
    if status.replacement is not None and status.cost is not None:
        return status.cost.gpus
    return 0 if replicas is None or effective is None else replicas.ready * (effective.accelerator_count or 0)


async def _nothing(connection: Connection, namespace: str | None, selector: str | None) -> str:
    """Say that there is nothing to show, and where to look."""
    which = " with these labels" if selector else ""
    if namespace is None:
        return f"There is no FireworksDeployment{which} in any namespace."
    if not await namespace_exists(connection.client, namespace):
        return f"There is no namespace {namespace}."
    return f"There is no FireworksDeployment{which} in namespace {namespace}; -A shows all namespaces."
