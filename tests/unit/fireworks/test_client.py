"""What the client puts on the wire, and what it makes of everything that may come back."""

import asyncio
import gzip
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from fireworks_operator.fireworks.client import MAX_RESPONSE_BYTES, ApiKey, FireworksClient, RequestRecord
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from unit.fireworks.raw_server import Answer, RawServer, hangs, replies, resets, sends

SECRET = "fw_TestSecretOfTheClient"
KEY = ApiKey(SECRET)
NAME = "accounts/acme/deployments/chat"
ADDON = "accounts/acme/deployedModels/lora-abc"
CERTIFICATE = Path(__file__).parent / "certs" / "localhost.pem"

DEPLOYMENT = replies(200, json.dumps({"name": NAME, "state": "READY"}))
DEPLOYED_MODEL = replies(200, json.dumps({"name": ADDON}))
EMPTY = replies(200, "{}")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer(EMPTY).running() as running:
        yield running


@pytest.fixture
def records() -> list[RequestRecord]:
    return []


@pytest.fixture
async def client(server: RawServer, records: list[RequestRecord]) -> AsyncIterator[FireworksClient]:
    async with FireworksClient(
        server.url, timeout_read=0.3, timeout_write=0.2, user_agent="fireworks-operator/test", observe=records.append
    ) as running:
        yield running


async def failure(call: Awaitable[object]) -> FireworksError:
    with pytest.raises(FireworksError) as caught:
        await call
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    return caught.value


Call = Callable[[FireworksClient], Awaitable[object]]

# call, answer, method, target, body
REQUESTS: list[tuple[Call, Answer, str, str, object]] = [
    (lambda c: c.list_accounts(KEY), EMPTY, "GET", "/v1/accounts?pageSize=200", None),
    (
        lambda c: c.get_model(KEY, "accounts/fireworks/models/m"),
        replies(200, '{"name": "accounts/fireworks/models/m"}'),
        "GET",
        "/v1/accounts/fireworks/models/m",
        None,
    ),
    (lambda c: c.list_deployments(KEY, "acme"), EMPTY, "GET", "/v1/accounts/acme/deployments?pageSize=200", None),
    (
        lambda c: c.list_deployments(KEY, "acme", page_token="a&b=", page_size=5, show_deleted=True),
        EMPTY,
        "GET",
        "/v1/accounts/acme/deployments?pageSize=5&pageToken=a%26b%3D&showDeleted=true",
        None,
    ),
    (lambda c: c.get_deployment(KEY, NAME), DEPLOYMENT, "GET", f"/v1/{NAME}", None),
    (
        lambda c: c.create_deployment(
            KEY, "acme", "chat", {"baseModel": "m"}, query={"disableSpeculativeDecoding": "true"}
        ),
        DEPLOYMENT,
        "POST",
        "/v1/accounts/acme/deployments?disableSpeculativeDecoding=true&deploymentId=chat",
        {"baseModel": "m"},
    ),
    (
        lambda c: c.update_deployment(
            KEY,
            NAME,
            {"baseModel": "m", "minReplicaCount": 0},
            ["min_replica_count", "autoscaling_policy.load_targets"],
        ),
        DEPLOYMENT,
        "PATCH",
        f"/v1/{NAME}?updateMask=min_replica_count,autoscaling_policy.load_targets",
        {"baseModel": "m", "minReplicaCount": 0},
    ),
    (lambda c: c.delete_deployment(KEY, NAME), EMPTY, "DELETE", f"/v1/{NAME}", None),
    (
        lambda c: c.delete_deployment(KEY, NAME, hard=True, ignore_checks=True),
        EMPTY,
        "DELETE",
        f"/v1/{NAME}?hard=true&ignoreChecks=true",
        None,
    ),
    (lambda c: c.undelete_deployment(KEY, NAME), DEPLOYMENT, "POST", f"/v1/{NAME}:undelete", {}),
    (
        lambda c: c.set_tags(KEY, NAME, {"custom/name": "chat"}),
        EMPTY,
        "POST",
        f"/v1/{NAME}:setTags",
        {"tags": {"custom/name": "chat"}},
    ),
    (
        lambda c: c.delete_tags(KEY, NAME, ["custom/name"]),
        EMPTY,
        "POST",
        f"/v1/{NAME}:deleteTags",
        {"keys": ["custom/name"]},
    ),
    (lambda c: c.termination_message(KEY, NAME), EMPTY, "GET", f"/v1/{NAME}/terminationMessage", None),
    (
        lambda c: c.list_deployed_models(KEY, "acme", "2"),
        EMPTY,
        "GET",
        "/v1/accounts/acme/deployedModels?pageSize=200&pageToken=2",
        None,
    ),
    (lambda c: c.get_deployed_model(KEY, ADDON), DEPLOYED_MODEL, "GET", f"/v1/{ADDON}", None),
    (
        lambda c: c.load_addon(KEY, "acme", {"model": "m", "deployment": NAME}),
        DEPLOYED_MODEL,
        "POST",
        "/v1/accounts/acme/deployedModels",
        {"model": "m", "deployment": NAME},
    ),
    (
        lambda c: c.update_deployed_model(KEY, ADDON, {"default": False}, ["default"]),
        DEPLOYED_MODEL,
        "PATCH",
        f"/v1/{ADDON}?updateMask=default",
        {"default": False},
    ),
    (lambda c: c.unload_addon(KEY, ADDON), EMPTY, "DELETE", f"/v1/{ADDON}", None),
]


@pytest.mark.parametrize(("call", "answer", "method", "target", "body"), REQUESTS)
async def test_each_method_sends_what_the_api_reference_says(
    call: Call,
    answer: Answer,
    method: str,
    target: str,
    body: object,
    client: FireworksClient,
    server: RawServer,
    records: list[RequestRecord],
) -> None:
    server.answer = answer

    await call(client)

    (request,) = server.requests
    assert (request.method, request.target) == (method, target)
    assert (json.loads(request.body) if request.body else None) == body
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["user-agent"] == "fireworks-operator/test"
    assert request.headers["accept"] == "application/json"
    assert request.headers.get("content-type") == (None if body is None else "application/json")
    assert [(r.code, r.kind, r.fingerprint) for r in records] == [("200", None, KEY.fingerprint)]


def test_every_method_is_in_the_table() -> None:
    source = "".join(code for row in REQUESTS for code in row[0].__code__.co_names)

    for method in vars(FireworksClient):
        assert method.startswith("_") or method == "aclose" or method in source, method


async def test_answers_are_returned_as_models(client: FireworksClient, server: RawServer) -> None:
    server.answer = replies(200, json.dumps({"deployments": [{"name": NAME, "state": "READY"}], "nextPageToken": "2"}))
    page = await client.list_deployments(KEY, "acme")
    server.answer = replies(200, json.dumps({"message": "OOM"}))
    message = await client.termination_message(KEY, NAME)

    assert [(d.name, d.state) for d in page.deployments] == [(NAME, "READY")]
    assert page.next_page_token == "2"
    assert message == "OOM"


async def test_a_compressed_answer_is_read(client: FireworksClient, server: RawServer) -> None:
    body = gzip.compress(json.dumps({"name": NAME, "state": "READY"}).encode())
    server.answer = replies(200, body, {"Content-Encoding": "gzip"})

    assert (await client.get_deployment(KEY, NAME)).state == "READY"


async def test_connections_are_kept_and_shared(client: FireworksClient, server: RawServer) -> None:
    for _ in range(5):
        await client.delete_deployment(KEY, NAME)

    assert len(server.requests) == 5
    assert server.connections == 1


async def test_a_cookie_that_one_key_was_given_is_never_sent_with_another(
    client: FireworksClient, server: RawServer
) -> None:
    server.answer = replies(200, "{}", {"Set-Cookie": "session=of-the-first-key; Path=/"})

    await client.list_accounts(KEY)
    await client.list_accounts(ApiKey("fw_AnotherTenantsKey"))

    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
HTML_PAGE = "<html><head><title>Welcome to the hotel</title></head></html>"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "reason"),
    [
        (hangs, ErrorKind.NO_ANSWER, "NoAnswer", "the deadline has passed"),
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


async def test_an_answer_that_trickles_in_ends_at_the_deadline(client: FireworksClient, server: RawServer) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(JSON_HEAD + b"Content-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.answer = trickle
    started = time.monotonic()

    error = await failure(client.delete_deployment(KEY, NAME))

    assert error.kind is ErrorKind.NO_ANSWER
    assert error.message == "127.0.0.1 was asked, but gave no usable answer: no complete answer within 0.2 s"
    assert 0.2 <= time.monotonic() - started < 1.0, "one deadline for the whole answer, not one per byte"


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
async def test_an_endless_answer_is_cut_off(compressed: bool, server: RawServer) -> None:
    sent = 0
    block = b" " * (4 * 1024 * 1024)

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        if compressed:
            body = gzip.compress(block * 20, compresslevel=1)
            writer.write(JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            return
        writer.write(JSON_HEAD + b"\r\n")
        while True:
            writer.write(block)
            await writer.drain()
            sent += len(block)

    server.answer = endless
    async with FireworksClient(server.url, timeout_read=30.0) as patient:
        error = await failure(patient.get_deployment(KEY, NAME))

    assert error.kind is ErrorKind.NO_ANSWER
    assert "larger than 64 MiB" in error.message
    assert sent <= MAX_RESPONSE_BYTES + 32 * 1024 * 1024


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
    assert error.message == "127.0.0.1 cannot be reached: the connection was not made in time"


async def test_waiting_for_a_free_connection_counts_as_never_sent(server: RawServer) -> None:
    server.answer = hangs
    async with FireworksClient(server.url, timeout_read=5.0, timeout_write=0.2) as client:
        holders = [asyncio.create_task(client.get_deployment(KEY, NAME)) for _ in range(32)]
        await server.received(32)

        error = await failure(client.delete_deployment(KEY, NAME))

        for holder in holders:
            holder.cancel()
        await asyncio.gather(*holders, return_exceptions=True)
    assert error.kind is ErrorKind.UNREACHABLE
    assert len(server.requests) == 32


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
        FireworksClient(f"https://{host}:{server.port}", timeout_read=1.0, ssl_context=context) as client,
    ):
        if reached:
            assert (await client.get_deployment(KEY, NAME)).state == "READY", reason
        else:
            error = await failure(client.get_deployment(KEY, NAME))
            assert error.kind is ErrorKind.UNREACHABLE, reason
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
    with pytest.raises(ValueError, match="must be https"):
        FireworksClient("http://api.fireworks.ai")


async def test_a_proxy_of_the_environment_sees_only_an_https_tunnel(
    server: RawServer, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, server.url)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answer = replies(403, "not this host")

    async with FireworksClient("https://api.fireworks.example", timeout_read=1.0) as client:
        error = await failure(client.list_accounts(KEY))
    async with FireworksClient(f"http://127.0.0.1:{unused_port}", timeout_read=1.0) as client:
        direct = await failure(client.list_accounts(KEY))

    assert error.kind is ErrorKind.UNREACHABLE, "the proxy refused the tunnel: the request was never sent"
    assert direct.kind is ErrorKind.UNREACHABLE, "loopback is never asked through a proxy"
    assert [(r.method, r.target) for r in server.requests] == [("CONNECT", "api.fireworks.example:443")]
    assert all(SECRET not in str(r.headers) for r in server.requests)


async def test_a_secret_that_the_server_echoes_is_taken_out(server: RawServer) -> None:
    odd = ApiKey("no-usual-prefix-4711")
    server.answer = replies(400, json.dumps({"code": 3, "message": "bad header: no-usual-prefix-4711"}))
    async with FireworksClient(server.url) as client:
        error = await failure(client.get_deployment(odd, NAME))

    assert error.message == "bad header: [REDACTED]"


async def test_nothing_is_logged_that_holds_the_key(
    client: FireworksClient, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fireworks_operator")
    for answer in (DEPLOYMENT, replies(500, "{}"), resets):
        server.answer = answer
        await asyncio.gather(client.get_deployment(KEY, NAME), return_exceptions=True)

    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_deployment(KEY, NAME),
        lambda c: c.create_deployment(KEY, "acme", "chat", {}),
        lambda c: c.update_deployment(KEY, NAME, {}, ["description"]),
        lambda c: c.undelete_deployment(KEY, NAME),
    ],
)
async def test_an_answer_about_another_deployment_is_not_believed(
    call: Call, client: FireworksClient, server: RawServer
) -> None:
    server.answer = replies(200, '{"name": "accounts/acme/deployments/other"}')

    error = await failure(call(client))

    assert error.kind is ErrorKind.PROTOCOL
    assert "accounts/acme/deployments/other" in error.message


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.get_deployment(KEY, "accounts/acme/deployments/../../x"),
        lambda c: c.create_deployment(KEY, "acme", "../models", {}),
        lambda c: c.create_deployment(KEY, "acme", "", {}),
        lambda c: c.create_deployment(KEY, "a/b", "chat", {}),
        lambda c: c.list_deployments(KEY, ".."),
        lambda c: c.delete_deployment(KEY, "accounts/acme/deployments/"),
        lambda c: c.unload_addon(KEY, NAME),
        lambda c: c.get_model(KEY, "accounts/acme/models/m#x"),
    ],
)
async def test_a_crafted_name_is_refused_and_nothing_is_sent(
    call: Call, client: FireworksClient, server: RawServer
) -> None:
    error = await failure(call(client))

    assert (error.kind, error.definite) == (ErrorKind.INVALID, True)
    assert server.requests == []


@pytest.mark.parametrize("mask", [[], ["minReplicaCount"], ["min_replica_count,base_model"], [""], ["a b"], ["*"]])
async def test_an_update_without_a_proper_mask_is_a_mistake_of_the_caller(
    mask: list[str], client: FireworksClient, server: RawServer
) -> None:
    with pytest.raises(ValueError, match="update mask"):
        await client.update_deployment(KEY, NAME, {}, mask)
    with pytest.raises(ValueError, match="update mask"):
        await client.update_deployed_model(KEY, ADDON, {}, mask)

    assert server.requests == []


async def test_a_cancelled_call_is_counted_and_the_client_lives_on(
    client: FireworksClient, server: RawServer, records: list[RequestRecord]
) -> None:
    server.answer = hangs
    call = asyncio.create_task(client.get_deployment(KEY, NAME))
    await server.received(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    server.answer = DEPLOYMENT

    assert (await client.get_deployment(KEY, NAME)).name == NAME
    assert [r.code for r in records] == ["Cancelled", "200"]


async def test_a_closed_client_says_so(server: RawServer) -> None:
    client = FireworksClient(server.url)
    await client.aclose()

    error = await failure(client.list_accounts(KEY))

    assert (error.kind, error.message) == (ErrorKind.UNREACHABLE, "the client is closed")


async def test_a_record_names_operation_and_account(
    client: FireworksClient, server: RawServer, records: list[RequestRecord]
) -> None:
    await client.list_accounts(KEY)
    await client.list_deployments(KEY, "acme")

    assert [(r.operation, r.account) for r in records] == [("list_accounts", ""), ("list_deployments", "acme")]
    assert all(0 < r.seconds < 1 for r in records)
