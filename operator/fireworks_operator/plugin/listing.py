"""`kubectl fireworks list`: every resource with what it serves and costs."""

from collections.abc import Sequence

import click

from fireworks_operator.kube.resources import list_resources

from .connection import Choice, connected
from .output import Format, Row, new_console, print_columns, print_data, print_table
from .summary import Summary, summarize

HEAD = ("NAMESPACE", "NAME", "STATE", "REPLICAS", "GPUS", "REASON")


async def show_list(choice: Choice, form: Format | None) -> None:
    """Print the resources of one namespace, or of all where none is chosen."""
    async with connected(choice) as connection:
        objects, _ = await list_resources(connection.client, choice.namespace)
    found = sorted(map(summarize, objects), key=lambda each: (each.namespace, each.name))
    console = new_console()
    if form is not None:
        print_data([each.to_data() for each in found], form)
    elif not found:
        where = "in any namespace" if choice.namespace is None else f"in namespace {choice.namespace}"
        click.echo(f"There is no FireworksDeployment {where}.")
    elif console.is_terminal:
        print_table(console, HEAD, [_row(each) for each in found])
        console.print(f"\n{_totals(found)}", soft_wrap=True)
    else:
        print_columns(HEAD, [_row(each) for each in found], "MODEL IDENTIFIER")


def _row(summary: Summary) -> Row:
    style = "green" if summary.ready else "red" if summary.stalled else "yellow"
    reason = "" if summary.ready else summary.reason
    cells = (summary.namespace, summary.name, summary.state, summary.replicas, summary.gpus, reason)
    return Row(cells, style, summary.model_identifier)


def _totals(rows: Sequence[Summary]) -> str:
    gpus = 0
    for row in rows:
        replicas, effective = row.status.replicas, row.status.effective
        if replicas is not None and effective is not None:
            gpus += replicas.ready * (effective.accelerator_count or 0)
    deployments = f"{len(rows)} FireworksDeployment" + ("" if len(rows) == 1 else "s")
    return f"{deployments}, {sum(row.ready for row in rows)} ready; {gpus} GPUs in ready replicas"
