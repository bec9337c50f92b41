"""Settings that cannot be used are refused at once, before Kubernetes is asked for anything."""

import http.server
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from tests.unit.kube.scripted_server import write_kubeconfig

pytestmark = pytest.mark.slow

_COMMAND = Path(sys.executable).with_name("fireworks-operator")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"FIREWORKS_BASE_URL": "http://api.fireworks.ai"},
            "must use https: otherwise API keys are sent in plain text",
        ),
        ({"FIREWORKS_BASE_URL": "https://api.fireworks.ai/v1"}, "must not contain /v1"),
        ({"FIREWORKS_API_KEY": "fw_one fw_two"}, "FIREWORKS_API_KEY: an API key consists of"),
        ({"FIREWORKS_API_KEY": "Bearer fw_two"}, "FIREWORKS_API_KEY: it is a header (Bearer …); provide only the key"),
        ({"FIREWORKS_OPERATOR_SWEEP_INTERVAL": "soon"}, "FIREWORKS_OPERATOR_SWEEP_INTERVAL: Input should be a valid"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE: the file /nowhere.pem cannot be read: No such file"),
        ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE: the file / cannot be read: Is a directory"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR: the folder /nowhere cannot be read: No such file"),
        (
            {"HTTPS_PROXY": "socks6://jane:fw_two@proxy.example:1080"},
            "HTTPS_PROXY: the scheme of a proxy must be one of",
        ),
        ({"ALL_PROXY": "http://jane:fw_two@"}, "ALL_PROXY: use a URL like http://proxy.example.com:3128"),
        ({"FIREWORKS_ACCOUNT_ID": "accounts/acme"}, "FIREWORKS_ACCOUNT_ID: an account id consists of"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_reached(
    settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    nowhere = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(tmp_path / "missing"),
        "FIREWORKS_OPERATOR_HEALTH_PORT": "0",
    }
    told = subprocess.run(
        (_COMMAND, "run"), env=nowhere | settings, capture_output=True, text=True, timeout=60, check=False
    )

    assert told.returncode == 1
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    assert "fw_two" not in told.stderr


class _ApiServer(http.server.BaseHTTPRequestHandler):
    """Notes whoever comes."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(503)

    do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[Path]:
    """A kubeconfig for an API server that must not be asked for anything."""
    _ApiServer.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ApiServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield write_kubeconfig(tmp_path / "config", f"http://127.0.0.1:{server.server_port}", token="t")
        server.shutdown()


@pytest.mark.parametrize("host", ["127.0.0.1", None])
def test_a_port_that_is_taken_is_named_with_its_setting_before_kubernetes_is_asked(
    api_server: Path, host: str | None
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"FIREWORKS_OPERATOR_HEALTH_PORT": str(port), "FIREWORKS_OPERATOR_LEADER_ELECTION": "true"}
        settings |= {} if host is None else {"FIREWORKS_OPERATOR_HEALTH_HOST": host}
        told = started(api_server, settings)
    assert told.returncode == 1
    assert told.stderr == (
        f"Error: Cannot listen on port {port} for /metrics, /healthz and /readyz: another process uses it. Set "
        f"FIREWORKS_OPERATOR_HEALTH_PORT to a free port, such as {port + 1}, or end the other process: "
        f"`lsof -nP -iTCP:{port} -sTCP:LISTEN` shows it.\n"
    )
    assert _ApiServer.asked == []


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("192.0.2.1", "Cannot assign requested address."),
        ("nowhere.invalid", "Name or service not known."),
    ],
)
def test_an_address_of_another_machine_is_named_with_its_setting(api_server: Path, host: str, words: str) -> None:
    told = started(api_server, {"FIREWORKS_OPERATOR_HEALTH_HOST": host})
    assert told.returncode == 1
    assert told.stderr.startswith("Error: Cannot listen on the address of FIREWORKS_OPERATOR_HEALTH_HOST ")
    assert f"{words} Set it to an address of this machine, such as 127.0.0.1" in told.stderr
    assert _ApiServer.asked == []


def started(kubeconfig: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the operator, which ends by itself."""
    variables = {"PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig), **settings}
    return subprocess.run(
        (_COMMAND, "run", "--log-format", "text"),
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
