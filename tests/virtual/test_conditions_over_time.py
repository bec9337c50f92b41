"""What `kubectl wait`, Argo CD and Flux see along the way: one table of stories, from before to after."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from testkit.virtual.api_server import Raw
from tests.virtual.team import MODEL, Team, condition, holds

WORDS = {
    ("", "", ""): "new",
    ("False", "True", "False"): "work",
    ("True", "False", "False"): "done",
    ("False", "False", "True"): "stuck",
    ("Unknown", "True", "False"): "unsure",
}
"""Ready, Reconciling and Stalled in one word; no other combination may ever be seen."""
KSTATUS = {"new": "InProgress", "work": "InProgress", "unsure": "InProgress", "done": "Current", "stuck": "Failed"}
"""What Flux and `helm --wait` make of it."""


def _told(resource: Raw) -> str:
    """The three conditions and the generation that they are about: `done 1`, or `done 1 of 2` where it is stale."""
    ready, reconciling, stalled = (holds(resource, kind) for kind in ("Ready", "Reconciling", "Stalled"))
    observed, generation = resource["status"]["observedGeneration"], resource["metadata"]["generation"]
    about = str(observed) if observed in (-1, generation) else f"{observed} of {generation}"
    return f"{WORDS[ready, reconciling, stalled]} {about}"


def _story(resources: list[Raw]) -> list[str]:
    """What each version tells, without repetitions."""
    told = [_told(each) for each in resources]
    return [each for number, each in enumerate(told) if number == 0 or told[number - 1] != each]


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


def _create(team: Team) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()


def _change(team: Team) -> None:
    _create(team)
    team.change(acceleratorCount=2)
    team.until_ready()


def _drift(team: Team) -> None:
    _create(team)
    team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
    team.eventually(lambda: team.deployment()["displayName"] == "before", "it is put back")
    team.until_ready()


def _rejected(team: Team) -> None:
    _create(team)
    team.change(autoscalingPolicy={"loadTargets": {"no_such_measure": 1}})
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.change(autoscalingPolicy=None)
    team.until_ready()


def _not_converging(team: Team) -> None:
    _create(team)
    team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    team.until("chat", "Stalled", "True", "NotConverging")


def _replace_required(team: Team) -> None:
    _create(team)
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.until("chat", "Stalled", "True", "ReplaceRequired")
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()


def _conflict(team: Team) -> None:
    marker = {"custom/managed-by": "fireworks-operator", "custom/cluster": "c", "custom/namespace": "n"}
    team.simulator.create_foreign(prefix="taken", annotations={**marker, "custom/name": "theirs"})
    team.create(deploymentId="taken-0")
    team.until("chat", "Stalled", "True", "Conflict")


def _woken(team: Team) -> None:
    team.simulator.timing(downloading=90)  # at rest it is looked once a minute
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until("chat", "Ready", "True", "ScaledToZero", within=500)
    team.simulator.load(team.deployment_id(), 1)
    team.until("chat", "Ready", "True", "Waking")
    team.until("chat", "Ready", "True", "Serving")


def _parked(team: Team) -> None:
    _create(team)
    team.change(minReplicaCount=0, maxReplicaCount=0)
    team.until("chat", "Ready", "True", "Parked")


def _failed(team: Team) -> None:
    team.simulator.stage(outcome="fail", message="CUDA out of memory")
    team.create(acceleratorCount=1)
    team.until("chat", "Stalled", "True", "DeploymentFailed")
    team.simulator.clear_stages()
    team.change(acceleratorCount=2)
    team.until_ready()


def _stockout(team: Team) -> None:
    team.simulator.stage(outcome="stockout")
    team.create()
    team.until("chat", "Ready", "False", "CapacityPending", within=200)
    team.simulator.clear_stages()
    team.until_ready()


def _quota(team: Team) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create()
    team.until("chat", "Stalled", "True", "QuotaExceeded")
    team.simulator.quota("global--h100-count", 1)
    team.until_ready()


def _suspended(team: Team) -> None:
    _create(team)
    team.simulator.suspend("CREDIT_DEPLETED")
    team.until("chat", "Stalled", "True", "AccountSuspended")
    team.simulator.suspend("UNSUSPENDED")
    team.until_ready()


def _outage_at_rest(team: Team) -> None:
    _create(team)
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.wait(580)
    assert team.hits(rule) >= 20, "the API was asked in vain"


def _outage_for_long(team: Team) -> None:
    _create(team)
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.until("chat", "Ready", "Unknown", "ApiUnavailable", within=700)
    team.simulator.clear_fault(rule)
    team.until_ready()


def _outage_before_the_first_answer(team: Team) -> None:
    team.fault("status", status=503, code="UNAVAILABLE")
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    team.simulator.clear_faults()
    team.until_ready()


def _brought_back(team: Team, soft: bool) -> None:
    _create(team)
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.until("chat", "Ready", "False")
    team.until_ready()


def _lost(team: Team) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id())
    team.until("chat", "Stalled", "True", "DeploymentLost")


def _paused(team: Team) -> None:
    _create(team)
    team.change(paused=True, displayName="after")
    team.until("chat", "Stalled", "True", "Paused")
    team.change(paused=None)
    team.until_ready()


def _observed(team: Team) -> None:
    team.simulator.create_foreign(prefix="theirs")
    team.create(deploymentId="theirs-0", managementPolicy="Observe", displayName="mine")
    team.until_ready()


def _restored(team: Team) -> None:
    _create(team)
    team.stage.server.restore("team-1/chat", new_uid=False)
    team.eventually(lambda: team.status()["observedGeneration"] == 1, "it is seen again")
    team.until_ready()


def _deleted(team: Team) -> None:
    _create(team)
    team.delete()
    team.until_gone()


def _deletion_blocked(team: Team) -> None:
    _create(team)
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    team.until_gone(within=4200)


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, and what the conditions tell from the creation to the end."""

    name: str
    happen: Callable[[Team], None]
    told: str


STORIES = [
    Story("created", _create, "new -1, work 1, done 1"),
    Story("changed", _change, "new -1, work 1, done 1, done 1 of 2, work 2, done 2"),
    Story("changed in the console", _drift, "new -1, work 1, done 1, work 1, done 1"),
    Story(
        "a change is rejected and taken back",
        _rejected,
        "new -1, work 1, done 1, done 1 of 2, stuck 2, stuck 2 of 3, done 3",
    ),
    Story("a change is not applied", _not_converging, "new -1, work 1, done 1, done 1 of 2, work 2, stuck 2"),
    Story(
        "other hardware and back",
        _replace_required,
        "new -1, work 1, done 1, done 1 of 2, stuck 2, stuck 2 of 3, done 3",
    ),
    Story("somebody else's deployment", _conflict, "new -1, stuck 1"),
    Story("scaled to zero and woken", _woken, "new -1, work 1, done 1"),
    Story("parked", _parked, "new -1, work 1, done 1, done 1 of 2, work 2, done 2"),
    Story("failed and corrected", _failed, "new -1, work 1, stuck 1, stuck 1 of 2, work 2, done 2"),
    Story("no GPUs at first", _stockout, "new -1, work 1, done 1"),
    Story("no quota at first", _quota, "new -1, work 1, stuck 1, work 1, done 1"),
    Story("suspended for a while", _suspended, "new -1, work 1, done 1, stuck 1, done 1"),
    Story("an outage at rest", _outage_at_rest, "new -1, work 1, done 1"),
    Story("an outage of more than ten minutes", _outage_for_long, "new -1, work 1, done 1, unsure 1, done 1"),
    Story("an outage at the start", _outage_before_the_first_answer, "new -1, unsure 1, work 1, done 1"),
    Story(
        "deleted elsewhere, brought back",
        partial(_brought_back, soft=True),
        "new -1, work 1, done 1, work 1, done 1",
    ),
    Story(
        "deleted elsewhere, created again",
        partial(_brought_back, soft=False),
        "new -1, work 1, done 1, work 1, done 1",
    ),
    Story("deleted elsewhere, reported", _lost, "new -1, work 1, done 1, stuck 1"),
    Story(
        "paused with a change",
        _paused,
        "new -1, work 1, done 1, done 1 of 2, stuck 2, stuck 2 of 3, work 3, done 3",
    ),
    Story("observed", _observed, "new -1, done 1"),
    Story("the status is lost", _restored, "new -1, work 1, done 1, new -1, work 1, done 1"),
    Story("deleted", _deleted, "new -1, work 1, done 1, done 1 of 2, work 2"),
    Story(
        "deleted while in use",
        _deletion_blocked,
        "new -1, work 1, done 1, done 1 of 2, stuck 2, work 2",
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_conditions_tell_this_story_and_nothing_in_between(team: Team, story: Story) -> None:
    story.happen(team)
    versions = team.versions()
    assert ", ".join(_story(versions)) == story.told, team.explain()
    assert versions[0]["status"] == {"observedGeneration": -1}, "before the operator has seen it"
    for each in versions:
        about = {found.get("observedGeneration") for found in each["status"].get("conditions", [])}
        assert about <= {each["status"]["observedGeneration"]}, "all conditions are about one generation"
        word = _told(each)
        if "deletionTimestamp" not in each["metadata"]:
            assert _kstatus(each) == ("InProgress" if " of " in word else KSTATUS[word.split()[0]])


@pytest.mark.parametrize("seconds", [60.0, 1200.0])
def test_at_rest_the_story_does_not_go_on(team: Team, seconds: float) -> None:
    _create(team)
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
