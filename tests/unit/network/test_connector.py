"""Connections through every kind of proxy: what it is told, what it is never told, and what is said when it fails."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest

from fireworks_operator.network.connector import connector
from fireworks_operator.network.proxy import Proxy, proxy_named
from fireworks_operator.network.trust import context_of
from fireworks_operator.network.tunnel import ProxyFailedError
from tests.unit.fireworks.raw_server import RawServer, replies
from tests.unit.network.handshake import ROOT, server_context
from tests.unit.network.proxies import ProxyServer

TOKEN = "Bearer of-the-cluster"
SERVER = "api.fireworks.example"


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """Speaks TLS and names itself api.fireworks.example."""
    async with RawServer(replies(200, '{"kind":"Status"}')).running(server_context()) as running:
        yield running


def through(proxy: Proxy, context: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """Return a session that has a token among its headers."""
    made = connector(context or context_of(ROOT), proxy, limit=4, proxy_context=lambda: context_of(ROOT))
    return aiohttp.ClientSession(connector=made, headers={"Authorization": TOKEN}, trust_env=False)


async def asks(proxy: Proxy, url: str, server_hostname: str | None = None) -> int:
    async with through(proxy) as session, session.get(url, server_hostname=server_hostname) as response:
        await response.read()
        return response.status


KINDS = [
    ("http", "http", (SERVER, 6443)),
    ("https", "http", (SERVER, 6443)),
    ("socks5", "socks5", (SERVER, 6443)),
    ("socks5h", "socks5", (SERVER, 6443)),
    ("socks4a", "socks4", (SERVER, 6443)),
]


@pytest.mark.parametrize(("scheme", "kind", "asked"), KINDS)
@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "byte by byte"])
async def test_a_request_goes_through_the_proxy_which_sees_no_header_of_it(
    scheme: str, kind: str, asked: tuple[str, int], slowly: bool, server: RawServer
) -> None:
    tls = server_context() if scheme == "https" else None
    async with ProxyServer(server.port, kind, slowly=slowly).running(tls) as proxy:
        named = proxy_named(f"{scheme}://localhost:{proxy.port}", source="proxy-url")
        async with through(named) as session:
            for _ in range(3):
                async with session.get(f"https://{SERVER}:6443/healthz") as response:
                    assert await response.json() == {"kind": "Status"}

    assert proxy.asked == [asked], "the name is looked up by the proxy, and the connection is kept"
    assert [request.headers["authorization"] for request in server.requests] == [TOKEN] * 3
    assert b"uthorization" not in proxy.heard
    assert b"cluster" not in proxy.heard


async def test_an_http_proxy_gets_the_user_and_password_of_its_own_url(server: RawServer) -> None:
    async with ProxyServer(server.port).running() as proxy:
        named = proxy_named(f"http://user:p%40ss@127.0.0.1:{proxy.port}", source="HTTPS_PROXY")
        assert await asks(named, f"https://{SERVER}/") == 200

    assert proxy.heard.decode().split("\r\n") == [
        f"CONNECT {SERVER}:443 HTTP/1.1",
        f"Host: {SERVER}:443",
        "Proxy-Authorization: Basic dXNlcjpwQHNz",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("user", "password"), [("user", "hunter2"), ("jörg", "pä:ss@"), ("u", "p" * 255), ("user", "")]
)
async def test_a_socks_proxy_gets_user_and_password(user: str, password: str, server: RawServer) -> None:
    async with ProxyServer(server.port, "socks5", (user, password)).running() as proxy:
        named = Proxy("socks5", "127.0.0.1", proxy.port, "ALL_PROXY", user, password)
        assert await asks(named, f"https://{SERVER}/") == 200


async def test_a_socks_4_proxy_is_told_its_user_and_an_address(server: RawServer) -> None:
    async with ProxyServer(server.port, "socks4").running() as proxy:
        named = proxy_named(f"socks4://jane@127.0.0.1:{proxy.port}", source="ALL_PROXY")
        assert await asks(named, f"https://localhost:{server.port}/") == 200

    assert proxy.asked == [("7f.00.00.01", server.port)]
    assert proxy.heard.endswith(b"jane\0")


@pytest.mark.parametrize(
    ("scheme", "host", "asked"),
    [
        ("socks5", "127.0.0.1", "7f.00.00.01"),
        ("socks5", "[fd00::1]", "fd.00.00.00.00.00.00.00.00.00.00.00.00.00.00.01"),
        ("http", "[fd00::1]", "[fd00::1]"),
        ("socks5", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("http", "bücher.example.", "xn--bcher-kva.example"),
    ],
)
async def test_addresses_and_names_reach_the_proxy_in_its_own_form(
    scheme: str, host: str, asked: str, server: RawServer
) -> None:
    async with ProxyServer(server.port, scheme).running() as proxy:
        named = proxy_named(f"{scheme}://127.0.0.1:{proxy.port}", source="ALL_PROXY")
        assert await asks(named, f"https://{host}:6443/", server_hostname=SERVER) == 200

    assert proxy.asked == [(asked, 6443)]


async def test_a_server_is_verified_behind_a_proxy_as_without_one(server: RawServer) -> None:
    async with ProxyServer(server.port, "socks5").running() as proxy:
        named = proxy_named(f"socks5://127.0.0.1:{proxy.port}", source="ALL_PROXY")
        with pytest.raises(aiohttp.ClientConnectorCertificateError, match="Hostname mismatch"):
            await asks(named, "https://evil.example/")
        async with through(named, context_of()) as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match="unable to get local issuer"):
                await session.get(f"https://{SERVER}/")

    assert server.requests == []


async def test_a_server_without_tls_is_reached_through_a_proxy_too() -> None:
    async with RawServer(replies(200, "{}")).running() as server, ProxyServer(server.port, "socks5").running() as proxy:
        named = proxy_named(f"socks5://127.0.0.1:{proxy.port}", source="proxy-url")
        assert await asks(named, "http://plain.example:8080/") == 200
        assert proxy.asked == [("plain.example", 8080)]
    assert len(server.requests) == 1


async def test_a_proxy_never_sees_the_client_certificate_that_is_for_the_server(server: RawServer) -> None:
    """It is spoken to by TLS with a context of its own."""
    asked = server_context()
    asked.verify_mode = ssl.CERT_OPTIONAL
    asked.load_verify_locations(ROOT)
    context = context_of(ROOT)
    context.load_cert_chain(ROOT.with_name("server.pem"))
    seen: list[object] = []

    class Looks(ProxyServer):
        async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            seen.append(writer.get_extra_info("peercert"))
            return await super()._http(reader, writer)

    async with Looks(server.port).running(asked) as proxy:
        named = proxy_named(f"https://localhost:{proxy.port}", source="HTTPS_PROXY")
        async with through(named, context) as session, session.get(f"https://{SERVER}/") as response:
            assert response.status == 200

    assert seen == [None]


@pytest.mark.parametrize(
    ("scheme", "kind", "refuses", "words"),
    [
        ("http", "http", 403, "answered with 403"),
        ("http", "http", 407, "answered with 407; check its user and password"),
        ("http", "http", 302, "answered with 302"),
        ("socks5", "socks5", 2, f"cannot connect to {SERVER}: its rules do not allow it"),
        ("socks5", "socks5", 4, f"cannot connect to {SERVER}: the host cannot be reached"),
        ("socks5", "socks5", 77, f"cannot connect to {SERVER}: it answered with 77"),
        ("socks4a", "socks4", 91, f"cannot connect to {SERVER}: it answered with 91"),
    ],
)
async def test_a_proxy_that_refuses_is_named_with_its_setting_and_without_its_password(
    scheme: str, kind: str, refuses: int, words: str, server: RawServer
) -> None:
    who = "somebody" if kind == "socks4" else "somebody:hunter2"
    user = ("somebody", "hunter2") if kind == "socks5" else None
    async with ProxyServer(server.port, kind, user, refuses).running() as proxy:
        named = proxy_named(f"{scheme}://{who}@127.0.0.1:{proxy.port}", source="HTTPS_PROXY")
        with pytest.raises(ProxyFailedError) as caught:
            await asks(named, f"https://{SERVER}/")

    assert str(caught.value) == f"the proxy {scheme}://127.0.0.1:{proxy.port} (HTTPS_PROXY) {words}"
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert (proxy.tunnels, server.requests) == (0, [])


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("", "requires a user and a password"),
        ("jane:wrong@", "does not accept its user and password"),
        ("jane@", "does not accept its user and password"),
    ],
)
async def test_a_socks_proxy_that_knows_somebody_else_says_so(who: str, words: str) -> None:
    async with ProxyServer(9, "socks5", ("jane", "right")).running() as proxy:
        with pytest.raises(ProxyFailedError, match=words):
            await asks(proxy_named(f"socks5://{who}127.0.0.1:{proxy.port}", source="ALL_PROXY"), f"https://{SERVER}/")


@pytest.mark.parametrize(
    ("scheme", "answer", "words"),
    [
        ("http", b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "does not speak HTTP"),
        ("http", b"HTTP/1.1 soon\r\n\r\n", "does not speak HTTP"),
        ("http", b"\r\n\r\n", "does not speak HTTP"),
        ("http", b"x" * 200_000, "does not speak HTTP"),
        ("http", b"", "closed the connection"),
        ("http", b"HTTP/1.1 200 OK\r\nVia", "closed the connection"),
        ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SOCKS 5"),
        ("socks5", b"\x05", "closed the connection"),
        ("socks5", b"\x05\x02\x00\x00", "requires a user and a password"),
        ("socks5", b"\x05\xff", "requires a user and a password"),
        ("socks5", b"\x05\x00\x04\x00\x00\x01", "cannot connect"),
        ("socks5", b"\x05\x00\x05\x00\x00\x04\x00", "closed the connection"),
        ("socks4a", b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SOCKS 4"),
        ("https", b"HTTP/1.1 200 OK\r\n\r\n", "cannot be reached"),
    ],
)
async def test_what_is_no_proxy_of_that_kind_is_told_as_that(scheme: str, answer: bytes, words: str) -> None:
    async with ProxyServer(9, "other", says=answer).running() as proxy:
        with pytest.raises(ProxyFailedError) as caught:
            await asks(proxy_named(f"{scheme}://127.0.0.1:{proxy.port}", source="proxy-url"), f"https://{SERVER}/")

    assert str(caught.value).startswith(f"the proxy {scheme}://127.0.0.1:{proxy.port} (proxy-url) ")
    assert words in str(caught.value)


async def test_a_proxy_that_is_not_there_or_not_trusted_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    named = proxy_named(f"127.0.0.1:{port}", source="HTTPS_PROXY")
    with pytest.raises(ProxyFailedError, match="cannot be reached: Connect"):
        await asks(named, f"https://{SERVER}/")
    async with ProxyServer(9).running(server_context()) as proxy:
        named = proxy_named(f"https://127.0.0.1:{proxy.port}", source="HTTPS_PROXY")
        with pytest.raises(ProxyFailedError, match="its certificate is not accepted: IP address mismatch"):
            await asks(named, f"https://{SERVER}/")


async def test_a_proxy_that_says_nothing_costs_no_more_than_the_time_for_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        named = proxy_named(f"socks5://127.0.0.1:{silent.getsockname()[1]}", source="proxy-url")
        async with through(named) as session:
            with pytest.raises(aiohttp.ServerTimeoutError):
                await session.get(f"https://{SERVER}/", timeout=aiohttp.ClientTimeout(sock_connect=0.1))


async def test_a_server_that_hangs_up_in_the_handshake_is_no_crash() -> None:
    async with ProxyServer(9, "other").running() as server, ProxyServer(server.port).running() as proxy:
        with pytest.raises(aiohttp.ClientConnectorError):
            await asks(proxy_named(f"127.0.0.1:{proxy.port}", source="proxy-url"), f"https://{SERVER}/")
    assert proxy.tunnels == 1


async def test_without_a_proxy_the_way_is_direct(server: RawServer) -> None:
    made = connector(context_of(ROOT), None, limit=1)
    async with (
        aiohttp.ClientSession(connector=made) as session,
        session.get(f"https://localhost:{server.port}/") as response,
    ):
        assert response.status == 200
