"""A kubeconfig as kubectl reads it: files are merged, paths are relative to their file, and nothing is overlooked.

An entry is understood whole or refused: a field that is dropped silently may be the one that says as whom to act.
"""

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

EXEC_EXTENSION: Final = "client.authentication.k8s.io/exec"
"""Name of the cluster's extension that is handed to a credential plugin as its configuration."""


class KubeconfigError(Exception):
    """A kubeconfig cannot be used; the text names the file and the field, and quotes no value."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Extension(_Entry):
    """Something that a tool has noted down for itself."""

    name: str
    extension: Any = None


class Cluster(_Entry):
    """Where an API server is, and how to know that it is the right one. Paths are absolute."""

    server: str = ""
    tls_server_name: str = Field("", alias="tls-server-name")
    insecure_skip_tls_verify: bool = Field(False, alias="insecure-skip-tls-verify")
    certificate_authority: str = Field("", alias="certificate-authority")
    certificate_authority_data: str = Field("", alias="certificate-authority-data")
    proxy_url: str = Field("", alias="proxy-url")
    disable_compression: bool = Field(False, alias="disable-compression")
    extensions: list[Extension] | None = None

    @property
    def plugin_config(self) -> object | None:
        """What the cluster has to say to a credential plugin."""
        return next((each.extension for each in self.extensions or () if each.name == EXEC_EXTENSION), None)


class Variable(_Entry):
    """An environment variable of a credential plugin."""

    name: str = Field(min_length=1)
    value: str = ""


class Exec(_Entry):
    """A credential plugin: a program that prints a token or a certificate."""

    api_version: str = Field(alias="apiVersion", min_length=1)
    command: str = Field(min_length=1)
    args: list[str] | None = None
    env: list[Variable] | None = None
    install_hint: str = Field("", alias="installHint")
    provide_cluster_info: bool = Field(False, alias="provideClusterInfo")
    interactive_mode: str = Field("", alias="interactiveMode", pattern="^(Never|IfAvailable|Always|)$")


class AuthProvider(_Entry):
    """The predecessor of credential plugins."""

    name: str
    config: Mapping[str, str] | None = None


class User(_Entry):
    """As whom to act. Paths are absolute."""

    client_certificate: str = Field("", alias="client-certificate")
    client_certificate_data: str = Field("", alias="client-certificate-data")
    client_key: str = Field("", alias="client-key")
    client_key_data: str = Field("", alias="client-key-data", repr=False)
    token: str = Field("", repr=False)
    token_file: str = Field("", alias="tokenFile")
    impersonate: str = Field("", alias="as")
    impersonate_uid: str = Field("", alias="as-uid")
    impersonate_groups: list[str] | None = Field(None, alias="as-groups")
    impersonate_extra: Mapping[str, list[str]] | None = Field(None, alias="as-user-extra")
    username: str = ""
    password: str = Field("", repr=False)
    auth_provider: AuthProvider | None = Field(None, alias="auth-provider")
    exec: Exec | None = None
    extensions: list[Extension] | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a command line says in place of the kubeconfig, by the options of kubectl; empty: nothing.

    Attributes:
        context: name of the context, in place of the current one.
        cluster: name of the cluster, in place of that of the context.
        user: name of the user, in place of that of the context.
        impersonate: as whom to act, in place of all that the user says of it.
        impersonate_groups: the groups to act with; none: those that Kubernetes itself gives.
    """

    context: str = ""
    cluster: str = ""
    user: str = ""
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = ()

    def of(self, user: User) -> User:
        """Return the user with what is said of impersonation here."""
        if not self.impersonate and not self.impersonate_groups:
            return user
        return user.model_copy(
            update={
                "impersonate": self.impersonate,
                "impersonate_uid": "",
                "impersonate_groups": list(self.impersonate_groups),
                "impersonate_extra": None,
            }
        )


AS_WRITTEN: Final = Overrides()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a context stands for.

    Attributes:
        cluster: its cluster.
        user: its user.
        user_name: the name of that user in the kubeconfig.
        files: every file that was read, whether it is there or not.
    """

    cluster: Cluster
    user: User
    user_name: str
    files: tuple[Path, ...]


EntryModel = TypeVar("EntryModel", bound=_Entry)


def split(source: str) -> list[Path]:
    """Return the files that `source` names: one, or several as in $KUBECONFIG."""
    if Path(source).is_file():
        return [Path(source)]
    return [Path(part).expanduser() for part in source.split(os.pathsep) if part]


def choose(source: str, overrides: Overrides = AS_WRITTEN) -> Chosen:
    """Return what a context stands for, by default the current one.

    Of several files the first one that has an entry of a name counts, and the first one that names a current context.

    Raises:
        KubeconfigError: there is no such file, context, cluster or user, or one of them cannot be used.
    """
    files = split(source)
    configs = [(file, _read(file)) for file in files if file.exists()]
    if not configs:
        raise KubeconfigError("the file does not exist")
    name = overrides.context or next(
        (str(each["current-context"]) for _, each in configs if each.get("current-context")), ""
    )
    if not name:
        raise KubeconfigError("it has no current-context")
    _, found = _find(configs, "context", name)
    cluster_name, user_name = overrides.cluster or found.get("cluster"), overrides.user or found.get("user")
    if not cluster_name:
        raise KubeconfigError(f'the context "{name}" names no cluster')
    if not user_name:
        raise KubeconfigError(f'the context "{name}" names no user')
    cluster = _entry(configs, "cluster", str(cluster_name), Cluster)
    user = overrides.of(_entry(configs, "user", str(user_name), User))
    if not cluster.server:
        raise KubeconfigError(f'the cluster "{cluster_name}" has no server')
    return Chosen(cluster, user, str(user_name), tuple(files))


def decode(data: str, field: str) -> bytes:
    """Return what a field of a kubeconfig holds in base64.

    Raises:
        KubeconfigError: it is no base64.
    """
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except binascii.Error:
        raise KubeconfigError(f"`{field}` is not base64") from None


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except OSError as error:
        raise KubeconfigError(f"{file}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise KubeconfigError(f"{file} is not YAML") from None
    if content is not None and not isinstance(content, dict):
        raise KubeconfigError(f"{file} is not a kubeconfig")
    return content or {}


def _find(configs: Sequence[tuple[Path, Mapping[str, Any]]], kind: str, name: str) -> tuple[Path, Mapping[str, Any]]:
    """Return the first entry of a kind and name, with its file."""
    for file, config in configs:
        entries = config.get(f"{kind}s") or []
        for each in entries if isinstance(entries, list) else []:
            if isinstance(each, dict) and str(each.get("name")) == name:
                content = each.get(kind)
                if content is not None and not isinstance(content, dict):
                    raise KubeconfigError(f'the {kind} "{name}" in {file} holds no fields')
                return file, content or {}
    raise KubeconfigError(f'there is no {kind} "{name}"')


def _entry(
    configs: Sequence[tuple[Path, Mapping[str, Any]]], kind: str, name: str, model: type[EntryModel]
) -> EntryModel:
    file, content = _find(configs, kind, name)
    try:
        return model.model_validate(_absolute(_present(content), file.parent))
    except ValidationError as error:
        raise KubeconfigError(f'the {kind} "{name}" in {file}: {_explain(error)}') from None


def _present(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry without what is null, which means the same as absent."""
    return {
        field: _present(value) if isinstance(value, dict) else value
        for field, value in content.items()
        if value is not None
    }


_PATHS: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


def _absolute(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return an entry with its paths as seen from the folder of its file, as kubectl takes them."""
    made = dict(content)
    for field in _PATHS:
        if isinstance(made.get(field), str) and made[field]:
            made[field] = str(folder.absolute() / made[field])
    plugin = made.get("exec")
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command", "")):  # without one it is looked for in PATH
        made["exec"] = {**plugin, "command": str(folder.absolute() / str(plugin["command"]))}
    return made


def _explain(error: ValidationError) -> str:
    """Say what is wrong with an entry without what stands there, which may be a secret."""
    words = []
    for each in error.errors(include_input=False, include_url=False):
        field = ".".join(map(str, each["loc"]))
        words.append(
            f"the field `{field}` is not supported"
            if each["type"] == "extra_forbidden"
            else f"`{field}`: {each['msg']}"
        )
    return "; ".join(words)
