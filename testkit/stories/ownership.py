"""Whose a deployment is: conflicts, adoption, markers, and resources that only observe or are paused."""

from testkit.conditions import condition

from .team import AnyTeam


def a_conflict_ends_when_another_deployment_id_is_chosen(team: AnyTeam) -> None:
    team.create("first", deploymentId="chat-prod")
    team.until_ready("first")
    team.create("second", deploymentId="chat-prod")
    team.until("second", "Stalled", "True", "Conflict")
    team.change("second", deploymentId="chat-test")
    team.until_ready("second")
    assert len(team.deployments()) == 2


def of_two_resources_created_at_once_for_one_deployment_one_has_it_and_the_other_says_so(team: AnyTeam) -> None:
    names = ("first", "second")
    team.create_at_once(*names, deploymentId="chat-prod", adoptionPolicy="Unowned")

    def winner() -> str | None:
        reasons = {condition(team.get(name), "Ready").get("reason"): name for name in names}
        return reasons.get("Serving") if "Conflict" in reasons else None

    owner = team.eventually(winner, "one serves, the other is a conflict")
    (other,) = {*names} - {owner}
    assert [each.committed for each in team.posts()].count(True) == 1
    assert team.deployment()["annotations"]["custom/name"] == owner
    team.delete(other)
    team.until_gone(other)
    assert team.deployment()["state"] == "READY"
    assert team.journal("DELETE") == []


def a_marker_that_somebody_removed_is_written_again(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.simulator.edit(team.deployment_id(), clear=["annotations"])
    team.eventually(lambda: "custom/name" in team.deployment().get("annotations", {}), "the marker is back")
    assert len(team.posts()) == 1


def deleting_a_resource_that_was_never_allowed_to_adopt_leaves_the_deployment(team: AnyTeam) -> None:
    team.simulator.create_foreign(prefix="old")
    team.create(deploymentId="old-0")
    team.until("chat", "Stalled", "True", "AdoptionNotAllowed")
    team.delete()
    team.until_gone()
    assert team.simulator.deployment("old-0")["state"] == "READY"
    assert team.journal("DELETE") == []


def a_paused_resource_can_be_deleted(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.change(paused=True)
    team.delete()
    team.until_gone()
    assert team.deployments() == []


def observing_fills_the_status_and_writes_nothing(team: AnyTeam) -> None:
    team.simulator.create_foreign(prefix="theirs", displayName="theirs")
    team.create(managementPolicy="Observe", deploymentId="theirs-0", displayName="ours", acceleratorType=None)
    resource = team.until_ready()
    assert resource["status"]["modelIdentifier"].endswith("/deployments/theirs-0")
    assert not resource["metadata"].get("finalizers")
    team.simulator.edit("theirs-0", {"maxReplicaCount": 4})
    team.eventually(lambda: team.status()["effective"]["maxReplicaCount"] == 4, "status follows")
    team.delete()
    team.until_gone()
    assert team.writes() == []
    assert team.simulator.deployment("theirs-0")["state"] == "READY"


def from_manage_to_observe_the_deployment_is_released_and_taken_back(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.change(managementPolicy="Observe")
    team.eventually(lambda: not team.get()["metadata"].get("finalizers"), "the finalizer is gone")
    team.until_ready()
    assert len(team.deployments()) == 1
    team.change(managementPolicy="Manage", displayName="back")
    team.until_ready()
    assert team.deployment()["displayName"] == "back"
    assert len(team.posts()) == 1
    team.delete()
    team.until_gone()
    assert team.deployments() == []


STORIES = (
    a_conflict_ends_when_another_deployment_id_is_chosen,
    of_two_resources_created_at_once_for_one_deployment_one_has_it_and_the_other_says_so,
    a_marker_that_somebody_removed_is_written_again,
    deleting_a_resource_that_was_never_allowed_to_adopt_leaves_the_deployment,
    a_paused_resource_can_be_deleted,
    observing_fills_the_status_and_writes_nothing,
    from_manage_to_observe_the_deployment_is_released_and_taken_back,
)
