"""Faults of create requests: said while they last, healed afterwards, and there is one deployment throughout."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from testkit.factories import NewTeam
from testkit.stories.faults import ABORTED, ANOTHERS, LATE, REFUSALS, SLOW, TAKEN, TIME_OUT, UNAVAILABLE, Fault
from testkit.team import Team
from tests.integration.faults import DONE, HEALS_WITHIN, LIMITS, await_words, end, silent, watch
from tests.integration.stories import Stories, Story, side_by_side

pytestmark = pytest.mark.proof

FAULTS = [
    *REFUSALS,
    *UNAVAILABLE,
    *DONE,
    *LIMITS,
    *map(silent, (SLOW, *LATE, TAKEN)),
    TIME_OUT,
    ABORTED,
    replace(ANOTHERS, times=None),
]
LATER = "commit 20 s after the client gave up, the resource deleted meanwhile"


def _creates_once(team: Team, fault: Fault) -> None:
    rule = fault.begin(team, "POST", "/deployments$")
    with watch(team) as seen:
        team.create()
        await_words(fault, team, seen, rule)
    end(fault, team, rule)
    team.until_ready(within=HEALS_WITHIN)
    assert len(team.simulator.deployments()) == 1
    assert [each.method for each in team.writes() if each.committed] == ["POST"], team.explain()
    team.delete()
    team.until_gone(within=HEALS_WITHIN)
    assert team.deployments() == [], "nothing is left behind"


def _is_deleted_though_it_comes_late(team: Team) -> None:
    team.fault("late_commit", method="POST", path="/deployments$", seconds=20)
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable", says="within 8 s")
    team.delete()
    team.eventually(lambda: any(each.committed for each in team.posts()), "it takes effect")
    assert team.find() is not None, "the resource waits for what may still come"
    team.until_gone(within=90)
    assert team.deployments() == [], "nothing is left behind"


@pytest.fixture(scope="module")
def stories(stage: NewTeam) -> Iterator[Stories]:
    """All at once, the longest first."""
    told: dict[str, Story] = {
        LATER: _is_deleted_though_it_comes_late,
        **{each.name: partial(_creates_once, fault=each) for each in FAULTS},
    }
    with side_by_side(stage, told) as stories:
        yield stories


@pytest.mark.parametrize("fault", [*(each.name for each in FAULTS), LATER])
def test_a_create_request_that_meets_a_fault_leaves_one_deployment_or_none(stories: Stories, fault: str) -> None:
    stories.hear(fault)
