"""What a connection is made of changes while the process runs; and a proxy gets to see nothing of it."""

import asyncio
import base64
import contextlib
import json
import logging
import os
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kopf
import pytest
from aiohttp import web

from fireworks_operator.kube import session as session_module
from fireworks_operator.kube.client import KubernetesClient, KubernetesForbiddenError, connect
from fireworks_operator.kube.connection import new_session
from fireworks_operator.kube.credentials import Credentials, CredentialsError, load_credentials
from fireworks_operator.kube.session import ApiSession, Request
from fireworks_operator.kube.watch import Login
from fireworks_operator.network.proxy import proxy_named
from fireworks_operator.ports import KubernetesUnavailableError
from tests.unit.kube.scripted_server import (
    Handler,
    ScriptedServer,
    eventually,
    status_object,
    write_config,
    write_kubeconfig,
)
from tests.unit.network.proxies import ProxyServer

CERTS = Path(__file__).parent / "certs"
PROXY_CERTS = CERTS.parents[1] / "network/certs"
Ask = Callable[[Path], Awaitable[Mapping[str, Any]]]
PATH = "/api/v1/namespaces/team/secrets/key"


def tls(name: str = "one", *, clients: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / f"server-{name}.pem")
    if clients:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(CERTS / "authority-one.pem")
    return context


def cluster(server: ScriptedServer, **more: object) -> dict[str, object]:
    authority = str(CERTS / "authority-one.pem")
    return {"server": server.url, "certificate-authority": authority, "tls-server-name": "kubernetes.internal"} | more


async def echo(request: web.Request) -> web.Response:
    certificate = request.transport and request.transport.get_extra_info("peercert")
    subject = certificate["subject"][0][0][1] if certificate else None
    return web.json_response({"headers": list(request.headers.items()), "client": subject})


async def through_kopf(kubeconfig: Path) -> Mapping[str, Any]:
    """Send a request as Kopf does."""
    info = await Login(kubeconfig, lambda _: None)()
    try:
        response = await info.aiohttp_session.request(
            method="get", url=info.server + PATH, json=None, headers=None, timeout=session_module.NO_DEADLINE
        )
        async with response:
            answer: Mapping[str, Any] = await response.json()
            return answer
    finally:
        await info.aiohttp_session.close()


async def through_client(kubeconfig: Path) -> Mapping[str, Any]:
    async with await connect(kubeconfig) as client:
        return await client.request("GET", PATH)


# --- proxies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [through_client, through_kopf])
@pytest.mark.parametrize("kind", ["http", "https", "socks5", "socks5h"])
async def test_the_token_of_the_cluster_never_goes_to_a_proxy(
    tmp_path: Path, kind: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer(echo, tls()) as server:
        proxy = ProxyServer(server.port, "socks5" if kind.startswith("socks5") else "http")
        context = None
        if kind == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(PROXY_CERTS / "server.pem")
        async with proxy.running(context):
            kubeconfig = write_config(
                tmp_path / "config",
                cluster(server, **{"proxy-url": f"{kind}://localhost:{proxy.port}"}),
                {"token": "topsecret", "as": "jane", "as-groups": ["viewers"]},
            )
            monkeypatch.setenv("SSL_CERT_FILE", str(PROXY_CERTS / "root.pem"))
            answer = await ask(kubeconfig)
    assert ["Authorization", "Bearer topsecret"] in answer["headers"]
    assert ["Impersonate-User", "jane"] in answer["headers"]
    assert proxy.tunnels == 1
    for word in (b"topsecret", b"Bearer", b"uthorization", b"jane", b"viewers"):
        assert word not in proxy.heard


async def test_what_a_proxy_asks_for_itself_it_gets(tmp_path: Path) -> None:
    async with ScriptedServer(echo, tls()) as server, ProxyServer(server.port).running() as proxy:
        where = cluster(server, **{"proxy-url": f"http://jane:p%40ss@localhost:{proxy.port}"})
        answer = await through_client(write_config(tmp_path / "config", where, {"token": "topsecret"}))
    assert base64.b64encode(b"jane:p@ss") in proxy.heard
    assert b"topsecret" not in proxy.heard
    assert "Proxy-Authorization" not in dict(answer["headers"])


async def test_over_plain_http_a_token_is_not_sent_through_a_proxy_at_all() -> None:
    proxy = proxy_named("http://jane:topsecret@proxy.example", source="HTTP_PROXY")
    with pytest.raises(CredentialsError, match="could read the token") as caught:
        new_session(Credentials("http://far.example", "Bearer topsecret", proxy=proxy), connections=1)
    assert "topsecret" not in str(caught.value)


# --- names and identities -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask", [through_client, through_kopf])
async def test_the_certificate_of_another_name_is_accepted_where_the_kubeconfig_says_so(
    tmp_path: Path, ask: Ask
) -> None:
    async with ScriptedServer(echo, tls()) as server:
        answer = await ask(write_config(tmp_path / "config", cluster(server), {"token": "t"}))
        assert ["Authorization", "Bearer t"] in answer["headers"]
        other = write_config(tmp_path / "config", cluster(server, **{"tls-server-name": "other.internal"}), {})
        with pytest.raises(KubernetesUnavailableError, match=r"certificate is not valid for 'other\.internal'"):
            await through_client(other)


@pytest.mark.parametrize("ask", [through_client, through_kopf])
async def test_every_session_acts_as_the_one_that_the_kubeconfig_names(tmp_path: Path, ask: Ask) -> None:
    async with ScriptedServer(echo) as server:
        user = {"token": "t", "as": "jane", "as-groups": ["a", "b"], "as-uid": "7", "as-user-extra": {"s": ["x", "y"]}}
        headers = (await ask(write_kubeconfig(tmp_path / "config", server.url, **user)))["headers"]
    assert [each for each in headers if each[0].startswith("Impersonate")] == [
        ["Impersonate-User", "jane"],
        ["Impersonate-Uid", "7"],
        ["Impersonate-Group", "a"],
        ["Impersonate-Group", "b"],
        ["Impersonate-Extra-s", "x"],
        ["Impersonate-Extra-s", "y"],
    ]


ANONYMOUS = 'namespaces "kube-system" is forbidden: User "system:anonymous" cannot get resource "namespaces"'


async def test_who_is_not_known_at_all_is_not_told_to_lack_a_permission() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return status_object(403, ANONYMOUS)

    async with ScriptedServer(refuse) as server, KubernetesClient(Credentials(server.url), Path("/absent")) as client:
        with pytest.raises(KubernetesUnavailableError, match="treats the request as anonymous") as caught:
            await client.request("GET", "/api/v1/namespaces/kube-system")
    assert not isinstance(caught.value, KubernetesForbiddenError)
    assert "sign in" in str(caught.value)


async def test_somebody_who_is_known_is_told_to_lack_a_permission() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return status_object(403, ANONYMOUS.replace("system:anonymous", "jane"))

    async with ScriptedServer(refuse) as server, KubernetesClient(Credentials(server.url)) as client:
        with pytest.raises(KubernetesForbiddenError):
            await client.request("GET", "/api/v1/namespaces/kube-system")


# --- certificates that are replaced ---------------------------------------------------------------------------------


@asynccontextmanager
async def api_session(kubeconfig: Path, now: list[float], wall: list[float] | None = None) -> AsyncIterator[ApiSession]:
    session = ApiSession(
        await load_credentials(kubeconfig),
        lambda: load_credentials(kubeconfig),
        connections=4,
        clock=lambda: now[0],
        wall_clock=lambda: (wall or now)[0],
    )
    try:
        yield session
    finally:
        await session.close()


async def ask(session: ApiSession) -> Any:  # noqa: ANN401
    async with await session.request(Request("GET", PATH)) as response:
        return (await response.json()) if response.status == 200 else response.status


def copy_client(folder: Path, name: str) -> None:
    for kind in ("crt", "key"):
        shutil.copy(CERTS / f"client-{name}.{kind}", folder / f"client.{kind}")


def certificate_user(*, inline: bool, name: str) -> dict[str, object]:
    if not inline:
        return {"client-certificate": "client.crt", "client-key": "client.key"}
    data = (base64.b64encode((CERTS / f"client-{name}.{kind}").read_bytes()).decode() for kind in ("crt", "key"))
    return dict(zip(("client-certificate-data", "client-key-data"), data, strict=True))


def only(name: str) -> Handler:
    async def check(request: web.Request) -> web.Response:
        answer = await echo(request)
        return answer if json.loads(answer.text or "")["client"] == name else status_object(401, "Unauthorized")

    return check


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("through", ["the client", "Kopf"])
async def test_a_client_certificate_that_was_renewed_is_shown_as_soon_as_the_old_one_is_refused(
    tmp_path: Path, inline: bool, through: str
) -> None:
    copy_client(tmp_path, "old")
    async with ScriptedServer(only("new"), tls(clients=True)) as server:

        def write(name: str) -> Path:
            return write_config(tmp_path / "config", cluster(server), certificate_user(inline=inline, name=name))

        kubeconfig = write("old")
        if through == "the client":
            async with await connect(kubeconfig) as client:
                copy_client(tmp_path, "new")
                write("new")
                assert (await client.request("GET", PATH))["client"] == "new"
        else:
            info = await Login(kubeconfig, lambda _: None)()
            copy_client(tmp_path, "new")
            write("new")
            response = await info.aiohttp_session.request(
                method="get", url=f"{server.url}{PATH}", json=None, headers=None, timeout=session_module.NO_DEADLINE
            )
            async with response:
                assert (await response.json())["client"] == "new"
            await info.aiohttp_session.close()


async def test_a_client_certificate_that_was_renewed_is_shown_within_a_minute_without_any_refusal(
    tmp_path: Path,
) -> None:
    copy_client(tmp_path, "old")
    now = [0.0]
    async with ScriptedServer(echo, tls(clients=True)) as server:
        user = certificate_user(inline=False, name="old")
        async with api_session(write_config(tmp_path / "config", cluster(server), user), now) as session:
            assert (await ask(session))["client"] == "old"
            copy_client(tmp_path, "new")
            now[0] = 59.0
            assert (await ask(session))["client"] == "old"
            now[0] = 60.0
            assert (await ask(session))["client"] == "new"


async def test_a_certificate_without_its_key_yet_is_not_used_and_the_old_one_serves_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy_client(tmp_path, "old")
    now = [0.0]
    async with ScriptedServer(echo, tls(clients=True)) as server:
        user = certificate_user(inline=False, name="old")
        async with api_session(write_config(tmp_path / "config", cluster(server), user), now) as session:
            await ask(session)
            shutil.copy(CERTS / "client-new.crt", tmp_path / "client.crt")
            now[0] = 60.0
            assert (await ask(session))["client"] == "old"
            assert "do not belong together" in caplog.text
            shutil.copy(CERTS / "client-new.key", tmp_path / "client.key")
            now[0] = 120.0
            assert (await ask(session))["client"] == "new"


@pytest.mark.parametrize("inline", [False, True])
async def test_a_cluster_whose_authority_was_replaced_is_reached_again_without_a_restart(
    tmp_path: Path, inline: bool
) -> None:
    def trust(server: ScriptedServer, name: str) -> Path:
        authority = CERTS / f"authority-{name}.pem"
        shutil.copy(authority, tmp_path / "ca.pem")
        where: dict[str, object] = cluster(server) | {"certificate-authority": "ca.pem"}
        if inline:
            del where["certificate-authority"]
            where["certificate-authority-data"] = base64.b64encode(authority.read_bytes()).decode()
        return write_config(tmp_path / "config", where, {"token": "t"})

    async with ScriptedServer(echo, tls("two")) as server:
        async with await connect(trust(server, "one")) as client:
            with pytest.raises(KubernetesUnavailableError, match="certificate"):
                await client.request("GET", PATH)
        async with await connect(trust(server, "one")) as client:
            trust(server, "two")
            await client.request("GET", PATH)


async def test_calls_under_way_end_on_the_connection_that_they_began_on(tmp_path: Path) -> None:
    copy_client(tmp_path, "old")
    over, now = asyncio.Event(), [0.0]

    async def slow(request: web.Request) -> web.StreamResponse:
        if "slow" in request.path:
            response = web.StreamResponse()
            await response.prepare(request)
            await over.wait()
            await response.write(b"end")
            return response
        return await echo(request)

    async with ScriptedServer(slow, tls(clients=True)) as server:
        user = certificate_user(inline=False, name="old")
        async with api_session(write_config(tmp_path / "config", cluster(server), user), now) as session:
            first = await session.request(Request("GET", "/slow"))
            old_line = session._way.line.session
            copy_client(tmp_path, "new")
            now[0] = 60.0
            assert (await ask(session))["client"] == "new"
            assert not old_line.closed
            over.set()
            assert await first.read() == b"end"
            first.release()
            await ask(session)
            assert old_line.closed


async def test_refused_certificates_are_not_read_again_for_every_call(tmp_path: Path) -> None:
    copy_client(tmp_path, "old")
    reads = 0
    now = [0.0]
    async with ScriptedServer(only("new"), tls(clients=True)) as server:
        kubeconfig = write_config(tmp_path / "config", cluster(server), certificate_user(inline=False, name="old"))

        async def load() -> Credentials:
            nonlocal reads
            reads += 1
            return await load_credentials(kubeconfig)

        session = ApiSession(await load_credentials(kubeconfig), load, connections=4, clock=lambda: now[0])
        for _ in range(20):
            assert await ask(session) == 401
        assert reads == 1
        now[0] = 1.0
        assert await ask(session) == 401
        assert reads == 2
        await session.close()


# --- plugins --------------------------------------------------------------------------------------------------------


def plugin_kubeconfig(folder: Path, server: ScriptedServer, body: str) -> Path:
    path = folder / "sign-in"
    path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\nfrom pathlib import Path\n{body}\n")
    path.chmod(0o755)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}
    return write_kubeconfig(folder / "config", server.url, exec=plugin)


def counting(folder: Path, *, ends: str = "None", then: str = "") -> str:
    """Return a plugin that prints the tokens t1, t2, …, and from the second run on does something else before."""
    return f"""
runs = Path({str(folder / "runs")!r})
count = int(runs.read_text()) + 1 if runs.exists() else 1
runs.write_text(str(count))
if count > 1:
    {then or "pass"}
status = {{"token": f"t{{count}}", "expirationTimestamp": {ends}}}
print(json.dumps({{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": status}}))"""


def tokens(*accepted: str) -> Handler:
    async def check(request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "nobody").removeprefix("Bearer ")
        return web.json_response({"token": token}) if token in accepted else status_object(401, "Unauthorized")

    return check


async def test_a_plugin_is_run_again_when_its_token_is_refused(tmp_path: Path) -> None:
    async with (
        ScriptedServer(tokens("t2")) as server,
        api_session(plugin_kubeconfig(tmp_path, server, counting(tmp_path)), [0.0]) as session,
    ):
        assert (await ask(session))["token"] == "t2"


async def test_a_plugin_is_not_run_for_every_call_that_is_refused(tmp_path: Path) -> None:
    now = [0.0]
    async with (
        ScriptedServer(tokens()) as server,
        api_session(plugin_kubeconfig(tmp_path, server, counting(tmp_path)), now) as session,
    ):
        for _ in range(10):
            assert await ask(session) == 401
        assert (tmp_path / "runs").read_text() == "2"
        now[0] = 5.0
        await ask(session)
    assert (tmp_path / "runs").read_text() == "3"


async def test_a_token_is_renewed_before_it_expires_and_calls_do_not_wait_for_that(tmp_path: Path) -> None:
    ends, now = '"1970-01-01T00:16:40Z"', [0.0]  # 1,000 s after 1970
    async with ScriptedServer(tokens("t1", "t2")) as server:
        body = counting(tmp_path, ends=ends, then="time.sleep(0.3)")
        async with api_session(plugin_kubeconfig(tmp_path, server, body), now) as session:
            now[0] = 799.0
            assert (await ask(session))["token"] == "t1"
            assert session._renewing is None
            now[0] = 800.0
            assert (await ask(session))["token"] == "t1"
            await eventually(lambda: session.credentials.authorization == "Bearer t2")
            assert (await ask(session))["token"] == "t2"


async def test_an_expired_token_is_not_sent_any_more(tmp_path: Path) -> None:
    now = [0.0]
    async with ScriptedServer(tokens("t2")) as server:
        body = counting(tmp_path, ends='"1970-01-01T00:16:40Z"')
        async with api_session(plugin_kubeconfig(tmp_path, server, body), now) as session:
            now[0] = 1000.0
            assert (await ask(session))["token"] == "t2"
            assert [each.headers["Authorization"] for each in server.requests] == ["Bearer t2"]


async def test_while_a_plugin_fails_its_last_token_serves_on_and_it_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    async with ScriptedServer(tokens("t1", "t3")) as server:
        body = counting(tmp_path, ends='"1970-01-01T00:16:40Z"', then="count == 2 and sys.exit('signed out')")
        async with api_session(plugin_kubeconfig(tmp_path, server, body), now) as session:
            now[0] = 1000.0
            assert (await ask(session))["token"] == "t1"
            assert "the credential plugin sign-in failed: exit code 1: signed out" in session.trouble
            now[0] = 1005.0
            assert (await ask(session))["token"] == "t3"
            assert session.trouble == ""
    assert [each.levelno for each in caplog.records if "Cannot reload the Kubernetes credentials" in each.message] == [
        logging.WARNING
    ]


async def test_a_refusal_names_the_plugin_that_failed_to_renew_the_token(tmp_path: Path) -> None:
    async with ScriptedServer(tokens()) as server:
        kubeconfig = plugin_kubeconfig(tmp_path, server, counting(tmp_path, then="sys.exit('signed out')"))
        async with await connect(kubeconfig) as client:
            with pytest.raises(KubernetesUnavailableError, match=r"\(401\).*plugin sign-in failed: .*signed out"):
                await client.request("GET", PATH)
    assert {each.headers["Authorization"] for each in server.requests} == {"Bearer t1"}


async def test_a_slow_plugin_is_run_once_for_all_calls_that_give_up_waiting(tmp_path: Path) -> None:
    async with ScriptedServer(tokens("t2")) as server:
        kubeconfig = plugin_kubeconfig(tmp_path, server, counting(tmp_path, then="time.sleep(1.5)"))
        async with await connect(kubeconfig) as client:
            for _ in range(3):
                with pytest.raises(KubernetesUnavailableError, match="no answer within"):
                    await client.request("GET", PATH, deadline=0.2)
            assert await client.request("GET", PATH) == {"token": "t2"}
    assert (tmp_path / "runs").read_text() == "2"


async def test_closing_ends_a_plugin_that_is_still_running(tmp_path: Path) -> None:
    async with ScriptedServer(tokens("t2")) as server:
        body = counting(tmp_path, then=f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(600)")
        async with await connect(plugin_kubeconfig(tmp_path, server, body)) as client:
            with pytest.raises(KubernetesUnavailableError):
                await client.request("GET", PATH, deadline=1)
            await eventually((tmp_path / "pid").exists)
            await eventually(lambda: (tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_a_plugin_that_starts_to_fail_never_makes_anybody_of_nobody(tmp_path: Path) -> None:
    async with ScriptedServer(echo) as server:
        kubeconfig = plugin_kubeconfig(tmp_path, server, "sys.exit(1)")
        for attempt in (through_client, through_kopf):
            with pytest.raises((CredentialsError, kopf.TemporaryError), match="plugin sign-in failed"):
                await attempt(kubeconfig)
    assert server.requests == []


async def test_a_server_that_ends_tls_for_want_of_a_certificate_is_reached_once_there_is_one(tmp_path: Path) -> None:
    context = tls(clients=True)
    context.verify_mode = ssl.CERT_REQUIRED
    async with ScriptedServer(echo, context) as server:
        kubeconfig = write_config(tmp_path / "config", cluster(server), {"token": "t"})
        async with await connect(kubeconfig) as client:
            for _ in range(2):
                with pytest.raises(KubernetesUnavailableError):
                    await client.request("POST", PATH, body={})
            user = certificate_user(inline=True, name="old")
            write_config(tmp_path / "config", cluster(server), user)
            answers = []
            for _ in range(2):
                with contextlib.suppress(KubernetesUnavailableError):
                    answers.append(await client.request("POST", PATH, body={}))
    assert answers
    assert answers[-1]["client"] == "old"
