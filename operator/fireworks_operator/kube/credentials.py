"""How to reach the API server and as whom: from a kubeconfig, or from the pod's service account."""

import os
import ssl
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

USER_AGENT: Final = "fireworks-operator"


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
        proxy: URL of the proxy to go through.
        rotates: True if the token is a projected one, which the kubelet replaces before it expires.
    """

    server: str
    authorization: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = field(default=None, repr=False)
    verify_tls: bool = True
    proxy: str | None = field(default=None, repr=False)
    rotates: bool = False


async def load_credentials(kubeconfig: Path | None) -> Credentials:
    """Read the credentials anew: from `kubeconfig`, else from $KUBECONFIG, else from the service account.

    `~/.kube/config` is never used by itself: an operator that was started in the wrong terminal must not act
    on whatever cluster that happens to name.

    Raises:
        CredentialsError: neither is there, or it cannot be read.
    """
    configuration = Configuration()
    source = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG", "")
    where = f"kubeconfig {source}" if source else "the service account of this pod"
    try:
        if source:
            await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=source,
                context=_current_context(source),
                client_configuration=configuration,
                persist_config=False,
            )
        elif os.environ.get("KUBERNETES_SERVICE_HOST"):
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            raise CredentialsError("No way to reach Kubernetes: set KUBECONFIG, or run inside a cluster.")
    except ConfigException as error:
        raise CredentialsError(f"Cannot use {where}: {error}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise CredentialsError(f"Cannot read {where}: {type(error).__name__}.") from None
    return await _from_configuration(configuration, in_cluster=not source)


def _current_context(source: str) -> str | None:
    """Return the current context of several files as kubectl does, the first one named; the client takes the last."""
    for file in map(Path, filter(None, source.split(os.pathsep))):
        content = yaml.safe_load(file.read_text()) if file.exists() else None
        if isinstance(content, dict) and content.get("current-context"):
            return str(content["current-context"])
    return None


async def _from_configuration(configuration: Configuration, *, in_cluster: bool) -> Credentials:
    if configuration.tls_server_name:
        raise CredentialsError("`tls-server-name` in a kubeconfig is not supported; use a name of the certificate.")
    server = configuration.host.rstrip("/")
    return Credentials(
        server=server,
        authorization=_authorization(await configuration.get_api_key_with_prefix("BearerToken")),
        ca_file=configuration.ssl_ca_cert,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        verify_tls=configuration.verify_ssl,
        # In a cluster the API server is always reached directly: HTTPS_PROXY there is meant for Fireworks,
        # and Python does not understand the address ranges that NO_PROXY usually holds.
        proxy=configuration.proxy or (None if in_cluster else _proxy_of_environment(server)),
        rotates=in_cluster,
    )


def _authorization(value: str | None) -> str | None:
    """Return the header with its scheme in RFC 6750's spelling, and without the token file's line break."""
    if value is None:
        return None
    scheme, _, secret = value.strip().partition(" ")
    return f"{scheme.capitalize()} {secret.strip()}"


def _proxy_of_environment(server: str) -> str | None:
    parts = urlsplit(server)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def new_session(credentials: Credentials, *, connections: int) -> aiohttp.ClientSession:
    """Open an HTTP session with the TLS settings and the identity of these credentials.

    Must be called, used and closed in one event loop.

    Args:
        credentials: whom to reach and as whom.
        connections: most that are open at once; 0 means no limit.

    Raises:
        CredentialsError: a certificate file cannot be read.
    """
    headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
    if credentials.authorization is not None:
        headers["Authorization"] = credentials.authorization
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, ssl=_tls_context(credentials)),
        headers=headers,
        proxy=credentials.proxy,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _tls_context(credentials: Credentials) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=credentials.ca_file)
        if credentials.certificate_file:
            context.load_cert_chain(credentials.certificate_file, credentials.key_file)
    except OSError as error:
        raise CredentialsError(f"Cannot load the TLS files of {credentials.server}: {error.strerror}.") from None
    # Python 3.13 refuses authorities without the key usage extensions of RFC 5280, which many clusters have;
    # the chain and the host name are still checked, as kubectl does.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not credentials.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
