"""Requests through httpx: each arrives at most once, and an error says whether it may have arrived."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from fireworks_operator.network.aiohttp_transport import AiohttpTransport, RequestProgress
from fireworks_operator.network.connector import connector
from fireworks_operator.network.trust import context_of
from tests.unit.fireworks.raw_server import Answer, RawServer, hangs, replies, resets, sends
from tests.unit.network.handshake import ROOT, server_context

OK = replies(200, "{}")
CONNECTIONS = 2
METHODS = ["GET", "DELETE", "POST", "PATCH"]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(OK).running() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    made = connector(ssl.create_default_context(), None, limit=CONNECTIONS)
    async with httpx.AsyncClient(transport=AiohttpTransport(made), trust_env=False) as running:
        yield running


async def send(client: httpx.AsyncClient, method: str, url: str, progress: RequestProgress | None = None) -> int:
    content = b"{}" if method in {"POST", "PATCH"} else None
    extensions = {"progress": progress or RequestProgress()}
    return (await client.request(method, url, content=content, extensions=extensions)).status_code


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kept", [False, True], ids=["on a fresh connection", "on a kept connection"])
@pytest.mark.parametrize(
    "answer",
    [
        resets,
        sends(b""),
        sends(b"HTTP/1.1 200 OK\r\nContent-Le"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    ],
    ids=["reset", "closed", "closed in the head", "closed in the body"],
)
async def test_a_request_whose_connection_ends_arrived_once_and_never_reads_as_not_sent(
    answer: Answer, kept: bool, method: str, client: httpx.AsyncClient, server: RawServer
) -> None:
    if kept:
        await send(client, method, server.url)
    before, server.answer = len(server.requests), answer
    progress = RequestProgress()

    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await send(client, method, server.url, progress)

    assert progress.sent
    assert [request.method for request in server.requests[before:]] == [method]


@pytest.mark.parametrize("method", METHODS)
async def test_a_request_that_finds_its_kept_connection_closed_arrives_at_most_once(
    method: str, client: httpx.AsyncClient, server: RawServer
) -> None:
    async def answer_and_close(writer: asyncio.StreamWriter) -> None:
        await OK(writer)
        writer.close()

    server.answer = answer_and_close
    for expected in range(1, 9):
        progress = RequestProgress()
        (outcome,) = await asyncio.gather(send(client, method, server.url, progress), return_exceptions=True)

        assert isinstance(outcome, int | httpx.TransportError)
        assert progress.sent == (not isinstance(outcome, httpx.ConnectError))
        assert len(server.requests) <= expected


@pytest.mark.parametrize("tls", [False, True], ids=["refused", "not TLS"])
async def test_a_request_without_a_connection_was_not_sent(
    tls: bool, client: httpx.AsyncClient, server: RawServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    progress = RequestProgress()

    with pytest.raises(httpx.ConnectError):
        await send(client, "DELETE", f"https://127.0.0.1:{server.port if tls else port}", progress)

    assert not progress.sent
    assert all(request.method != "DELETE" for request in server.requests)


async def test_a_connection_that_is_not_made_in_time_is_a_connect_timeout(client: httpx.AsyncClient) -> None:
    progress = RequestProgress()
    soon = httpx.Timeout(None, connect=0.1)
    # The kernel accepts the connection, but nobody answers the TLS handshake.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(url, timeout=soon, extensions={"progress": progress})

    assert not progress.sent


@pytest.mark.parametrize("kept", [False, True], ids=["on a fresh connection", "on a kept connection"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("answer", [OK, hangs], ids=["answered", "unanswered"])
async def test_a_call_that_is_cancelled_at_any_moment_leaves_its_connection_to_others(
    answer: Answer, times: int, kept: bool, client: httpx.AsyncClient, server: RawServer
) -> None:
    for moment in range(30):
        if kept:
            await send(client, "GET", server.url)
        server.answer = answer
        calls = [asyncio.ensure_future(send(client, "GET", server.url)) for _ in range(CONNECTIONS)]
        for _ in range(moment):
            await asyncio.sleep(0)
        for _ in range(times):
            for call in calls:
                call.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*calls, return_exceptions=True)

        server.answer = OK
        async with asyncio.timeout(5):
            await asyncio.gather(*(send(client, "GET", server.url) for _ in range(CONNECTIONS)))


async def test_an_answer_whose_reason_is_not_text_is_an_answer(client: httpx.AsyncClient, server: RawServer) -> None:
    server.answer = sends(b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\nX-Odd: \xff\r\n\r\n{}")

    assert await send(client, "POST", server.url) == 200


async def test_a_url_arrives_as_it_was_written(client: httpx.AsyncClient, server: RawServer) -> None:
    target = "/v1/a%3Ab%2Fc:undelete?token=a%26b%3D%2F%3A%25%2B%7E+%C3%A4&mask=a,b"

    await send(client, "GET", server.url + target)

    assert server.requests[0].target == target


async def test_only_the_headers_of_the_request_are_sent(server: RawServer, client: httpx.AsyncClient) -> None:
    await client.post(server.url, content=b"x", headers={"X-Own": "1", "Host": "elsewhere.example"})

    assert set(server.requests[0].headers) == {
        "host",
        "accept",
        "accept-encoding",
        "connection",
        "user-agent",
        "content-length",
        "x-own",
    }
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


async def test_a_response_that_is_not_read_to_its_end_gives_its_connection_up(
    client: httpx.AsyncClient, server: RawServer
) -> None:
    server.answer = sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
    for _ in range(CONNECTIONS + 1):
        async with asyncio.timeout(5), client.stream("GET", server.url) as response:
            assert response.status_code == 200
    server.answer = OK

    assert await send(client, "GET", server.url) == 200
    assert server.connections == CONNECTIONS + 2


async def test_requests_in_flight_fail_when_the_client_is_closed(client: httpx.AsyncClient, server: RawServer) -> None:
    server.answer = hangs
    progress = RequestProgress()
    call = asyncio.ensure_future(send(client, "DELETE", server.url, progress))
    await server.received(1)

    await client.aclose()

    with pytest.raises(httpx.TransportError):
        await call
    assert progress.sent


async def test_tls_offers_http_1_alone() -> None:
    context = server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    seen: list[str | None] = []

    async def look(writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await OK(writer)

    async with (
        RawServer(look).running(context) as server,
        httpx.AsyncClient(
            transport=AiohttpTransport(connector(context_of(ROOT), None, limit=1)), trust_env=False
        ) as client,
    ):
        assert await send(client, "GET", f"https://localhost:{server.port}") == 200

    assert seen == ["http/1.1"]
