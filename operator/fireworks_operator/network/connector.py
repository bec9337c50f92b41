"""Connections for aiohttp: direct, or through a proxy that the HTTP session on top of them knows nothing of."""

import asyncio
import errno
import os
import ssl
from collections.abc import Callable
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from .proxy import Proxy
from .trust import default_context
from .tunnel import open_tunnel


def connector(
    context: ssl.SSLContext,
    proxy: Proxy | None,
    *,
    limit: int,
    keepalive_seconds: float = 15.0,
    proxy_context: Callable[[], ssl.SSLContext] = default_context,
) -> aiohttp.TCPConnector:
    """Return what makes the connections of a session; must be called, used and closed in one event loop.

    The session must not be given a proxy of its own: aiohttp would send the session's headers to it.

    Args:
        context: whom to trust as the server, and the client certificate for it; the proxy gets none.
        proxy: goes through it, whatever the address; None: directly.
        limit: most connections at once; 0 means no limit.
        keepalive_seconds: how long a connection that is not used is kept.
        proxy_context: whom to trust as a proxy that is itself spoken to by TLS.

    Raises:
        TrustError: of `proxy_context`.
    """
    if proxy is None:
        return aiohttp.TCPConnector(ssl=context, limit=limit, keepalive_timeout=keepalive_seconds)
    secure = proxy_context() if proxy.scheme == "https" else None
    return _ProxyConnector(proxy, secure, ssl=context, limit=limit, keepalive_timeout=keepalive_seconds)


class _ProxyConnector(aiohttp.TCPConnector):
    """Makes each connection through one proxy.

    aiohttp's own way to a proxy merges the session's headers into what the proxy gets (its Authorization in clear),
    shows the proxy the client certificate, and knows neither SOCKS nor a name to check instead of the host's.
    """

    def __init__(
        self,
        proxy: Proxy,
        proxy_context: ssl.SSLContext | None,
        *,
        ssl: ssl.SSLContext,
        limit: int,
        keepalive_timeout: float,
    ) -> None:
        super().__init__(ssl=ssl, limit=limit, keepalive_timeout=keepalive_timeout)
        self._proxy = proxy
        self._proxy_context = proxy_context

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> ResponseHandler:
        context = self._get_ssl_context(req)
        name = (req.server_hostname or req.host).rstrip(".") if context else None
        async with asyncio.timeout(timeout.sock_connect):
            opened = await open_tunnel(self._proxy, req.host.rstrip("."), req.url.port or 0, self._proxy_context)
            handler = _Handler(self._loop, opened)
            try:
                await self._on_top(opened.transport, handler, context, name)
            except ssl.SSLCertVerificationError as error:
                raise aiohttp.ClientConnectorCertificateError(req.connection_key, error) from error
            except ssl.SSLError as error:
                raise aiohttp.ClientConnectorSSLError(req.connection_key, error) from error
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                raise aiohttp.ClientConnectorError(req.connection_key, error) from error
            finally:
                if handler.transport is None:
                    opened.transport.abort()
        return handler

    async def _on_top(
        self, tunnel: asyncio.WriteTransport, handler: "_Handler", context: ssl.SSLContext | None, name: str | None
    ) -> None:
        """Put the HTTP connection on top of the tunnel, by TLS if there is a context."""
        transport: asyncio.Transport | None
        if context is None:
            transport = cast("asyncio.Transport", tunnel)
            transport.set_protocol(handler)
        else:
            transport = await self._loop.start_tls(tunnel, handler, context, server_hostname=name)
        if transport is None:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        handler.connection_made(transport)


class _Handler(ResponseHandler):
    """Keeps the writer that the tunnel was opened with: without a reference it would close the connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop, opened: asyncio.StreamWriter) -> None:
        super().__init__(loop)
        self._opened = opened
