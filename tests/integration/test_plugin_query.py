"""`kubectl fireworks query` as a process: a real resource, its Secret, and a deployment of the simulator."""

import signal
from pathlib import Path

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import Cluster
from testkit.kubectl_plugin import Plugin
from testkit.stories.addons import add_models, addons, model, until_loaded
from testkit.team import MODEL, Team
from testkit.waiting import eventually

WRONG = "fw_not-the-key-of-anybody"


@pytest.fixture
def plugin(tmp_path: Path, cluster: Cluster, fireworks: SimulatorClient) -> Plugin:
    """The plugin of a user who may read the team's Secret, and has a key that is not of use."""
    return Plugin(tmp_path, cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=WRONG)


def until_at_zero(team: Team) -> None:
    """Let two hours pass without a request."""
    team.simulator.advance(7200)
    team.until("chat", "Ready", "True", "ScaledToZero")


def test_the_key_of_the_resource_is_used_and_never_shown(team: Team, plugin: Plugin) -> None:
    team.create()
    team.until_ready()
    name = team.deployment()["name"]
    done = plugin.tell("query", "chat", "Who are you?", "-n", team.namespace)
    assert done.stdout == f"This is {MODEL} on {name}, simulated.\n"
    assert done.stderr.startswith("first token after 0.")
    assert done.stderr.endswith(" tokens/s\n")
    assert team.api_key not in done.stdout + done.stderr
    assert plugin("query", "chat", "Once", "--completions", "--stream", "-n", team.namespace) == done.stdout
    (chat, completion) = (each for each in team.journal("POST", "completions$"))
    assert (chat.path, completion.path) == ("/inference/v1/chat/completions", "/inference/v1/completions")
    assert chat.user_agent.startswith("kubectl-fireworks/")


def test_an_addon_answers_by_its_own_identifier(team: Team, plugin: Plugin) -> None:
    add_models(team)
    team.create(addons=addons("tone"))
    until_loaded(team, "tone")
    answer = plugin("query", "chat", "Hi", "--addon", "tone", "-n", team.namespace)
    assert answer.startswith(f"This is {model(team, 'tone')} on ")
    told = plugin.refuse("query", "chat", "Hi", "--addon", "style", "-n", team.namespace)
    assert f'chat has no addon "style"; it has: {model(team, "tone")}.' in told


def test_a_cold_start_is_waited_for(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    team.create(minReplicaCount=0)
    team.until_ready()
    until_at_zero(team)
    log = tmp_path / "query.log"
    asking = plugin.start(log, "query", "chat", "Hi", "-n", team.namespace)
    try:
        eventually(lambda: "chat: " in log.read_text(), "it tells what it waits for", explain=log.read_text)
        assert asking.wait(60) == 0, log.read_text()
    finally:
        asking.kill()
        asking.wait()
    said = log.read_text()
    assert f"This is {MODEL} on " in said
    assert "first token after" in said


def test_what_does_not_wake_in_time_ends_with_what_to_do_and_so_does_an_interrupt(
    team: Team, plugin: Plugin, tmp_path: Path
) -> None:
    team.create(minReplicaCount=0)
    team.until_ready()
    until_at_zero(team)
    team.simulator.set_clock(stepped=True)
    told = plugin.refuse("query", "chat", "Hi", "--timeout", "1s", "-n", team.namespace)
    assert "chat did not answer within 1 s. Last seen: " in told
    log = tmp_path / "query.log"
    asking = plugin.start(log, "query", "chat", "Hi", "-n", team.namespace)
    try:
        eventually(lambda: "chat: " in log.read_text(), "it waits", explain=log.read_text)
        asking.send_signal(signal.SIGINT)
        assert asking.wait(10) == 1
    finally:
        asking.kill()
        asking.wait()
    assert log.read_text().splitlines()[-1] == "Aborted!"
    assert "Traceback" not in log.read_text()


def test_a_resource_without_a_deployment_says_what_comes_first(team: Team, plugin: Plugin) -> None:
    team.create(credentialsSecretRef={"name": "nowhere"})
    team.until("chat", "Stalled", "True")
    told = plugin.refuse("query", "chat", "Hi", "-n", team.namespace)
    assert "chat is not ready yet. Fix this first. CredentialsMissing: " in told
