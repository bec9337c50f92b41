"""What the client makes of everything that can go wrong, and how it keeps the key."""

import asyncio
import gc
import inspect
import json
import logging
import socket
import ssl
import time
from pathlib import Path

import pytest

from fireworks_operator.fireworks.client import ApiKey, FireworksClient, RequestRecord
from fireworks_operator.fireworks.errors import ErrorKind
from fireworks_operator.observability.redaction import redact
from tests.unit.fireworks.calls import DEPLOYMENT, EMPTY, KEY, NAME, SECRET, failure
from tests.unit.fireworks.raw_server import Answer, RawServer, hangs, replies, resets, sends

CERTIFICATE = Path(__file__).parent / "certs" / "localhost.pem"


def test_a_change_ends_within_the_eight_seconds_that_leader_election_relies_on() -> None:
    assert inspect.signature(FireworksClient).parameters["timeout_write"].default == 8.0


async def test_a_cookie_that_one_key_was_given_is_never_sent_with_another(server: RawServer) -> None:
    server.answer = replies(200, "{}", {"Set-Cookie": "session=of-the-first-key; Path=/"})

    # By name: of an address, some libraries keep no cookies anyway.
    async with FireworksClient(f"http://localhost:{server.port}") as client:
        await client.list_accounts(KEY)
        await client.list_accounts(ApiKey("fw_AnotherTenantsKey"))

    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HTML_PAGE = "<html><head><title>Welcome to the hotel</title></head></html>"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "reason"),
    [
        (resets, ErrorKind.NO_ANSWER, "NoAnswer", "reset after the request was sent"),
        (sends(b""), ErrorKind.NO_ANSWER, "NoAnswer", "closed without a word"),
        (sends(b"HTTP/1.1 200 OK\r\nContent-Le"), ErrorKind.NO_ANSWER, "NoAnswer", "cut off in the head"),
        (
            sends(JSON_HEAD + b'Content-Length: 100\r\n\r\n{"name":'),
            ErrorKind.NO_ANSWER,
            "NoAnswer",
            "cut off in the body",
        ),
        (
            sends(JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n'),
            ErrorKind.NO_ANSWER,
            "NoAnswer",
            "cut off between chunks",
        ),
        (sends(JSON_HEAD + b'\r\n{"name":'), ErrorKind.NO_ANSWER, "200", "cut off where only the end tells the length"),
        (sends(b"SSH-2.0-OpenSSH_9.9\r\n"), ErrorKind.NO_ANSWER, "NoAnswer", "not even HTTP"),
        (
            replies(200, b"no gzip", {"Content-Encoding": "gzip"}),
            ErrorKind.NO_ANSWER,
            "NoAnswer",
            "cannot be unpacked",
        ),
        (replies(200, "[" * 300_000), ErrorKind.NO_ANSWER, "200", "nested too deep"),
        (replies(200, b'{"name":"\xff"}'), ErrorKind.NO_ANSWER, "200", "no UTF-8"),
        (replies(200, HTML_PAGE, {"Content-Type": "text/html"}), ErrorKind.WRONG_ENDPOINT, "200", "a captive portal"),
        (replies(302, "", {"Location": "https://evil.example/"}), ErrorKind.WRONG_ENDPOINT, "302", "never followed"),
        (replies(302, "", {"Location": "https://a:b/"}), ErrorKind.WRONG_ENDPOINT, "302", "leads to no address"),
        (replies(307, "", {"Location": "http://xn--a-ecp.ru"}), ErrorKind.WRONG_ENDPOINT, "307", "leads to no name"),
        (replies(404, "fault filter abort"), ErrorKind.WRONG_ENDPOINT, "404", "the edge"),
        (replies(200, "[]"), ErrorKind.PROTOCOL, "200", "JSON, but no object"),
        (replies(404, '{"code":5,"message":"gone"}'), ErrorKind.NOT_FOUND, "404", "the control plane says so"),
        (replies(503, '{"code":14,"message":"later"}'), ErrorKind.NO_ANSWER, "503", "the control plane is down"),
    ],
)
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
async def test_every_way_to_fail_is_told_and_counted_once(
    answer: Answer,
    kind: ErrorKind,
    code: str,
    reason: str,
    write: bool,
    client: FireworksClient,
    server: RawServer,
    records: list[RequestRecord],
) -> None:
    server.answer = answer

    error = await failure(client.delete_deployment(KEY, NAME) if write else client.get_deployment(KEY, NAME))

    assert error.kind is kind, reason
    assert error.definite is (kind is ErrorKind.NOT_FOUND), reason
    assert [(r.code, r.kind) for r in records] == [(code, kind)]
    assert len(server.requests) == 1, "nothing is ever sent twice"


@pytest.mark.parametrize("answer", [resets, sends(b"")], ids=["reset", "closed"])
async def test_nothing_is_sent_twice_where_a_kept_connection_ends_under_a_request(
    answer: Answer, client: FireworksClient, server: RawServer, records: list[RequestRecord]
) -> None:
    for call in (
        client.get_deployment(KEY, NAME),
        client.delete_deployment(KEY, NAME),
        client.create_deployment(KEY, "acme", "chat", {}),
        client.update_deployment(KEY, NAME, {}, ["description"]),
    ):
        server.answer = DEPLOYMENT
        await client.get_deployment(KEY, NAME)
        server.answer = answer
        error = await failure(call)
        assert (error.kind, error.definite) == (ErrorKind.NO_ANSWER, False)

    methods = [request.method for request in server.requests]
    assert methods == ["GET", "GET", "GET", "DELETE", "GET", "POST", "GET", "PATCH"]
    assert [each.code for each in records] == ["200", "NoAnswer"] * 4


async def test_an_answer_that_never_comes_ends_at_the_deadline(
    hasty: FireworksClient, server: RawServer, records: list[RequestRecord]
) -> None:
    server.answer = hangs
    words = "request to 127.0.0.1 failed: no complete response within"

    read = await failure(hasty.get_deployment(KEY, NAME))
    write = await failure(hasty.delete_deployment(KEY, NAME))

    assert (read.kind, read.message) == (ErrorKind.NO_ANSWER, f"{words} 0.3 s")
    assert (write.kind, write.message) == (ErrorKind.NO_ANSWER, f"{words} 0.2 s")
    assert [r.code for r in records] == ["NoAnswer", "NoAnswer"]
    assert 0.3 <= records[0].seconds < 1.5
    assert 0.2 <= records[1].seconds < 1.5


async def test_an_answer_that_trickles_in_ends_at_the_deadline(hasty: FireworksClient, server: RawServer) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(JSON_HEAD + b"Content-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)  # the pace of the answer, not a wait for anything

    server.answer = trickle
    started = time.monotonic()

    error = await failure(hasty.delete_deployment(KEY, NAME))

    assert error.kind is ErrorKind.NO_ANSWER
    assert 0.2 <= time.monotonic() - started < 1.5, "one deadline for the whole answer, not one per byte"


async def test_a_host_that_does_not_listen_was_definitely_not_asked(unused_port: int) -> None:
    async with FireworksClient(f"http://127.0.0.1:{unused_port}", timeout_write=1.0) as client:
        error = await failure(client.create_deployment(KEY, "acme", "chat", {}))

    assert error.kind is ErrorKind.UNREACHABLE
    assert error.definite
    assert "Connect" in error.message


@pytest.fixture
async def unused_port() -> int:
    async with RawServer(EMPTY).running() as server:
        return server.port


async def test_a_name_that_does_not_resolve_was_definitely_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    async with FireworksClient("https://fireworks.invalid", timeout_read=1.0) as client:
        error = await failure(client.list_accounts(KEY))

    assert error.kind is ErrorKind.UNREACHABLE
    assert "fireworks.invalid cannot be reached" in error.message


async def test_a_connection_that_is_never_made_was_definitely_not_asked() -> None:
    # The kernel accepts the connection, but nobody answers the TLS handshake.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with FireworksClient(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout_read=0.2) as client:
            error = await failure(client.list_accounts(KEY))

    assert error.kind is ErrorKind.UNREACHABLE
    # The deadline of the connection is a moment before that of the request; on a busy machine they may pass together.
    reasons = ("the connection timed out", "no connection within 0.2 s")
    assert error.message in [f"127.0.0.1 cannot be reached: {reason}" for reason in reasons]


async def test_waiting_for_a_free_connection_counts_as_never_sent(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fireworks_operator.fireworks.transport._MAX_CONNECTIONS", 4)
    server.answer = hangs
    async with FireworksClient(server.url, timeout_read=5.0, timeout_write=0.2) as client:
        holders = [asyncio.create_task(client.get_deployment(KEY, NAME)) for _ in range(4)]
        await server.received(4)

        error = await failure(client.delete_deployment(KEY, NAME))

        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)
    assert error.kind is ErrorKind.UNREACHABLE
    assert len(server.requests) == 4


def certificate_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.mark.parametrize(
    ("host", "trusted", "reached", "reason"),
    [
        ("localhost", True, True, "the certificate is known and names the host"),
        ("localhost", False, False, "anybody can make such a certificate"),
        ("127.0.0.1", True, False, "the certificate is for another name"),
    ],
)
async def test_certificates_are_verified(host: str, trusted: bool, reached: bool, reason: str) -> None:
    context = ssl.create_default_context(cafile=str(CERTIFICATE)) if trusted else None
    async with (
        RawServer(DEPLOYMENT).running(certificate_context()) as server,
        FireworksClient(f"https://{host}:{server.port}", timeout_read=10.0, ssl_context=context) as client,
    ):
        if reached:
            assert (await client.get_deployment(KEY, NAME)).state == "READY", reason
        else:
            error = await failure(client.get_deployment(KEY, NAME))
            assert error.kind is ErrorKind.UNREACHABLE, reason
            assert "certificate verify failed" in error.message
            assert server.requests == []


async def test_nothing_in_the_environment_turns_verification_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("PYTHONHTTPSVERIFY", "0"),
        ("SSL_VERIFY", "false"),
        ("NODE_TLS_REJECT_UNAUTHORIZED", "0"),
        ("CURL_CA_BUNDLE", ""),
        ("REQUESTS_CA_BUNDLE", ""),
        ("GIT_SSL_NO_VERIFY", "true"),
        ("FIREWORKS_OPERATOR_ALLOW_HTTP", "true"),
    ):
        monkeypatch.setenv(name, value)
    async with (
        RawServer(DEPLOYMENT).running(certificate_context()) as server,
        FireworksClient(f"https://localhost:{server.port}", timeout_read=10.0, allow_http=True) as client,
    ):
        error = await failure(client.get_deployment(KEY, NAME))
        assert "certificate verify failed" in error.message
        assert server.requests == []


def test_a_context_that_does_not_verify_is_refused() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    for mode in (ssl.CERT_REQUIRED, ssl.CERT_NONE):
        context.verify_mode = mode
        with pytest.raises(ValueError, match="must verify"):
            FireworksClient("https://api.fireworks.ai", ssl_context=context)


def test_a_key_never_travels_in_plain_text() -> None:
    with pytest.raises(ValueError, match="must use https"):
        FireworksClient("http://api.fireworks.ai")


async def test_a_secret_that_the_server_echoes_is_taken_out(server: RawServer) -> None:
    for text in ("no-usual-prefix-4711", 'a"quoted"&<odd>\\key', "x"):
        for escape in (json.dumps, lambda answer: json.dumps(answer).replace("&", "\\u0026").replace("<", "\\u003c")):
            server.answer = replies(400, escape({"code": 3, "message": f"bad: {text}"}))
            async with FireworksClient(server.url) as client:
                error = await failure(client.get_deployment(ApiKey(text), NAME))

            assert error.message == "bad: [REDACTED]"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (400, '{"code": 3, "message": "bad: LONG, SHORT"}'),
        (400, '{"code": 3, "message": "bad: LONG, SHORT"}'.replace("/", "\\/")),
        (400, "bad: LONG, SHORT"),
        (500, '{"code": 13, "message": "bad: LONG, SHORT"}'),
        (200, "bad: LONG, SHORT"),
    ],
    ids=["refused", "escaped", "as a text", "failed", "accepted by somebody else"],
)
async def test_keys_of_a_direct_route_that_the_server_echoes_are_taken_out(
    client: FireworksClient, server: RawServer, status: int, answer: str
) -> None:
    short, long = "route/key/one", "route/key/one-and-more"
    server.answer = replies(status, answer.replace("LONG", long).replace("SHORT", short))
    keys = (ApiKey(short), ApiKey(long))
    for call in (
        client.create_deployment(KEY, "acme", "chat", {}, route_keys=keys),
        client.update_deployment(KEY, NAME, {}, ["direct_route_api_keys"], route_keys=keys),
    ):
        error = await failure(call)
        assert "route/key" not in f"{error} {error!r}"
        assert "and-more" not in f"{error}"


async def test_only_a_key_that_fireworks_accepts_is_taken_out_of_the_log(
    client: FireworksClient, server: RawServer
) -> None:
    key = ApiKey("team-b/chat-is-no-key")
    for answer in (replies(401, "{}"), replies(404, '{"code": 5, "message": "not found"}'), replies(500, "{}"), resets):
        server.answer = answer
        await failure(client.get_deployment(key, NAME))
        assert redact("team-b/chat-is-no-key") == "team-b/chat-is-no-key"
    server.answer = DEPLOYMENT
    await client.get_deployment(key, NAME)
    assert redact("team-b/chat-is-no-key") == "[REDACTED]"
    del key
    gc.collect()
    assert redact("team-b/chat-is-no-key") == "team-b/chat-is-no-key", "nobody uses it any more"


async def test_nothing_is_logged_that_holds_the_key(
    client: FireworksClient, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fireworks_operator")
    for answer in (DEPLOYMENT, replies(500, "{}"), resets):
        server.answer = answer
        await asyncio.gather(client.get_deployment(KEY, NAME), return_exceptions=True)

    assert SECRET not in caplog.text


async def test_a_closed_client_says_so(server: RawServer) -> None:
    client = FireworksClient(server.url)
    await client.aclose()

    error = await failure(client.list_accounts(KEY))

    assert (error.kind, error.message) == (ErrorKind.UNREACHABLE, "the client is closed")
