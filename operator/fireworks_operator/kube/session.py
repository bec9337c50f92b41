"""Requests to one API server with credentials that change while the process runs."""

import asyncio
import logging
import math
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from yarl import URL

from .connection import new_session
from .credentials import Credentials, CredentialsError

log = logging.getLogger(__name__)

CHECK_INTERVAL: Final = 60.0
"""Seconds after which a projected token is read again, and it is looked whether files have changed (as client-go)."""

RETRY_PAUSE: Final = 1.0
"""Seconds after which credentials are read again that were of no use, if they are refused once more."""

PLUGIN_PAUSE: Final = 5.0
"""Seconds that lie between two runs of a credential plugin at least."""

RENEWED_AT: Final = 0.8
"""The part of their life after which a plugin's credentials are renewed (the kubelet does the same)."""


NO_DEADLINE: Final = aiohttp.ClientTimeout(total=None)
"""For callers that have their own."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent.

    Attributes:
        method: HTTP method.
        path: below the server's URL, percent-encoded, beginning with a slash.
        query: query parameters, not encoded; None leaves a query in `path` as it is.
        headers: besides those that say who is asking.
        body: what is sent.
        timeout: deadlines.
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: aiohttp.ClientTimeout = NO_DEADLINE


@dataclass(slots=True)
class _Line:
    """An HTTP session with the TLS settings of some credentials, and the answers that are being read over it."""

    session: aiohttp.ClientSession
    under_way: int = 0
    open: list[aiohttp.ClientResponse] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        return not self.under_way and all(each.closed for each in self.open)

    def answered(self, response: aiohttp.ClientResponse) -> None:
        self.open = [each for each in (*self.open, response) if not each.closed]


@dataclass(frozen=True, slots=True)
class _Way:
    """Credentials, when they were read, and the line for them."""

    credentials: Credentials
    line: _Line
    renew_at: float | None
    """Seconds since 1970."""


class ApiSession:
    """Sends requests, with credentials that are read again when they may be out of date. Of one event loop.

    That is: when a file behind them has changed, when a plugin's are about to expire, when the API server does not
    accept them (401), and when TLS fails. What depends on them, certificates above all, then changes with them; calls
    under way end on the connections that they began on. While they cannot be read the old ones serve on.

    Args:
        credentials: the first ones.
        load: reads them again.
        connections: most that are open at once; 0 means no limit.
        clock: seconds, monotonic.
        wall_clock: seconds since 1970.

    Raises:
        CredentialsError: a certificate cannot be used.
    """

    def __init__(
        self,
        credentials: Credentials,
        load: Callable[[], Awaitable[Credentials]],
        *,
        connections: int,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._load = load
        self._connections = connections
        self._clock = clock
        self._wall_clock = wall_clock
        self._way = self._way_of(credentials, None)
        self._retired: list[_Line] = []
        self._renewing: asyncio.Task[None] | None = None
        self._checked_at = clock()
        self._not_before = clock()
        self.trouble = ""
        """Why the credentials could not be read again the last time; empty if they could."""

    @property
    def credentials(self) -> Credentials:
        """Those in use."""
        return self._way.credentials

    async def close(self) -> None:
        """Close all connections; calls under way fail."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        for line in (self._way.line, *self._retired):
            await line.session.close()
        self._retired.clear()

    async def request(self, request: Request) -> aiohttp.ClientResponse:
        """Send once, and once more with other credentials if the API server does not accept these.

        Raises:
            aiohttp.ClientError, TimeoutError: there is no answer.
        """
        await self._keep_fresh()
        used = self._way
        try:
            response = await self._send(used, request)
        except aiohttp.ClientError as error:
            if not _is_tls_trouble(error):
                # A certificate that is refused after the handshake looks like a connection that is cut.
                self._checked_at = -math.inf
                raise
            # Only while connecting is it certain that the request has not been sent.
            if not await self.renew(used.credentials, line=True) or not isinstance(error, aiohttp.ClientConnectorError):
                raise
            return await self._send(self._way, request)
        if response.status == 401 and await self.renew(used.credentials):
            response.release()
            return await self._send(self._way, request)
        return response

    async def renew(self, used: Credentials, *, line: bool = False) -> bool:
        """Read the credentials again, unless that was done since `used` were taken; return whether these are others.

        Args:
            used: those that were of no use.
            line: connect anew even if nothing has changed that connections are known to depend on.
        """
        if self._way.credentials is not used:
            return True
        if self._renewing is None and self._clock() < self._not_before:
            return False
        await self._renewed(line=line)
        return self._way.credentials is not used

    async def _keep_fresh(self) -> None:
        """Renew what is about to be out of date; wait for that only where the old ones do not serve meanwhile."""
        way, now = self._way, self._clock()
        if now < self._not_before:
            return
        if way.renew_at is not None and self._wall_clock() >= way.renew_at:
            if (way.credentials.expires_at or 0.0) <= self._wall_clock():
                await self._renewed()
            else:
                self._start()
        elif now - self._checked_at >= CHECK_INTERVAL:
            self._checked_at = now
            if way.credentials.rotates or way.credentials.files_changed():
                await self._renewed()

    async def _renewed(self, *, line: bool = False) -> None:
        # Shielded: a slow plugin is not run anew for each call that gives up waiting for it.
        await asyncio.shield(self._start(line=line))

    def _start(self, *, line: bool = False) -> asyncio.Task[None]:
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(line=line), name="credentials")
            self._renewing.add_done_callback(self._done)
        return self._renewing

    def _done(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("Could not reload the Kubernetes credentials: %s", type(error).__name__)

    async def _renew(self, *, line: bool) -> None:
        old = self._way
        try:
            loaded = await self._load()
            keeps_line = not line and loaded.line == old.credentials.line
            self._way = self._way_of(loaded, old.line if keeps_line else None)
        except CredentialsError as error:
            if str(error) != self.trouble:
                log.warning("Cannot reload the Kubernetes credentials: %s", error)
            self.trouble = str(error)
        else:
            self.trouble = ""
            if not keeps_line:
                self._retired.append(old.line)
        self._checked_at = self._clock()
        is_other = self._way.credentials != old.credentials or self._way.credentials.line != old.credentials.line
        pause = PLUGIN_PAUSE if old.credentials.from_plugin else 0.0 if is_other else RETRY_PAUSE
        self._not_before = self._clock() + pause

    def _way_of(self, credentials: Credentials, line: _Line | None) -> _Way:
        now, ends = self._wall_clock(), credentials.expires_at
        renew_at = None if ends is None else now + RENEWED_AT * (ends - now)
        return _Way(credentials, line or _Line(new_session(credentials, connections=self._connections)), renew_at)

    async def _send(self, way: _Way, request: Request) -> aiohttp.ClientResponse:
        await self._close_retired()
        url = URL(way.credentials.server + request.path, encoded=True)
        headers = way.credentials.headers()
        headers.update(request.headers)
        line = way.line
        line.under_way += 1
        try:
            response = await line.session.request(
                request.method,
                url if request.query is None else url.with_query(request.query),
                headers=headers,
                data=request.body,
                timeout=request.timeout,
                server_hostname=way.credentials.server_name,
                allow_redirects=False,
            )
        finally:
            line.under_way -= 1
        line.answered(response)
        return response

    async def _close_retired(self) -> None:
        for line in [each for each in self._retired if each.idle]:
            self._retired.remove(line)
            await line.session.close()


def _is_tls_trouble(error: BaseException) -> bool:
    return any(isinstance(each, ssl.SSLError) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    while each is not None:
        yield each
        each = getattr(each, "os_error", None) or getattr(each, "certificate_error", None) or each.__cause__
