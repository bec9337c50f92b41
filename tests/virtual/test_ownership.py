"""One deployment has one resource: taken over only on request, watched without a touch, held while paused."""

import pytest

from tests.virtual.team import NewTeam, Team, holds

FOREIGN_MARKER = {
    "custom/managed-by": "fireworks-operator",
    "custom/cluster": "another-cluster",
    "custom/namespace": "somewhere",
    "custom/name": "theirs",
}


def _committed(team: Team) -> list[str]:
    return [each.method for each in team.writes() if each.committed]


# --- adoption -------------------------------------------------------------------------------------------------------


def test_a_deployment_of_another_resource_is_a_conflict_and_stays_untouched(team: Team) -> None:
    team.simulator.create_foreign(prefix="taken", annotations=FOREIGN_MARKER)
    before = team.simulator.deployment("taken-0")
    team.create(deploymentId="taken-0", adoptionPolicy="Unowned")
    team.until("chat", "Stalled", "True", "Conflict", says="custom/namespace")
    team.wait(600)
    team.delete()
    team.until_gone()
    assert team.simulator.deployment("taken-0") == before
    assert _committed(team) == []


def test_an_unowned_deployment_is_adopted_only_when_the_user_allows_it(team: Team) -> None:
    team.simulator.create_foreign(prefix="old", minReplicaCount=1, displayName="by hand")
    team.create(deploymentId="old-0")
    team.until("chat", "Stalled", "True", "AdoptionNotAllowed", says="spec.adoptionPolicy")
    team.wait(600)
    assert _committed(team) == []
    team.change(adoptionPolicy="Unowned")
    team.until_ready()
    deployment = team.deployment()
    assert deployment["annotations"]["custom/namespace"] == team.namespace
    assert deployment["annotations"]["custom/name"] == "chat"
    assert deployment["displayName"] == "by hand", "what the spec does not name stays"
    team.delete()
    team.until_gone()
    assert team.deployments() == [], "from then on it goes with its resource"


def test_the_operators_own_key_adopts_nothing_in_namespaces_that_its_settings_do_not_name(own_team: Team) -> None:
    own_team.simulator.create_foreign(prefix="old")
    own_team.create(deploymentId="old-0", adoptionPolicy="Unowned")
    own_team.until("chat", "Stalled", "True", "AdoptionNotAllowed", says="adoptionNamespaces")
    assert _committed(own_team) == []


def test_a_deployment_retained_by_one_resource_can_be_taken_up_by_another(team: Team) -> None:
    team.create("first", deletionPolicy="Retain", deploymentId="chat-prod")
    team.until_ready("first")
    team.delete("first")
    team.until_gone("first")
    team.create("second", deploymentId="chat-prod", adoptionPolicy="Unowned")
    team.until_ready("second")
    assert len(team.posts()) == 1
    assert team.deployment()["annotations"]["custom/name"] == "second"


# --- two resources --------------------------------------------------------------------------------------------------


def test_a_second_resource_for_the_same_deployment_is_a_conflict_and_the_first_serves_on(team: Team) -> None:
    team.create("first", deploymentId="chat-prod")
    before = team.until_ready("first")
    deployment, seen = team.deployment(), team.seen()
    team.create("second", deploymentId="chat-prod", displayName="mine", adoptionPolicy="Unowned")
    team.until("second", "Stalled", "True", "Conflict", says="spec.deploymentId")
    assert "deploymentName" not in team.status("second")
    team.wait(600)
    team.delete("second")
    team.until_gone("second")
    assert team.get("first") == before
    assert team.deployment() == deployment
    assert team.writes(since=seen) == []


# --- paused ---------------------------------------------------------------------------------------------------------


def test_a_paused_resource_withholds_changes_and_says_what_goes_on_costing(team: Team) -> None:
    team.create(displayName="before")
    team.until_ready()
    team.change(paused=True)
    team.until_ready()
    team.change(displayName="after")
    resource = team.until("chat", "Stalled", "True", "Paused", says="still running 1 x 1 NVIDIA_H100_80GB")
    assert holds(resource, "Available") == "True"
    team.wait(600)
    assert team.patches() == []
    team.change(paused=None)
    team.until_ready()
    assert team.deployment()["displayName"] == "after"


# --- observed -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["nothing", "a refused spec"])
def test_observing_what_does_not_exist_says_so(team: Team, before: str) -> None:
    if before == "nothing":
        team.create(managementPolicy="Observe", deploymentId="nothing")
        team.until("chat", "Stalled", "True", "DeploymentLost", says="spec.deploymentId")
    else:
        team.create(acceleratorType="NVIDIA_H100_90GB")
        team.until("chat", "Stalled", "True", "RejectedByFireworks")
        team.change(managementPolicy="Observe")
        team.until("chat", "Stalled", "True", "DeploymentLost", says="to observe")
    assert _committed(team) == []


# --- the finalizer --------------------------------------------------------------------------------------------------


def test_the_finalizer_is_there_before_the_deployment_and_stays(team: Team, new_team: NewTeam) -> None:
    team.create()
    team.until_ready()
    team.change(displayName="Chat")
    team.until_ready()
    claimed = [each for each in team.versions() if "deploymentName" in each["status"]]
    assert claimed
    assert all(each["metadata"]["finalizers"] == ["fireworks.ai/deployment"] for each in claimed)
