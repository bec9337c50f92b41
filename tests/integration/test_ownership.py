"""One deployment has one resource and one account: who comes second changes nothing."""

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import NewTeam
from testkit.team import Team, new_api_key

HEALS_WITHIN = 60.0
"""Secrets are read again, and a key that was refused is tried again, within 30 s each."""


@pytest.mark.proof
def test_a_second_resource_for_the_same_deployment_is_a_conflict_and_the_first_serves_on(team: Team) -> None:
    team.create("first", deploymentId="chat-prod")
    before = team.until_ready("first")
    deployment = team.deployment()
    seen = team.simulator.last_sequence()
    team.create("second", deploymentId="chat-prod", displayName="mine", adoptionPolicy="Unowned")
    team.until("second", "Stalled", "True", "Conflict", says="spec.deploymentId")
    assert "deploymentName" not in team.status("second")
    team.delete("second")
    team.until_gone("second")
    assert team.get("first") == before
    assert team.deployment() == deployment
    assert team.writes(since=seen) == []


@pytest.mark.proof
def test_with_another_accounts_key_nothing_is_created_and_nothing_is_deleted(new_team: NewTeam) -> None:
    starting, leaving = new_team(), new_team()
    starting.fault("status", method="POST", path="/deployments$", status=503, code="UNAVAILABLE")
    starting.create()
    leaving.create()
    leaving.until_ready()
    starting.eventually(lambda: "account" in starting.status(), "it is claimed")
    keys = {team.account: team.api_key for team in (starting, leaving)}
    for team in (starting, leaving):
        elsewhere = SimulatorClient(team.simulator.url, f"{team.account}-other")
        other_key = new_api_key()
        elsewhere.add_account(elsewhere.account, other_key)
        team.put_secret(apiKey=other_key)
        (key_id,) = {each.key_id for each in team.journal("GET", "/deployments$")}
        team.simulator.revoke_key(key_id)
    leaving.until("chat", "Stalled", "True", "AccountMismatch", says=leaving.account, within=HEALS_WITHIN)
    starting.until("chat", "Stalled", "True", "AccountMismatch", says=starting.account, within=HEALS_WITHIN)
    starting.simulator.clear_faults()
    seen = leaving.simulator.last_sequence()
    leaving.delete()
    leaving.until("chat", "Stalled", "True", "AccountMismatch", says="fireworks.ai/abandon")
    for team in (starting, leaving):
        assert SimulatorClient(team.simulator.url, f"{team.account}-other").deployments() == []
        assert team.writes(since=seen) == []
        team.simulator.add_key(keys[team.account])
        team.put_secret(apiKey=keys[team.account])
    leaving.until_gone(within=HEALS_WITHIN)
    assert leaving.deployments() == []
    starting.until_ready(within=HEALS_WITHIN)
    assert len(starting.deployments()) == 1
