"""An API that means harm, or an account that is far too large: one team's trouble, within the memory of the pod."""

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import MakeTeam, StartOperator
from testkit.faults.hostile_api import ATTACKS, HostileApi
from testkit.kubernetes_api import condition
from testkit.processes import Operator

CHART = Path(__file__).parents[2] / "charts/fireworks-operator/values.yaml"
FOREIGN = int(os.environ.get("FOREIGN_DEPLOYMENTS", "4000"))
"""Deployments of others in the account, 200 to a page; a list of 20,000 takes minutes where both cores are busy."""
LISTED_WITHIN = 60.0 + FOREIGN / 50
"""Seconds for one list of them all: four seconds for each page, on the busiest machine."""
NASTY = "no \x1b[31mred\x1b[0m\n2026-01-01T00:00:00Z ERROR   forged: all is lost\r\x00\u202e\u2028end " + "x" * 100_000


def memory_limit() -> float:
    """Return the memory limit of the chart's pod in MiB."""
    text = yaml.safe_load(CHART.read_text())["resources"]["limits"]["memory"]
    return float(re.fullmatch(r"(\d+)Mi", text)[1])  # type: ignore[index]


def peak(operator: Operator) -> float:
    """Return the most memory that the process has had, in MiB."""
    status = Path(f"/proc/{operator.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024  # type: ignore[index]


@pytest.fixture
def hostile(fireworks: SimulatorClient) -> Iterator[HostileApi]:
    """An API between the operator and the simulator."""
    with HostileApi(fireworks.url).running() as api:
        yield api


@pytest.mark.timeout(600)
def test_answers_that_mean_harm_are_one_accounts_trouble_and_heal(
    start_operator: StartOperator, make_team: MakeTeam, hostile: HostileApi
) -> None:
    operator = start_operator(base_url=hostile.url)
    harmed, healthy = make_team(operator), make_team(operator)
    for team in (harmed, healthy):
        team.create()
    for team in (harmed, healthy):
        team.until_ready()
    hostile.account = harmed.account
    before = harmed.deployments()
    for number, (name, attack) in enumerate(ATTACKS.items()):
        seen, hostile.attacked, hostile.attack = harmed.simulator.last_sequence(), 0, attack
        harmed.create(f"new-{number}")
        healthy.change(displayName=name)
        harmed.until(f"new-{number}", "Ready", "Unknown", "ApiUnavailable")
        healthy.until_ready()
        harmed.eventually(lambda: hostile.attacked >= 2, f"{name}: asked again")
        assert condition(harmed.get(), "Available")["status"] == "True", name
        assert harmed.writes(since=seen) == [], name
        hostile.attack = None
        harmed.until_ready(f"new-{number}")
        harmed.delete(f"new-{number}")
        harmed.until_gone(f"new-{number}")
        assert peak(operator) < memory_limit(), name
    assert [each["name"] for each in harmed.deployments()] == [each["name"] for each in before]
    assert len(healthy.posts()) == 1


@pytest.mark.timeout(2400)
def test_an_account_with_thousands_of_foreign_deployments_fits_into_the_pod(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team, other = make_team(operator), make_team(operator)
    at_rest = operator.memory()
    team.simulator.create_foreign(FOREIGN, description="d" * 300, displayName="Somebody else's deployment")
    other.create()
    team.create(baseModel="accounts/fireworks/models/qwen2p5-7b-instruct")  # its model's only one, so it may go
    other.until_ready()
    team.until_ready(within=2 * LISTED_WITHIN)
    begun, listed = time.monotonic(), team.simulator.last_sequence()
    used = operator.metric("process_cpu_seconds_total")

    def lists_twice() -> bool:
        return sum("pageToken" not in each.query for each in team.journal("GET", "/deployments$", since=listed)) >= 3

    team.eventually(lists_twice, "the account is listed again, twice", within=3 * LISTED_WITHIN)
    seconds = time.monotonic() - begun
    busy = 100 * (operator.metric("process_cpu_seconds_total") - used) / seconds
    figures = f"{at_rest:.0f} MiB before, {operator.memory():.0f} after, {peak(operator):.0f} at most"
    print(f"{FOREIGN} foreign deployments: {figures}; {busy:.0f} % of a core at {seconds / 2:.0f} s per list")
    assert peak(operator) < memory_limit()
    team.delete()
    team.until_gone(within=LISTED_WITHIN)
    assert len(team.deployments()) == FOREIGN, "none of them was touched"


@pytest.mark.parametrize("style", ["json", "text"])
def test_what_fireworks_says_forges_no_line_of_the_log_and_colours_no_terminal(
    start_operator: StartOperator, make_team: MakeTeam, style: str
) -> None:
    operator = start_operator(FIREWORKS_OPERATOR_LOG_FORMAT=style)
    team = make_team(operator)
    team.create("failing")
    team.until_ready("failing")
    team.simulator.fail(team.deployment_id("failing"), message=NASTY, termination_message=NASTY)
    team.until("failing", "Stalled", "True", "DeploymentFailed", says="all is lost")
    team.fault("status", method="POST", path="/deployments$", code="INVALID_ARGUMENT", message=NASTY)
    team.create("refused")
    team.until("refused", "Stalled", "True", "RejectedByFireworks", says="all is lost")
    team.fault("status", method="GET", path="/deployments$", code="INTERNAL", message=NASTY)
    team.eventually(lambda: "could not observe account" in operator.log(), "the log tells of it")
    for resource in team.resources():
        for each in resource["status"]["conditions"]:
            assert each["message"].isprintable()
            assert len(each["message"]) < 1500
    for name in ("failing", "refused"):
        for event in team.events(name):
            assert event["message"].isprintable()
            assert len(event["message"].encode()) <= 1024
    _assert_one_line_each(operator, style)


def _assert_one_line_each(operator: Operator, style: str) -> None:
    lines = operator.log().split("\n")[:-1]
    assert any("forged: all is lost" in line for line in lines), "it was logged"
    for line in lines:
        assert line.isprintable(), line
        assert len(line) < 3000
        if style == "json":
            assert json.loads(line)["logger"] != "forged"
        else:
            assert re.match(r"20\d\d-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARNING|ERROR) +[a-z_.]+: ", line), line
