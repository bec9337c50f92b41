"""What `kubectl wait`, Argo CD and Flux see along the way, from a real API server."""

import pytest

from testkit.factories import Kubectl
from testkit.kubernetes_api import Json, resources_path
from testkit.processes import POLL_SECONDS
from testkit.stories.conditions import STORIES, Story, create, words
from testkit.team import Team
from testkit.waiting import steadily

ALWAYS = {"changed", "failed and corrected", "deleted while in use"}
"""Told by real processes in each run; the others are told on the virtual clock, and here as a proof."""


@pytest.mark.parametrize(
    "story",
    [pytest.param(each, id=each.name, marks=() if each.name in ALWAYS else pytest.mark.proof) for each in STORIES],
)
def test_the_conditions_tell_this_story_and_nothing_in_between(
    team: Team, kubectl: Kubectl, story: Story[Team]
) -> None:
    with team.api.watch(resources_path(team.namespace)) as watch:
        story.happen(team)
        team.eventually(lambda: _complete(watch.objects, team.find(), story), f"it tells: {story.says}")
        resource = team.find()
    story.is_told_by(watch.objects, team)
    if resource is not None:
        waited = kubectl("wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=1s", check=False)
        assert (waited.returncode == 0) == story.says.rpartition(", ")[2].startswith("done"), waited.stderr


def _complete(objects: list[Json], resource: Json | None, story: Story[Team]) -> bool:
    """Whether as much is recorded as the story tells, up to the resource as it is (None: to its deletion)."""
    if len(words(objects)) < len(story.says.split(", ")):
        return False
    last = objects[-1]["metadata"]
    return (
        "deletionTimestamp" in last
        if resource is None
        else last["resourceVersion"] == resource["metadata"]["resourceVersion"]
    )


@pytest.mark.proof
def test_at_rest_the_story_does_not_go_on(team: Team) -> None:
    create(team)
    before = team.get()
    steadily(lambda: team.get() == before, "nothing is told", seconds=POLL_SECONDS * 4, explain=team.explain)
