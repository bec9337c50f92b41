"""At rest nothing is written, however much is billed: a bill that grows is no change of the status."""

from datetime import datetime
from decimal import Decimal

import pytest

from tests.virtual.bill import BEGAN, HOUR, LATE, assert_agreed, metered
from tests.virtual.team import Team


@pytest.fixture
def began() -> datetime:
    """When the story begins: more than a day before a month ends."""
    return BEGAN


@pytest.mark.parametrize(
    ("resources", "polls"), [(100, 100), pytest.param(1000, 1000, marks=[pytest.mark.proof, pytest.mark.timeout(1800)])]
)
def test_while_everything_is_billed_nothing_is_written(team: Team, resources: int, polls: int) -> None:
    names = [f"chat-{number}" for number in range(resources)]
    team.create_at_once(*names, acceleratorCount=2)
    for name in names:
        team.until_ready(name, within=HOUR)
    team.wait(HOUR)
    server = team.stage.server
    before, versions, writes = metered(team, *names), team.told(), server.writes
    events, seen, rested = len(server.events), team.seen(), team.stage.now()
    for _ in range(4):
        team.wait(polls / 4 * LATE)
        team.stage.reprice(team.stage.prices)  # every resource is looked at once more
    team.wait(1)
    lists = team.journal("GET", "/deployments$", since=seen)
    assert len([each for each in lists if "pageToken" not in each.query]) >= polls
    assert (server.writes, team.told(), len(server.events)) == (writes, versions, events)
    assert team.writes(since=seen) == []
    hours = Decimal(team.stage.now() - rested) / 3600
    grown = metered(team, *names).dollars - before.dollars
    assert grown == pytest.approx(hours * 16 * resources, abs=Decimal("0.01") * resources)
    assert_agreed(team, *names, moved=2 * resources)
