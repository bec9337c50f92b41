"""Why there is no connection: in words, whatever the library has wrapped the error in."""

import asyncio
import errno
import ssl
from pathlib import Path

import aiohttp
import httpx
import pytest

from fireworks_operator.network.reasons import reason_of


async def _answer_in_plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


async def test_a_server_that_speaks_no_tls_is_told_as_such() -> None:
    """Aiohttp's error of a failed handshake is an SSLError, and has no reason."""
    server = await asyncio.start_server(_answer_in_plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorSSLError) as caught:
            await session.get(f"https://127.0.0.1:{port}")
    assert "TLS" in reason_of(caught.value) or "record layer failure" in reason_of(caught.value)


async def test_nobody_listens() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await session.get("http://127.0.0.1:1")
    assert reason_of(caught.value) == "Connection refused"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENETUNREACH, "of the library"), "Network is unreachable"),
        (ExceptionGroup("several", [OSError(errno.ECONNREFUSED, "x")]), "Connection refused"),
        (
            ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
            "[SSL: WRONG_VERSION_NUMBER] wrong version number",
        ),
        (httpx.ConnectError("https://user:password@proxy"), "ConnectError"),
        (FileNotFoundError(errno.ENOENT, "x", Path("y")), "No such file or directory"),
    ],
)
def test_the_words_are_those_of_the_system(error: BaseException, words: str) -> None:
    assert reason_of(error) == words
