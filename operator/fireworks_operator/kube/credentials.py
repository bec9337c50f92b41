"""How to reach the API server and as whom: from a kubeconfig, or from the pod's service account."""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from multidict import CIMultiDict

from fireworks_operator.network.proxy import Proxy, ProxyError, proxy_for, proxy_named

from .exec_plugin import Issued, PluginError, issue
from .kubeconfig import AS_WRITTEN, Chosen, Cluster, KubeconfigError, Overrides, User, choose, decode, split
from .oidc import id_token

USER_AGENT: Final = "fireworks-operator"

Stamp = tuple[int, int, int] | None
"""What tells one version of a file from the next: time of change, size and inode; None: it is not there."""


class CredentialsError(Exception):
    """There is no usable way to reach an API server; the text says what to set and holds no secret."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One way to reach one API server.

    Attributes:
        server: base URL without a trailing slash.
        authorization: value of the HTTP header, None with a client certificate.
        ca_file: PEM file that the server's certificate is checked with, None for the system's authorities.
        certificate_file: PEM file of the client certificate.
        key_file: PEM file of its key.
        verify_tls: False only where the kubeconfig says `insecure-skip-tls-verify`.
        proxy: the proxy to go through.
        rotates: True if the token is a projected one, which the kubelet replaces before it expires.
        ca_data: in place of `ca_file`, the PEM text itself.
        certificate_data: likewise.
        key_data: likewise.
        server_name: the name that the server's certificate must have, None for that of the URL.
        impersonation: headers that say as whom to act instead.
        compressed: whether answers may be compressed.
        from_plugin: whether a program was run to get the credentials.
        expires_at: when the plugin's credentials end, in seconds since 1970; None: unknown.
        files: the files behind all this as they were when they were read.
        digest: of the contents of all TLS files.
    """

    server: str
    authorization: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = field(default=None, repr=False)
    verify_tls: bool = True
    proxy: Proxy | None = field(default=None, repr=False)
    rotates: bool = False
    ca_data: str | None = field(default=None, repr=False)
    certificate_data: str | None = field(default=None, repr=False)
    key_data: str | None = field(default=None, repr=False)
    server_name: str | None = None
    impersonation: tuple[tuple[str, str], ...] = ()
    compressed: bool = True
    from_plugin: bool = False
    expires_at: float | None = field(default=None, compare=False)
    files: Mapping[Path, Stamp] = field(default_factory=dict, compare=False, repr=False)
    digest: str = field(default="", compare=False)

    def headers(self) -> CIMultiDict[str]:
        """Return the headers that a request carries: never those of a session, which aiohttp shows to proxies."""
        headers = CIMultiDict(self.impersonation)
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        if not self.compressed:
            headers["Accept-Encoding"] = "identity"
        return headers

    @property
    def line(self) -> tuple[object, ...]:
        """All that a connection depends on; another one is needed when it changes."""
        return (
            *(self.server, self.server_name, self.verify_tls, self.proxy),
            *(self.ca_file, self.certificate_file, self.key_file),
            *(self.ca_data, self.certificate_data, self.key_data, self.digest),
        )

    def files_changed(self) -> bool:
        """Return whether a file behind these credentials is not what was read."""
        return any(_stamp(file) != stamp for file, stamp in self.files.items())


async def load_credentials(kubeconfig: Path | None, overrides: Overrides = AS_WRITTEN) -> Credentials:
    """Read the credentials anew: from `kubeconfig`, else from $KUBECONFIG, else from the service account.

    `~/.kube/config` is never used by itself: an operator that was started in the wrong terminal must not act
    on whatever cluster that happens to name.

    Args:
        kubeconfig: one file, or several as in $KUBECONFIG; an empty path counts as none.
        overrides: what counts in place of the kubeconfig; the service account takes none.

    Raises:
        CredentialsError: neither is there, or it cannot be used.
    """
    given = kubeconfig if kubeconfig is not None and kubeconfig != Path() else None
    source = str(given) if given is not None else os.environ.get("KUBECONFIG", "")
    if source.strip(os.pathsep):
        try:
            return await _from_kubeconfig(source, overrides)
        except (KubeconfigError, PluginError, ProxyError) as error:
            raise CredentialsError(f"Cannot use kubeconfig {source}: {error}.") from None
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return await _from_service_account()
    raise CredentialsError("No Kubernetes configuration found: set KUBECONFIG, or run inside a cluster.")


async def _from_service_account() -> Credentials:
    # Imported here: it takes half a second, and a command line outside of a pod does not need it.
    from kubernetes.aio.client import Configuration
    from kubernetes.aio.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        token = await configuration.get_api_key_with_prefix("BearerToken") or ""
        digest = _digest({"certificate-authority": configuration.ssl_ca_cert})
    except (ConfigException, KubeconfigError, OSError, ValueError) as error:
        raise CredentialsError(f"Cannot use the service account of this pod: {error}.") from None
    # In a cluster the API server is always reached directly: HTTPS_PROXY there is meant for Fireworks.
    return Credentials(
        configuration.host.rstrip("/"),
        authorization=_authorization("Bearer", token.partition(" ")[2]),
        ca_file=configuration.ssl_ca_cert,
        rotates=True,
        digest=digest,
    )


async def _from_kubeconfig(source: str, overrides: Overrides) -> Credentials:
    before = {file: _stamp(file) for file in split(source)}
    chosen = choose(source, overrides)
    cluster, user = chosen.cluster, chosen.user
    _refuse_twofold(cluster, user)
    named = {
        "certificate-authority": cluster.certificate_authority,
        "client-certificate": user.client_certificate,
        "client-key": user.client_key,
    }
    files = before | {Path(each): _stamp(Path(each)) for each in (*named.values(), user.token_file) if each}
    digest = _digest(named)
    server = _server(cluster, user)
    authorization, issued = await _identity(chosen, server)
    certificate_data, key_data = _client_certificate(chosen, issued)
    return Credentials(
        server,
        authorization,
        ca_file=cluster.certificate_authority or None,
        certificate_file=user.client_certificate or None if certificate_data is None else None,
        key_file=user.client_key or None if key_data is None else None,
        verify_tls=not cluster.insecure_skip_tls_verify,
        proxy=_proxy(cluster, server),
        ca_data=_inline("certificate-authority", cluster.certificate_authority_data),
        certificate_data=certificate_data,
        key_data=key_data,
        server_name=cluster.tls_server_name or None,
        impersonation=_impersonation(user, chosen.user_name),
        compressed=not cluster.disable_compression,
        from_plugin=issued is not None,
        expires_at=None if issued is None else issued.expires_at,
        files=files,
        digest=digest,
    )


def _refuse_twofold(cluster: Cluster, user: User) -> None:
    """Refuse what is given both as a file and as data, as kubectl does."""
    for file, data in (
        (cluster.certificate_authority, cluster.certificate_authority_data),
        (user.client_certificate, user.client_certificate_data),
        (user.client_key, user.client_key_data),
    ):
        if file and data:
            raise KubeconfigError(f"{Path(file).name} is set together with its -data: keep one of them")


def _client_certificate(chosen: Chosen, issued: Issued | None) -> tuple[str | None, str | None]:
    """Return certificate and key as PEM texts: those that a plugin issued, else those in the kubeconfig itself."""
    user = chosen.user
    inline = _inline("client-certificate", user.client_certificate_data), _inline("client-key", user.client_key_data)
    has_certificate = user.client_certificate or user.client_certificate_data
    has_key = user.client_key or user.client_key_data
    if bool(has_certificate) != bool(has_key):
        raise KubeconfigError(f'the user "{chosen.user_name}" has only one of `client-certificate` and `client-key`')
    return (issued.certificate, issued.key) if issued is not None and issued.certificate else inline


def _server(cluster: Cluster, user: User) -> str:
    """Return the URL; without a scheme it is https where anything says so, as for kubectl."""
    text = cluster.server
    if "://" not in text:
        secure = (
            cluster.certificate_authority or cluster.certificate_authority_data or cluster.insecure_skip_tls_verify
        ) or (user.client_certificate or user.client_certificate_data)
        text = f"{'https' if secure else 'http'}://{text}"
    if not _is_url(text):
        raise KubeconfigError("the cluster's `server` must be a URL such as https://kubernetes.example.com:6443")
    return text.rstrip("/")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return whole and parts.username is None and not parts.query and not parts.fragment


def _proxy(cluster: Cluster, server: str) -> Proxy | None:
    if cluster.proxy_url:
        return proxy_named(cluster.proxy_url, source="the cluster's `proxy-url`")
    return proxy_for(server)


async def _identity(chosen: Chosen, server: str) -> tuple[str | None, Issued | None]:
    """Return the header that says who is asking, and what a plugin gave; a user with an identity always gets one."""
    user, name = chosen.user, chosen.user_name
    if user.exec is not None and user.auth_provider is not None:
        raise KubeconfigError(f'the user "{name}" has both `exec` and `auth-provider`: keep one of them')
    token = _token(user)
    if token and (user.username or user.password):
        raise KubeconfigError(f'the user "{name}" has both a token and a username: keep one of them')
    if token:  # what is written there counts before what a program would say, as for kubectl
        return _authorization("Bearer", token), None
    if user.username or user.password:
        return _authorization("Basic", base64.b64encode(f"{user.username}:{user.password}".encode()).decode()), None
    if user.auth_provider is not None:
        return _authorization("Bearer", id_token(user.auth_provider, name)), None
    if user.exec is not None:
        issued = await issue(user.exec, _cluster_info(chosen.cluster, server))
        return _authorization("Bearer", issued.token) if issued.token else None, issued
    return None, None


def _token(user: User) -> str:
    """Return the token of the user; that of the file counts, and the other one while that cannot be read."""
    if not user.token_file:
        return user.token.strip()
    try:
        token = Path(user.token_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        if user.token:
            return user.token.strip()
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise KubeconfigError(f"`tokenFile`: the file {user.token_file} cannot be read: {why}") from None
    if not token:
        raise KubeconfigError(f"`tokenFile`: the file {user.token_file} is empty")
    return token


def _cluster_info(cluster: Cluster, server: str) -> dict[str, object]:
    """Return what a plugin is told of the cluster if it asks for it."""
    info: dict[str, object] = {"server": server, "config": cluster.plugin_config}
    authority = cluster.certificate_authority_data
    if cluster.certificate_authority:
        authority = base64.b64encode(_content("certificate-authority", cluster.certificate_authority)).decode()
    said = {
        "tls-server-name": cluster.tls_server_name,
        "insecure-skip-tls-verify": cluster.insecure_skip_tls_verify,
        "certificate-authority-data": authority,
        "proxy-url": cluster.proxy_url,
        "disable-compression": cluster.disable_compression,
    }
    return info | {name: value for name, value in said.items() if value}


def _impersonation(user: User, name: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of `as` and its relatives."""
    groups, extra = user.impersonate_groups or (), user.impersonate_extra or {}
    if not user.impersonate:
        if user.impersonate_uid or groups or extra:
            raise KubeconfigError(f'the user "{name}" has `as-uid`, `as-groups` or `as-user-extra` without `as`')
        return ()
    headers = [("Impersonate-User", user.impersonate)]
    headers += [("Impersonate-Uid", user.impersonate_uid)] if user.impersonate_uid else []
    headers += [("Impersonate-Group", group) for group in groups]
    headers += [
        (f"Impersonate-Extra-{quote(key.lower(), safe=_HEADER_SAFE)}", value)
        for key, values in extra.items()
        for value in values
    ]
    if any(not value.isprintable() for _, value in headers):
        raise KubeconfigError(
            f'the user "{name}": the values of `as`, `as-uid`, `as-groups` and `as-user-extra` must be printable'
        )
    return tuple(headers)


_HEADER_SAFE: Final = "!#$&'*+-.^_`|~"
"""What may stand in the name of a header as it is, but for the sign of encoding itself."""


def _authorization(scheme: str, secret: str) -> str:
    secret = secret.strip()
    if not secret.isascii() or not secret.isprintable():
        raise CredentialsError(
            "Cannot use the token for Kubernetes: it contains characters that are not allowed in a header."
        )
    return f"{scheme} {secret}"


def _inline(field_name: str, data: str) -> str | None:
    return decode(data, f"{field_name}-data").decode("ascii", "replace") if data else None


def _content(field_name: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise KubeconfigError(f"`{field_name}`: the file {file} cannot be read: {error.strerror}") from None


def _digest(named: Mapping[str, str | None]) -> str:
    """Return a digest of the files' contents, by which it is noticed that they were replaced."""
    digest = hashlib.sha256()
    for name, file in named.items():
        digest.update(hashlib.sha256(_content(name, file) if file else b"").digest())
    return digest.hexdigest()


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
