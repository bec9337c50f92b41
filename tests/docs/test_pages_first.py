"""README and quickstart as a new user goes through them: from the clone to an answer, to a cluster, and back."""

import re
import sys
from pathlib import Path

import httpx
import pytest

from testkit.documentation.reader import CLONE, Reader, publish
from testkit.documentation.terminal import Terminal
from testkit.processes import Operator
from testkit.waiting import eventually

BORROW = f"mkdir .venv && ln -s {sys.prefix}/* .venv && touch .venv/.installed"
"""Gives a clone the Python environment of these tests: `make` would install the same once more."""
LARGE = "accounts/fireworks/models/llama-v3p3-70b-instruct"


@pytest.fixture
def operator(reader: Reader, crd: None, tmp_path: Path) -> Operator:
    """The operator; not started yet."""
    return reader.operator(tmp_path / "operator.log")


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_readme(reader: Reader, operator: Operator, tmp_path: Path) -> None:
    table = {
        CLONE: str(publish(tmp_path)),
        "make demo": f"{BORROW} && make demo",
    }
    operator.start()
    team = reader.team(operator)
    with reader.follow("README.md", table) as page:
        reader.apply(next(page.manifests()))
        page.run("kubectl wait")

        (tmp_path / "demo").mkdir()
        outside = reader.terminal(folder=tmp_path / "demo", TMPDIR=str(tmp_path / "demo"))
        said = page.run("git clone", terminal=outside)
        try:
            assert "on accounts/acme/deployments/default-chat-" in said.splitlines()[-1], "the answer comes last"
            state = re.search(r"curl (http://\S+/_simulator/state)", said)
            assert state is not None, said
            assert len(deployments(state[1])) == 11
        finally:
            page.run(".venv/bin/python examples/demo.py --stop", terminal=outside)
        assert [each.name for each in (tmp_path / "demo").iterdir()] == ["fireworks-operator"], "nothing else is left"
        with pytest.raises(httpx.TransportError):
            deployments(state[1])

        team.create("chat", baseModel=LARGE, minReplicaCount=2, acceleratorCount=4)
        team.until("chat", "Available", "True", says="2 of 2")
        reader.simulator.stage("draft", downloading=3600)
        team.create("draft", baseModel="accounts/fireworks/models/qwen2p5-72b-instruct")
        team.until("draft", "Reconciling", "True", says="downloading")
        reader.cluster.kubectl("delete", "fwd", "llama")
        page.run("kubectl get fireworksdeployments")
    operator.stop()


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_quickstart(reader: Reader, crd: None, tmp_path: Path) -> None:
    checkout = publish(tmp_path)
    first, second, third = (reader.terminal(folder=checkout) for _ in range(3))
    with reader.follow("docs/quickstart.md", terminal=first) as page:
        page.same_as("README.md")
        page.same_as("README.md")
        runs = page.start("kubectl apply --server-side")
        runs.until("serves /metrics", within=300)
        asks = page.start("kubectl apply -f examples/minimal.yaml", terminal=second)
        asks.until("deleted")
        assert "This is accounts/fireworks/models/gpt-oss-120b on" in asks.output()
        blocked = "-o=jsonpath={.status.conditions[?(@.type=='Stalled')].reason}"
        terminal_until(third, f'kubectl get fwd minimal "{blocked}"', "DeletionBlocked")
        page.run("kubectl annotate", terminal=third)
        asks.end_by_itself()
        runs.end()
    assert reader.simulator.deployments()[0]["state"] in ("DELETING", "DELETED")


def deployments(url: str) -> list[object]:
    """Ask the simulator of the demo for what Fireworks has."""
    state = httpx.get(url, trust_env=False, timeout=10).json()
    return list(state["accounts"]["acme"]["deployments"])


def terminal_until(terminal: Terminal, command: str, prints: str) -> None:
    """Repeat a command until it prints something."""
    eventually(lambda: prints in terminal.run(command)[0], f"`{command}` prints {prints}", interval=0.5)
