"""The way to Fireworks: proxies of every kind, and authorities of one's own."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.fireworks.client import FireworksClient, RequestRecord
from fireworks_operator.fireworks.errors import ErrorKind
from tests.unit.fireworks.calls import DEPLOYMENT, KEY, NAME, SECRET, failure
from tests.unit.fireworks.raw_server import Answer, RawServer, hangs, resets, sends
from tests.unit.network.handshake import EXPIRED, ROOT, SERVER, server_context
from tests.unit.network.proxies import ProxyServer

SITE = "https://api.fireworks.example"
LOCALHOST = Path(__file__).parent / "certs" / "localhost.pem"


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RawServer]:
    """A server that names itself api.fireworks.example, by an authority that the environment names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ROOT))
    async with RawServer(DEPLOYMENT).running(server_context()) as running:
        yield running


@pytest.fixture(params=["http", "https", "socks5", "socks5h"])
async def proxy(
    request: pytest.FixtureRequest, site: RawServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ProxyServer]:
    """A proxy that leads to the site, named by the environment with a user and a password."""
    kind = "socks5" if "socks" in request.param else "http"
    user = ("jane", "hunter2") if kind == "socks5" else None
    async with ProxyServer(site.port, kind, user).running(server_context() if request.param == "https" else None) as it:
        name = "ALL_PROXY" if kind == "socks5" else "HTTPS_PROXY"
        monkeypatch.setenv(name, f"{request.param}://jane:hunter2@localhost:{it.port}")
        yield it


async def test_fireworks_is_reached_through_any_proxy_which_never_sees_the_key(
    proxy: ProxyServer, site: RawServer
) -> None:
    async with FireworksClient(SITE) as client:
        assert (await client.get_deployment(KEY, NAME)).state == "READY"

    assert proxy.asked == [("api.fireworks.example", 443)]
    assert SECRET.encode() not in proxy.heard
    assert b"\r\nAuthorization" not in proxy.heard
    assert site.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "proxy-authorization" not in site.requests[0].headers


@pytest.mark.parametrize("answer", [resets, sends(b"")], ids=["reset", "closed"])
async def test_nothing_is_sent_twice_through_a_proxy_where_a_kept_connection_ends_under_a_request(
    answer: Answer, proxy: ProxyServer, site: RawServer
) -> None:
    async with FireworksClient(SITE) as client:
        for call in (client.get_deployment, client.delete_deployment):
            site.answer = DEPLOYMENT
            await client.get_deployment(KEY, NAME)
            site.answer = answer
            error = await failure(call(KEY, NAME))
            assert (error.kind, error.definite) == (ErrorKind.NO_ANSWER, False)

    assert [request.method for request in site.requests] == ["GET", "GET", "GET", "DELETE"]
    assert proxy.tunnels > 1


async def test_a_change_without_an_answer_through_a_proxy_is_no_change_that_was_never_sent(
    proxy: ProxyServer, site: RawServer
) -> None:
    async with FireworksClient(SITE, timeout_write=2.0) as client:
        for answer in (hangs, resets, sends(b"HTTP/1.1 2")):
            site.answer = answer
            error = await failure(client.create_deployment(KEY, "acme", "chat", {}))
            assert (error.kind, error.definite) == (ErrorKind.NO_ANSWER, False)
            assert "hunter2" not in error.message

    assert len(site.requests) == 3
    assert proxy.tunnels == 3


async def test_a_proxy_that_refuses_means_never_sent_and_is_told_by_its_setting_without_its_password(
    proxy: ProxyServer, site: RawServer, records: list[RequestRecord]
) -> None:
    proxy.refuses = 407 if proxy.kind == "http" else 2
    async with FireworksClient(SITE, observe=records.append) as client:
        error = await failure(client.delete_deployment(KEY, NAME))

    name, words = (
        ("HTTPS_PROXY", "answered with 407; check its user and password")
        if proxy.kind == "http"
        else ("ALL_PROXY", "cannot connect to api.fireworks.example: its rules do not allow it")
    )
    assert (error.kind, error.definite) == (ErrorKind.UNREACHABLE, True)
    assert error.message.startswith("api.fireworks.example cannot be reached: the proxy ")
    assert error.message.endswith(f"://localhost:{proxy.port} ({name}) {words}")
    assert "hunter2" not in f"{error!r} {error.__cause__!r}"
    assert f"Check {name}, NO_PROXY and the network policy; the operator retries" in diagnose(error).message
    assert (site.requests, len(records)) == ([], 1)


async def test_a_proxy_that_says_nothing_means_never_sent(site: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RawServer(hangs).running() as silent:
        monkeypatch.setenv("HTTPS_PROXY", f"http://jane:hunter2@127.0.0.1:{silent.port}")
        async with FireworksClient(SITE, timeout_write=0.5) as client:
            error = await failure(client.delete_deployment(KEY, NAME))

    assert (error.kind, error.definite) == (ErrorKind.UNREACHABLE, True)
    assert error.message == (
        "api.fireworks.example cannot be reached: the connection timed out through the proxy "
        f"http://127.0.0.1:{silent.port} (HTTPS_PROXY)"
    )
    assert [(r.method, r.target) for r in silent.requests] == [("CONNECT", "api.fireworks.example:443")]


@pytest.mark.parametrize("exceptions", ["10.0.0.0/8, *.fireworks.example", "api.fireworks.example:443", "*"])
async def test_no_proxy_is_read_as_kubectl_and_curl_read_it(
    exceptions: str, monkeypatch: pytest.MonkeyPatch, site: RawServer
) -> None:
    async with ProxyServer(site.port).running() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        async with FireworksClient(SITE, timeout_read=5.0) as client:
            assert (await client.get_deployment(KEY, NAME)).state == "READY"
        monkeypatch.setenv("NO_PROXY", exceptions)
        async with FireworksClient(SITE, timeout_read=0.5) as client:
            assert (await failure(client.get_deployment(KEY, NAME))).kind is ErrorKind.UNREACHABLE

    assert proxy.asked == [("api.fireworks.example", 443)]


async def test_neither_this_machine_nor_plain_http_is_reached_through_a_proxy(
    site: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ProxyServer(site.port).running() as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with FireworksClient(f"https://localhost:{site.port}") as client:
            assert (await client.get_deployment(KEY, NAME)).state == "READY"
        async with FireworksClient("http://fireworks.invalid", timeout_read=1.0, allow_http=True) as client:
            assert (await failure(client.get_deployment(KEY, NAME))).kind is ErrorKind.UNREACHABLE

    assert proxy.asked == []


async def test_a_dot_at_the_end_of_the_host_is_not_sent(proxy: ProxyServer, site: RawServer) -> None:
    async with FireworksClient(f"{SITE}.") as client:
        assert (await client.get_deployment(KEY, NAME)).state == "READY"

    assert proxy.asked == [("api.fireworks.example", 443)]
    assert site.requests[0].headers["host"] == "api.fireworks.example"


async def test_a_netrc_file_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login jane password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with RawServer(DEPLOYMENT).running() as server, FireworksClient(server.url) as client:
        assert (await client.get_deployment(KEY, NAME)).state == "READY"

    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("named", ["http://jane:hunter2@[", "socks://jane:hunter2@127.0.0.1:9", "ftp://hunter2"])
def test_a_proxy_that_is_none_is_refused_at_once_by_the_name_of_its_setting(
    named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", named)

    with pytest.raises(ValueError, match=r"^ALL_PROXY: ") as caught:
        FireworksClient(SITE)

    assert "hunter2" not in f"{caught.value!r} {caught.value.__context__!r}"


async def test_the_authorities_of_the_environment_are_trusted(site: RawServer) -> None:
    """Also where they are not made by the book, to which Python 3.13 holds them by itself."""
    async with FireworksClient(f"https://localhost:{site.port}") as client:
        assert (await client.get_deployment(KEY, NAME)).state == "READY"
    context = ssl.create_default_context(cafile=str(ROOT))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    async with FireworksClient(f"https://localhost:{site.port}", ssl_context=context) as client:
        assert "Basic Constraints of CA cert not marked critical" in str(await failure(client.list_accounts(KEY)))


@pytest.mark.parametrize(
    ("host", "trusted", "reason", "advice"),
    [
        (
            "localhost",
            LOCALHOST,
            "certificate verify failed: unable to get local issuer certificate",
            "If a proxy in between inspects TLS, or the certificate authority is private, set SSL_CERT_FILE to a "
            "file with its certificate; the operator retries automatically.",
        ),
        (
            "127.0.0.1",
            ROOT,
            "certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'",
            "Check FIREWORKS_BASE_URL, and whether something else responds instead; the operator retries "
            "automatically.",
        ),
    ],
)
async def test_trouble_with_a_certificate_is_named_and_not_taken_for_one_of_the_network(
    host: str, trusted: Path, reason: str, advice: str, site: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with FireworksClient(f"https://{host}:{site.port}") as client:
        error = await failure(client.get_deployment(KEY, NAME))

    assert error.message == f"{host} cannot be reached: {reason}"
    told = diagnose(error).message
    assert told == f"The Fireworks API cannot be reached: {error.message}. {advice}"
    assert "DNS" not in told


@pytest.mark.parametrize(
    ("host", "certificate", "reason", "advice"),
    [
        (
            "localhost",
            LOCALHOST,
            "self-signed certificate",
            "set SSL_CERT_FILE to a file with its certificate; the operator",
        ),
        (
            "localhost",
            EXPIRED,
            "certificate has expired",
            "Check the clock of this machine, and who issued the certificate",
        ),
        ("127.0.0.1", SERVER, "IP address mismatch", "Check the name of the proxy, and whether something else"),
    ],
)
async def test_the_certificate_of_a_proxy_is_told_as_the_proxys(
    host: str, certificate: Path, reason: str, advice: str, site: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ProxyServer(site.port).running(server_context(certificate)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"https://{host}:{proxy.port}")
        async with FireworksClient(SITE) as client:
            error = await failure(client.get_deployment(KEY, NAME))

    named = f"the proxy https://{host}:{proxy.port} (HTTPS_PROXY)"
    assert f"{named} cannot be reached: its certificate is not accepted: {reason}" in error.message
    assert advice in diagnose(error).message


@pytest.mark.parametrize(("answer", "reason"), [(resets, "ReadError"), (sends(b""), "RemoteProtocolError")])
async def test_what_went_wrong_once_the_request_was_sent_is_told_by_its_kind_alone(answer: Answer, reason: str) -> None:
    """The library's words may quote what was sent."""
    async with RawServer(answer).running() as server, FireworksClient(server.url) as client:
        error = await failure(client.create_deployment(KEY, "acme", "chat", {}))

    assert error.message == f"request to 127.0.0.1 failed: {reason}"


async def test_authorities_that_are_of_no_use_are_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))

    with pytest.raises(ValueError, match=r"^SSL_CERT_FILE: the file .*none.pem cannot be read: No such file"):
        FireworksClient(SITE)
    await FireworksClient("http://127.0.0.1:1").aclose()
