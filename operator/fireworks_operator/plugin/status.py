"""`kubectl fireworks status`: one resource, once or until it is ready."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click
from rich.console import Console
from rich.live import Live

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.kube.client import KubernetesForbiddenError, KubernetesRefusedError
from fireworks_operator.kube.resources import resource_path
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError

from .connection import Choice, Connection, connected
from .form import Form
from .missing import explain_missing
from .output import new_console, print_data
from .status_view import View, print_view

INTERVAL: Final = 1.0
"""Seconds between two looks of --watch."""
_PATIENCE: Final = 30
"""How many looks in a row may stay unanswered."""


async def get_resource(connection: Connection, name: str) -> FireworksDeployment:
    """Read one resource of the connection's namespace.

    Raises:
        click.ClickException: it does not exist.
        CrdMissingError: nor does its kind.
        InvalidResourceError: it cannot be understood.
        KubernetesUnavailableError: no answer.
    """
    try:
        raw = await connection.client.request("GET", resource_path(connection.namespace, name))
    except ResourceGoneError:
        text = await explain_missing(connection.client, connection.namespace, name)
        raise click.ClickException(text) from None
    return FireworksDeployment.parse(raw)


async def show_status(
    choice: Choice, name: str, form: Form | None, *, watch: bool, seconds: float | None = None
) -> int:
    """Print the status and return the exit code: with `watch` 1 if the resource is stalled.

    Args:
        choice: where it is.
        name: of the resource.
        form: of the output; None for a page.
        watch: look until it is ready or stalled.
        seconds: how long to watch at most; None for as long as it takes.

    Raises:
        click.ClickException: it does not exist, or was not ready in time.
    """
    console = new_console()
    async with connected(choice) as connection:
        if watch:
            view = await _follow(connection, name, _Watch(console, form is not None, seconds))
        else:
            view = View.of(await get_resource(connection, name))
    if form is not None:
        print_data(view.to_data(), form)
    elif not watch:
        print_view(view, console)
    return 1 if watch and not view.summary.ready else 0


@dataclass(frozen=True, slots=True)
class _Watch:
    """How to watch: what to show it on, whether to say nothing, and for how many seconds at most."""

    console: Console
    quiet: bool
    seconds: float | None


async def _follow(connection: Connection, name: str, watch: _Watch) -> View:
    """Look until waiting on changes nothing, and return what is there then."""
    view = View.of(await get_resource(connection, name))
    try:
        with _display(watch.console, quiet=watch.quiet) as display:
            async with asyncio.timeout(watch.seconds):
                display.show(view)
                while not view.summary.settled:
                    await asyncio.sleep(INTERVAL)
                    view = View.of(await _patiently(connection, name))
                    display.show(view)
    except TimeoutError:
        raise click.ClickException(
            f"{name} did not become ready within {watch.seconds:g} s. Last seen: {view.brief()}"
        ) from None
    return view


async def _patiently(connection: Connection, name: str) -> FireworksDeployment:
    """Read the resource, through short outages of the API server."""
    for _ in range(_PATIENCE):
        try:
            return await get_resource(connection, name)
        except (KubernetesForbiddenError, KubernetesRefusedError):
            raise
        except KubernetesUnavailableError:
            await asyncio.sleep(INTERVAL)
    return await get_resource(connection, name)


class _Display:
    """Shows what is new: a page that stays in place in a terminal, else a line per change."""

    def __init__(self, live: Live | None, *, quiet: bool) -> None:
        self._live = live
        self._quiet = quiet
        self._shown = ""

    def show(self, view: View) -> None:
        """Show the resource as it is now."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(view.page(), refresh=True)
        elif view.brief() != self._shown:
            self._shown = view.brief()
            click.echo(self._shown)


@contextlib.contextmanager
def _display(console: Console, *, quiet: bool) -> Iterator[_Display]:
    if quiet or not console.is_terminal:
        yield _Display(None, quiet=quiet)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield _Display(live, quiet=False)
