"""Credential plugins are run as by kubectl; one that gives nothing is said, and never means to ask as nobody."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fireworks_operator.kube import exec_plugin
from fireworks_operator.kube.credentials import Credentials, CredentialsError, load_credentials
from tests.unit.kube.scripted_server import write_config

V1 = "client.authentication.k8s.io/v1"
CERTS = Path(__file__).parent / "certs"


class Plugin:
    """A plugin written in Python, and a kubeconfig that names it."""

    def __init__(self, folder: Path, body: str, cluster: Mapping[str, object] | None = None, **fields: object) -> None:
        self.path = folder / "sign-in"
        self.path.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{body}\n")
        self.path.chmod(0o755)
        plugin = {"apiVersion": V1, "command": str(self.path), "interactiveMode": "Never", **fields}
        where = {"server": "https://one.example", **(cluster or {})}
        self.kubeconfig = write_config(folder / "config", where, {"exec": plugin})

    async def credentials(self) -> Credentials:
        return await load_credentials(self.kubeconfig)

    async def refusal(self) -> str:
        with pytest.raises(CredentialsError) as caught:
            await self.credentials()
        assert "opsecret" not in str(caught.value)
        assert len(str(caught.value)) < 700
        assert "\n" not in str(caught.value)
        return str(caught.value)


def prints(api_version: str = V1, **status: object) -> str:
    answer: dict[str, Any] = {"kind": "ExecCredential", "apiVersion": api_version, "status": status}
    return f"print({json.dumps(json.dumps(answer))})"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit(3)", "exit code 3"),
        ("sys.exit('not logged in: run tool login')", "exit code 1: not logged in: run tool login"),
        ("sys.exit('token=topsecret refused')", "exit code 1: token=… refused"),
        ("sys.exit('eyJhbGciOiJSUzI1NiIsImtpZCI6topsecret0 is bad')", "exit code 1: … is bad"),
        ("sys.exit('the env was ' + os.environ['HUSH'])", "exit code 1: the env was …"),
        ("sys.exit('long ' * 100000)", "exit code 1: long long"),
        ("pass", "it printed nothing"),
        ("print('<html>topsecret')", "it did not print an ExecCredential"),
        ("print('[1]')", "it did not print an ExecCredential"),
        ('print(\'{"kind": "Secret", "token": "topsecret"}\')', "it did not print an ExecCredential"),
        (prints(), "neither a token nor a certificate"),
        (prints(token=""), "neither a token nor a certificate"),
        (prints(token=["topsecret"]), "token is not text"),
        (prints(clientCertificateData="x"), "only one of certificate and key"),
        (prints(clientKeyData="topsecret"), "only one of certificate and key"),
        (prints(api_version="client.authentication.k8s.io/v1beta1", token="topsecret"), "is not client.authen"),
        (prints(token="t", expirationTimestamp="soon"), "not an RFC 3339 time"),
    ],
)
async def test_a_plugin_that_gives_nothing_is_named_with_the_reason(tmp_path: Path, body: str, words: str) -> None:
    said = await Plugin(tmp_path, body, env=[{"name": "HUSH", "value": "psst-topsecret"}]).refusal()
    assert "the credential plugin sign-in failed: " in said
    assert words in said


async def test_a_plugin_that_is_not_installed_is_named_with_its_hint(tmp_path: Path) -> None:
    plugin = Plugin(tmp_path, "", installHint="Get it from\nhttps://example.com")
    plugin.path.unlink()
    said = await plugin.refusal()
    assert "the credential plugin sign-in failed: the program does not exist: Get it from https://example.com" in said


async def test_a_plugin_that_hangs_is_ended_while_everything_else_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_plugin, "DEADLINE", 1.0)
    plugin = Plugin(tmp_path, f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)")
    waiting = asyncio.create_task(plugin.refusal())
    longest, last = 0.0, time.monotonic()
    while not waiting.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert "no answer within 1 s" in await waiting
    assert longest < 0.5
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_a_plugin_that_never_stops_talking_costs_no_memory(tmp_path: Path) -> None:
    said = await Plugin(tmp_path, "sys.stdout.write('x' * 5_000_000); sys.stderr.write('y ' * 5_000_000)").refusal()
    assert "it did not print an ExecCredential" in said


async def test_what_removed_versions_say_is_refused_by_name(tmp_path: Path) -> None:
    said = await Plugin(tmp_path, "", apiVersion="client.authentication.k8s.io/v1alpha1").refusal()
    assert "its apiVersion is not supported, only client.authentication.k8s.io/v1 and" in said


async def test_a_plugin_that_must_ask_a_person_is_refused_without_a_terminal(tmp_path: Path) -> None:
    assert "there is no terminal" in await Plugin(tmp_path, "", interactiveMode="Always").refusal()


@pytest.mark.parametrize("version", [V1, "client.authentication.k8s.io/v1beta1"])
async def test_a_token_is_taken_with_its_end(tmp_path: Path, version: str) -> None:
    body = prints(version, token="t0", expirationTimestamp="2030-01-02T03:04:05Z")
    made = await Plugin(tmp_path, body, apiVersion=version).credentials()
    assert (made.authorization, made.from_plugin, made.expires_at) == ("Bearer t0", True, 1893553445.0)


async def test_arguments_environment_and_cluster_reach_the_plugin_and_no_input(tmp_path: Path) -> None:
    told = tmp_path / "told"
    body = f"""
told = {{"args": sys.argv[1:], "env": os.environ["REGION"], "home": os.environ.get("HOME"), "stdin": sys.stdin.read(),
    "info": json.loads(os.environ["KUBERNETES_EXEC_INFO"])}}
open({str(told)!r}, "w").write(json.dumps(told))
{prints(token="t")}"""
    cluster = {
        "certificate-authority": str(CERTS / "authority-one.pem"),
        "tls-server-name": "kubernetes.internal",
        "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}],
    }
    env = [{"name": "REGION", "value": "eu"}]
    hint: dict[str, object] = {"installHint": None}
    await Plugin(tmp_path, body, cluster, args=["get", "token"], env=env, provideClusterInfo=True, **hint).credentials()
    seen = json.loads(told.read_text())
    assert (seen["args"], seen["env"], seen["stdin"]) == (["get", "token"], "eu", "")
    assert seen["info"]["apiVersion"] == V1
    assert seen["info"]["spec"]["interactive"] is False
    where = seen["info"]["spec"]["cluster"]
    assert (where["server"], where["tls-server-name"], where["config"]) == (
        "https://one.example",
        "kubernetes.internal",
        {"audience": "a"},
    )
    assert len(where["certificate-authority-data"]) > 500


async def test_the_cluster_is_only_told_to_a_plugin_that_asks(tmp_path: Path) -> None:
    body = f"assert 'cluster' not in json.loads(os.environ['KUBERNETES_EXEC_INFO'])['spec']\n{prints(token='t')}"
    assert (await Plugin(tmp_path, body).credentials()).authorization == "Bearer t"


async def test_a_plugin_beside_its_kubeconfig_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    made = await Plugin(tmp_path, prints(token="t"), command="./sign-in").credentials()
    assert made.authorization == "Bearer t"


async def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    certificate, key = (CERTS / f"client-old.{kind}" for kind in ("crt", "key"))
    body = prints(clientCertificateData=certificate.read_text(), clientKeyData=key.read_text())
    made = await Plugin(tmp_path, body).credentials()
    assert (made.certificate_data, made.key_data) == (certificate.read_text(), key.read_text())
    assert made.authorization is None
    assert "PRIVATE" not in repr(made)


async def test_a_token_that_stands_in_the_kubeconfig_counts_before_the_plugin(tmp_path: Path) -> None:
    plugin = {"apiVersion": V1, "command": "/absent", "interactiveMode": "Never"}
    user = {"token": "t", "exec": plugin}
    made = await load_credentials(write_config(tmp_path / "config", {"server": "https://one.example"}, user))
    assert made.authorization == "Bearer t"
