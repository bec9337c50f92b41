"""Where the time goes until a new deployment serves."""

from datetime import datetime, timedelta
from typing import Any

from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.controller.measure.startups import Startups
from testkit.builders import NOW, a_resource

PENDING = {"pendingScheduling": 1}
DOWNLOADING = {"downloadingModel": 1}
INITIALIZING = {"initializing": 1}
SERVING = {"ready": 1}


class Deployment:
    """A resource whose status is written as time goes on."""

    def __init__(self, startups: Startups, **status: object) -> None:
        self.startups = startups
        self.resource: FireworksDeployment = a_resource(status=status)

    def write(self, after: float, state: str | None, replicas: dict[str, int] | None = None) -> None:
        now: datetime = NOW + timedelta(seconds=after)
        wire: dict[str, Any] = {"state": state, "replicas": replicas, "createTime": NOW}
        status = FireworksDeploymentStatus.model_validate({key: each for key, each in wire.items() if each is not None})
        self.startups.see(self.resource, status, now)
        self.resource = self.resource.model_copy(update={"status": status})


def test_each_stage_is_told_when_it_ends_and_the_whole_way_at_ready() -> None:
    told: list[tuple[str, float]] = []
    deployment = Deployment(Startups(lambda stage, seconds: told.append((stage, seconds))))
    deployment.write(0, "CREATING")
    deployment.write(3, "CREATING", PENDING)
    deployment.write(10, "CREATING", DOWNLOADING)
    deployment.write(70, "CREATING", INITIALIZING)
    deployment.write(80, "CREATING", SERVING)
    deployment.write(90, "READY", SERVING)
    assert told == [("scheduling", 10), ("downloading", 60), ("initializing", 20), ("total", 90)]
    deployment.write(500, "READY", INITIALIZING)
    deployment.write(600, "UPDATING", SERVING)
    deployment.write(700, "READY", SERVING)
    assert len(told) == 4, "only a new deployment counts"


def test_after_a_restart_in_between_only_the_whole_way_is_told() -> None:
    told: list[tuple[str, float]] = []
    deployment = Deployment(
        Startups(lambda stage, seconds: told.append((stage, seconds))), state="CREATING", replicas=DOWNLOADING
    )
    deployment.write(60, "CREATING", INITIALIZING)
    deployment.write(90, "READY", SERVING)
    assert told == [("total", 90)]


def test_a_deployment_that_fails_or_goes_counts_for_nothing() -> None:
    told: list[tuple[str, float]] = []
    startups = Startups(lambda stage, seconds: told.append((stage, seconds)))
    failed = Deployment(startups)
    failed.write(0, "CREATING", PENDING)
    failed.write(60, "FAILED")
    gone = Deployment(startups)
    gone.write(0, "CREATING", PENDING)
    startups.forget(gone.resource.ref)
    gone.write(60, "READY", SERVING)
    assert told == [("total", 60)]
