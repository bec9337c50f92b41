"""The stories of testkit.stories, on real processes; tests/virtual tells them on its clock."""

from collections.abc import Callable

import pytest

from testkit.stories import addons, capacity, changes, deletion, ownership
from testkit.stories.team import AnyTeam
from testkit.team import Team

STORIES = [*capacity.STORIES, *changes.STORIES, *deletion.STORIES, *ownership.STORIES]
ALWAYS = {
    addons.a_deleted_resource_has_its_addons_unloaded_before_its_deployment_is_deleted,
    changes.everything_that_was_changed_in_the_console_is_put_back_by_one_request,
    deletion.the_annotation_ignore_checks_deletes_a_deployment_in_use,
    deletion.a_secret_that_goes_before_its_resource_does_not_keep_the_deployment_running,
    ownership.of_two_resources_created_at_once_for_one_deployment_one_has_it_and_the_other_says_so,
    ownership.observing_fills_the_status_and_writes_nothing,
}
"""Told by real processes in each run; the others as a proof."""


def _marked(story: Callable[[AnyTeam], None]) -> object:
    return pytest.param(story, id=story.__name__, marks=() if story in ALWAYS else pytest.mark.proof)


@pytest.mark.parametrize("story", [_marked(each) for each in STORIES])
def test_a_deployment(team: Team, story: Callable[[AnyTeam], None]) -> None:
    story(team)


@pytest.mark.parametrize("story", [_marked(each) for each in addons.STORIES])
def test_addons(team: Team, story: Callable[[AnyTeam], None]) -> None:
    story(addons.add_models(team))
