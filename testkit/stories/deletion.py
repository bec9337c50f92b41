"""Deletion: what it waits for, what forces it, and what it never touches."""

from .team import AnyTeam


def deleting_a_resource_that_is_being_created_deletes_its_deployment(team: AnyTeam) -> None:
    team.simulator.timing(downloading=600)
    team.create()
    team.eventually(lambda: team.status().get("state") == "CREATING", "it is being created")
    team.delete()
    team.until_gone()
    assert team.deployments() == []


def deleting_a_resource_whose_accelerator_was_refused_ends_at_once(team: AnyTeam) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="NVIDIA_H100_90GB")
    _end_at_once(team)


def deleting_a_resource_that_never_had_quota_ends_at_once(team: AnyTeam) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create()
    team.until("chat", "Stalled", "True", "QuotaExceeded", says="quota: 0")
    _end_at_once(team)


def _end_at_once(team: AnyTeam) -> None:
    assert "deploymentName" not in team.status(), "the claim is given back, so that the spec can be corrected"
    team.delete()
    team.until_gone(within=5 + team.slack)
    assert team.simulator.deployments() == []


def a_resource_that_nobody_has_touched_yet_is_deleted_without_a_word_to_fireworks(team: AnyTeam) -> None:
    team.create(paused=True)
    team.until("chat", "Stalled", "True", "Paused")
    team.delete()
    team.until_gone(within=5 + team.slack)
    assert team.writes() == []


def the_annotation_ignore_checks_deletes_a_deployment_in_use(team: AnyTeam) -> None:
    _block(team)
    team.annotate("chat", "ignore-checks", "true")
    team.until_gone(within=10 + team.slack)
    assert team.deployments() == []
    assert team.journal("DELETE")[-1].query == {"ignoreChecks": "true"}


def abandon_lets_the_resource_go_and_leaves_the_deployment(team: AnyTeam) -> None:
    _block(team)
    team.annotate("chat", "abandon", "true")
    team.until_gone(within=10 + team.slack)
    assert team.deployment()["state"] == "READY"
    team.eventually(lambda: ("Warning", "Deleting") in team.happened(), "an event warns of what is left")


def _block(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")


def a_deployment_that_vanished_meanwhile_does_not_hold_the_resource(team: AnyTeam) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id())
    team.until("chat", "Stalled", "True", "DeploymentLost")
    team.delete()
    team.until_gone(within=10 + team.slack)


def a_secret_that_goes_before_its_resource_does_not_keep_the_deployment_running(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.delete_secret()
    team.delete()
    team.until_gone()
    assert team.deployments() == []


STORIES = (
    deleting_a_resource_that_is_being_created_deletes_its_deployment,
    deleting_a_resource_whose_accelerator_was_refused_ends_at_once,
    deleting_a_resource_that_never_had_quota_ends_at_once,
    a_resource_that_nobody_has_touched_yet_is_deleted_without_a_word_to_fireworks,
    the_annotation_ignore_checks_deletes_a_deployment_in_use,
    abandon_lets_the_resource_go_and_leaves_the_deployment,
    a_deployment_that_vanished_meanwhile_does_not_hold_the_resource,
    a_secret_that_goes_before_its_resource_does_not_keep_the_deployment_running,
)
