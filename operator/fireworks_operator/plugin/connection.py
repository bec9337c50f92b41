"""Which cluster and namespace a command is about, by the rules of kubectl.

Until a connection is opened nothing heavy is imported, so that a mistake in the command line is answered at once.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from fireworks_operator.kube.client import KubernetesClient

_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
REQUEST_SECONDS: Final = 10.0
"""How long one request to the API server may take unless --request-timeout says otherwise."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line says; None and empty: what kubectl would take.

    Attributes:
        kubeconfig: path of the file.
        context, cluster, user: names in it.
        namespace: the namespace.
        impersonate: as whom to act.
        impersonate_groups: with which groups; none: those that Kubernetes itself gives.
        request_seconds: how long one request may take; None: without a limit.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    cluster: str | None = None
    user: str | None = None
    impersonate: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    request_seconds: float | None = REQUEST_SECONDS

    def flags(self) -> list[str]:
        """Return the same for kubectl, without the namespace."""
        given = {
            "kubeconfig": None if self.kubeconfig is None else str(self.kubeconfig),
            "context": self.context,
            "cluster": self.cluster,
            "user": self.user,
            "as": self.impersonate,
        }
        groups = [f"--as-group={each}" for each in self.impersonate_groups]
        return [f"--{name}={value}" for name, value in given.items() if value] + groups


@dataclass(frozen=True, slots=True)
class Place:
    """What a choice comes to.

    Attributes:
        files: the kubeconfig files; none inside a pod that has none.
        context: name of the context in them.
        namespace: the namespace that a name without one means.
    """

    files: tuple[Path, ...]
    context: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection, and the namespace that a name without one means."""

    client: "KubernetesClient"
    namespace: str


def find_place(choice: Choice) -> Place:
    """Return the files, the context and the namespace of a choice.

    Raises:
        click.ClickException: there is no kubeconfig, or no such context.
    """
    files = _files(choice)
    if not files:
        if not os.environ.get("KUBERNETES_SERVICE_HOST"):
            raise click.ClickException(
                "No Kubernetes configuration found: set KUBECONFIG, use --kubeconfig, or run inside a cluster."
            )
        if choice.flags():
            raise click.ClickException(
                "Another context, cluster or user requires a kubeconfig: set KUBECONFIG, or use --kubeconfig."
            )
        return Place((), "", choice.namespace or _pod_namespace())
    configs = [_read(file) for file in files]
    context = choice.context or _current(configs)
    return Place(tuple(files), context, choice.namespace or _namespace(configs, context) or "default")


def context_names(choice: Choice) -> list[str]:
    """Return the names of all contexts.

    Raises:
        click.ClickException: there is no such kubeconfig.
    """
    return sorted(str(each.get("name")) for each in _contexts([_read(file) for file in _files(choice)]))


@contextlib.asynccontextmanager
async def connected(choice: Choice) -> AsyncIterator[Connection]:
    """Connect to the chosen cluster.

    Raises:
        click.ClickException: there is no such kubeconfig or context.
        CredentialsError: there is no usable way to reach an API server.
    """
    place = find_place(choice)
    from fireworks_operator.kube.client import connect
    from fireworks_operator.kube.kubeconfig import Overrides

    overrides = Overrides(
        place.context,
        choice.cluster or "",
        choice.user or "",
        choice.impersonate or "",
        choice.impersonate_groups,
    )
    source = Path(os.pathsep.join(map(str, place.files))) if place.files else None
    async with await connect(source, overrides, deadline=choice.request_seconds) as client:
        yield Connection(client, place.namespace)


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
    import yaml

    try:
        content = yaml.load(file.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"The kubeconfig {file} cannot be read: {type(error).__name__}.") from None
    return content if isinstance(content, dict) else {}


def _current(configs: Sequence[Mapping[str, Any]]) -> str:
    return next((str(each["current-context"]) for each in configs if each.get("current-context")), "")


def _contexts(configs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = [each.get("contexts") for each in configs]
    return [each for contexts in found if isinstance(contexts, list) for each in contexts if isinstance(each, dict)]


def _namespace(configs: Sequence[Mapping[str, Any]], name: str) -> str | None:
    """Return the namespace of a context, None if it has none."""
    contexts = _contexts(configs)
    found = next((each for each in contexts if each.get("name") == name), None)
    if found is None:
        known = ", ".join(sorted(str(each.get("name")) for each in contexts)) or "no context at all"
        raise click.ClickException(
            f'There is no context "{name}" in the kubeconfig, only {known}: choose one with --context.'
            if name
            else f"The kubeconfig has no current context: choose one of {known} with --context."
        )
    context = found.get("context")
    namespace = context.get("namespace") if isinstance(context, dict) else None
    return str(namespace) if namespace else None


def _pod_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text().strip()
    except OSError:
        return "default"
