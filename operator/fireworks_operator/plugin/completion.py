"""Completion for kubectl: `kubectl_complete-fireworks` on the PATH is asked what may come next.

It is asked at each TAB, so nothing heavy is imported: names come from kubectl itself, which is there and quick.
"""

import json
import shutil
import subprocess
from typing import Any, Final
from urllib.parse import quote

import click
from click.shell_completion import ShellComplete

from .connection import Choice, context_names, find_place

NO_FILES: Final = ":4"
"""The directive of cobra, which kubectl is built with: what is offered is all, do not add file names."""
_RESOURCES: Final = "/apis/fireworks.ai/v1alpha1/namespaces/{}/fireworksdeployments"
_NAMESPACES: Final = "/api/v1/namespaces"
_SECONDS: Final = 3.0
"""How long a TAB may take."""


def offer(program: click.Command, words: list[str]) -> list[str]:
    """Return the lines that kubectl expects for the words so far, the last one unfinished."""
    *before, unfinished = words or [""]
    found = ShellComplete(program, {}, "kubectl fireworks", "").get_completions(before, unfinished)
    lines = [f"{each.value}\t{each.help}" if each.help else str(each.value) for each in found if each.type == "plain"]
    return [*lines, NO_FILES]


def complete_names(context: click.Context, _parameter: click.Parameter, unfinished: str) -> list[str]:
    """Return the names of resources that begin so; none if the cluster does not answer."""
    choice = _choice(context)
    try:
        namespace = find_place(choice).namespace
    except click.ClickException:
        return []
    return _beginning(unfinished, _names(choice, _RESOURCES.format(quote(namespace, safe=""))))


def complete_namespaces(context: click.Context, _parameter: click.Parameter, unfinished: str) -> list[str]:
    """Return the namespaces that begin so; none if the cluster does not answer."""
    return _beginning(unfinished, _names(_choice(context), _NAMESPACES))


def complete_contexts(context: click.Context, _parameter: click.Parameter, unfinished: str) -> list[str]:
    """Return the contexts that begin so; none without a kubeconfig."""
    try:
        return _beginning(unfinished, context_names(_choice(context)))
    except click.ClickException:
        return []


def _beginning(unfinished: str, names: list[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(unfinished))


def _choice(context: click.Context) -> Choice:
    """Return what the words before say of the cluster, as far as they can be read."""
    given: dict[str, Any] = context.params
    names = ("kubeconfig", "context", "namespace", "cluster", "user", "impersonate", "impersonate_groups")
    return Choice(**{name: given[name] for name in names if given.get(name)})


def _names(choice: Choice, path: str) -> list[str]:
    """Return the names of all objects below a path; none if they cannot be had: a message would be offered as a name.

    One LIST, without the discovery that `kubectl get KIND` begins with.
    """
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return []
    command = [kubectl, "get", "--raw", path, f"--request-timeout={_SECONDS:g}s", *choice.flags()]
    try:
        done = subprocess.run(  # noqa: S603 - kubectl of the PATH, as the user would call it; no shell
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=True
        )
        return [str(each["metadata"]["name"]) for each in json.loads(done.stdout)["items"]]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return []
