"""The ASGI face of the service: reads requests, lets faults interfere, sends or withholds answers."""

import asyncio
from collections.abc import Callable

from starlette.types import Message, Receive, Scope, Send

from fireworks_simulator.faults import FaultAction, FaultKind, FaultRule, Subject
from fireworks_simulator.journal import Entry
from fireworks_simulator.routes import is_routed
from fireworks_simulator.service import Request, Service, rate_limited
from fireworks_simulator.wire import EDGE_MISS, HTTP_STATUS, ApiError, Code, InferenceError, JsonValue, Reply
from fireworks_simulator.world import World
from fireworks_simulator.worlds import Worlds

_NO_CREDITS = "You have run out of credits. Please add credits at https://fireworks.ai/account/billing to continue."
_HTML = "text/html; charset=utf-8"
_SILENT = frozenset({FaultKind.DROP_BEFORE_COMMIT, FaultKind.DROP_AFTER_COMMIT, FaultKind.HANG, FaultKind.LATE_COMMIT})
_CANNED = {
    FaultKind.PLAIN_404: EDGE_MISS,
    FaultKind.PAYMENT_REQUIRED: InferenceError(402, _NO_CREDITS, "PAYMENT_REQUIRED").reply,
    FaultKind.HTML_404: Reply(404, b"<!DOCTYPE html><title>404</title><h1>Not Found</h1>", _HTML),
    FaultKind.HTML_502: Reply(502, b"<!DOCTYPE html><title>502</title><h1>Bad gateway</h1>", _HTML),
}
_AFTERWARDS: dict[FaultKind, Callable[[Reply], Reply]] = {
    FaultKind.WRONG_JSON: lambda reply: Reply(reply.status, b"<<" + reply.body, reply.content_type, reply.headers),
    FaultKind.WRONG_CONTENT_TYPE: lambda reply: Reply(reply.status, reply.body, _HTML, reply.headers),
}


class Edge:
    """ASGI application for everything but the admin API.

    Args:
        worlds: whose services answer.
    """

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        body = await _read(receive)
        request = Request(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"],
            headers=dict(scope["headers"]),
            body=body,
        )
        service = self._worlds.answering(request.key, request.account_in_path)
        world = service.world
        request.identify(world)
        entry = _record(world, request)
        concerned = self._worlds.concerned(service, request.account_in_path)
        if concerned is not None:
            concerned.journal.mention(entry)
        subject = Subject(request.method, request.path, request.account, request.deployment, request.key_id)
        delay, rule = world.faults.hits(subject)
        if rule is not None:
            entry.fault = rule.id
        if delay > 0:
            await asyncio.sleep(delay)
        if rule is not None and rule.action.kind in _SILENT:
            await self._withhold(service, request, entry, rule, scope, receive)
            return
        reply = _replaced(rule.action) if rule is not None else None
        if reply is None:
            reply = self._commit(service, request, entry, rule)
        if rule is not None and rule.action.kind in _AFTERWARDS:
            reply = _AFTERWARDS[rule.action.kind](reply)
        world.journal.close(entry, reply.status)
        if rule is not None and rule.action.kind is FaultKind.TRUNCATE_BODY:
            await _send_half(reply, scope, receive, send)
            return
        await _send(reply, send)

    def _commit(self, service: Service, request: Request, entry: Entry, rule: FaultRule | None) -> Reply:
        """Let the service act, and note that it did."""
        if not is_routed(request.path):
            return EDGE_MISS
        notes: dict[str, JsonValue] = {}
        reply, entry.committed = service.answer(request, notes, rule.action if rule is not None else None)
        entry.mask_missing = notes.get("maskMissing") is True
        return reply

    async def _withhold(
        self, service: Service, request: Request, entry: Entry, rule: FaultRule, scope: Scope, receive: Receive
    ) -> None:
        """Send no answer: act before, after, or not at all."""
        kind = rule.action.kind
        if kind is FaultKind.DROP_AFTER_COMMIT:
            self._commit(service, request, entry, rule)
        if kind in (FaultKind.DROP_BEFORE_COMMIT, FaultKind.DROP_AFTER_COMMIT):
            _abort(scope)
        await _disconnected(receive)
        if kind is FaultKind.LATE_COMMIT:
            task = asyncio.create_task(self._commit_late(service, request, entry, rule))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _commit_late(self, service: Service, request: Request, entry: Entry, rule: FaultRule) -> None:
        await asyncio.sleep(rule.action.seconds)
        self._commit(service, request, entry, rule)


def _record(world: World, request: Request) -> Entry:
    route = request.match.route.template if request.match is not None else request.path
    return world.journal.open(
        method=request.method,
        path=request.path,
        query=request.query,
        route=route,
        account=request.account,
        key_id=request.key_id,
        user_agent=request.user_agent,
        body=request.body,
        virtual=world.clock.now(),
    )


def _replaced(action: FaultAction) -> Reply | None:
    """The answer that a fault gives instead of the service, None if the service answers."""
    if action.kind in _CANNED:
        return _CANNED[action.kind]
    if action.kind is FaultKind.RATE_LIMIT:
        return rate_limited(action.retry_after).reply
    if action.kind is not FaultKind.STATUS:
        return None
    code = Code[action.code]
    if action.body is None:
        reply = ApiError(code, action.message, status=action.status or None).reply
    else:
        reply = Reply(action.status or HTTP_STATUS[code], action.body.encode(), action.content_type)
    if action.retry_after is None:
        return reply
    headers = (("retry-after", str(max(round(action.retry_after), 1))),)
    return Reply(reply.status, reply.body, reply.content_type, headers)


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message: Message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _abort(scope: Scope) -> None:
    """Close the connection at once, without an answer.

    Raises:
        ConnectionResetError: the app does not run in the simulator's own server, so there is no connection.
    """
    transport = scope.get("state", {}).get("transport")
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("connection dropped by a fault rule")
    transport.abort()


def _head(reply: Reply) -> Message:
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode(), value.encode()) for name, value in reply.headers),
    ]
    return {"type": "http.response.start", "status": reply.status, "headers": headers}


async def _send(reply: Reply, send: Send) -> None:
    await send(_head(reply))
    await send({"type": "http.response.body", "body": reply.body})


async def _send_half(reply: Reply, scope: Scope, receive: Receive, send: Send) -> None:
    """The head of an answer, half of its body, then the end of the connection."""
    await send(_head(reply))
    await send({"type": "http.response.body", "body": reply.body[: len(reply.body) // 2], "more_body": True})
    transport = scope.get("state", {}).get("transport")
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("connection dropped by a fault rule")
    transport.close()
    await _disconnected(receive)
