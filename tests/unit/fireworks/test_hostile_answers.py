"""Answers that are meant to do harm: none takes more memory, time or room than an honest one."""

import asyncio
import contextlib
import gzip
import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from fireworks_operator.fireworks.body import MAX_ERROR_BYTES, MAX_RESPONSE_BYTES
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind, classify
from tests.unit.fireworks.calls import EMPTY, KEY, NAME, failure
from tests.unit.fireworks.raw_server import Answer, RawServer, replies, sends

MIB = 2**20
BLOCK = b" " * (4 * MIB)
IN_FLIGHT = 32 * MIB
"""Bytes that the sockets in between may have taken beyond what was read."""


@contextlib.contextmanager
def at_most_64_mib() -> Iterator[None]:
    """Fail where more than 64 MiB are taken at any moment: a full page and what is made of it, several times."""
    tracemalloc.start()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 64 * MIB, f"{most / MIB:.0f} MiB"


@pytest.fixture
def peak() -> Iterator[None]:
    """Fail a test that takes more than 64 MiB at any moment."""
    with at_most_64_mib():
        yield


@pytest.mark.parametrize("status", [200, 503])
async def test_an_endless_answer_is_cut_off(status: int, server: RawServer) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n\r\n".encode())
        while True:
            writer.write(BLOCK)
            await writer.drain()
            sent += len(BLOCK)

    server.answer = endless
    async with FireworksClient(server.url, timeout_read=30.0) as patient:
        error = await failure(patient.get_deployment(KEY, NAME))

    assert error.kind is ErrorKind.NO_ANSWER
    assert ("larger than 8 MiB" in error.message) == (status == 200)
    assert sent <= (MAX_RESPONSE_BYTES if status == 200 else MAX_ERROR_BYTES) + IN_FLIGHT


def _bomb(layers: int) -> bytes:
    content = BLOCK * 32
    for _ in range(layers):
        content = gzip.compress(content)  # as small as can be: what is read at a time holds the more
    return content


@pytest.mark.parametrize(
    ("encoding", "pack", "says"),
    [
        ("gzip", lambda: _bomb(1), "larger than 8 MiB"),
        ("gzip, gzip", lambda: _bomb(2), "unexpected content encoding"),
        ("br", lambda: b"whatever", "unexpected content encoding"),
        ("gzip", lambda: gzip.compress(b"{}")[:-9], "is truncated"),
        ("gzip", lambda: b"no gzip", "cannot be decompressed"),
    ],
    ids=["bomb", "bomb in a bomb", "another packing", "cut off", "no gzip"],
)
async def test_what_is_packed_is_unpacked_no_further_than_it_is_of_use(
    client: FireworksClient, server: RawServer, encoding: str, pack: Callable[[], bytes], says: str
) -> None:
    server.answer = replies(200, pack(), {"Content-Encoding": encoding})

    with at_most_64_mib():
        error = await failure(client.get_deployment(KEY, NAME))

    assert error.kind is ErrorKind.NO_ANSWER
    assert says in error.message


async def test_an_honest_packed_answer_is_read(client: FireworksClient, server: RawServer) -> None:
    page = {"deployments": [{"name": f"accounts/acme/deployments/d{n}", "baseModel": "m"} for n in range(200)]}
    server.answer = replies(200, gzip.compress(json.dumps(page).encode()), {"Content-Encoding": "gzip"})

    assert len((await client.list_deployments(KEY, "acme")).deployments) == 200


@pytest.mark.usefixtures("peak")
@pytest.mark.parametrize("item", [b"{}", b"[]", b"0", b'""'])
async def test_millions_of_tiny_values_are_refused_before_they_are_read(
    client: FireworksClient, server: RawServer, item: bytes
) -> None:
    count = MAX_RESPONSE_BYTES // (len(item) + 1) - 20
    server.answer = replies(200, b'{"deployments":[' + (item + b",") * count + item + b"]}")

    assert (await failure(client.list_deployments(KEY, "acme"))).kind is ErrorKind.NO_ANSWER


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    ["\u00e9\u2028", "request id ", "bearer ", "in use: ", "<title", "<title>", "fw_ "],
    ids=["unprintable", "request id", "bearer", "quota", "open title", "title", "key"],
)
def test_an_enormous_error_is_told_in_one_short_line_and_holds_nobody_up(text: str) -> None:
    words = text * (16 * MIB // len(text.encode()))
    envelope = classify(400, {}, json.dumps({"code": 3, "message": words}).encode())
    page = classify(403, {"content-type": "text/html"}, f"<html>{words}".encode())

    assert max(len(error.message) for error in (envelope, page)) <= 500
    assert envelope.message.isprintable()


@pytest.mark.parametrize(
    "answer",
    [
        sends(b"HTTP/1.1 200 OK\r\n" + b"X-More: of the same\r\n" * 200_000),
        sends(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10 * MIB),
        sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000),
        sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 10 * MIB),
        sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-More: of the same\r\n" * 200_000),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{}"),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    ],
    ids=["headers", "a header", "continues", "chunk extension", "trailers", "length", "negative length"],
)
@pytest.mark.usefixtures("peak")
async def test_endless_headers_are_no_answer(hasty: FireworksClient, server: RawServer, answer: Answer) -> None:
    server.answer = answer

    assert (await failure(hasty.get_deployment(KEY, NAME))).kind is ErrorKind.NO_ANSWER


async def test_the_key_never_follows_a_redirect(client: FireworksClient, server: RawServer) -> None:
    async with RawServer(EMPTY).running() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            for place in (f"{elsewhere.url}/v1/accounts", f"{server.url}/elsewhere", f"//127.0.0.1:{elsewhere.port}/"):
                server.answer = replies(status, "", {"Location": place, "Refresh": f"0; url={place}"})
                assert (await failure(client.delete_deployment(KEY, NAME))).kind is ErrorKind.WRONG_ENDPOINT

        assert elsewhere.requests == []
    assert {request.path for request in server.requests} == {f"/v1/{NAME}"}
