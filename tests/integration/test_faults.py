"""Troubles of a whole account: said while they last, no neighbour harmed, healed afterwards."""

import pytest

from testkit.factories import NewTeam
from testkit.team import Team

HEALS_WITHIN = 40.0
"""Pauses after failures grow: the last of several may take that long."""


def test_before_the_first_complete_list_nothing_is_created(team: Team) -> None:
    team.simulator.create_foreign(count=250)
    rule = team.fault("fail_page", page=2)
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    assert team.posts() == []
    team.simulator.clear_fault(rule)
    team.until_ready(within=HEALS_WITHIN)
    assert len(team.posts()) == 1


@pytest.mark.proof
def test_a_list_that_omits_an_existing_deployment_once_creates_nothing(team: Team) -> None:
    team.create()
    before = team.until_ready()
    rule = team.fault("omit_from_list", names=[team.deployment_id()], times=1)
    team.eventually(lambda: team.simulator.fault_hits(rule) == 1, "the list was wrong once")
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 3, "lists go on")
    assert team.get() == before
    assert len(team.posts()) == 1


@pytest.mark.proof
def test_a_wrong_account_id_is_named_and_creates_nothing(team: Team) -> None:
    team.simulator.assume(foreign_account_status="404")
    team.put_secret("strayed", apiKey=team.api_key, accountId="nobody")
    team.create(credentialsSecretRef={"name": "strayed"})
    team.until("chat", "Stalled", "True", "CredentialsInvalid", says='"nobody"')
    assert team.simulator.journal(method="POST") == []
    team.put_secret("strayed", apiKey=team.api_key)
    team.until_ready(within=HEALS_WITHIN)
    assert len(team.deployments()) == 1


@pytest.mark.proof
@pytest.mark.parametrize("retry_after", [None, 3])
def test_too_many_requests_pause_the_account_for_a_while(team: Team, retry_after: int | None) -> None:
    rule = team.fault("rate_limit", times=1, method="POST", retryAfter=retry_after)
    team.create()
    team.until("chat", "Ready", "Unknown", "RateLimited")
    hit = next(each for each in team.posts() if each.fault == rule)
    team.until_ready(within=HEALS_WITHIN)
    later = [each for each in team.journal() if each.sequence > hit.sequence]
    assert later[0].monotonic - hit.monotonic >= (retry_after or 10) * 0.9, "silence first"
    assert len(team.deployments()) == 1


@pytest.mark.proof
@pytest.mark.parametrize("status", ["429", "403", "400"])
def test_a_used_up_quota_is_this_resources_trouble_alone(team: Team, status: str) -> None:
    team.simulator.assume(quota_status=status)
    team.simulator.quota("global--h100-count", 1)
    team.create("first")
    team.until_ready("first")
    team.create("second")
    team.until("second", "Stalled", "True", "QuotaExceeded", says="in use: 1, quota: 1")
    other = "accounts/fireworks/models/qwen2p5-7b-instruct"  # or the first would become its model's default deployment
    team.create("third", baseModel=other, acceleratorType="NVIDIA_H200_141GB")
    team.until_ready("third", within=20)
    team.delete("first")
    team.until_gone("first", within=20)
    team.annotate("second", "reconcile-at", "now")
    team.until_ready("second")


@pytest.mark.proof
def test_an_outage_does_not_wipe_the_words_of_a_refusal(team: Team) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="NVIDIA_H100_90GB")
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 3, "the API was asked in vain")
    team.simulator.clear_fault(rule)
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 2, "the API answers again")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="NVIDIA_H100_90GB", within=20)


@pytest.mark.proof
def test_an_outage_does_not_wipe_the_words_of_a_blocked_deletion(team: Team) -> None:
    team.create()
    team.until_ready()
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked", says="ignore-checks=true")
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 3, "the API was asked in vain")
    team.simulator.clear_fault(rule)
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= 2, "the API answers again")
    team.until("chat", "Stalled", "True", "DeletionBlocked", says="ignore-checks=true", within=20)


@pytest.mark.proof
def test_the_trouble_of_one_team_is_not_anothers(team: Team, new_team: NewTeam) -> None:
    second_team = new_team()
    team.fault("status", status=503, code="UNAVAILABLE")
    team.create()
    second_team.create()
    second_team.until_ready(within=20)
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    second_team.delete()
    second_team.until_gone(within=20)


def test_an_outage_while_deleting_only_delays_the_deletion(team: Team) -> None:
    team.create()
    team.until_ready()
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.delete()
    team.until("chat", "Ready", "False", "Deleting", says="fireworks.ai/abandon")
    assert team.find() is not None
    team.simulator.clear_fault(rule)
    team.until_gone(within=HEALS_WITHIN)
    assert team.deployments() == []
