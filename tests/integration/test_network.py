"""The line to Fireworks: not there, not to be trusted, or silent; nothing is done twice, and all heals."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import MakeTeam, StartOperator
from testkit.kubernetes_api import condition, resources_path
from testkit.team import Team
from testkit.waiting import steadily

HEALS_WITHIN = 40.0
OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"
MOST_TRIES, BEFORE_THE_FIRST_TRY = 8, 5
CERTIFICATE = Path(__file__).parents[1] / "unit/fireworks/certs/localhost.pem"
"""Names `localhost` alone."""


class Line:
    """A TCP line to the simulator that speaks TLS or not, carries answers or not, and can be cut."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATE)
        self._ends: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.tls = False
        self.answers = True

    def open(self) -> None:
        """Accept connections, always on the same port."""
        self._listener = listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse new connections and end those that there are."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # or accept() would go on waiting
            self._listener.close()
            self._listener = None
        self.hang_up()

    def hang_up(self) -> None:
        """End the connections that there are."""
        for end in tuple(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(near)
            if self.tls:
                near = stack.enter_context(self._context.wrap_socket(near, server_side=True))
            far = stack.enter_context(socket.create_connection(self._target))
            self._ends |= {near, far}
            stack.callback(self._ends.difference_update, {near, far})
            back = threading.Thread(target=self._pump, args=(far, near, True), daemon=True)
            back.start()
            self._pump(near, far, False)
            back.join()

    def _pump(self, source: socket.socket, target: socket.socket, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.answers or not back:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def line(fireworks: SimulatorClient) -> Iterator[Line]:
    """An open line to the simulator."""
    line = Line(fireworks.url)
    line.open()
    yield line
    line.cut()


def _is_told_and_changes_nothing(team: Team, says: str) -> None:
    """A change, a new resource and a deletion wait while what is known stands."""
    team.create("new")
    team.change("old", displayName="after")
    team.delete("going")
    team.until("new", "Ready", "Unknown", "ApiUnavailable", says=says)
    team.until("old", "Ready", "Unknown", "ApiUnavailable", says=says)
    team.until("going", "Ready", "False", "Deleting", says=says)
    for name in ("old", "going"):
        assert condition(team.get(name), "Available")["status"] == "True", "as far as anybody knows it serves"
    assert len(team.deployments()) == 2


def _heals(team: Team) -> None:
    team.until_ready("new", within=HEALS_WITHIN)
    team.until_ready("old", within=HEALS_WITHIN)
    team.until_gone("going", within=HEALS_WITHIN)
    assert len(team.deployments()) == 2
    assert [each.committed for each in team.posts()].count(True) == 3
    assert sorted(each.get("displayName", "") for each in team.deployments()) == ["", "after"]


def _serve(team: Team) -> None:
    team.create("old")
    team.create("going", baseModel=OTHER_MODEL)  # or it might be its model's default deployment, which must stay
    for name in ("old", "going"):
        team.until_ready(name)


@pytest.mark.parametrize("fault", ["connection refused", "TLS failure"])
def test_a_line_that_breaks_is_told_and_heals_by_itself(
    start_operator: StartOperator, make_team: MakeTeam, line: Line, fault: str
) -> None:
    line.tls = fault == "TLS failure"
    url = f"https://localhost:{line.port}" if line.tls else f"http://127.0.0.1:{line.port}"
    team = make_team(start_operator(base_url=url, SSL_CERT_FILE=str(CERTIFICATE)))
    _serve(team)
    if fault == "TLS failure":
        line.tls = False  # from now on the other side does not speak it
        line.hang_up()
    else:
        line.cut()
    _is_told_and_changes_nothing(team, "cannot be reached")
    if fault == "TLS failure":
        line.tls = True
    else:
        line.open()
    _heals(team)


@pytest.mark.parametrize("fault", ["DNS failure", "certificate of another name", "certificate of nobody known"])
def test_a_base_url_that_cannot_be_used_is_told_and_heals_when_it_is_corrected(
    start_operator: StartOperator, make_team: MakeTeam, line: Line, fault: str
) -> None:
    line.tls = True
    right = {"FIREWORKS_BASE_URL": f"https://localhost:{line.port}", "SSL_CERT_FILE": str(CERTIFICATE)}
    operator = start_operator(**right)
    team = make_team(operator)
    _serve(team)
    wrong = {
        "DNS failure": {"FIREWORKS_BASE_URL": "https://fireworks.invalid", "NO_PROXY": "*"},
        "certificate of another name": {"FIREWORKS_BASE_URL": f"https://127.0.0.1:{line.port}"},
        "certificate of nobody known": {"SSL_CERT_FILE": ""},
    }
    operator.restart(**wrong[fault])
    _is_told_and_changes_nothing(team, "cannot be reached" if fault == "DNS failure" else "certificate verify failed")
    operator.restart(**right)
    _heals(team)


@pytest.mark.parametrize("fault", ["time-out after commit", "line cut after commit"])
def test_a_create_request_whose_answer_never_arrives_has_created_one_deployment(
    start_operator: StartOperator, make_team: MakeTeam, line: Line, fault: str
) -> None:
    team = make_team(start_operator(base_url=f"http://127.0.0.1:{line.port}"))
    team.create("first")
    team.until_ready("first")
    team.fault("latency", method="POST", path="/deployments$", seconds=2)
    team.create()
    team.eventually(lambda: len(team.posts()) == 2, "the create request has arrived")
    if fault == "time-out after commit":
        line.answers = False
    else:
        line.cut()
    team.eventually(lambda: team.posts()[1].committed, "it takes effect")
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    if fault == "time-out after commit":
        line.answers = True
        line.hang_up()
    else:
        line.open()
    team.until_ready(within=HEALS_WITHIN)
    assert len(team.deployments()) == 2
    assert [each.committed for each in team.posts()].count(True) == 2


@pytest.mark.proof
def test_while_nothing_can_be_reached_tries_get_rarer(
    start_operator: StartOperator, make_team: MakeTeam, line: Line
) -> None:
    team = make_team(start_operator(base_url=f"http://127.0.0.1:{line.port}"))
    team.create("first")
    team.until_ready("first")
    with team.api.watch(resources_path(team.namespace)) as watch:
        line.cut()
        team.create()
        team.until("chat", "Ready", "Unknown", "ApiUnavailable", says="cannot be reached")
        # Each try writes the status twice, and pauses grow from one second to five minutes.
        few = MOST_TRIES * 2 + BEFORE_THE_FIRST_TRY
        steadily(
            lambda: sum(each["metadata"]["name"] == "chat" for each in tuple(watch.objects)) <= few,
            f"the status is written at most {few} times",
            seconds=12,
            explain=team.explain,
        )
    line.open()
    team.until_ready(within=HEALS_WITHIN)
    assert len(team.posts()) == 2
