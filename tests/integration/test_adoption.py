"""Deployments that exist already: never taken over by accident, taken over when the user says so."""

import pytest

from testkit.team import Team

FOREIGN_MARKER = {
    "custom/managed-by": "fireworks-operator",
    "custom/cluster": "another-cluster",
    "custom/namespace": "somewhere",
    "custom/name": "theirs",
}


@pytest.mark.proof
def test_a_deployment_of_another_resource_is_a_conflict_and_stays_untouched(team: Team) -> None:
    team.simulator.create_foreign(prefix="taken", annotations=FOREIGN_MARKER)
    before = team.simulator.deployment("taken-0")
    team.create(deploymentId="taken-0", adoptionPolicy="Unowned")
    team.until("chat", "Stalled", "True", "Conflict", says="custom/namespace")
    team.delete()
    team.until_gone()
    assert team.simulator.deployment("taken-0") == before
    assert [each for each in team.writes() if each.committed] == []


def test_an_unowned_deployment_is_adopted_only_when_the_user_allows_it(team: Team) -> None:
    team.simulator.create_foreign(prefix="old", minReplicaCount=1, displayName="by hand")
    team.create(deploymentId="old-0")
    team.until("chat", "Stalled", "True", "AdoptionNotAllowed", says="spec.adoptionPolicy")
    assert [each for each in team.writes() if each.committed] == []
    team.change(adoptionPolicy="Unowned")
    team.until_ready()
    deployment = team.deployment()
    assert deployment["annotations"]["custom/namespace"] == team.namespace
    assert deployment["annotations"]["custom/name"] == "chat"
    assert deployment["displayName"] == "by hand", "what the spec does not name stays"
    team.delete()
    team.until_gone()
    assert team.deployments() == [], "from then on it goes with its resource"


@pytest.mark.proof
def test_the_operators_own_key_adopts_nothing_in_namespaces_that_its_settings_do_not_name(own_team: Team) -> None:
    own_team.simulator.create_foreign(prefix="old")
    own_team.create(deploymentId="old-0", adoptionPolicy="Unowned")
    own_team.until("chat", "Stalled", "True", "AdoptionNotAllowed", says="adoptionNamespaces")
    assert [each for each in own_team.writes() if each.committed] == []


@pytest.mark.proof
def test_a_deployment_retained_by_one_team_can_be_taken_up_by_another_resource(team: Team) -> None:
    team.create("first", deletionPolicy="Retain", deploymentId="chat-prod")
    team.until_ready("first")
    team.delete("first")
    team.until_gone("first")
    team.create("second", deploymentId="chat-prod", adoptionPolicy="Unowned")
    team.until_ready("second")
    assert len(team.posts()) == 1
    assert team.deployment()["annotations"]["custom/name"] == "second"
