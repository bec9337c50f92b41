"""An account whose LIST takes many pages: a new deployment is followed by itself, those of others are not."""

import re

from testkit.factories import MakeTeam, StartOperator

FOREIGN = 1500
"""Eight pages; by the budget a LIST takes four seconds."""


def test_becoming_ready_is_seen_by_a_look_at_the_one_deployment(
    start_operator: StartOperator, make_team: MakeTeam
) -> None:
    operator = start_operator(FIREWORKS_OPERATOR_REQUESTS_PER_MINUTE="600")
    team = make_team(operator)
    team.simulator.create_foreign(FOREIGN)
    team.create("first")
    team.until_ready("first", within=60)
    team.simulator.timing(pending=2.0, downloading=2.0)
    seen = team.simulator.last_sequence()
    team.create()
    team.until_ready(within=60)
    asked = {each.path.rsplit("/", 1)[-1] for each in team.journal("GET", r"/deployments/[^/]+$", since=seen)}
    assert asked == {team.deployment_id()}, operator.tail()
    posts = [each for each in team.posts() if each.committed]
    assert len(posts) == 2
    assert not [each for each in team.writes() if re.search("foreign", each.path)]
