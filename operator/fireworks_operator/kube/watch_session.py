"""What Kopf lists and watches through: objects are handed on here, errors understood, and credentials renewed."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from json import dumps
from types import TracebackType
from typing import Any, Final, Self, cast

import aiohttp
from pydantic_core import from_json

from fireworks_operator.api.kinds import Kind
from fireworks_operator.api.resource import GROUP, VERSION
from fireworks_operator.timing import Backoff, Patience

from .credentials import USER_AGENT, Credentials
from .session import ApiSession, Request

log = logging.getLogger(__name__)

Change = tuple[Mapping[str, Any], bool]
"""An object as the API server sent it, and whether it is gone."""

OnObjects = Callable[[Sequence[Change]], None]
"""Takes objects in their order."""

QUIET_WATCH: Final = 60.0
"""Seconds that a watch must have lasted for the pause after it to be short again."""

_LONGEST_REASON: Final = 300


def shortened(text: str) -> str:
    """Cut a reason to what fits into a line of the log."""
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


class WatchStream:
    """The content of a watch, whose events are handed on here: Kopf gets the version of the last one, as a bookmark.

    What Kopf does for each event, to find out which handlers want it, takes a fifth of the operator's processor time
    in a burst.

    Any error reads as 410 after a pause: Kopf then lists anew, and ends at others. An API server says in the middle of
    a watch what it otherwise says by a status code: that it is going down, has no etcd, or has to refuse for now. Only
    the next LIST can tell whether it means that for good.
    """

    def __init__(self, content: aiohttp.StreamReader, receive: OnObjects, patience: Patience, kind: Kind) -> None:
        self._content = content
        self._kind = kind
        self._receive = receive
        self._patience = patience

    def __getattr__(self, name: str) -> object:
        """Be the content in all that its response does with it."""
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield lines that Kopf understands; nothing comes after an error."""
        rest = b""
        try:
            async for chunk in self._content.iter_chunked(size):
                *lines, rest = (rest + chunk).split(b"\n")
                yield self._hand_on(lines)
            yield self._hand_on([rest])
        except _BrokenError as trouble:
            pause = self._patience.next_pause()
            log.warning("The watch of %s was closed: %s. Relisting in %.0f s.", self._kind.plural, trouble, pause)
            await asyncio.sleep(pause)
            yield _EXPIRED

    def _hand_on(self, lines: Sequence[bytes]) -> bytes:
        """Hand on the objects of some events, and return what Kopf has to know of them.

        Raises:
            _BrokenError: something went wrong; what came before it has been handed on.
        """
        objects: list[Change] = []
        version: str | None = None
        others = b""
        try:
            for line in filter(bytes.strip, lines):
                kind, found = _read(line)
                if kind in _CHANGES:
                    objects.append((found, kind == "DELETED"))
                if kind in _CHANGES or kind == "BOOKMARK":
                    version = found["metadata"]["resourceVersion"]
                else:
                    others += line + b"\n"
        except (LookupError, TypeError):
            raise _BrokenError("an event that cannot be read") from None
        finally:
            self._receive(objects)
        return (b"" if version is None else _bookmark(version)) + others


_CHANGES: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})
_EXPIRED: Final = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'


def _bookmark(version: str) -> bytes:
    return dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}).encode() + b"\n"


class _BrokenError(Exception):
    """Why a watch cannot go on."""


def _read(line: bytes) -> tuple[str, Mapping[str, Any]]:
    """Return type and object of an event.

    Raises:
        _BrokenError: it is none, or an error other than 410, which Kopf knows what to do with.
    """
    try:
        event = from_json(line)
        kind, found = event["type"], event["object"]
        if kind == "ERROR" and found["code"] != 410:
            raise _BrokenError(shortened(f"{found.get('message') or 'without a reason'} ({found['code']})"))
    except (ValueError, LookupError, TypeError, AttributeError):
        said = "an event that cannot be read" if line.lstrip().startswith(b"{") else _NO_EVENT
        raise _BrokenError(said) from None
    return kind, found


_NO_EVENT: Final = "what came is no event; is a proxy in between?"


class ListResponse:
    """The answer to a LIST, whose objects are handed on here: Kopf gets one without any, and its version."""

    def __init__(self, response: aiohttp.ClientResponse, receive: OnObjects) -> None:
        self._response = response
        self._receive = receive

    def __getattr__(self, name: str) -> object:
        """Be the response in all else that Kopf does with it."""
        return getattr(self._response, name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._response.__aexit__(kind, error, trace)

    async def json(self) -> dict[str, Any]:
        """Return the answer without its objects."""
        answer: dict[str, Any] = await self._response.json()
        objects = answer.pop("items", [])
        for start in range(0, len(objects), _AT_ONCE):
            self._receive([(each, False) for each in objects[start : start + _AT_ONCE]])
        return answer


_AT_ONCE: Final = 50
"""Objects of a LIST that are handed on in one step, so that others have their turn in between."""


class KopfSession:
    """What Kopf uses of an `aiohttp.ClientSession`, over a session whose credentials and certificates are renewed."""

    def __init__(
        self,
        credentials: Credentials,
        load: Callable[[], Awaitable[Credentials]],
        retry: Backoff,
        receive: OnObjects,
        kind: Kind,
    ) -> None:
        self.headers: dict[str, str] = {"User-Agent": USER_AGENT}
        self.closed = False
        self._server = credentials.server
        self._retry = retry
        self._receive = receive
        self._kind = kind
        self._patience: dict[str, Patience] = {}
        self._session = ApiSession(credentials, load, connections=0)  # each watched namespace holds one

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - Kopf's
    ) -> aiohttp.ClientResponse:
        """Send a request; `url` begins with the server of the credentials."""
        if self.closed:
            raise RuntimeError("Session is closed")
        path = url.removeprefix(self._server)
        body = None if json is None else dumps(json).encode()
        response = await self._session.request(Request(method, path, None, headers or {}, body, timeout))
        what, _, query = path.partition("?")
        if response.status != 200 or not self._is_collection(what):
            return response
        if "watch=true" in query.split("&"):
            patience = self._patience.setdefault(what, Patience(self._retry, quiet=QUIET_WATCH))
            stream = WatchStream(response.content, self._receive, patience, self._kind)
            response.content = cast("aiohttp.StreamReader", stream)
            return response
        return cast("aiohttp.ClientResponse", ListResponse(response, self._receive))

    def _is_collection(self, path: str) -> bool:
        return path.startswith(f"/apis/{GROUP}/{VERSION}/") and path.endswith(f"/{self._kind.plural}")

    async def close(self) -> None:
        """Close all connections, those of open watches as well."""
        self.closed = True
        await self._session.close()
