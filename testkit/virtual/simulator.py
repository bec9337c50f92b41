"""A simulator in this very process: its admin API without a connection, its REST API over connections in memory."""

import asyncio
import json
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Scope
from uvicorn.server import ServerState

from fireworks_simulator.app import Simulator
from fireworks_simulator.server import make_server
from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject

URL = "http://127.0.0.1:8090"
"""Where clients think that it is."""
T = TypeVar("T")


class MemorySimulator(SimulatorClient):
    """The admin client of a simulator in this very process."""

    def __init__(self, simulator: Simulator, account: str) -> None:
        super().__init__(URL, account)
        self._simulator = simulator
        self._app: ASGIApp = simulator.app

    def of(self, account: str) -> "MemorySimulator":
        """Return a client for another account."""
        return MemorySimulator(self._simulator, account)

    def server(self, loop: asyncio.AbstractEventLoop) -> Callable[[], asyncio.Protocol]:
        """Return what makes the server's side of a connection in this loop (`MemoryNetwork.serve`)."""
        config = make_server(self._app, lambda: None).config
        config.load()
        make: Any = config.http_protocol_class
        state = ServerState()

        def serve() -> asyncio.Protocol:
            protocol: asyncio.Protocol = make(config=config, server_state=state, app_state={}, _loop=loop)
            return protocol

        return serve

    def deployments(self, account: str | None = None) -> list[JsonObject]:
        """Look at them without a request: onlookers do so after each jump of the clock."""
        world = self._simulator.worlds.shared
        now = world.clock.now()
        world.settle(now)
        owner = world.accounts.get(account or self.account)
        return [] if owner is None else [world.wire(each, now) for each in owner.deployments.values()]

    def exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        query: Mapping[str, object] | None = None,
        *,
        api_key: str = "",
        agent: str = "",
    ) -> tuple[int, bytes]:
        """Send any request, not by the operator, within this very call."""
        given = {name: value for name, value in (query or {}).items() if value is not None}
        headers = {"authorization": f"Bearer {api_key}", "content-type": "application/json", "user-agent": agent}
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urllib.parse.urlencode(given).encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        content = json.dumps(body).encode() if body is not None else b""
        return _at_once(_exchange(self._app, scope, content))


async def _exchange(app: ASGIApp, scope: Scope, content: bytes) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": content}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


def _at_once(call: Awaitable[T]) -> T:
    """Return what a call gives that waits for nothing."""
    steps = call.__await__()
    try:
        next(steps)
    except StopIteration as end:
        value: T = end.value
        return value
    raise RuntimeError("it waits for something")
