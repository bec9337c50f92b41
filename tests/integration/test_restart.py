"""A restart of the operator, in whatever state things are: nothing is done twice."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from testkit.factories import MakeTeam, StartOperator
from testkit.kubernetes_api import condition
from testkit.team import Team
from testkit.waiting import steadily

POLLS_AFTER_RESTART = 3


def _ready(team: Team) -> None:
    team.create()
    team.until_ready()


def _scaled_to_zero(team: Team) -> None:
    team.create(minReplicaCount=0)
    team.until_ready()
    team.simulator.advance(3601)
    team.until("chat", "Ready", "True", "ScaledToZero")


def _parked(team: Team) -> None:
    team.create(minReplicaCount=0, maxReplicaCount=0)
    team.until("chat", "Ready", "True", "Parked")


def _creating(team: Team) -> None:
    team.simulator.timing(downloading=600)
    team.create()
    team.eventually(lambda: team.status().get("replicas", {}).get("downloadingModel") == 1, "the model is loaded")


def _updating(team: Team) -> None:
    team.simulator.timing(updating=600)
    _ready(team)
    team.change(acceleratorCount=2)
    team.eventually(lambda: team.status()["state"] == "UPDATING", "status says UPDATING")


def _refused(team: Team) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks")


def _failed(team: Team) -> None:
    team.simulator.stage(outcome="fail", message="no luck")
    team.create()
    team.until("chat", "Stalled", "True", "DeploymentFailed", says="no luck")


def _replace_required(team: Team) -> None:
    _ready(team)
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.until("chat", "Stalled", "True", "ReplaceRequired")


def _blocked(team: Team) -> None:
    _ready(team)
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")


def _paused(team: Team) -> None:
    _ready(team)
    team.change(paused=True, displayName="later")
    team.until("chat", "Stalled", "True", "Paused")


def _observed(team: Team) -> None:
    team.simulator.create_foreign(prefix="theirs")
    team.create(deploymentId="theirs-0", managementPolicy="Observe")
    team.until_ready()


@dataclass(frozen=True, slots=True)
class State:
    """A state at rest, and how to get there."""

    name: str
    reach: Callable[[Team], None]


STATES = [
    State("ready", _ready),
    State("scaled to zero", _scaled_to_zero),
    State("parked", _parked),
    State("creating", _creating),
    State("updating", _updating),
    State("refused", _refused),
    State("failed", _failed),
    State("replacement required", _replace_required),
    State("deletion blocked", _blocked),
    State("paused", _paused),
    State("observed", _observed),
]


@pytest.mark.proof
def test_a_restart_repeats_nothing_in_any_state(start_operator: StartOperator, make_team: MakeTeam) -> None:
    operator = start_operator()
    teams = {state.name: make_team(operator) for state in STATES}
    for state in STATES:
        state.reach(teams[state.name])
        teams[state.name].simulator.call("DELETE", "/stages")
        teams[state.name].simulator.timing(downloading=0.3, updating=0.5)
    for team in teams.values():  # several share one clock, which was moved
        team.eventually(partial(_rests, team), "it is at rest")
    before = {name: (team.get(), team.deployments()) for name, team in teams.items()}
    seen = next(iter(teams.values())).simulator.last_sequence()
    operator.restart()
    for name, team in teams.items():
        team.eventually(partial(_listed, team, seen, POLLS_AFTER_RESTART), f"{name} is observed")
        assert team.writes(since=seen) == [], f"{name}: {team.explain()}"
        assert team.get() == before[name][0], f"{name}: {team.explain()}"
        assert team.deployments() == before[name][1]
    assert operator.metric("fireworks_operator_kubernetes_writes_total") == 0


def _listed(team: Team, since: int, times: int) -> bool:
    """Whether the account was listed so many times."""
    return sum(each.status == 200 for each in team.journal("GET", "/deployments$", since=since)) >= times


def _rests(team: Team) -> bool:
    """Whether the resource is what it was two polls ago."""
    version = team.get()["metadata"]["resourceVersion"]
    seen = team.simulator.last_sequence()
    team.eventually(lambda: _listed(team, seen, 2), "two polls")
    return bool(team.get()["metadata"]["resourceVersion"] == version)


def test_the_status_survives_a_restart_during_an_outage_and_the_deployment_counts_as_serving(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create()
    before = team.until_ready()
    fault = team.fault("status", status=503, code="UNAVAILABLE")
    operator.restart()
    team.eventually(lambda: team.simulator.fault_hits(fault) >= 1, "the API was asked in vain")
    steadily(lambda: team.get() == before, "the status is kept", seconds=1.5, explain=team.explain)
    team.simulator.clear_faults()
    seen = team.simulator.last_sequence()
    team.eventually(lambda: _listed(team, seen, 2), "the API answers again")
    assert condition(team.get(), "Available")["status"] == "True"
    assert len(team.posts()) == 1


def test_a_deletion_asked_for_while_the_operator_was_down_happens_when_it_is_back(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create()
    team.until_ready()
    operator.stop()
    team.delete()
    operator.start()
    team.until_gone()
    assert team.deployments() == []


@pytest.mark.proof
def test_a_change_made_while_the_operator_was_down_takes_effect_when_it_is_back(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator()
    team = make_team(operator)
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()
    operator.stop()
    team.change(displayName="after", maxReplicaCount=None)
    operator.start()
    team.until_ready()
    assert team.deployment()["displayName"] == "after"
    assert team.deployment()["maxReplicaCount"] == 1, "what left the spec meanwhile is reset"
