"""Two operators in one cluster, divided by namespaces: each sees to its own, and calls nothing of the other's lost."""

import pytest

from testkit.factories import MakeTeam, StartOperator
from testkit.processes import Operator
from testkit.team import Team
from testkit.waiting import eventually, steadily

ORPHANS = "fireworks_operator_orphaned_deployments"
RESOURCES = "fireworks_operator_resources"
WATCH = "FIREWORKS_OPERATOR_WATCH_NAMESPACES"
MODELS = [
    "accounts/fireworks/models/llama-v3p1-8b-instruct",
    "accounts/fireworks/models/qwen2p5-7b-instruct",
    "accounts/fireworks/models/llama-v3p1-8b-instruct",
]
"""Different ones, or one operator's deployment might be the default of the other's model, which must stay."""


@pytest.fixture
def teams(make_team: MakeTeam) -> tuple[Team, Team, Team]:
    """Three namespaces that use one account; the first two get an operator each."""
    return make_team(None, own=True), make_team(None, own=True), make_team(None, own=True)


def test_two_operators_share_a_cluster_and_an_account(
    teams: tuple[Team, Team, Team], start_operator: StartOperator
) -> None:
    blue, green, nobodys = teams
    shards: list[Operator] = []
    for team in (blue, green):
        team.operator = start_operator(
            **{
                WATCH: team.namespace,
                "FIREWORKS_OPERATOR_LEADER_ELECTION": "true",
                "FIREWORKS_OPERATOR_LEASE_NAME": f"shard-{team.namespace}",
            }
        )
        shards.append(team.operator)
    for team, model in zip(teams, MODELS, strict=True):
        team.create("chat", baseModel=model)
    for team in (blue, green):
        team.until_ready("chat")
    assert [each.metric("fireworks_operator_leader") for each in shards] == [1, 1], "each has a Lease of its own"
    assert nobodys.get().get("status", {}).get("observedGeneration", -1) == -1, "no operator's business"
    assert len(blue.deployments()) == len([each for each in blue.posts() if each.committed]) == 2
    eventually(lambda: [each.metric(RESOURCES) for each in shards] == [1, 1], "each manages its own")
    steadily(
        lambda: all(each.metric(ORPHANS) == 0 for each in shards), "the other's deployment is no orphan", seconds=6
    )
    green.delete()
    green.until_gone()
    assert blue.get()["status"]["state"] == "READY"
    eventually(lambda: len(blue.deployments()) == 1, "only one is left", explain=blue.explain)
