"""What a call to the API server returns, and what it raises when that goes wrong."""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from fireworks_operator.kube import client as client_module
from fireworks_operator.kube.client import (
    JSON_PATCH,
    KubernetesClient,
    KubernetesForbiddenError,
    KubernetesRefusedError,
    KubernetesUnauthorizedError,
    Method,
    connect,
)
from fireworks_operator.kube.credentials import Credentials, CredentialsError, load_credentials
from fireworks_operator.network.proxy import proxy_named
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError
from tests.unit.kube.scripted_server import ScriptedServer, status_object, write_kubeconfig

STATUS_PATH = "/apis/fireworks.ai/v1alpha1/namespaces/team/fireworksdeployments/llama/status"


def client_of(server: ScriptedServer, authorization: str | None = None) -> KubernetesClient:
    return KubernetesClient(Credentials(server.url, authorization))


async def test_a_call_sends_body_query_and_token_and_returns_the_object() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response(
            {
                "said": await request.json(),
                "query": dict(request.query),
                "type": request.content_type,
                "token": request.headers["Authorization"],
            }
        )

    async with ScriptedServer(echo) as server, client_of(server, "Bearer t0") as client:
        answer = await client.request(
            "PATCH", STATUS_PATH, query={"fieldManager": "x y"}, body=[{"op": "test"}], content_type=JSON_PATCH
        )
    assert answer == {
        "said": [{"op": "test"}],
        "query": {"fieldManager": "x y"},
        "type": JSON_PATCH,
        "token": "Bearer t0",
    }


@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        (409, ResourceChangedError, "somebody else wrote, or the name is taken"),
        (404, ResourceGoneError, "there is no such object"),
        (403, KubernetesForbiddenError, "RBAC says no"),
        (401, KubernetesUnauthorizedError, "the token is not accepted, not even after reading it again"),
        (429, KubernetesUnavailableError, "too many requests: later"),
        (500, KubernetesUnavailableError, "etcd is away"),
        (503, KubernetesUnavailableError, "the API server starts"),
        (504, KubernetesUnavailableError, "it gave up waiting"),
        (307, KubernetesUnavailableError, "a redirect is not of an API server and must not get the token"),
        (400, KubernetesRefusedError, "the request is malformed"),
        (410, KubernetesRefusedError, "the snapshot of a list has expired"),
        (413, KubernetesRefusedError, "the object is too large"),
        (422, KubernetesRefusedError, "the object is invalid"),
    ],
)
async def test_each_status_code_has_one_error(
    code: int, error: type[Exception], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        response = status_object(code, "no, because")
        response.headers["Location"] = "/elsewhere"
        return response

    async with ScriptedServer(refuse) as server, client_of(server) as client:
        monkeypatch.setattr(client_module, "load_credentials", _returns(Credentials(server.url)))
        with pytest.raises(error, match="no, because") as caught:
            await client.request("PATCH", STATUS_PATH, body=[])
    assert type(caught.value) is error
    assert {request.path for request in server.requests} == {STATUS_PATH}


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        ("PATCH", STATUS_PATH, "patch fireworksdeployments/status team/llama"),
        ("GET", "/api/v1/namespaces/team/secrets/key", "get secrets team/key"),
        ("GET", "/apis/fireworks.ai/v1alpha1/fireworksdeployments", "list fireworksdeployments"),
        (
            "GET",
            "/apis/fireworks.ai/v1alpha1/namespaces/team/fireworksdeployments",
            "list fireworksdeployments in namespace team",
        ),
        ("POST", "/api/v1/namespaces/team/events", "create events in namespace team"),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/ops/leases/l", "update leases ops/l"),
        ("GET", "/api/v1/namespaces/kube-system", "get namespaces kube-system"),
    ],
)
async def test_a_missing_permission_is_named_by_verb_and_resource(method: Method, path: str, sentence: str) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return status_object(403, "")

    async with ScriptedServer(refuse) as server, client_of(server) as client:
        with pytest.raises(KubernetesForbiddenError, match=f"^{sentence}"):
            await client.request(method, path)


async def test_the_fields_that_a_schema_refuses_are_kept() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return status_object(422, "invalid", causes=[{"field": "status.state", "message": "Too long"}])

    async with ScriptedServer(refuse) as server, client_of(server) as client:
        with pytest.raises(KubernetesRefusedError) as caught:
            await client.request("PATCH", STATUS_PATH)
    assert caught.value.status == 422
    assert [(cause.field, cause.message) for cause in caught.value.causes] == [("status.state", "Too long")]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (web.Response(text="<html>Sign in</html>", content_type="text/html"), "a proxy's page"),
        (web.Response(text="", content_type="application/json"), "nothing"),
        (web.Response(text='{"kind": "Li', content_type="application/json"), "cut off"),
        (web.Response(text="[1]", content_type="application/json"), "no object"),
    ],
)
async def test_a_success_that_is_no_kubernetes_object_is_no_answer(response: web.Response, reason: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return response

    async with ScriptedServer(answer) as server, client_of(server) as client:
        with pytest.raises(KubernetesUnavailableError, match="not a JSON object"):
            await client.request("GET", STATUS_PATH)


async def test_an_unknown_error_body_is_never_quoted() -> None:
    async def leak(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Secret", "message": "fw_topsecret"}, status=500)

    async with ScriptedServer(leak) as server, client_of(server) as client:
        with pytest.raises(KubernetesUnavailableError) as caught:
            await client.request("GET", "/api/v1/namespaces/team/secrets/key")
    assert "topsecret" not in str(caught.value)


async def test_no_answer_ends_at_the_deadline() -> None:
    over = asyncio.Event()

    async def late(request: web.Request) -> web.Response:
        await over.wait()
        return web.json_response({})

    began = time.monotonic()
    async with ScriptedServer(late) as server, client_of(server) as client:
        with pytest.raises(KubernetesUnavailableError, match=r"no answer within 0\.1 s"):
            await client.request("GET", STATUS_PATH, deadline=0.1)
        assert time.monotonic() - began < 2
        over.set()


async def test_no_connection_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    async with KubernetesClient(Credentials(url)) as client:
        with pytest.raises(
            KubernetesUnavailableError, match=rf": the API server {url} cannot be reached: Connection refused\.$"
        ):
            await client.request("GET", STATUS_PATH)


async def test_a_token_that_was_replaced_is_read_again_once_for_all_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("old\n")

    async def check(request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer new":
            return status_object(401, "Unauthorized")
        return web.json_response({})

    async with ScriptedServer(check) as server:
        kubeconfig = write_kubeconfig(tmp_path / "config", server.url, tokenFile=str(token))
        async with await connect(kubeconfig) as client:
            token.write_text("new\n")
            reads: list[Path | None] = []

            async def read(path: Path | None) -> Credentials:
                reads.append(path)
                return await load_credentials(path)

            monkeypatch.setattr(client_module, "load_credentials", read)
            await asyncio.gather(*(client.request("GET", STATUS_PATH) for _ in range(5)))
            refused = sum(request.headers["Authorization"] == "Bearer old" for request in server.requests)
            await client.request("GET", STATUS_PATH)
    assert reads == [kubeconfig]
    assert 1 <= refused <= 5
    assert len(server.requests) == refused + 5 + 1


async def test_a_projected_token_is_read_again_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    seen: list[str] = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.json_response({})

    async with ScriptedServer(note) as server:
        first = Credentials(server.url, authorization="Bearer first", rotates=True)
        second = Credentials(server.url, authorization="Bearer second", rotates=True)
        monkeypatch.setattr(client_module, "load_credentials", _returns(second))
        async with KubernetesClient(first, clock=lambda: now[0]) as client:
            for moment in (0.0, 59.0, 60.0):
                now[0] = moment
                await client.request("GET", STATUS_PATH)
    assert seen == ["Bearer first", "Bearer first", "Bearer second"]


async def test_a_token_file_that_cannot_be_read_is_logged_and_the_old_token_serves_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unreadable(kubeconfig: Path | None) -> Credentials:
        raise CredentialsError("Cannot read it: PermissionError.")

    async def accept(request: web.Request) -> web.Response:
        return web.json_response({"token": request.headers["Authorization"]})

    now = [0.0]
    monkeypatch.setattr(client_module, "load_credentials", unreadable)
    async with ScriptedServer(accept) as server:
        credentials = Credentials(server.url, authorization="Bearer first", rotates=True)
        async with KubernetesClient(credentials, clock=lambda: now[0]) as client:
            now[0] = 100.0
            answer = await client.request("GET", STATUS_PATH)
    assert answer == {"token": "Bearer first"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def _returns(credentials: Credentials) -> Callable[[Path | None], Awaitable[Credentials]]:
    async def load(kubeconfig: Path | None) -> Credentials:
        return credentials

    return load


async def test_without_a_cluster_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    write_kubeconfig(tmp_path / ".kube/config", "http://production.example", token="t")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(CredentialsError, match="set KUBECONFIG"):
        await load_credentials(None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("users: [{name: a, user: {token: fw_topsecret}}", "broken YAML, which a parser quotes"),
        ('{"current-context": "x"}', "no contexts"),
        ("", "empty"),
        ("[fw_topsecret]", "a list"),
    ],
)
async def test_a_broken_kubeconfig_is_named_and_not_quoted(content: str, reason: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text(content)
    with pytest.raises(CredentialsError, match="broken") as caught:
        await load_credentials(broken)
    assert "topsecret" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="absent"):
        await load_credentials(tmp_path / "absent")


async def test_the_environment_names_the_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "config", "http://one.example:8080/", token="t")
    monkeypatch.setenv("KUBECONFIG", str(path))
    credentials = await load_credentials(None)
    assert (credentials.server, credentials.authorization) == ("http://one.example:8080", "Bearer t")
    assert not credentials.rotates


async def test_of_several_files_the_first_current_context_counts_as_for_kubectl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = write_kubeconfig(tmp_path / "first", "http://first.example", token="t")
    second = write_kubeconfig(tmp_path / "second", "http://second.example", token="t")
    second.write_text(second.read_text().replace('"test"', '"other"'))
    for files, server in (((first, second), "first"), ((second, first), "second")):
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join([str(tmp_path / "missing"), *map(str, files)]))
        assert (await load_credentials(None)).server == f"http://{server}.example"


async def test_in_a_pod_the_projected_token_serves_and_no_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from kubernetes.aio.config import incluster_config

    (tmp_path / "token").write_text("projected\n")
    (tmp_path / "ca.crt").write_text("authority")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:password@proxy.example:3128")
    credentials = await load_credentials(None)
    assert credentials == Credentials(
        "https://[fd00::1]:443",
        authorization="Bearer projected",
        ca_file=str(tmp_path / "ca.crt"),
        rotates=True,
    )


async def test_outside_of_a_cluster_the_proxy_of_the_environment_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.setenv("no_proxy", "inside.example")
    far = await load_credentials(write_kubeconfig(tmp_path / "far", "http://far.example", token="t"))
    near = await load_credentials(write_kubeconfig(tmp_path / "near", "http://inside.example", token="t"))
    assert far.proxy is not None
    assert (far.proxy.url, near.proxy) == ("http://proxy.example:3128", None)


def test_credentials_show_no_secret() -> None:
    shown = repr(
        Credentials(
            "https://x", authorization="Bearer topsecret", proxy=proxy_named("http://a:topsecret@p", source="x")
        )
    )
    assert "topsecret" not in shown
