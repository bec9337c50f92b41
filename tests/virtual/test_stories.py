"""The stories of testkit.stories, on the virtual clock; tests/integration tells them on real processes."""

from collections.abc import Callable

import pytest

from testkit.stories import addons, capacity, changes, deletion, ownership
from testkit.stories.team import AnyTeam
from tests.virtual.team import Team

STORIES = [*capacity.STORIES, *changes.STORIES, *deletion.STORIES, *ownership.STORIES]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_deployment(team: Team, story: Callable[[AnyTeam], None]) -> None:
    story(team)


@pytest.mark.parametrize("story", addons.STORIES, ids=lambda story: story.__name__)
def test_addons(team: Team, story: Callable[[AnyTeam], None]) -> None:
    story(addons.add_models(team))
