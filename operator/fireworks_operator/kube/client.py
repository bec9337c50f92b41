"""A thin, typed client of the Kubernetes API: one `request`, deadlines, and a closed set of errors."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiohttp
from yarl import URL

from fireworks_operator.controller.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError

from .credentials import Credentials, CredentialsError, load_credentials, new_session

logger = logging.getLogger(__name__)

DEADLINE: Final = 10.0
"""Seconds that one call may take, sign-in and reading of the answer included."""

TOKEN_AGE: Final = 60.0
"""Seconds after which a projected token is read again (client-go does the same)."""

CONNECTIONS: Final = 32
"""Most connections of one client; calls beyond them wait, within their deadline."""

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Json = Mapping[str, Any]

_VERBS: Final[Mapping[Method, str]] = {
    "GET": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}


class KubernetesForbiddenError(KubernetesUnavailableError):
    """403: RBAC, a quota or an admission policy refuses the call; the text names verb and resource."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that the API server objects to, with its words."""

    field: str
    message: str


class KubernetesRefusedError(KubernetesUnavailableError):
    """Any other 4xx: the request itself is wrong, or something that changes requests stands in between.

    Sending it again does not help soon; it counts as "not now", so that everybody tries again with pauses only.

    Attributes:
        status: HTTP status code.
        causes: the fields that the API server names; empty if it names none.
    """

    def __init__(self, message: str, *, status: int, causes: Sequence[Cause] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.causes = tuple(causes)


async def connect(kubeconfig: Path | None = None) -> "KubernetesClient":
    """Return a client for the API server that `kubeconfig`, $KUBECONFIG or the service account names.

    Nothing is sent yet. The client belongs to the running event loop.

    Raises:
        CredentialsError: there is no usable way to reach an API server.
    """
    return KubernetesClient(await load_credentials(kubeconfig), kubeconfig)


class KubernetesClient:
    """Sends single requests to the API server. Safe to share between the tasks of one event loop."""

    def __init__(
        self,
        credentials: Credentials,
        kubeconfig: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self._kubeconfig = kubeconfig
        self._clock = clock
        self._read_at = clock()
        self._refreshing = asyncio.Lock()
        self._session = new_session(credentials, connections=CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; calls under way fail."""
        await self._session.close()

    async def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = JSON,
        deadline: float = DEADLINE,
    ) -> Json:
        """Send one request and return the JSON object of the answer.

        Args:
            method: HTTP method.
            path: path on the server, already percent-encoded, such as `/api/v1/namespaces/x/events`.
            query: query parameters, not encoded.
            body: anything that `json.dumps` takes.
            content_type: media type of the body.
            deadline: seconds that the whole call may take.

        Raises:
            ResourceChangedError: 409, a stale resourceVersion or a name that is taken.
            ResourceGoneError: 404.
            KubernetesForbiddenError: 403.
            KubernetesRefusedError: any other 4xx.
            KubernetesUnavailableError: no answer in time, no connection, 401 with fresh credentials, 429,
                5xx, or an answer that is not of an API server.
        """
        call = _describe(method, path)
        url = URL(self._credentials.server + path, encoded=True).with_query(query)
        data = None if body is None else json.dumps(body).encode()
        try:
            async with asyncio.timeout(deadline):
                status, answer = await self._send(method, url, data, content_type)
        except TimeoutError:
            raise KubernetesUnavailableError(f"{call}: no answer within {deadline:g} s.") from None
        except aiohttp.ClientError as error:
            raise KubernetesUnavailableError(f"{call}: {_reason(error)}") from None
        if status >= 300:
            raise _error(call, status, answer or {})
        if answer is None:
            raise KubernetesUnavailableError(f"{call}: the answer is not a JSON object; is a proxy in between?")
        return answer

    async def _send(self, method: Method, url: URL, data: bytes | None, content_type: str) -> tuple[int, Json | None]:
        """Send once, and once more with credentials read again if the server does not accept these (401)."""
        if self._credentials.rotates and self._clock() - self._read_at >= TOKEN_AGE:
            await self._refresh(self._credentials)
        used = self._credentials
        status, answer = await self._exchange(method, url, data, content_type, used)
        if status == 401:
            await self._refresh(used)
            status, answer = await self._exchange(method, url, data, content_type, self._credentials)
        return status, answer

    async def _exchange(
        self, method: Method, url: URL, data: bytes | None, content_type: str, credentials: Credentials
    ) -> tuple[int, Json | None]:
        headers = {"Content-Type": content_type} if data is not None else {}
        if credentials.authorization is not None:
            headers["Authorization"] = credentials.authorization
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
            return response.status, _decode(await response.read())

    async def _refresh(self, used: Credentials) -> None:
        """Read the credentials again, unless another call has done so since `used` was taken."""
        async with self._refreshing:
            if self._credentials is not used:
                return
            try:
                self._credentials = await load_credentials(self._kubeconfig)
            except CredentialsError as error:
                logger.warning("The Kubernetes credentials cannot be read again: %s", error)
            self._read_at = self._clock()


def _decode(content: bytes) -> Json | None:
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _reason(error: aiohttp.ClientError) -> str:
    """Return what went wrong, without texts that could quote a proxy's URL and the password in it."""
    return str(error) if isinstance(error, aiohttp.ClientConnectorError) else type(error).__name__


def _error(call: str, status: int, answer: Json) -> Exception:
    """Map an answer of 300 or above to its error; only a `Status` object is quoted, never an unknown body."""
    said = answer.get("message") if answer.get("kind") == "Status" else None
    text = f"{call}: {said or 'refused without a reason'} ({status})"
    if status == 409:
        return ResourceChangedError(text)
    if status == 404:
        return ResourceGoneError(text)
    if status == 403:
        return KubernetesForbiddenError(text)
    if status < 400 or status in (401, 429) or status >= 500:
        return KubernetesUnavailableError(text)
    return KubernetesRefusedError(text, status=status, causes=_causes(answer))


def _causes(answer: Json) -> list[Cause]:
    details = answer.get("details") or {}
    return [Cause(str(item.get("field", "")), str(item.get("message", ""))) for item in details.get("causes") or []]


def _describe(method: Method, path: str) -> str:
    """Name a call in RBAC's words: `patch fireworksdeployments/status default/a`."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    verb = "list" if method == "GET" and not name else _VERBS[method]
    what = f"{resource}/{subresource}" if subresource else resource
    return f"{verb} {what} {namespace}/{name}" if namespace else f"{verb} {what} {name}".rstrip()
