"""An aiohttp transport for httpx that never sends a request twice and reports whether it was sent at all.

httpx's default transport is not used: its pool leaks a connection when a call is cancelled at the wrong moment, and it
needs several times the processor time when many requests are in flight.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final

import aiohttp
import httpx
from yarl import URL

# What aiohttp raises, plus what slips through it: socket errors and host names that IDNA cannot encode.
_ERRORS: Final = (aiohttp.ClientError, OSError, UnicodeError)


@dataclass(slots=True)
class RequestProgress:
    """How far a request has come; passed to the transport as the request extension `progress`.

    Attributes:
        sent: True from just before the first byte; from then on the server may have carried the request out.
    """

    sent: bool = False


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests over the connections of an aiohttp connector; created, used and closed in one event loop.

    Of httpx's timeouts only `connect` applies; it covers TCP, proxy and TLS together. Response bodies are passed on as
    received, still compressed. A connection is closed unless its response was read to the end.
    """

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            # It would also read ~/.netrc, whose passwords are nobody's business here.
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=["Content-Type"],
            trace_configs=[_send_once()],
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response, whose body is yet to be read.

        Raises:
            httpx.ConnectTimeout, httpx.ConnectError: nothing was sent.
            httpx.ReadError, httpx.RemoteProtocolError: the request was sent, at least in part, without a usable answer.
        """
        progress: RequestProgress = request.extensions.setdefault("progress", RequestProgress())
        connect = request.extensions.get("timeout", {}).get("connect")
        try:
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=_headers(request),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect),
                trace_request_ctx=progress,
            )
        except _ERRORS as error:
            raise _translate(error, request, progress) from error
        body = _Body(response, request, progress)
        return httpx.Response(response.status, headers=response.raw_headers, stream=body, request=request)

    async def aclose(self) -> None:
        """Close all connections; requests in flight fail."""
        await self._session.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request, progress: RequestProgress) -> None:
        self._response = response
        self._request = request
        self._progress = progress

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except _ERRORS as error:
            raise _translate(error, self._request, self._progress) from error

    async def aclose(self) -> None:
        self._response.close()


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    """Return the headers except Host, which aiohttp derives from the URL, without a trailing dot."""
    raw = request.headers.raw
    return [(name.decode("ascii"), value.decode("ascii")) for name, value in raw if name.lower() != b"host"]


def _translate(error: Exception, request: httpx.Request, progress: RequestProgress) -> httpx.TransportError:
    """Return httpx's error for one of aiohttp's, by what was sent: aiohttp's classes alone do not tell that."""
    kind: type[httpx.TransportError]
    if progress.sent:
        kind = httpx.ReadError if isinstance(error, OSError) else httpx.RemoteProtocolError
    else:
        kind = httpx.ConnectTimeout if isinstance(error, aiohttp.ServerTimeoutError) else httpx.ConnectError
    # Not aiohttp's message: it may quote headers, or a proxy URL with its password.
    return kind(type(error).__name__, request=request)


def _send_once() -> aiohttp.TraceConfig:
    """Return a trace that notes the moment before the first byte, and stops aiohttp from sending a request again."""

    async def before_first_byte(session: aiohttp.ClientSession, context: SimpleNamespace, headers: object) -> None:
        progress: RequestProgress = context.trace_request_ctx
        if progress.sent:
            # aiohttp repeats a GET or DELETE whose connection is closed before the response.
            raise aiohttp.ServerDisconnectedError
        progress.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(before_first_byte)
    return trace
