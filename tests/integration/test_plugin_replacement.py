"""`kubectl fireworks` while one deployment replaces another, beside a real API server and the simulator."""

import json
from pathlib import Path

import pytest
import yaml

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import Cluster
from testkit.kubectl_plugin import Plugin
from testkit.kubernetes_api import Json
from testkit.team import Team

H100, H200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB"
SPEC = {"minReplicaCount": 1, "acceleratorType": H100, "replacePolicy": {"type": "BlueGreen", "drain": "20s"}}
CHANGES, ERRORS = 2, 1


@pytest.fixture
def plugin(tmp_path: Path, cluster: Cluster, fireworks: SimulatorClient, team: Team) -> Plugin:
    """The plugin of a user with the team's API key."""
    return Plugin(tmp_path, cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=team.api_key)


def plan(plugin: Plugin, team: Team, folder: Path, *, code: int) -> Json:
    """Plan to move to other GPUs."""
    file = folder / "chat.yaml"
    file.write_text(yaml.safe_dump(team.manifest("chat", {}, {**SPEC, "acceleratorType": H200})))
    (planned,) = json.loads(plugin("plan", "-f", str(file), "-o", "json", code=code))["resources"]
    found: Json = planned
    return found


def test_what_is_planned_is_shown_while_it_happens(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    team.create(spec=SPEC)
    former = team.until_ready()["status"]["deploymentName"]
    planned = plan(plugin, team, tmp_path, code=CHANGES)
    assert planned["action"] == "replace"
    assert planned["whileBothRun"] == {"gpus": 2, "hourly": "16.00", "gpusAtMost": 2, "hourlyCeiling": "16.00"}
    where = ("-n", team.namespace)
    team.change(acceleratorType=H200)
    plugin("status", "chat", *where, "--watch", "--timeout", "60s")
    status = json.loads(plugin("status", "chat", *where, "-o", "json"))
    assert status["deploymentName"] == planned["deployment"]
    replacement = status["replacement"]
    assert (replacement["phase"], replacement["deploymentName"]) == ("Draining", former)
    assert replacement["hourlyOfBoth"] == planned["whileBothRun"]["hourly"]
    row = plugin("list", *where, "-o", "wide").splitlines()[1]
    assert f"Draining {former.rsplit('/', 1)[-1]}" in row
    assert plugin("orphans", *where).startswith("No orphans"), "both are looked after"
    (bill,) = json.loads(plugin("cost", *where, "-o", "json"))
    assert (bill["namespace"], bill["name"]) == (team.namespace, "chat"), "both are the resource's"
    assert f"Former deployment: {former}: READY" in plugin("status", "chat", *where)
    team.eventually(lambda: len(team.deployments()) == 1, "the former one is deleted", within=60)


def test_a_successor_that_is_refused_is_planned_and_watched_as_such(team: Team, plugin: Plugin, tmp_path: Path) -> None:
    team.create(spec=SPEC)
    former = team.until_ready()["status"]["deploymentName"]
    team.simulator.quota("global--h200-count", 0)
    planned = plan(plugin, team, tmp_path, code=ERRORS)
    assert (planned["action"], planned["reason"], planned["deployment"]) == ("refused", "ReplacementBlocked", former)
    team.change(acceleratorType=H200)
    told = plugin("status", "chat", "-n", team.namespace, "--watch", "--timeout", "60s", code=ERRORS)
    assert planned["message"] in told
    assert plugin("endpoint", "chat", "-n", team.namespace).count(former) == 1
    assert plugin("query", "chat", "Hello", "-n", team.namespace), "the present deployment answers"
