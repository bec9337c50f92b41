"""What the simulator can answer, so that it is seen not to be what limits."""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from benchmarks.arena import Arena
from benchmarks.bench import Bench
from benchmarks.options import Options
from benchmarks.results import Result, Sample, say
from benchmarks.usage import Usage
from testkit.team import SPEC

NAME: Final = "ceiling"
CONNECTIONS: Final = 32
_PAGES = 100
_SPARE = 5.0
"""Seconds after which an answer is missed."""


def run(bench: Bench, options: Options) -> Result:
    """Send creates, GETs and LIST pages as fast as they are answered, by sockets without a client library."""
    arena = bench.arena("ceiling")
    names = arena.names(options.scale)
    base = f"/v1/accounts/{arena.team.account}/deployments"
    body = json.dumps(dict(SPEC)).encode()
    creates = [_request(arena, "POST", f"{base}?deploymentId={name}&acceptShapelessRisk=true", body) for name in names]
    looks = [_request(arena, "GET", f"{base}/{name}") for name in names]
    pages = [_request(arena, "GET", f"{base}?pageSize=200")] * _PAGES
    samples = [
        _measure(arena, kind, requests)
        for kind, requests in {"create": creates, "GET": looks, "LIST page of 200": pages}.items()
    ]
    arena.close()
    return Result(NAME, tuple(samples), ())


def _request(arena: Arena, method: str, target: str, body: bytes = b"") -> bytes:
    lines = (
        f"{method} {target} HTTP/1.1",
        "Host: simulator",
        f"Authorization: Bearer {arena.team.api_key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _measure(arena: Arena, kind: str, requests: Sequence[bytes]) -> Sample:
    before, began = Usage.of(arena.process.pid), time.monotonic()
    asyncio.run(_send_all(arena.process.url, requests))
    seconds, after = time.monotonic() - began, Usage.of(arena.process.pid)
    count = len(requests)
    figures = {"per second": count / seconds, "simulator CPU ms": 1000 * (after.cpu - before.cpu) / count}
    return say(Sample(kind, count, figures))


async def _send_all(url: str, requests: Sequence[bytes]) -> None:
    waiting = list(reversed(requests))
    host, port = urlsplit(url).hostname, urlsplit(url).port

    async def serve() -> None:
        reader, writer = await asyncio.open_connection(host, port)
        while waiting:
            writer.write(waiting.pop())
            async with asyncio.timeout(_SPARE * CONNECTIONS):
                await _read_answer(reader)
        writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(serve())


async def _read_answer(reader: asyncio.StreamReader) -> None:
    """Read one answer.

    Raises:
        ConnectionError: it is no success.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, *lines = head.splitlines()
    if " 200 " not in status:
        raise ConnectionError(status)
    length = next(int(line.partition(":")[2]) for line in lines if line.lower().startswith("content-length:"))
    await reader.readexactly(length)
