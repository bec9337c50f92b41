"""The finalizer outlives the deployment: an answer that is not Fireworks' own never counts as "it is gone"."""

import http.server
import threading
from collections.abc import Iterator

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER
from integration.factories import MakeTeam, StartOperator
from integration.kubernetes_api import condition, resources_path
from integration.team import Team
from integration.waiting import steadily

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


def _held(team: Team) -> bool:
    resource = team.find()
    return resource is not None and FINALIZER in resource["metadata"]["finalizers"]


def test_the_finalizer_is_there_before_the_deployment_and_stays(team: Team) -> None:
    with team.api.watch(resources_path(team.namespace)) as watch:
        team.create()
        team.until_ready()
        team.change(displayName="Chat")
        team.until_ready()
    claimed = [each for each in watch.objects if "deploymentName" in each.get("status", {})]
    assert claimed
    assert all(each["metadata"].get("finalizers") == [FINALIZER] for each in claimed)


@pytest.mark.parametrize("page", ["plain_404", "html_404", "html_502", "wrong_content_type", "wrong_json"])
def test_a_foreign_answer_to_everything_holds_the_resource_until_fireworks_answers(team: Team, page: str) -> None:
    team.create()
    team.until_ready()
    team.fault(page)
    team.delete()
    resource = team.until("chat", "Ready", "False", "Deleting", says="fireworks.ai/abandon")
    assert condition(resource, "Reconciling")["status"] == "True", "it goes on by itself"
    steadily(lambda: _held(team), "the finalizer holds", seconds=2, explain=team.explain)
    team.simulator.clear_faults()
    team.until_gone(within=40)
    assert team.deployments() == []


@pytest.mark.parametrize("wrong", ["another path", "another server"])
def test_a_wrong_base_url_releases_nothing_and_says_what_to_check(
    start_operator: StartOperator, make_team: MakeTeam, other_server: str, wrong: str
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create()
    team.create("other")
    team.until_ready()
    team.until_ready("other")
    right = team.simulator.url
    url = f"{right}/gateway" if wrong == "another path" else other_server
    operator.restart(FIREWORKS_BASE_URL=url)
    team.delete()
    team.until("chat", "Ready", "False", "Deleting", says="FIREWORKS_BASE_URL")
    steadily(lambda: _held(team), "the finalizer holds", seconds=OUTAGE_SECONDS, explain=team.explain)
    assert team.status("other")["state"] == "READY", "what is known is kept"
    assert len(team.deployments()) == 2
    operator.restart(FIREWORKS_BASE_URL=right)
    team.until_gone()
    team.until_ready("other")
    assert len(team.deployments()) == 1


def test_only_an_answer_in_fireworks_own_words_to_a_get_counts_as_absent(team: Team) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id())
    fault = team.fault("html_404", method="GET", path=r"/deployments/[^/]+$")
    team.delete()
    team.eventually(lambda: team.simulator.fault_hits(fault) > 0, "a GET met the foreign page")
    steadily(lambda: _held(team), "the finalizer holds", seconds=2, explain=team.explain)
    team.simulator.clear_fault(fault)
    team.until_gone(within=40)
