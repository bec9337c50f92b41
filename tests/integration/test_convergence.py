"""What Fireworks has and what the spec says: put back once, however it is spelled, and given up with a reason."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from fireworks_simulator.testing import JournalEntry
from testkit.kubernetes_api import condition
from testkit.processes import POLL_SECONDS, Operator
from testkit.team import Team
from testkit.waiting import steadily

DRAFT = "accounts/fireworks/models/llama-v3p2-1b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-v3p1-8b-minimal"
HOUR = 3600


def _patches(team: Team) -> list[JournalEntry]:
    return team.journal("PATCH", r"/deployments/")


def _polls(team: Team, count: int = 3) -> None:
    seen = team.simulator.last_sequence()
    team.eventually(lambda: len(team.journal("GET", "/deployments$", since=seen)) >= count, f"{count} polls")


def _try_again_until(team: Team, patches: int) -> None:
    """Change requests of one spec are 30 s apart, unless somebody asks for the next.

    Not before the one before is remembered: an annotation in between would win over the status.
    """
    team.eventually(
        lambda: team.status().get("lastAttempt", {}).get("count") == patches - 1, "the one before is remembered"
    )
    team.annotate("chat", "reconcile-at", str(patches))
    team.eventually(lambda: len(_patches(team)) == patches, f"change request {patches}")


def test_everything_that_was_changed_in_the_console_is_put_back_by_one_request(team: Team) -> None:
    spec: Mapping[str, object] = {
        "displayName": "Chat",
        "description": "For the help desk.",
        "acceleratorCount": 2,
        "minReplicaCount": 1,
        "maxReplicaCount": 3,
        "autoscalingPolicy": {"scaleUpWindow": "1m", "scaleDownWindow": "20m", "loadTargets": {"default": 0.5}},
        "draftModel": DRAFT,
        "draftTokenCount": 4,
        "precision": "BF16",
        "longPrompt": True,
        "enableAddons": True,
        "maxContextLength": 8192,
        "maxConcurrencyPerReplica": 16,
        "enableSessionAffinity": True,
    }
    team.create(spec=spec)
    team.until_ready()
    before = team.deployment()
    morning = {"minReplicaCount": 1, "schedule": "0 7 * * *", "duration": "36000s", "timezone": "Europe/Berlin"}
    schedule = {"mornings": morning}
    changed: Mapping[str, object] = {
        "displayName": "changed",
        "description": "changed",
        "acceleratorCount": 4,
        "minReplicaCount": 0,
        "maxReplicaCount": 9,
        "autoscalingPolicy": {"scaleUpWindow": "5s", "loadTargets": {"default": 0.9}, "scalingSchedules": schedule},
        "draftModel": "",
        "draftTokenCount": 0,
        "ngramSpeculationLength": 8,
        "precision": "FP16",
        "autoTune": {},
        "enableAddons": False,
        "maxContextLength": 0,
        "maxConcurrencyPerReplica": 0,
        "enableSessionAffinity": False,
    }
    team.simulator.edit(team.deployment_id(), changed)
    team.eventually(lambda: _patches(team), "it is put back", within=POLL_SECONDS * 1.1 + 5)
    team.eventually(lambda: team.deployment()["state"] == "READY", "it is in force")
    after = team.deployment()
    policy = after["autoscalingPolicy"]
    assert policy.pop("scalingSchedules") == schedule, "what the spec has no field for is nobody's to remove"
    for name in spec.keys() - {"longPrompt"} | {"autoTune"}:
        assert after[name] == before[name], name
    assert after.get("ngramSpeculationLength", 0) == 0
    _polls(team)
    assert len(_patches(team)) == 1
    team.until_ready()


@pytest.mark.proof
def test_other_spellings_of_the_same_are_no_drift(team: Team) -> None:
    other = {"acceleratorType": None, "minReplicaCount": None}
    team.create("plain", minReplicaCount=0, maxReplicaCount=1, displayName="", longPrompt=False, draftTokenCount=0)
    windows = {"scaleUpWindow": "0.5m", "scaleDownWindow": "10m0s", "scaleToZeroWindow": "1h"}
    team.create("windows", autoscalingPolicy={**windows, "loadTargets": {"default": 0.8}})
    team.create("shape", deploymentShape=SHAPE, **other)
    team.create("version", deploymentShape=f"{SHAPE}/versions/a1b2c3d4", **other)
    team.create("word", deploymentShape="fast", **other)
    team.create("default", deploymentShape="default", **other)
    team.create("regions", placement={"regions": ["US_IOWA_1", "US_ILLINOIS_2"]})
    for name in ("plain", "windows", "shape", "version", "word", "default", "regions"):
        team.until_ready(name)
    team.simulator.assume(emit_zero_values=True, materialise_autoscaling_defaults=True)
    _polls(team)
    team.simulator.assume(emit_zero_values=False, materialise_autoscaling_defaults=False)
    regions = {"placement": {"regions": ["US_ILLINOIS_2", "US_IOWA_1"]}}
    team.simulator.edit(team.deployment_id("regions"), regions)
    team.simulator.edit(
        team.deployment_id("windows"),
        {"autoscalingPolicy": {"scaleUpWindow": "30.000s", "loadTargets": {"default": 0.800000011920929}}},
    )
    _polls(team)
    assert {each.method for each in team.writes()} == {"POST"}
    for name in ("plain", "windows", "shape", "version", "word", "default", "regions"):
        team.until_ready(name, within=20)


@pytest.mark.proof
def test_a_change_that_fireworks_accepts_but_does_not_apply_is_named_after_three_times(
    team: Team, operator: Operator
) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after", maxReplicaCount=3)
    team.eventually(lambda: len(_patches(team)) == 1, "the first change request")
    team.until("chat", "Reconciling", "True", "Updating", says="spec.displayName")
    _polls(team)
    assert len(_patches(team)) == 1, "the next one waits for half a minute"
    _try_again_until(team, 2)
    _try_again_until(team, 3)
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="spec.maxReplicaCount (stays 2)")
    assert "spec.displayName (stays before)" in condition(resource, "Stalled")["message"]
    assert condition(resource, "Available")["status"] == "True", "the old one serves on"
    _polls(team)
    assert len(_patches(team)) == 3, "from now on it is tried rarely"
    operator.restart()
    _polls(team)
    assert len(_patches(team)) == 3, "also after a restart"
    operator.stop()
    team.set_status("chat", {"lastAttempt": {**team.status()["lastAttempt"], "time": _ago(HOUR + 1)}})
    operator.start()
    team.eventually(lambda: len(_patches(team)) == 4, "an hour later it is tried again")
    team.until("chat", "Stalled", "True", "NotConverging")
    team.simulator.clear_fault(rule)
    team.annotate("chat", "reconcile-at", "healed")
    team.until_ready()
    assert (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("after", 3)


def _ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.proof
def test_a_change_that_is_not_applied_ends_when_the_spec_goes_back(team: Team) -> None:
    team.create(displayName="before")
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    team.eventually(lambda: len(_patches(team)) == 1, "a change request")
    team.change(displayName="before")
    team.until_ready(within=20)
    assert len(_patches(team)) == 1


@pytest.mark.proof
def test_a_shape_that_fireworks_drops_silently_is_missed_and_named(team: Team) -> None:
    team.create(acceleratorType=None, deploymentShape=SHAPE)
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.simulator.edit(team.deployment_id(), clear=["deploymentShape"])
    team.eventually(lambda: len(_patches(team)) == 1, "a change request")
    (patch,) = _patches(team)
    assert patch.query["updateMask"] == "deployment_shape"
    _try_again_until(team, 2)
    _try_again_until(team, 3)
    team.until("chat", "Stalled", "True", "NotConverging", says="spec.deploymentShape")


@pytest.mark.proof
def test_whoever_changes_a_field_again_and_again_gets_no_war_of_change_requests(team: Team) -> None:
    team.create(displayName="Chat")
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
    team.eventually(lambda: team.deployment()["displayName"] == "Chat", "it is put back")
    team.until_ready()
    team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
    resource = team.until("chat", "Ready", "False", "Updating", says="spec.displayName")
    assert condition(resource, "Reconciling")["status"] == "True"
    assert condition(resource, "Available")["status"] == "True"
    steadily(lambda: len(_patches(team)) == 1, "half a minute lies between two", seconds=2, explain=team.explain)
    team.change(displayName="Talk")
    team.until_ready(within=20)
    assert team.deployment()["displayName"] == "Talk"
