"""Completion for kubectl: `kubectl_complete-fireworks` on the PATH is asked what may come next."""

import asyncio
from typing import Final

import click
from click.shell_completion import ShellComplete

from fireworks_operator.kube.resources import list_resources

from .connection import Choice, connected

NO_FILES: Final = ":4"
"""The directive of cobra, which kubectl is built with: what is offered is all, do not add file names."""


def offer(program: click.Command, words: list[str]) -> list[str]:
    """Return the lines that kubectl expects for the words so far, the last one unfinished."""
    *before, unfinished = words or [""]
    found = ShellComplete(program, {}, "kubectl fireworks", "").get_completions(before, unfinished)
    lines = [f"{each.value}\t{each.help}" if each.help else str(each.value) for each in found if each.type == "plain"]
    return [*lines, NO_FILES]


def complete_names(context: click.Context, _parameter: click.Parameter, unfinished: str) -> list[str]:
    """Return the names of resources that begin so; none if the cluster does not answer."""
    given = context.params
    choice = Choice(given.get("kubeconfig"), given.get("context"), given.get("namespace"))
    try:
        names = asyncio.run(_names(choice))
    except Exception:  # noqa: BLE001 - an error message would be offered as a completion
        return []
    return [name for name in names if name.startswith(unfinished)]


async def _names(choice: Choice) -> list[str]:
    async with connected(choice) as connection:
        objects, _ = await list_resources(connection.client, connection.namespace)
    return sorted(str(each["metadata"]["name"]) for each in objects)
