"""Which cluster and namespace a command is about, by the rules of kubectl."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import yaml

from fireworks_operator.kube.client import KubernetesClient, connect

_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says; None: what kubectl would take."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection, and the namespace that a name without one means."""

    client: KubernetesClient
    namespace: str


@contextlib.asynccontextmanager
async def connected(choice: Choice) -> AsyncIterator[Connection]:
    """Connect to the chosen cluster.

    Raises:
        click.ClickException: there is no such kubeconfig or context.
        CredentialsError: there is no usable way to reach an API server.
    """
    files = _files(choice)
    if not files:
        async with await connect() as client:
            yield Connection(client, choice.namespace or _pod_namespace())
        return
    configs = [_read(file) for file in files]
    context = choice.context or _current(configs)
    namespace = choice.namespace or _namespace(configs, context) or "default"
    async with await connect(Path(os.pathsep.join(map(str, files))), context) as client:
        yield Connection(client, namespace)


def _files(choice: Choice) -> list[Path]:
    """Return the kubeconfig files in kubectl's order; none inside a pod that has none."""
    if choice.kubeconfig is not None:
        return [choice.kubeconfig]
    named = os.environ.get("KUBECONFIG", "")
    if not named:
        default = Path.home() / ".kube/config"
        return [default] if default.exists() else []
    found = [file for part in named.split(os.pathsep) if part and (file := Path(part).expanduser()).exists()]
    if not found:
        raise click.ClickException(f"KUBECONFIG does not refer to an existing file ({named}): correct or unset it.")
    return found


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"The kubeconfig {file} cannot be read: {type(error).__name__}.") from None
    return content if isinstance(content, dict) else {}


def _current(configs: Sequence[Mapping[str, Any]]) -> str:
    return next((str(each["current-context"]) for each in configs if each.get("current-context")), "")


def _namespace(configs: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """Return the namespace of a context, None if it has none."""
    contexts = [context for each in configs for context in each.get("contexts") or []]
    found = next((each for each in contexts if each.get("name") == name), None)
    if found is None:
        known = ", ".join(sorted(str(each.get("name")) for each in contexts)) or "no context at all"
        raise click.ClickException(
            f'There is no context "{name}" in the kubeconfig, only {known}: choose one with --context.'
            if name
            else f"The kubeconfig has no current context: choose one of {known} with --context."
        )
    namespace = (found.get("context") or {}).get("namespace")
    return str(namespace) if namespace else None


def _pod_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text().strip()
    except OSError:
        return "default"
