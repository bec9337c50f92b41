"""How requests reach Fireworks: connections, TLS, proxies and deadlines, and what is told of each request."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from urllib.parse import urlencode

import aiohttp
import certifi
from yarl import URL

from fireworks_operator.network.connector import connector
from fireworks_operator.network.proxy import proxy_for
from fireworks_operator.network.trust import certificate_trouble, default_context
from fireworks_operator.network.tunnel import ProxyFailedError
from fireworks_operator.observability.redaction import REDACTED

from .api_key import ApiKey
from .base_url import BaseUrl
from .body import MAX_ERROR_BYTES, MAX_RESPONSE_BYTES, Body
from .errors import ErrorKind, FireworksError, classify, steady
from .request import Call, RequestRecord
from .wire import JsonObject, decode_json

# What the budget of an account lets through may hang until its deadline: 180 requests, which must hold up no other.
_MAX_CONNECTIONS = 1000
# For the connection and TLS together. Below the deadline, so that the library ends a dead handshake itself.
_CONNECT_SECONDS = 5.0
_CONNECT_SHARE = 0.8
# Shorter than the idle limit of common load balancers, so that a connection is rarely closed under a request.
_KEEPALIVE_SECONDS = 15.0

# OpenSSL's numbers of what is wrong with a certificate; all others are about who vouches for it.
_DATES = frozenset({9, 10})
_NAMES = frozenset({62, 64})

# What aiohttp raises, plus what slips through it: socket errors and host names that IDNA cannot encode.
_TRANSPORT_ERRORS = (aiohttp.ClientError, OSError, UnicodeError)


@dataclass(slots=True)
class _Sending:
    """How far a request has come: `sent` from just before its first byte."""

    sent: bool = False


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds for a whole request, from seeking a connection to the last byte of the answer: of a GET, of a change."""

    read: float
    write: float


class Transport:
    """Sends single requests to one Fireworks control plane; for any number of concurrent calls of one event loop.

    TLS certificates are always verified.
    """

    def __init__(
        self,
        base: BaseUrl,
        deadlines: Deadlines,
        *,
        user_agent: str,
        observe: Callable[[RequestRecord], None] | None,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        """Set the connections up; nothing is sent.

        Raises:
            ValueError: a context that does not verify, or a proxy or authorities of the environment that are of no use.
        """
        context = ssl_context or (_authorities() if base.secure else _nobody())
        if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
            raise ValueError("the TLS context must verify certificates and host names")
        self._base = base
        self._deadlines = deadlines
        self._observe = observe
        # Plain http is for this machine or a test inside the cluster: a proxy would see the key.
        self._proxy = proxy_for(base.text, all_proxy=True) if base.secure else None
        self._http = aiohttp.ClientSession(
            connector=connector(
                context,
                self._proxy,
                limit=_MAX_CONNECTIONS,
                keepalive_seconds=_KEEPALIVE_SECONDS,
                proxy_context=lambda: context,
            ),
            # The connections are shared by all keys: a session cookie of one must never go out with another.
            cookie_jar=aiohttp.DummyCookieJar(),
            # It would also read ~/.netrc, whose passwords are nobody's business here.
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"},
            trace_configs=[_trace()],
        )

    async def close(self) -> None:
        """Close all connections; calls under way fail."""
        await self._http.close()

    async def send(self, key: ApiKey, call: Call) -> JsonObject:
        """Send one request and return the JSON object it is answered with, or raise a FireworksError."""
        started = time.perf_counter()
        code, kind = "Cancelled", None
        try:
            status, answer = await self._exchange(key, call)
            code = str(status)
        except FireworksError as error:
            code, kind = str(error.status or error.kind), error.kind
            raise
        else:
            key.accept()
            return answer
        finally:
            if self._observe is not None:
                seconds = time.perf_counter() - started
                self._observe(RequestRecord(call.operation, call.account, code, seconds, kind, key.fingerprint))

    async def _exchange(self, key: ApiKey, call: Call) -> tuple[int, JsonObject]:
        sending = _Sending()
        seconds = self._deadlines.read if call.method == "GET" else self._deadlines.write
        try:
            async with asyncio.timeout(seconds):
                status, headers, body = await self._read(key, call, seconds, sending)
        except aiohttp.ServerTimeoutError:
            raise self._failure(sending, f"the connection was not made in time{self._way}") from None
        except TimeoutError:
            what = "no complete answer" if sending.sent else f"no connection{self._way}"
            raise self._failure(sending, f"{what} within {seconds:g} s") from None
        except _TRANSPORT_ERRORS as error:
            raise self._failure(sending, _reason(error, sending), error) from None
        if 200 <= status < 300:
            try:
                value = decode_json(body)
            except ValueError:
                value = None
            if isinstance(value, dict):
                return status, value
        raise classify(status, headers, body.replace(key.reveal().encode(), REDACTED.encode()), hidden=key.reveal())

    async def _read(
        self, key: ApiKey, call: Call, seconds: float, sending: _Sending
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send the request and read the whole answer, up to the size limit."""
        if self._http.closed:
            raise FireworksError(ErrorKind.UNREACHABLE, "the client is closed")
        headers = {"Authorization": f"Bearer {key.reveal()}"}
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(call.body, allow_nan=False).encode()
        query = f"?{urlencode(call.query, safe=',')}" if call.query else ""
        async with self._http.request(
            call.method,
            URL(f"{self._base.text}/v1/{call.path}{query}", encoded=True),
            headers=headers,
            data=content,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(_CONNECT_SECONDS, _CONNECT_SHARE * seconds)),
            trace_request_ctx=sending,
        ) as response:
            success = 200 <= response.status < 300
            limit = MAX_RESPONSE_BYTES if success else MAX_ERROR_BYTES
            body = Body(response.headers.get("Content-Encoding", ""), limit)
            async for chunk in response.content.iter_any():
                body.add(chunk)
                if body.cut:
                    response.close()
                    break
            if body.cut and success:
                raise FireworksError(ErrorKind.NO_ANSWER, f"the answer is larger than {limit // 2**20} MiB")
            return response.status, response.headers, body.finish()

    @property
    def _way(self) -> str:
        return f" through the proxy {self._proxy}" if self._proxy is not None else ""

    def _failure(self, sending: _Sending, reason: str, error: BaseException | None = None) -> FireworksError:
        if sending.sent:
            return FireworksError(
                ErrorKind.NO_ANSWER, f"{self._base.host} was asked, but gave no usable answer: {steady(reason)}"
            )
        message = f"{self._base.host} cannot be reached: {reason}"
        return FireworksError(ErrorKind.UNREACHABLE, message, advice=self._advice(error))

    def _advice(self, error: BaseException | None) -> str:
        """Say what to check, where the error tells more than that there was no connection."""
        trouble = certificate_trouble(error) if error is not None else None
        if trouble is not None and trouble.verify_code in _DATES:
            return "Check the clock of this machine, and whose certificate it is: a proxy may stand in between"
        if trouble is not None and trouble.verify_code in _NAMES:
            named = "the name of the proxy" if isinstance(error, ProxyFailedError) else "FIREWORKS_BASE_URL"
            return f"Check {named}, and whether something else answers in its place"
        if trouble is not None:
            return (
                "If a proxy in between inspects TLS, or the authority is a private one, name a file with its "
                "certificate in SSL_CERT_FILE"
            )
        if self._proxy is not None:
            return f"Check {self._proxy.source}, NO_PROXY and the network policy"
        return ""


def _authorities() -> ssl.SSLContext:
    return default_context(fallback=certifi.where())


def _nobody() -> ssl.SSLContext:
    """Return a context for plain http, which verifies nothing; the authorities take 20 ms to load."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _trace() -> aiohttp.TraceConfig:
    """Return what notes the moment before a request's first byte, and keeps it from being sent twice."""

    async def note(session: aiohttp.ClientSession, context: SimpleNamespace, headers: object) -> None:
        sending: _Sending = context.trace_request_ctx
        if sending.sent:
            # aiohttp would send a GET or DELETE again where a kept connection was closed under it.
            raise aiohttp.ServerDisconnectedError
        sending.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    return trace


def _reason(error: BaseException, sending: _Sending) -> str:
    """Say what went wrong below HTTP, in the system's own words if nothing was sent: never in the library's.

    Those may quote headers, or the URL of a proxy with its password.
    """
    words = type(error).__name__
    if sending.sent:
        return words
    if isinstance(error, ProxyFailedError):
        return str(error)
    trouble = certificate_trouble(error)
    if trouble is not None:
        return f"certificate verify failed: {trouble.verify_message.rstrip('.')}"
    cause: BaseException | None = error
    while cause is not None:
        # "Connection refused" comes wrapped several times, at last in a group with one error per address.
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.strerror:
            words = cause.strerror
        cause = cause.__cause__ or cause.__context__
    return words
