"""What `kubectl wait`, Argo CD and Flux see along the way: one table of stories, from before to after."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from testkit.factories import Kubectl
from testkit.kubernetes_api import Json, condition, resources_path
from testkit.processes import POLL_SECONDS
from testkit.team import Team
from testkit.waiting import steadily

WORDS = {
    (None, None, None): "new",
    ("False", "True", "False"): "work",
    ("True", "False", "False"): "done",
    ("False", "False", "True"): "stuck",
    ("Unknown", "True", "False"): "unsure",
}
"""Ready, Reconciling and Stalled in one word; no other combination may ever be seen."""


def _told(resource: Json) -> str:
    """The three conditions and the generation that they are about: `done 1`, or `done 1 of 2` where it is stale."""
    ready, reconciling, stalled = (
        condition(resource, kind).get("status") for kind in ("Ready", "Reconciling", "Stalled")
    )
    observed, generation = resource["status"]["observedGeneration"], resource["metadata"]["generation"]
    about = str(observed) if observed in (-1, generation) else f"{observed} of {generation}"
    return f"{WORDS[ready, reconciling, stalled]} {about}"


def _story(resources: list[Json]) -> list[str]:
    """What each version tells, without repetitions."""
    told = [_told(each) for each in resources]
    return [each for number, each in enumerate(told) if number == 0 or told[number - 1] != each]


def _create(team: Team) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()


def _change(team: Team) -> None:
    team.simulator.timing(updating=1)
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


def _hit(team: Team, rule: str, times: int) -> bool:
    return team.simulator.fault_hits(rule) >= times


def _not_converging(team: Team) -> None:
    _create(team)
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    for count in (1, 2, 3):
        team.eventually(partial(_hit, team, rule, count), "a change request")
        team.annotate("chat", "reconcile-at", str(count))
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
    team.simulator.timing(downloading=1)
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until_ready()
    team.simulator.advance(301)
    team.until("chat", "Ready", "True", "ScaledToZero")
    team.simulator.load(team.deployment_id(), 1)
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
    team.until("chat", "Ready", "False", "Creating", says="waiting for GPUs")
    team.simulator.clear_stages()
    team.until_ready()


def _quota(team: Team) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create()
    team.until("chat", "Stalled", "True", "QuotaExceeded")
    team.simulator.quota("global--h100-count", 1)
    team.annotate("chat", "reconcile-at", "now")
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
    team.eventually(lambda: team.simulator.fault_hits(rule) >= 2, "the API was asked in vain")


def _outage_before_the_first_answer(team: Team) -> None:
    team.fault("status", status=503, code="UNAVAILABLE")
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    team.simulator.clear_faults()
    team.until_ready()


def _undeleted(team: Team) -> None:
    _create(team)
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.eventually(lambda: team.journal("POST", ":undelete$"), "it is brought back")
    team.until("chat", "Ready", "False")
    team.until_ready()


def _created_again(team: Team) -> None:
    _create(team)
    team.simulator.vanish(team.deployment_id())
    team.eventually(lambda: len(team.posts()) == 2, "it is created again")
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
    team.set_status("chat", dict.fromkeys(team.status()))
    team.eventually(lambda: team.status()["observedGeneration"] == 1, "it is seen again")
    team.until_ready()


def _deleted(team: Team) -> None:
    team.simulator.timing(deleting=1)
    _create(team)
    team.delete()
    team.until_gone()


def _deletion_blocked(team: Team) -> None:
    _create(team)
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    team.simulator.advance(3601)
    team.annotate("chat", "reconcile-at", "now")
    team.until_gone()


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
    Story("an outage at the start", _outage_before_the_first_answer, "new -1, unsure 1, work 1, done 1"),
    Story("deleted elsewhere, brought back", _undeleted, "new -1, work 1, done 1, work 1, done 1"),
    Story("deleted elsewhere, created again", _created_again, "new -1, work 1, done 1, work 1, done 1"),
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


ALWAYS = {"changed", "failed and corrected", "deleted while in use"}
"""Told by real processes in each run; the others are told on the virtual clock, and here as a proof."""


@pytest.mark.parametrize(
    "story",
    [pytest.param(each, id=each.name, marks=() if each.name in ALWAYS else pytest.mark.proof) for each in STORIES],
)
def test_the_conditions_tell_this_story_and_nothing_in_between(team: Team, kubectl: Kubectl, story: Story) -> None:
    with team.api.watch(resources_path(team.namespace)) as watch:
        story.happen(team)
        team.eventually(lambda: _complete(watch.objects, team.find(), story), f"it tells: {story.told}")
        resource = team.find()
    assert ", ".join(_story(watch.objects)) == story.told, team.explain()
    for each in watch.objects:
        about = {found.get("observedGeneration") for found in each["status"].get("conditions", [])}
        assert about <= {each["status"]["observedGeneration"]}, "all conditions are about one generation"
    if resource is not None:
        waited = kubectl("wait", "fwd/chat", "-n", team.namespace, "--for=condition=Ready", "--timeout=1s", check=False)
        assert (waited.returncode == 0) == story.told.rpartition(", ")[2].startswith("done"), waited.stderr


def _complete(objects: list[Json], resource: Json | None, story: Story) -> bool:
    """Whether as much is recorded as the story tells, up to the resource as it is (None: to its deletion)."""
    if len(_story(objects)) < len(story.told.split(", ")):
        return False
    last = objects[-1]["metadata"]
    return (
        "deletionTimestamp" in last
        if resource is None
        else last["resourceVersion"] == resource["metadata"]["resourceVersion"]
    )


@pytest.mark.proof
def test_at_rest_the_story_does_not_go_on(team: Team) -> None:
    _create(team)
    before = team.get()
    steadily(lambda: team.get() == before, "nothing is told", seconds=POLL_SECONDS * 4, explain=team.explain)
