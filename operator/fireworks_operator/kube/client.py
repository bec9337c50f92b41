"""A thin, typed client of the Kubernetes API: one `request`, deadlines, and a closed set of errors."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiohttp
from pydantic_core import from_json

from fireworks_operator.network.reasons import reason_of
from fireworks_operator.network.tunnel import ProxyFailedError
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError

from .credentials import Credentials, load_credentials
from .kubeconfig import AS_WRITTEN, Overrides
from .session import ApiSession, Request

DEADLINE: Final = 10.0
"""Seconds that one call may take, sign-in and reading of the answer included."""

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


class KubernetesUnauthorizedError(KubernetesUnavailableError):
    """401, or 403 as anonymous: the API server does not know who is asking."""


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


async def connect(
    kubeconfig: Path | None = None, overrides: Overrides = AS_WRITTEN, *, deadline: float | None = DEADLINE
) -> "KubernetesClient":
    """Return a client for the API server that `kubeconfig`, $KUBECONFIG or the service account names.

    Nothing is sent yet. The client belongs to the running event loop.

    Args:
        kubeconfig: one file, or several as in $KUBECONFIG.
        overrides: what counts in place of the kubeconfig.
        deadline: seconds that a call may take unless it says otherwise; None: for as long as it likes.

    Raises:
        CredentialsError: there is no usable way to reach an API server.
    """
    credentials = await load_credentials(kubeconfig, overrides)
    return KubernetesClient(credentials, kubeconfig, overrides, deadline=deadline)


class KubernetesClient:
    """Sends single requests to the API server. Safe to share between the tasks of one event loop."""

    def __init__(
        self,
        credentials: Credentials,
        kubeconfig: Path | None = None,
        overrides: Overrides = AS_WRITTEN,
        *,
        deadline: float | None = DEADLINE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deadline = deadline
        where = (kubeconfig,) if overrides == AS_WRITTEN else (kubeconfig, overrides)

        async def load() -> Credentials:
            return await load_credentials(*where)

        self._session = ApiSession(credentials, load, connections=CONNECTIONS, clock=clock)

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
        deadline: float | None = None,
    ) -> Json:
        """Send one request and return the JSON object of the answer.

        Args:
            method: HTTP method.
            path: path on the server, already percent-encoded, such as `/api/v1/namespaces/x/events`.
            query: query parameters, not encoded.
            body: anything that `json.dumps` takes.
            content_type: media type of the body.
            deadline: seconds that the whole call may take; None: as long as all calls of this client.

        Raises:
            ResourceChangedError: 409, a stale resourceVersion or a name that is taken.
            ResourceGoneError: 404.
            KubernetesForbiddenError: 403.
            KubernetesRefusedError: any other 4xx.
            KubernetesUnauthorizedError: 401 with fresh credentials.
            KubernetesUnavailableError: no answer in time, no connection, 429, 5xx, or an answer that is not of an
                API server.
        """
        deadline = self._deadline if deadline is None else deadline
        data = None if body is None else json.dumps(body).encode()
        headers = {} if data is None else {"Content-Type": content_type}
        try:
            async with asyncio.timeout(deadline):
                status, answer = await self._send(Request(method, path, query, headers, data))
        except TimeoutError:
            raise KubernetesUnavailableError(f"{_describe(method, path)}: no answer within {deadline:g} s.") from None
        except aiohttp.ClientError as error:
            reason = _no_answer(error, self._session.credentials.server)
            raise KubernetesUnavailableError(f"{_describe(method, path)}: {reason}.{self._trouble}") from None
        if status >= 300:
            raise self._error(_describe(method, path), status, answer or {})
        if answer is None:
            what = "the response is not a JSON object; check for a proxy in between."
            raise KubernetesUnavailableError(f"{_describe(method, path)}: {what}")
        return answer

    async def _send(self, request: Request) -> tuple[int, Json | None]:
        """Send once, and once more with credentials read again if the server does not know whose these are."""
        used = self._session.credentials
        status, answer = await self._exchange(request)
        if _is_anonymous(status, answer) and await self._session.renew(used):
            status, answer = await self._exchange(request)
        return status, answer

    async def _exchange(self, request: Request) -> tuple[int, Json | None]:
        async with await self._session.request(request) as response:
            return response.status, _decode(await response.read())

    def _error(self, call: str, status: int, answer: Json) -> Exception:
        if _is_anonymous(status, answer):
            return KubernetesUnauthorizedError(
                f"{call}: the API server treats the request as anonymous ({_ANONYMOUS}): sign in, or give the user "
                f"in the kubeconfig credentials that it accepts ({status}).{self._trouble}"
            )
        error = _error(call, status, answer)
        return KubernetesUnauthorizedError(f"{error}{self._trouble}") if status == 401 else error

    @property
    def _trouble(self) -> str:
        """What is wrong with the credentials, to stand after another sentence."""
        return f" {self._session.trouble}" if self._session.trouble else ""


def _decode(content: bytes) -> Json | None:
    try:
        answer = from_json(content)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


_ANONYMOUS: Final = "system:anonymous"


def _is_anonymous(status: int, answer: Json | None) -> bool:
    """Return whether a refusal is that of somebody whom the API server does not know at all."""
    words = str((answer or {}).get("message")) if (answer or {}).get("kind") == "Status" else ""
    return status == 403 and f'User "{_ANONYMOUS}" ' in words


def _no_answer(error: aiohttp.ClientError, server: str) -> str:
    """Say why a request got no answer, without texts that could quote a proxy's URL and the password in it."""
    if isinstance(error, aiohttp.ClientConnectorError | ProxyFailedError):
        return f"the API server {server} cannot be reached: {reason_of(error)}"
    return f"the connection to the API server {server} failed: {reason_of(error)}"


def _error(call: str, status: int, answer: Json) -> Exception:
    """Map an answer of 300 or above to its error; only a `Status` object is quoted, never an unknown body."""
    said = answer.get("message") if answer.get("kind") == "Status" else None
    text = f"{call}: {said or 'rejected without a reason'} ({status})"
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
    if parts[0] not in ("api", "apis"):
        return f"{_VERBS[method]} {path}"
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts, "", "", "")[:3]
    verb = "list" if method == "GET" and not name else _VERBS[method]
    what = f"{resource}/{subresource}" if subresource else resource
    if namespace and not name:
        return f"{verb} {what} in namespace {namespace}"
    return f"{verb} {what} {namespace}/{name}" if namespace else f"{verb} {what} {name}".rstrip()
