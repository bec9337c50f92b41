"""No GPUs, no quota, no money: told as what it is, and work goes on when it ends."""

from testkit.conditions import holds

from .team import AnyTeam

OTHER_MODEL = "accounts/fireworks/models/qwen2p5-7b-instruct"


def a_deployment_that_served_before_is_waking_while_it_waits_for_gpus(team: AnyTeam) -> None:
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until_ready()
    team.pass_time(301)
    team.until("chat", "Ready", "True", "ScaledToZero")
    team.simulator.edit(team.deployment_id(), stockedOut=True)
    team.simulator.load(team.deployment_id(), 1)
    resource = team.until("chat", "Available", "False", "Waking", says="waiting for GPUs")
    assert holds(resource, "Ready") == "True"
    team.simulator.edit(team.deployment_id(), stockedOut=False)
    team.until("chat", "Available", "True", "Serving")


def a_resource_without_quota_does_not_hold_up_its_own_deletion(team: AnyTeam) -> None:
    team.simulator.quota("global--h100-count", 1)
    team.create()
    team.until_ready()
    team.change(minReplicaCount=2)
    team.until("chat", "Stalled", "True", "QuotaExceeded")
    team.delete()
    team.until_gone(within=20)
    assert team.deployments() == []


def growth_beyond_the_quota_is_refused_and_harms_neither_the_deployment_nor_others(team: AnyTeam) -> None:
    team.simulator.quota("global--h100-count", 1)
    team.create("big")
    team.until_ready("big")
    team.create("other", baseModel=OTHER_MODEL, acceleratorType="NVIDIA_H200_141GB", displayName="before")
    team.until_ready("other")
    team.change("big", minReplicaCount=2)
    resource = team.until("big", "Stalled", "True", "QuotaExceeded", says="quota: 1")
    assert holds(resource, "Available") == "True"
    assert holds(resource, "Ready") == "False"
    team.change("other", displayName="after")
    team.until_ready("other", within=10 + team.slack)
    team.delete("other")
    team.until_gone("other", within=20)
    team.simulator.quota("global--h100-count", 2)
    team.hurry("big")
    team.until_ready("big", within=70)
    assert team.deployment()["minReplicaCount"] == 2


def a_suspended_account_is_named_and_work_goes_on_when_it_is_lifted(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.simulator.suspend("CREDIT_DEPLETED")
    resource = team.until("chat", "Stalled", "True", "AccountSuspended", says="billing")
    assert holds(resource, "Available") == "True"
    team.create("later")
    team.until("later", "Stalled", "True", "AccountSuspended")
    team.simulator.suspend("UNSUSPENDED")
    team.until_ready(within=70)
    team.until_ready("later", within=70)
    assert len(team.posts()) == 2


STORIES = (
    a_deployment_that_served_before_is_waking_while_it_waits_for_gpus,
    a_resource_without_quota_does_not_hold_up_its_own_deletion,
    growth_beyond_the_quota_is_refused_and_harms_neither_the_deployment_nor_others,
    a_suspended_account_is_named_and_work_goes_on_when_it_is_lifted,
)
