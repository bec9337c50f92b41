"""How requests reach Fireworks: connections, TLS, proxies and deadlines, and what is told of each request."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import certifi
import httpx

from fireworks_operator.network.aiohttp_transport import AiohttpTransport, RequestProgress
from fireworks_operator.network.connector import connector
from fireworks_operator.network.proxy import proxy_for
from fireworks_operator.network.reasons import reason_of
from fireworks_operator.network.trust import certificate_trouble, default_context
from fireworks_operator.network.tunnel import ProxyFailedError
from fireworks_operator.text import REDACTED

from .api_key import ApiKey
from .base_url import BaseUrl
from .body import MAX_ERROR_BYTES, MAX_RESPONSE_BYTES, Body
from .errors import ErrorKind, FireworksError, classify, steady
from .request import Call, RequestRecord, Secret
from .wire import JsonObject, decode_json

# What the budget of an account lets through may hang until its deadline: 180 requests, which must hold up no other.
_MAX_CONNECTIONS = 1000
# For the connection and TLS together. Below the deadline, so that the library ends a dead handshake itself.
_CONNECT_SECONDS = 5.0
_CONNECT_SHARE = 0.8
_NO_HEADERS: Mapping[str, str] = {}
_AS_IT_COMES = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
# Shorter than the idle limit of common load balancers, so that a connection is rarely closed under a request.
_KEEPALIVE_SECONDS = 15.0

# OpenSSL's numbers of what is wrong with a certificate; all others are about who vouches for it.
_DATES = frozenset({9, 10})
_NAMES = frozenset({62, 64})

# What a transport raises, plus httpx's own objections to a host name before anything is sent.
_ERRORS = (httpx.TransportError, httpx.InvalidURL, UnicodeError)


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
        self._http = httpx.AsyncClient(
            transport=AiohttpTransport(
                connector(
                    context,
                    self._proxy,
                    limit=_MAX_CONNECTIONS,
                    keepalive_seconds=_KEEPALIVE_SECONDS,
                    proxy_context=lambda: context,
                )
            ),
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"},
            cookies=_NoCookies(),
            trust_env=False,
            follow_redirects=False,
            event_hooks={"response": [_set_aside_location]},
        )

    async def close(self) -> None:
        """Close all connections; calls under way fail."""
        await self._http.aclose()

    async def send(self, api_key: ApiKey, call: Call) -> JsonObject:
        """Send one request and return the JSON object it is answered with, or raise a FireworksError."""
        started = time.perf_counter()
        code, kind = "Cancelled", None
        try:
            status, answer = await self._exchange(api_key, call)
            code = str(status)
        except FireworksError as error:
            code, kind = str(error.status or error.kind), error.kind
            raise
        else:
            api_key.accept()
            return answer
        finally:
            if self._observe is not None:
                seconds = time.perf_counter() - started
                self._observe(RequestRecord(call.operation, call.account, code, seconds, kind, api_key.fingerprint))

    async def stream(self, api_key: ApiKey, call: Call) -> AsyncGenerator[bytes]:
        """Send one request and yield the body of its answer as it comes, or raise a FireworksError.

        Only the connection has a deadline: how long an answer may take, and be, is the caller's to say.
        """
        progress = RequestProgress()
        try:
            async with self._open(api_key, call, _CONNECT_SECONDS, progress, _AS_IT_COMES) as response:
                if not response.is_success:
                    status, headers, body = await _read_body(response)
                    raise _refusal((api_key, *call.route_keys), status, headers, body)
                api_key.accept()
                async for chunk in response.aiter_raw():
                    yield chunk
        except _ERRORS as error:
            raise self._translated(progress, error) from None

    async def _exchange(self, api_key: ApiKey, call: Call) -> tuple[int, JsonObject]:
        progress = RequestProgress()
        seconds = self._deadlines.read if call.method == "GET" else self._deadlines.write
        try:
            async with asyncio.timeout(seconds):
                status, headers, body = await self._read(api_key, call, seconds, progress)
        except TimeoutError:
            what = "no complete response" if progress.sent else f"no connection{self._way}"
            raise self._failure(progress, f"{what} within {seconds:g} s") from None
        except _ERRORS as error:
            raise self._translated(progress, error) from None
        if 200 <= status < 300:
            try:
                value = decode_json(body)
            except ValueError:
                value = None
            if isinstance(value, dict):
                return status, value
        raise _refusal((api_key, *call.route_keys), status, headers, body)

    async def _read(
        self, api_key: ApiKey, call: Call, seconds: float, progress: RequestProgress
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send the request and read the whole answer, up to the size limit."""
        async with self._open(api_key, call, min(_CONNECT_SECONDS, _CONNECT_SHARE * seconds), progress) as response:
            return await _read_body(response)

    def _open(
        self,
        api_key: ApiKey,
        call: Call,
        connect_seconds: float,
        progress: RequestProgress,
        further: Mapping[str, str] = _NO_HEADERS,
    ) -> AbstractAsyncContextManager[httpx.Response]:
        """Send the request; the answer's body is yet to be read."""
        if self._http.is_closed:
            raise FireworksError(ErrorKind.UNREACHABLE, "the client is closed")
        headers = {"Authorization": f"Bearer {api_key.reveal()}", **further}
        content: bytes | None = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = call.content()
        query = f"?{urlencode(call.query, safe=',')}" if call.query else ""
        return self._http.stream(
            call.method,
            f"{self._base.text}/v1/{call.path}{query}",
            headers=headers,
            content=content,
            timeout=httpx.Timeout(None, connect=connect_seconds),
            extensions={"progress": progress},
        )

    @property
    def _way(self) -> str:
        return f" through the proxy {self._proxy}" if self._proxy is not None else ""

    def _translated(self, progress: RequestProgress, error: Exception) -> FireworksError:
        if isinstance(error, httpx.ConnectTimeout):
            return self._failure(progress, f"the connection timed out{self._way}")
        cause = error.__cause__ or error
        # Of a request that was sent, only the kind of error: the library's words may quote it.
        reason = type(error).__name__ if progress.sent else reason_of(cause)
        return self._failure(progress, reason, cause)

    def _failure(self, progress: RequestProgress, reason: str, error: BaseException | None = None) -> FireworksError:
        if progress.sent:
            return FireworksError(ErrorKind.NO_ANSWER, f"request to {self._base.host} failed: {steady(reason)}")
        message = f"{self._base.host} cannot be reached: {reason}"
        return FireworksError(ErrorKind.UNREACHABLE, message, advice=self._advice(error))

    def _advice(self, error: BaseException | None) -> str:
        """Say what to check, where the error tells more than that there was no connection."""
        trouble = certificate_trouble(error) if error is not None else None
        if trouble is not None and trouble.verify_code in _DATES:
            return "Check the clock of this machine, and who issued the certificate: there may be a proxy in between"
        if trouble is not None and trouble.verify_code in _NAMES:
            named = "the name of the proxy" if isinstance(error, ProxyFailedError) else "FIREWORKS_BASE_URL"
            return f"Check {named}, and whether something else responds instead"
        if trouble is not None:
            return (
                "If a proxy in between inspects TLS, or the certificate authority is private, set SSL_CERT_FILE to a "
                "file with its certificate"
            )
        if self._proxy is not None:
            return f"Check {self._proxy.source}, NO_PROXY and the network policy"
        return ""


async def _read_body(response: httpx.Response) -> tuple[int, Mapping[str, str], bytes]:
    """Return status, headers and body, of an error no more than is looked at."""
    answered = {**dict(response.headers.multi_items()), "location": response.extensions["location"]}
    limit = MAX_RESPONSE_BYTES if response.is_success else MAX_ERROR_BYTES
    body = Body(answered.get("content-encoding", ""), limit)
    async for chunk in response.aiter_raw():
        body.add(chunk)
        if body.cut:
            break
    if body.cut and response.is_success:
        raise FireworksError(ErrorKind.NO_ANSWER, f"the response is larger than {limit // 2**20} MiB")
    return response.status_code, answered, body.finish()


def _refusal(secrets: Iterable[Secret], status: int, headers: Mapping[str, str], body: bytes) -> FireworksError:
    """Say what an answer means that is no success, without what was sent in confidence and may come back in it."""
    # The longest first, so that a key that contains another one goes as a whole.
    hidden = sorted((each.reveal() for each in secrets), key=len, reverse=True)
    for secret in hidden:
        body = body.replace(secret.encode(), REDACTED.encode())
    return classify(status, headers, body, hidden=hidden)


def _authorities() -> ssl.SSLContext:
    return default_context(fallback=certifi.where())


def _nobody() -> ssl.SSLContext:
    """Return a context for plain http, which verifies nothing; the authorities take 20 ms to load."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _NoCookies(CookieJar):
    """Stores no cookies: all keys share one client, and a session cookie of one must not go out with another."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


async def _set_aside_location(response: httpx.Response) -> None:
    """Keep httpx from parsing `Location`: even unfollowed, an invalid one would replace the answer by an error."""
    response.extensions["location"] = response.headers.pop("location", "")
