"""A restart of the operator, in whatever state things are: nothing is done twice."""

from functools import partial

import pytest

from testkit.factories import MakeTeam, StartOperator
from testkit.kubernetes_api import condition
from testkit.stories.at_rest import STATES
from testkit.team import Team
from testkit.waiting import steadily

POLLS_AFTER_RESTART = 3


@pytest.mark.proof
def test_a_restart_repeats_nothing_in_any_state(start_operator: StartOperator, make_team: MakeTeam) -> None:
    operator = start_operator()
    teams = {state: make_team(operator) for state in STATES}
    for state, team in teams.items():
        STATES[state](team)
        team.simulator.clear_stages()
        team.simulator.timing(downloading=0.3, updating=0.5)
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
