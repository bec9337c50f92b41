"""What `kubectl wait`, Argo CD and Flux see along the way: one table of stories, from before to after."""

import pytest

from testkit.stories.conditions import STORIES, Story, create, word
from testkit.virtual.api_server import Raw
from tests.virtual.team import MODEL, Team, condition, holds

KSTATUS = {"new": "InProgress", "work": "InProgress", "unsure": "InProgress", "done": "Current", "stuck": "Failed"}
"""What Flux and `helm --wait` make of it."""


def _kstatus(resource: Raw) -> str:
    """What sigs.k8s.io/cli-utils' kstatus computes from a resource."""
    metadata, status = resource["metadata"], resource["status"]
    if "deletionTimestamp" in metadata:
        return "Terminating"
    if status.get("observedGeneration", metadata["generation"]) != metadata["generation"]:
        return "InProgress"
    if holds(resource, "Stalled") == "True":
        return "Failed"
    if holds(resource, "Reconciling") == "True":
        return "InProgress"
    return "InProgress" if holds(resource, "Ready") in ("False", "Unknown") else "Current"


def _woken_slowly(team: Team) -> None:
    team.simulator.timing(downloading=90)  # at rest it is looked once a minute
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until("chat", "Ready", "True", "ScaledToZero", within=500)
    team.simulator.load(team.deployment_id(), 1)
    team.until("chat", "Ready", "True", "Waking")
    team.until("chat", "Ready", "True", "Serving")


def _stockout_for_minutes(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create()
    team.until("chat", "Ready", "False", "CapacityPending", within=200)
    team.simulator.clear_stages()
    team.until_ready()


def _outage_for_minutes(team: Team) -> None:
    create(team)
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.wait(580)
    assert team.hits(rule) >= 20, "the API was asked in vain"


def _outage_for_long(team: Team) -> None:
    create(team)
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.until("chat", "Ready", "Unknown", "ApiUnavailable", within=700)
    team.simulator.clear_fault(rule)
    team.until_ready()


def _restored(team: Team) -> None:
    create(team)
    team.stage.server.restore(team.ref("chat"), new_uid=False)
    team.eventually(lambda: team.status()["observedGeneration"] == 1, "it is seen again")
    team.until_ready()


LONG_STORIES: tuple[Story[Team], ...] = (
    Story("scaled to zero and woken slowly", _woken_slowly, "new -1, work 1, done 1"),
    Story("no GPUs for minutes", _stockout_for_minutes, "new -1, work 1, done 1"),
    Story("an outage of nearly ten minutes", _outage_for_minutes, "new -1, work 1, done 1"),
    Story("an outage of more than ten minutes", _outage_for_long, "new -1, work 1, done 1, unsure 1, done 1"),
    Story("restored from a backup", _restored, "new -1, work 1, done 1, new -1, work 1, done 1"),
)


@pytest.mark.parametrize("story", [*STORIES, *LONG_STORIES], ids=lambda story: story.name)
def test_the_conditions_tell_this_story_and_nothing_in_between(team: Team, story: Story[Team]) -> None:
    story.happen(team)
    versions = team.versions()
    story.is_told_by(versions, team)
    assert versions[0]["status"] == {"observedGeneration": -1}, "before the operator has seen it"
    for each in versions:
        said = word(each)
        if "deletionTimestamp" not in each["metadata"]:
            assert _kstatus(each) == ("InProgress" if " of " in said else KSTATUS[said.split()[0]])


@pytest.mark.parametrize("seconds", [60.0, 1200.0])
def test_at_rest_the_story_does_not_go_on(team: Team, seconds: float) -> None:
    create(team)
    writes, requests = team.stage.server.writes, team.seen()
    team.wait(seconds)
    assert team.stage.server.writes == writes, "nothing is written to Kubernetes"
    assert team.writes(since=requests) == [], "nor to Fireworks"
    assert {each.path for each in team.journal(since=requests)} == {f"/v1/accounts/{team.account}/deployments"}


def test_events_tell_the_story_from_creating_to_serving(team: Team) -> None:
    team.create()
    identifier = team.until_ready()["status"]["modelIdentifier"]
    events = team.events()
    assert {each.kind for each in events} == {"Normal"}
    assert events[0].reason == "Creating"
    assert identifier in next(each.message for each in events if each.reason == "Serving")
    assert identifier.startswith(f"{MODEL}#")
    assert condition(team.find(), "Ready")["reason"] == "Serving"
