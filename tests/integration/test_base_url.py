"""A base URL that leads elsewhere: nothing is released, nothing is created, and the condition says what to check."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.factories import Cluster, MakeTeam, StartOperator
from testkit.forked import ForkedOperator
from testkit.kubernetes_api import KubernetesApi
from testkit.team import new_api_key
from testkit.waiting import steadily

OUTAGE_SECONDS = 5.0
"""How long a resource that is being deleted must stay: several polls and passes."""


class _Page(http.server.BaseHTTPRequestHandler):
    """A web server that knows nothing of Fireworks."""

    def _answer(self) -> None:
        content = b"<!DOCTYPE html><title>404 Not Found</title>"
        self.send_response(404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def other_server() -> Iterator[str]:
    """Base URL of a web server that is not the Fireworks API."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("url", ["http://api.fireworks.ai", "http://10.0.0.1:8080", "http://localhost.example.com"])
def test_the_operator_does_not_start_where_keys_would_travel_in_plain_text(
    cluster: Cluster, kubernetes: KubernetesApi, tmp_path: Path, url: str
) -> None:
    operator = ForkedOperator(cluster.kubeconfig, url, tmp_path / "log", api_key=new_api_key(), settings={})
    operator.launch()
    assert operator.wait() != 0
    assert "must use https: otherwise API keys are sent in plain text" in operator.log()


@pytest.mark.parametrize("wrong", ["another path", "another server"])
def test_a_wrong_base_url_releases_nothing_and_says_what_to_check(
    start_operator: StartOperator, make_team: MakeTeam, other_server: str, wrong: str
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create()
    team.create("other", baseModel="accounts/fireworks/models/qwen2p5-7b-instruct")
    team.until_ready()
    team.until_ready("other")
    right = team.simulator.url
    url = f"{right}/gateway" if wrong == "another path" else other_server
    operator.restart(FIREWORKS_BASE_URL=url)
    team.delete()
    team.until("chat", "Ready", "False", "Deleting", says="FIREWORKS_BASE_URL")
    steadily(lambda: team.find() is not None, "the finalizer holds", seconds=OUTAGE_SECONDS, explain=team.explain)
    assert team.status("other")["state"] == "READY", "what is known is kept"
    assert len(team.deployments()) == 2
    operator.restart(FIREWORKS_BASE_URL=right)
    team.until_gone()
    team.until_ready("other")
    assert len(team.deployments()) == 1
