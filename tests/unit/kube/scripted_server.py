"""An API server whose answers a test writes down, on plain HTTP, and a client whose answers are a function."""

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from fireworks_operator.kube.client import JSON, KubernetesClient, Method

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    query: Mapping[str, str]
    body: Any


class FakeClient(KubernetesClient):
    """Answers each request with what `answer` returns or raises, and keeps a list of them."""

    def __init__(self, answer: Callable[[Call], Awaitable[Mapping[str, Any]]]) -> None:
        self.answer = answer
        self.calls: list[Call] = []

    async def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = JSON,
        deadline: float | None = None,
    ) -> Mapping[str, Any]:
        call = Call(method, path, query or {}, body)
        self.calls.append(call)
        return await self.answer(call)


class ScriptedServer:
    """Serves `handler` on a free port of 127.0.0.1, over TLS if there is a context."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[web.Request] = []
        self._handler = handler
        self._context = context

    async def __aenter__(self) -> "ScriptedServer":
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context).start()
        self.port: int = self._runner.addresses[0][1]
        self.url = f"http{'' if self._context is None else 's'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        assert isinstance(request, web.BaseRequest)
        self.requests.append(request)  # type: ignore[arg-type]
        return await self._handler(request)  # type: ignore[arg-type]


def status_object(code: int, message: str, **details: object) -> web.Response:
    """Return the failure answer of an API server."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}
    return web.json_response({**body, "details": details}, status=code)


def write_kubeconfig(path: Path, server: str, **user: object) -> Path:
    """Write a kubeconfig for a server."""
    return write_config(path, {"server": server}, user)


def write_config(path: Path, cluster: Mapping[str, object], user: Mapping[str, object] | None) -> Path:
    """Write a kubeconfig of one cluster and user."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    path.write_text(json.dumps(config))
    return path


async def eventually(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never became true"
        await asyncio.sleep(0.005)
