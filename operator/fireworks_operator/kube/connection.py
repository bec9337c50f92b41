"""Connections to the API server: its certificate checked, ours shown, through a proxy where one is meant."""

import contextlib
import ssl
import tempfile

import aiohttp

from fireworks_operator.network.connector import connector
from fireworks_operator.network.trust import TrustError, context_of, default_context

from .credentials import USER_AGENT, Credentials, CredentialsError


def new_session(credentials: Credentials, *, connections: int) -> aiohttp.ClientSession:
    """Open an HTTP session over which these credentials may be used; they are sent with each request by its caller.

    Must be called, used and closed in one event loop.

    Args:
        credentials: whom to reach.
        connections: most that are open at once; 0 means no limit.

    Raises:
        CredentialsError: a certificate cannot be used, or a proxy would get to see a token.
    """
    if credentials.proxy is not None and credentials.authorization and credentials.server.startswith("http://"):
        raise CredentialsError(
            f"Cannot use the proxy {credentials.proxy} for {credentials.server}: over plain HTTP it could read the "
            "token; use https, or no proxy."
        )
    try:
        made = connector(_tls_context(credentials), credentials.proxy, limit=connections)
    except TrustError as error:
        raise CredentialsError(f"Cannot use the certificates for {credentials.server}: {error}.") from None
    return aiohttp.ClientSession(
        connector=made,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _tls_context(credentials: Credentials) -> ssl.SSLContext:
    unchecked = not credentials.verify_tls or credentials.server.startswith("http://")
    if credentials.ca_file is None and credentials.ca_data is None and not unchecked:
        context = default_context()
    else:
        context = context_of(credentials.ca_file, data=credentials.ca_data, source="certificate-authority")
    if not credentials.verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _show_certificate(context, credentials)
    return context


def _show_certificate(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Have the client certificate shown, if there is one; Python takes it from files only."""
    with contextlib.ExitStack() as stack:
        try:
            certificate = _file(credentials.certificate_file, credentials.certificate_data, stack)
            if certificate is not None:
                key = _file(credentials.key_file, credentials.key_data, stack)
                context.load_cert_chain(certificate, key, password="")  # or it asks the terminal
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
            raise CredentialsError(
                f"Cannot use the client certificate for {credentials.server}: "
                f"{why or 'certificate and key are not PEM, do not belong together, or the key is encrypted'}."
            ) from None


def _file(file: str | None, data: str | None, stack: contextlib.ExitStack) -> str | None:
    """Return the path of a file with these contents, which lasts as long as the stack; only its owner can read it."""
    if data is None:
        return file
    made = stack.enter_context(tempfile.NamedTemporaryFile(prefix="fireworks-operator-"))  # noqa: SIM115
    made.write(data.encode())
    made.flush()
    return made.name
