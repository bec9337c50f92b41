"""Options that several commands share, under the names that kubectl gives them."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from .completion import complete_contexts, complete_names, complete_namespaces
from .connection import Choice, find_place
from .duration import to_request_seconds, to_seconds
from .form import Form

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

NAME: Final = click.argument("name", shell_complete=complete_names)
WITH_NAMESPACE: Final = "Namespace; defaults to that of the context."

_CLUSTER: Final[tuple[Decorator, ...]] = (
    click.option(
        "--kubeconfig",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Path of the kubeconfig; overrides KUBECONFIG.",
    ),
    click.option(
        "--context",
        shell_complete=complete_contexts,
        help="Context of the kubeconfig; defaults to the current context.",
    ),
    click.option("--cluster", help="Cluster of the kubeconfig, instead of the context's."),
    click.option("--user", help="User of the kubeconfig, instead of the context's."),
    click.option("--as", "impersonate", metavar="USERNAME", help="User to impersonate."),
    click.option(
        "--as-group", "impersonate_groups", metavar="GROUP", multiple=True, help="Group to impersonate; repeatable."
    ),
    click.option(
        "--request-timeout",
        "request_seconds",
        metavar="DURATION",
        callback=to_request_seconds,
        default="10s",
        show_default=True,
        help="How long one request to the API server may take; 0 for any time.",
    ),
)
_CHOICE: Final = (
    *("kubeconfig", "context", "namespace", "cluster", "user"),
    *("impersonate", "impersonate_groups", "request_seconds"),
)


def choice_of(given: dict[str, Any]) -> Choice:
    """Take what is about the cluster out of the parameters of a command."""
    return Choice(**{name: given.pop(name) for name in _CHOICE if name in given})


def with_cluster(namespace: str = WITH_NAMESPACE, *, checked: bool = True) -> Callable[[Callable[..., None]], Command]:
    """Add the options that say which cluster is meant; the command gets them as its `choice`.

    Args:
        namespace: help of `--namespace`.
        checked: refuse a kubeconfig and a context that do not exist before the command begins.
    """

    def decorate(command: Callable[..., None]) -> Command:
        @wraps(command)
        def wrapped(**given: Any) -> None:  # noqa: ANN401 - whatever click has read
            choice = choice_of(given)
            if choice.impersonate_groups and not choice.impersonate:
                raise click.UsageError("--as-group requires --as.")
            if checked:
                find_place(choice)
            command(choice=choice, **given)

        made: Command = wrapped
        for option in reversed(_CLUSTER):
            made = option(made)
        return click.option("-n", "--namespace", shell_complete=complete_namespaces, help=namespace)(made)

    return decorate


def output(*forms: Form) -> Decorator:
    """Return the option `-o`, for these formats; the command gets it as its `form`, None if it is not given."""
    return click.option(
        "-o",
        "--output",
        "form",
        type=click.Choice([each.value for each in forms]),
        callback=_to_form,
        help="Output format.",
    )


def timeout(text: str, default: str | None = None) -> Decorator:
    """Return the option `--timeout`, in seconds; the command gets it as its `seconds`."""
    return click.option(
        "--timeout",
        "seconds",
        metavar="DURATION",
        callback=to_seconds,
        default=default,
        show_default=default is not None,
        help=text,
    )


def _to_form(_context: click.Context, _parameter: click.Parameter, text: str | None) -> Form | None:
    return None if text is None else Form(text)
