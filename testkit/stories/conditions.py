"""What `kubectl wait`, Argo CD and Flux see along the way: one table of stories, from before to after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from testkit.conditions import summary

from .team import AnyTeam, Json

WORDS = {
    ("", "", ""): "new",
    ("False", "True", "False"): "work",
    ("True", "False", "False"): "done",
    ("False", "False", "True"): "stuck",
    ("Unknown", "True", "False"): "unsure",
}
"""Ready, Reconciling and Stalled in one word; no other combination may ever be seen."""


def word(resource: Json) -> str:
    """Return the three conditions and the generation that they are about: `done 1`, or `done 1 of 2` if it is stale."""
    observed, generation = resource["status"]["observedGeneration"], resource["metadata"]["generation"]
    about = str(observed) if observed in (-1, generation) else f"{observed} of {generation}"
    return f"{WORDS[summary(resource)]} {about}"


def words(versions: Sequence[Json]) -> list[str]:
    """Return what each version of a resource says, without repetitions."""
    said = [word(each) for each in versions]
    return [each for number, each in enumerate(said) if number == 0 or said[number - 1] != each]


TeamT = TypeVar("TeamT", bound=AnyTeam, contravariant=True)


@dataclass(frozen=True, slots=True)
class Story(Generic[TeamT]):
    """What happens, and what the conditions say from the creation to the end."""

    name: str
    happen: Callable[[TeamT], object]
    says: str

    def is_told_by(self, versions: Sequence[Json], team: AnyTeam) -> None:
        """Assert that the versions of a team's resource say this, each of them about one generation."""
        assert ", ".join(words(versions)) == self.says, team.explain()
        for each in versions:
            about = {found.get("observedGeneration") for found in each["status"].get("conditions", [])}
            assert about <= {each["status"]["observedGeneration"]}, "all conditions are about one generation"


def create(team: AnyTeam) -> None:
    """Have a resource that is ready and can be changed."""
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()


def _change(team: AnyTeam) -> None:
    team.simulator.timing(updating=1)
    create(team)
    team.change(acceleratorCount=2)
    team.until_ready()


def _drift(team: AnyTeam) -> None:
    create(team)
    team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
    team.eventually(lambda: team.deployment()["displayName"] == "before", "it is put back")
    team.until_ready()


def _rejected(team: AnyTeam) -> None:
    create(team)
    team.change(autoscalingPolicy={"loadTargets": {"no_such_measure": 1}})
    team.until("chat", "Stalled", "True", "RejectedByFireworks")
    team.change(autoscalingPolicy=None)
    team.until_ready()


def _is_asked(team: AnyTeam, times: int) -> bool:
    return len(team.patches()) >= times


def not_applied(team: AnyTeam) -> None:
    """Give a change up that Fireworks accepts and does not apply."""
    create(team)
    team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    for count in (1, 2, 3):
        team.eventually(partial(_is_asked, team, count), f"change request {count}")
        team.hurry()
    team.until("chat", "Stalled", "True", "NotConverging")


def _replace_required(team: AnyTeam) -> None:
    create(team)
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.until("chat", "Stalled", "True", "ReplaceRequired")
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()


def _recreated(team: AnyTeam) -> None:
    team.create(replacePolicy={"type": "Recreate"})
    team.until_ready()
    team.change(acceleratorType="NVIDIA_H200_141GB")
    team.eventually(lambda: len(team.journal("DELETE")) == 2, "it is deleted to be created anew")
    team.until_ready()


def _conflict(team: AnyTeam) -> None:
    marker = {"custom/managed-by": "fireworks-operator", "custom/cluster": "c", "custom/namespace": "n"}
    team.simulator.create_foreign(prefix="taken", annotations={**marker, "custom/name": "theirs"})
    team.create(deploymentId="taken-0")
    team.until("chat", "Stalled", "True", "Conflict")


def _woken(team: AnyTeam) -> None:
    team.simulator.timing(downloading=1)
    team.create(minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.until_ready()
    team.pass_time(301)
    team.until("chat", "Ready", "True", "ScaledToZero")
    team.simulator.load(team.deployment_id(), 1)
    team.until("chat", "Ready", "True", "Serving")


def _parked(team: AnyTeam) -> None:
    create(team)
    team.change(minReplicaCount=0, maxReplicaCount=0)
    team.until("chat", "Ready", "True", "Parked")


def _failed(team: AnyTeam) -> None:
    team.simulator.stage(outcome="fail", message="CUDA out of memory")
    team.create(acceleratorCount=1)
    team.until("chat", "Stalled", "True", "DeploymentFailed")
    team.simulator.clear_stages()
    team.change(acceleratorCount=2)
    team.until_ready()


def _stockout(team: AnyTeam) -> None:
    team.simulator.stage(outcome="stockout")
    team.create()
    team.until("chat", "Ready", "False", "Creating", says="waiting for GPUs")
    team.simulator.clear_stages()
    team.until_ready()


def _quota(team: AnyTeam) -> None:
    team.simulator.quota("global--h100-count", 0)
    team.create()
    team.until("chat", "Stalled", "True", "QuotaExceeded")
    team.simulator.quota("global--h100-count", 1)
    team.hurry()
    team.until_ready()


def _suspended(team: AnyTeam) -> None:
    create(team)
    team.simulator.suspend("CREDIT_DEPLETED")
    team.until("chat", "Stalled", "True", "AccountSuspended")
    team.simulator.suspend("UNSUSPENDED")
    team.until_ready()


def _outage_at_rest(team: AnyTeam) -> None:
    create(team)
    rule = team.fault("status", status=503, code="UNAVAILABLE")
    team.eventually(lambda: team.hits(rule) >= 2, "the API was asked in vain")


def _outage_before_the_first_answer(team: AnyTeam) -> None:
    team.fault("status", status=503, code="UNAVAILABLE")
    team.create()
    team.until("chat", "Ready", "Unknown", "ApiUnavailable")
    team.simulator.clear_faults()
    team.until_ready()


def _brought_back(team: AnyTeam, soft: bool) -> None:
    create(team)
    team.simulator.vanish(team.deployment_id(), soft=soft)
    team.until("chat", "Ready", "False")
    team.until_ready()
    assert team.methods() == ["POST", "undelete" if soft else "POST"]


def _lost(team: AnyTeam) -> None:
    team.create(externalDeletionPolicy="Report")
    team.until_ready()
    team.simulator.vanish(team.deployment_id())
    team.until("chat", "Stalled", "True", "DeploymentLost")


def _paused(team: AnyTeam) -> None:
    create(team)
    team.change(paused=True, displayName="after")
    team.until("chat", "Stalled", "True", "Paused")
    team.change(paused=None)
    team.until_ready()


def _observed(team: AnyTeam) -> None:
    team.simulator.create_foreign(prefix="theirs")
    team.create(deploymentId="theirs-0", managementPolicy="Observe", displayName="mine")
    team.until_ready()


def _status_lost(team: AnyTeam) -> None:
    create(team)
    team.set_status("chat", dict.fromkeys(team.status()))
    team.eventually(lambda: team.status()["observedGeneration"] == 1, "it is seen again")
    team.until_ready()


def _deleted(team: AnyTeam) -> None:
    team.simulator.timing(deleting=1)
    create(team)
    team.delete()
    team.until_gone()


def _deletion_blocked(team: AnyTeam) -> None:
    create(team)
    team.simulator.traffic(team.deployment_id())
    team.delete()
    team.until("chat", "Stalled", "True", "DeletionBlocked")
    team.pass_time(3601)
    team.hurry()
    team.until_gone(within=600)


STORIES: tuple[Story[AnyTeam], ...] = (
    Story("created", create, "new -1, work 1, done 1"),
    Story("changed", _change, "new -1, work 1, done 1, done 1 of 2, work 2, done 2"),
    Story("changed in the console", _drift, "new -1, work 1, done 1, work 1, done 1"),
    Story(
        "a change is rejected and taken back",
        _rejected,
        "new -1, work 1, done 1, done 1 of 2, stuck 2, stuck 2 of 3, done 3",
    ),
    Story("a change is not applied", not_applied, "new -1, work 1, done 1, done 1 of 2, work 2, stuck 2"),
    Story(
        "other hardware and back",
        _replace_required,
        "new -1, work 1, done 1, done 1 of 2, stuck 2, stuck 2 of 3, done 3",
    ),
    Story(
        "other hardware, created anew",
        _recreated,
        "new -1, work 1, done 1, done 1 of 2, work 2, done 2",
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
    Story("the status is lost", _status_lost, "new -1, work 1, done 1, new -1, work 1, done 1"),
    Story("deleted", _deleted, "new -1, work 1, done 1, done 1 of 2, work 2"),
    Story("deleted while in use", _deletion_blocked, "new -1, work 1, done 1, done 1 of 2, stuck 2, work 2"),
)
"""Those that real processes can tell within seconds."""
