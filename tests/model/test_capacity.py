"""Deployments that lose their replicas, or do not get them: what `kubectl wait` is told, and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from testkit.promises.invariants import condition, holds
from testkit.promises.specs import new_spec
from testkit.virtual.fireworks import identifier
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World

REF = "team-b/chat"
MINUTE = 60.0
Change = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Scene:
    """A resource whose deployment serves, and what becomes of it."""

    world: World

    def begin(self, *changes: Change) -> None:
        """Create it, and wait until it serves."""
        self.world.server.create(REF, new_spec("team-b", list(changes)))
        self.live(90)
        assert self.ready() == ("True", "Serving")

    def live(self, seconds: float, *, step: float = 15.0) -> None:
        """Let time go by as it does, with polls on the way."""
        for _ in range(int(seconds / step)):
            self.world.advance(step)
            self.world.poll()
            self.world.judge()

    def unseen(self, seconds: float) -> None:
        """Let time go by without a poll."""
        self.world.advance(seconds)
        self.world.advance(1.0)  # timers run with the next turn of the loop

    def happen(self, fields: dict[str, object] | None = None, **state: Any) -> None:  # noqa: ANN401 - JSON
        """Let something befall the deployment, and be seen."""
        self.world.fireworks.simulator.edit(self.id, fields, **state)
        self.world.judge_later(self.status["deploymentName"])
        self.world.poll()

    @property
    def id(self) -> str:
        """The deployment's id."""
        return identifier(self.status["deploymentName"])

    @property
    def status(self) -> dict[str, Any]:
        """The resource's status."""
        found: dict[str, Any] = self.world.server.objects[REF]["status"]
        return found

    def tells(self, kind: str) -> tuple[str, str]:
        """Status and reason of a condition."""
        found = condition(self.status, kind)
        return ("", "") if found is None else (found["status"], found["reason"])

    def ready(self) -> tuple[str, str]:
        """Status and reason of Ready; whatever it is, nobody is called for what heals by itself."""
        assert not holds(self.status, "Stalled")
        assert holds(self.status, "Reconciling") != holds(self.status, "Ready")
        return self.tells("Ready")

    def asleep(self) -> None:
        """Wait until it has scaled to zero for lack of traffic."""
        self.live(6 * MINUTE, step=20.0)
        assert self.ready() == ("True", "ScaledToZero")

    def woken(self) -> None:
        """Let there be load, and have it seen."""
        self.world.fireworks.simulator.load(self.id, 1)
        self.world.poll()


@pytest.fixture
def scene(loop: VirtualLoop, simulator: MemorySimulator) -> Iterator[Scene]:
    """A scene in which nothing exists yet."""
    world = World(loop, simulator)
    yield Scene(world)
    world.close()


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        ({"stockedOut": True, "lostReplicas": 1}, "CapacityPending"),
        ({"readyReplicas": 0}, "ReplicasLost"),
        ({"stockedOut": True, "lostReplicas": 1, "fields": {"preemptible": True}}, "CapacityPending"),
    ],
    ids=["no GPUs", "nothing is started", "preempted"],
)
def test_all_replicas_are_lost_with_min_replica_count_1_and_kubectl_wait_says_ready(
    scene: Scene, loss: dict[str, Any], reason: str
) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.happen(loss.pop("fields", None), **loss)
    assert scene.tells("Available") == ("False", "Recovering")
    assert scene.ready() == ("True", "Recovering"), "for a moment that may be a node that is replaced"
    scene.live(2.5 * MINUTE)
    assert scene.ready() == ("False", reason)
    assert scene.tells("Available") == ("False", reason)
    assert scene.tells("CapacityPending") == ("True", reason)
    scene.live(10 * MINUTE)
    assert scene.ready() == ("False", reason)


def test_a_loss_is_told_when_its_time_has_come_although_no_list_is_new(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.unseen(110.0)
    assert scene.ready() == ("True", "Recovering")
    scene.unseen(12.0)
    assert scene.ready() == ("False", "CapacityPending")


def test_ready_comes_back_as_soon_as_a_replica_serves(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 2))
    scene.happen(stockedOut=True, lostReplicas=2)
    scene.live(5 * MINUTE)
    assert scene.ready() == ("False", "CapacityPending")
    scene.happen(readyReplicas=1)
    assert scene.ready() == ("True", "Serving")
    assert scene.tells("Available") == ("True", "Serving")


def test_replicas_that_come_back_by_themselves_are_told_by_their_stage_until_they_serve(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.world.fireworks.simulator.timing(downloading=600)
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.live(4 * MINUTE)
    assert scene.ready() == ("False", "CapacityPending")
    scene.happen(stockedOut=False)
    scene.live(90)
    assert scene.ready() == ("True", "Serving")
    assert scene.tells("CapacityPending") == ("False", "AsDesired")
    assert "waitingSince" not in scene.status["replicas"]


def test_a_resource_that_waits_for_gpus_for_hours_is_written_at_its_transitions_only(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.happen(stockedOut=True, lostReplicas=1)
    before = scene.world.server.writes
    scene.live(2.5 * MINUTE)
    assert scene.world.server.writes == before + 1, "Ready is False"
    scene.live(5 * 60 * MINUTE, step=60.0)
    scene.world.restart()
    scene.live(60 * MINUTE, step=60.0)
    assert scene.world.server.writes == before + 1
    assert scene.ready() == ("False", "CapacityPending")


def test_a_restart_in_the_middle_of_the_patience_begins_no_new_one(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.live(90)
    scene.world.restart()
    scene.world.poll()
    assert scene.ready() == ("True", "Recovering")
    scene.live(45)
    assert scene.ready() == ("False", "CapacityPending")


def test_a_moment_without_replica_turns_nothing_from_healthy_to_progressing(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    for loss in (1, 1):
        scene.happen(lostReplicas=loss)
        for _ in range(12):
            scene.live(5, step=5)
            assert scene.ready()[0] == "True"
        assert scene.ready() == ("True", "Serving")
    assert scene.tells("CapacityPending") == ("", ""), "what was never so is not there"


def test_two_losses_with_a_replica_between_them_have_a_patience_each(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 2))
    scene.happen(stockedOut=True, lostReplicas=2)
    scene.live(90)
    scene.happen(readyReplicas=1)
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.live(90)
    assert scene.ready() == ("True", "Recovering")
    scene.live(45)
    assert scene.ready()[0] == "False"


def test_a_deployment_that_is_woken_and_gets_no_gpus_is_ready_for_a_quarter_of_an_hour_only(scene: Scene) -> None:
    scene.begin(("scaleToZeroWindow", "5m"))
    scene.asleep()
    scene.happen(stockedOut=True)
    scene.woken()
    scene.live(14 * MINUTE, step=20.0)
    assert scene.ready() == ("True", "Waking")
    scene.world.restart()
    scene.live(2 * MINUTE)
    assert scene.ready() == ("False", "CapacityPending")
    scene.happen(stockedOut=False)
    scene.live(60)
    assert scene.ready() == ("True", "Serving")


def test_a_deployment_that_is_woken_when_it_has_slept_for_hours_has_its_time_to_wake(scene: Scene) -> None:
    scene.begin(("scaleToZeroWindow", "5m"))
    scene.asleep()
    scene.live(3 * 60 * MINUTE, step=300.0)
    scene.world.fireworks.simulator.timing(downloading=300)
    scene.woken()
    assert scene.ready() == ("True", "Waking")
    scene.live(4 * MINUTE)
    assert scene.ready()[0] == "True"


def test_some_replicas_wait_for_gpus_for_long_and_ready_stays(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 3))
    scene.happen(stockedOut=True, lostReplicas=2)
    scene.live(9 * MINUTE)
    assert scene.tells("CapacityPending") == ("", "")
    scene.live(2 * MINUTE)
    assert scene.ready() == ("True", "Serving")
    assert scene.tells("CapacityPending") == ("True", "CapacityPending")
    writes = scene.world.server.writes
    scene.live(60 * MINUTE, step=60.0)
    assert scene.world.server.writes == writes
    scene.happen(stockedOut=False)
    scene.live(60)
    assert scene.tells("CapacityPending") == ("False", "AsDesired")
    assert scene.ready() == ("True", "Serving")


def test_the_autoscaler_wants_more_than_there_are_gpus_for(scene: Scene) -> None:
    scene.begin(("maxReplicaCount", 3), ("scaleUpWindow", "30s"))
    scene.happen(stockedOut=True)
    scene.world.fireworks.simulator.load(scene.id, 3)
    scene.live(11 * MINUTE)
    assert scene.ready() == ("True", "Serving")
    assert scene.tells("CapacityPending") == ("True", "CapacityPending")


def test_replicas_that_take_long_to_load_lack_no_capacity(scene: Scene) -> None:
    scene.begin(("maxReplicaCount", 2), ("scaleUpWindow", "30s"))
    scene.world.fireworks.simulator.timing(downloading=3600)
    scene.world.fireworks.simulator.edit(scene.id, readyReplicas=1)
    scene.world.fireworks.simulator.load(scene.id, 2)
    scene.live(30 * MINUTE, step=30.0)
    assert scene.tells("CapacityPending") == ("", "")


def test_a_parked_deployment_and_one_at_zero_lack_nothing(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    spec = scene.world.server.objects[REF]["spec"]
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.world.server.edit(REF, {**spec, "minReplicaCount": 0, "maxReplicaCount": 0})
    scene.live(60 * MINUTE, step=60.0)
    assert scene.ready() == ("True", "Parked")
    assert scene.tells("CapacityPending")[0] != "True"
    scene.world.server.edit(REF, {**spec, "minReplicaCount": 0, "maxReplicaCount": 1})
    scene.live(60 * MINUTE, step=60.0)
    assert scene.ready() == ("True", "ScaledToZero")
    assert "waitingSince" not in scene.status["replicas"]


def test_a_minimum_that_is_raised_while_it_sleeps_is_in_force_when_a_replica_serves(scene: Scene) -> None:
    scene.begin(("scaleToZeroWindow", "5m"))
    scene.asleep()
    scene.happen(stockedOut=True)
    scene.world.server.edit(REF, {**scene.world.server.objects[REF]["spec"], "minReplicaCount": 1})
    scene.live(14 * MINUTE, step=20.0)
    assert scene.ready() == ("False", "Updating")
    scene.live(2 * MINUTE)
    assert scene.ready() == ("False", "CapacityPending")
    scene.happen(stockedOut=False)
    scene.live(60)
    assert scene.ready() == ("True", "Serving")


def test_a_rolling_update_without_replica_for_a_minute_is_an_update_and_no_loss(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    simulator = scene.world.fireworks.simulator
    scene.world.server.edit(REF, {**scene.world.server.objects[REF]["spec"], "acceleratorCount": 2})
    scene.world.work()
    scene.happen(state="UPDATING", lostReplicas=1)
    told = {scene.ready()}
    for _ in range(6):
        scene.live(5, step=5)
        told.add(scene.ready())
    simulator.edit(scene.id, state="READY")
    scene.live(60)
    assert told == {("False", "Updating")}
    assert scene.ready() == ("True", "Serving")


@pytest.mark.parametrize("policy", [("managementPolicy", "Observe"), ("paused", True)])
def test_the_loss_of_what_is_only_observed_or_paused_is_told_too(scene: Scene, policy: Change) -> None:
    scene.begin(("minReplicaCount", 1))
    name, value = policy
    scene.world.server.edit(REF, {**scene.world.server.objects[REF]["spec"], name: value})
    scene.live(45)
    assert scene.ready() == ("True", "Serving")
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.unseen(100.0)
    assert scene.ready() == ("True", "Recovering")
    scene.unseen(25.0)
    assert scene.ready() == ("False", "CapacityPending")


def test_the_loss_of_what_waits_for_a_person_is_told_when_its_time_has_come(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.world.server.edit(REF, {**scene.world.server.objects[REF]["spec"], "acceleratorType": "NVIDIA_A100_80GB"})
    scene.live(45)
    assert scene.tells("Stalled") == ("True", "ReplaceRequired")
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.unseen(110.0)
    assert scene.tells("CapacityPending")[0] != "True"
    scene.unseen(15.0)
    assert scene.tells("Available") == ("False", "CapacityPending")
    assert scene.tells("CapacityPending") == ("True", "CapacityPending"), "so that the alert is raised"


def test_what_has_lost_its_replicas_can_be_deleted(scene: Scene) -> None:
    scene.begin(("minReplicaCount", 1))
    scene.happen(stockedOut=True, lostReplicas=1)
    scene.live(4 * MINUTE)
    scene.world.delete_all()
    assert REF not in scene.world.server.objects
    assert scene.world.ours() == []


@pytest.mark.parametrize("shown", ["SUSPENDED", "PAUSED", "STATE_UNSPECIFIED", "", 7])
@pytest.mark.parametrize("replicas", [0, 1])
def test_a_state_that_nobody_knows_is_not_ready_whatever_the_replicas_do(
    scene: Scene, shown: str | int, replicas: int
) -> None:
    scene.begin()
    scene.happen(shownState=shown, readyReplicas=replicas)
    for _ in range(3):
        assert scene.ready() == ("Unknown", "UnknownState")
        found = condition(scene.status, "Ready")
        assert found is not None
        assert (f'"{shown}"' if shown != "" else "missing") in found["message"]
        assert scene.tells("Available") == (("True", "Serving") if replicas else ("False", "UnknownState"))
        scene.live(20 * MINUTE, step=60.0)
    scene.happen(state="READY", readyReplicas=1)
    assert scene.ready() == ("True", "Serving")
