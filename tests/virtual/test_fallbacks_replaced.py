"""Fallbacks of a deployment that is replaced: what was chosen stays chosen, and a successor is not swapped itself."""

import pytest

from testkit.stories.team import Json
from tests.virtual.team import OTHER_MODEL, Team, holds

H100, H200, B200 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_B200_180GB"
ONE = [{"acceleratorType": H200}]
POLICIES = [{"type": "Recreate"}, {"type": "BlueGreen", "drain": "1m"}]
HOUR = 3600.0


def settled_on_the_fallback(team: Team, policy: Json) -> None:
    """Have a deployment serve on the second choice, as there is no quota for the first."""
    team.simulator.quota("global--h100-count", 0)
    team.create(fallbacks=ONE, replacePolicy=policy)
    team.until_ready()
    assert [each["acceleratorType"] for each in team.deployments()] == [H200]


@pytest.mark.parametrize("policy", POLICIES, ids=["Recreate", "BlueGreen"])
def test_another_model_is_served_by_what_was_chosen_for_the_first(team: Team, policy: Json) -> None:
    settled_on_the_fallback(team, policy)
    posts = len(team.posts())
    team.change(baseModel=OTHER_MODEL)
    team.until("chat", "Reconciling", "True", "Replacing")
    team.until_ready()
    team.wait(120)
    found = team.deployments()
    assert [(each["baseModel"], each["acceleratorType"]) for each in found] == [(OTHER_MODEL, H200)]
    created = [each for each in team.posts()[posts:] if "validateOnly" not in each.query]
    assert len(created) == 1, "the first choice is not asked for again"


@pytest.mark.parametrize("policy", POLICIES, ids=["Recreate", "BlueGreen"])
def test_other_hardware_in_the_spec_is_the_users_decision(team: Team, policy: Json) -> None:
    settled_on_the_fallback(team, policy)
    team.change(acceleratorType=B200)
    team.until("chat", "Reconciling", "True", "Replacing")
    team.until_ready()
    team.wait(120)
    assert [each["acceleratorType"] for each in team.deployments()] == [B200]


def test_a_successor_without_quota_waits_beside_the_one_that_serves(team: Team) -> None:
    team.simulator.quota("global--b200-count", 0)
    team.create(fallbacks=ONE, replacePolicy={"type": "BlueGreen", "drain": "1m"})
    team.until_ready()
    told = team.told()
    team.change(acceleratorType=B200)
    team.until("chat", "Ready", "False", "ReplacementBlocked", says="quota")
    team.wait(HOUR)
    assert [each["acceleratorType"] for each in team.deployments()] == [H100]
    assert all(holds(each, "Available") == "True" for each in team.versions(since=told))
    assert all(holds(each, "Stalled") == "False" for each in team.versions(since=told))
    team.simulator.quota("global--b200-count", 8)
    team.until_ready(within=HOUR)
    team.wait(120)
    assert [each["acceleratorType"] for each in team.deployments()] == [B200]
