"""Faults of changes and deletions: what serves goes on serving, and what was asked for happens in the end."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from testkit.factories import NewTeam
from testkit.kubernetes_api import condition
from testkit.stories.faults import ABORTED, IN_USE, LATE, NOT_THERE, REFUSALS, TIME_OUT, UNAVAILABLE, Fault
from testkit.team import Team
from tests.integration.faults import DONE, HEALS_WITHIN, LIMITS, await_words, end, silent, watch
from tests.integration.stories import Stories, side_by_side

pytestmark = pytest.mark.proof

_LATE = silent(LATE[0])
PATCHES = [*REFUSALS, *UNAVAILABLE, *DONE, *LIMITS, TIME_OUT, _LATE, ABORTED]
_NOT_THERE = replace(silent(NOT_THERE), times=None, needs_user=True)
_OTHERS = [fault for fault in REFUSALS if fault.name not in ("400", "404")]
DELETES = [*_OTHERS, *UNAVAILABLE, *DONE, *LIMITS, IN_USE, _NOT_THERE, TIME_OUT, _LATE, ABORTED]


def _changes_in_the_end(team: Team, fault: Fault) -> None:
    team.create()
    team.until_ready()
    rule = fault.begin(team, "PATCH", "/deployments/")
    with watch(team) as seen:
        team.change(displayName="changed")
        await_words(fault, team, seen, rule)
        end(fault, team, rule)
        resource = team.until_ready(within=HEALS_WITHIN)
        available = {condition(each, "Available").get("status") for each in seen.objects}
    assert available == {"True"}, "it serves on, whatever happens to the change"
    assert resource["status"]["state"] == "READY"
    assert team.deployment()["displayName"] == "changed"
    assert {each.method for each in team.writes()} == {"POST", "PATCH"}
    assert len(team.posts()) == 1


def _goes_in_the_end(team: Team, fault: Fault) -> None:
    team.create()
    team.until_ready()
    rule = fault.begin(team, "DELETE", "/deployments/")
    with watch(team) as seen:
        team.delete()
        await_words(fault, team, seen, rule)
    if fault.reason and fault.times is None:
        assert team.find() is not None, "the finalizer holds the resource"
        assert len(team.deployments()) == 1
        end(fault, team, rule)
    elif fault is _NOT_THERE:
        end(fault, team, rule)
    team.until_gone(within=HEALS_WITHIN)
    assert team.deployments() == [], "nothing is left behind"
    assert len(team.posts()) == 1


@pytest.fixture(scope="module")
def stories(stage: NewTeam) -> Iterator[Stories]:
    """All at once."""
    patches = {f"PATCH {each.name}": partial(_changes_in_the_end, fault=each) for each in PATCHES}
    deletes = {f"DELETE {each.name}": partial(_goes_in_the_end, fault=each) for each in DELETES}
    with side_by_side(stage, {**patches, **deletes}) as stories:
        yield stories


@pytest.mark.parametrize("fault", [each.name for each in PATCHES])
def test_a_change_that_meets_a_fault_is_in_force_in_the_end(stories: Stories, fault: str) -> None:
    stories.hear(f"PATCH {fault}")


@pytest.mark.parametrize("fault", [each.name for each in DELETES])
def test_a_deletion_that_meets_a_fault_happens_in_the_end(stories: Stories, fault: str) -> None:
    stories.hear(f"DELETE {fault}")
