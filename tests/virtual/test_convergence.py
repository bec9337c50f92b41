"""What Fireworks has and what the spec says: put back once, however it is spelled, and given up with a reason."""

from collections.abc import Mapping

import pytest

from tests.virtual.team import Json, Team, condition, holds, pauses

DRAFT = "accounts/fireworks/models/llama-v3p2-1b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-v3p1-8b-minimal"
SPACING = 30.0
"""Seconds between two change requests for the same spec, at least."""
RARELY = (3600, 3600)
"""Seconds between later tries, once three have changed nothing."""
AT_REST = 66.0
"""Seconds until the next poll of an account at rest, at most."""
_H100 = {"acceleratorType": "NVIDIA_H100_80GB", "minReplicaCount": 1}
_SHAPE = {"acceleratorType": None, "minReplicaCount": None}


@pytest.mark.parametrize(
    ("age", "within"), [(0.0, 3.5), (300.0, 15.5), (1000.0, 60.5)], ids=["just changed", "settling", "at rest"]
)
def test_a_field_changed_in_the_console_is_put_back_within_a_poll(team: Team, age: float, within: float) -> None:
    team.create(displayName="Chat", maxReplicaCount=2)
    team.until_ready()
    team.wait(age)
    team.simulator.edit(team.deployment_id(), {"displayName": "changed", "maxReplicaCount": 5})
    team.eventually(lambda: team.patches(), "it is put back", within=within)
    (patch,) = team.patches()
    assert set(patch.query["updateMask"].split(",")) == {"display_name", "max_replica_count"}
    assert (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("Chat", 2)
    team.wait(AT_REST)
    assert len(team.patches()) == 1


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
    team.eventually(lambda: team.patches(), "it is put back", within=3.5)
    team.eventually(lambda: team.deployment()["state"] == "READY", "it is in force")
    after = team.deployment()
    policy = after["autoscalingPolicy"]
    assert policy.pop("scalingSchedules") == schedule, "what the spec has no field for is nobody's to remove"
    for name in spec.keys() - {"longPrompt"} | {"autoTune"}:
        assert after[name] == before[name], name
    assert after.get("ngramSpeculationLength", 0) == 0
    team.wait(AT_REST)
    assert len(team.patches()) == 1
    team.until_ready()


NO_DRIFT: Mapping[str, tuple[Json, Json]] = {
    "zero and nothing are the same where nothing means zero": (
        {"minReplicaCount": 0, "maxReplicaCount": 1, "displayName": "", "longPrompt": False, "draftTokenCount": 0},
        {},
    ),
    "durations have many spellings, and a float is not exact": (
        {
            "autoscalingPolicy": {
                "scaleUpWindow": "0.5m",
                "scaleDownWindow": "10m0s",
                "scaleToZeroWindow": "1h",
                "loadTargets": {"default": 0.8},
            }
        },
        {"autoscalingPolicy": {"scaleUpWindow": "30.000s", "loadTargets": {"default": 0.800000011920929}}},
    ),
    "a shape's version is the shape's": ({"deploymentShape": SHAPE, **_SHAPE}, {}),
    "one version of a shape": ({"deploymentShape": f"{SHAPE}/versions/a1b2c3d4", **_SHAPE}, {}),
    "a shape in one word": ({"deploymentShape": "fast", **_SHAPE}, {}),
    "the default shape": ({"deploymentShape": "default", **_SHAPE}, {}),
    "regions have no order": (
        {"placement": {"regions": ["US_IOWA_1", "US_ILLINOIS_2"]}},
        {"placement": {"regions": ["US_ILLINOIS_2", "US_IOWA_1"]}},
    ),
    "what the spec does not name may be anything": ({}, {"displayName": "by hand", "description": "mine"}),
}


@pytest.mark.parametrize("spelled", NO_DRIFT)
def test_other_spellings_of_the_same_are_no_drift(team: Team, spelled: str) -> None:
    spec, edited = NO_DRIFT[spelled]
    team.create(spec=spec)
    before = team.until_ready()
    for on in (True, False):
        team.simulator.assume(emit_zero_values=on, materialise_autoscaling_defaults=on)
        team.polls(2)
    if edited:
        team.simulator.edit(team.deployment_id(), edited)
        team.wait(AT_REST)
    assert team.methods() == ["POST"]
    assert team.get()["metadata"]["generation"] == before["metadata"]["generation"]
    team.until_ready()


def test_a_change_that_fireworks_accepts_but_does_not_apply_is_named_after_three_times(team: Team) -> None:
    team.create(displayName="before", maxReplicaCount=2)
    team.until_ready()
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after", maxReplicaCount=3)
    team.until("chat", "Reconciling", "True", "Updating", says="spec.displayName")
    resource = team.until("chat", "Stalled", "True", "NotConverging", says="spec.maxReplicaCount (stays 2)")
    assert all(SPACING <= each < SPACING + 4 for each in pauses(team.patches())), pauses(team.patches())
    assert len(team.patches()) == 3
    assert "spec.displayName (stays before)" in condition(resource, "Stalled")["message"]
    assert holds(resource, "Available") == "True", "the old one serves on"
    version = resource["metadata"]["resourceVersion"]
    team.wait(RARELY[0] - 60)
    assert team.get()["metadata"]["resourceVersion"] == version, "nothing is written while it is waited"
    team.wait(sum(RARELY) - RARELY[0] + 120)
    assert [round(each, -1) for each in pauses(team.patches())[2:]] == list(RARELY), pauses(team.patches())
    team.until("chat", "Stalled", "True", "NotConverging")
    team.simulator.clear_fault(rule)
    team.until_ready(within=RARELY[-1] + AT_REST)
    assert (team.deployment()["displayName"], team.deployment()["maxReplicaCount"]) == ("after", 3)


def test_what_was_given_up_is_not_tried_again_by_a_restart_but_by_who_asks_for_it(team: Team) -> None:
    team.create(displayName="before")
    team.until_ready()
    rule = team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    team.until("chat", "Stalled", "True", "NotConverging")
    team.stage.restart()
    team.polls(3)
    assert len(team.patches()) == 3
    team.simulator.clear_fault(rule)
    team.annotate("chat", "reconcile-at", "healed")
    team.until_ready(within=10)
    assert len(team.patches()) == 4


def test_a_change_that_is_not_applied_ends_when_the_spec_goes_back(team: Team) -> None:
    team.create(displayName="before")
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    team.eventually(lambda: team.patches(), "a change request")
    team.change(displayName="before")
    team.until_ready(within=10)
    assert len(team.patches()) == 1


def test_a_shape_that_fireworks_drops_silently_is_missed_and_named(team: Team) -> None:
    team.create(spec={"deploymentShape": SHAPE, **_SHAPE})
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.simulator.edit(team.deployment_id(), clear=["deploymentShape"])
    team.until("chat", "Stalled", "True", "NotConverging", says="spec.deploymentShape", within=180)
    assert [each.query["updateMask"] for each in team.patches()] == ["deployment_shape"] * 3


def test_whoever_changes_a_field_again_and_again_gets_no_war_of_change_requests(team: Team) -> None:
    team.create(displayName="Chat")
    team.until_ready()

    def meddle() -> bool:
        if team.deployment()["displayName"] == "Chat":
            team.simulator.edit(team.deployment_id(), {"displayName": "theirs"})
        return True

    team.steadily(meddle, "they change it again and again", seconds=600)
    assert all(each >= SPACING for each in pauses(team.patches())), pauses(team.patches())
    assert 1 < len(team.patches()) <= 600 / SPACING
    resource = team.get()
    assert holds(resource, "Available") == "True"
    team.change(displayName="Talk")
    team.until_ready(within=10)
    assert team.deployment()["displayName"] == "Talk"


def test_a_later_change_follows_the_first_without_waiting(team: Team) -> None:
    team.create(displayName="one")
    team.until_ready()
    for name in ("two", "three", "four"):
        team.change(displayName=name)
        team.until_ready(within=5)
        assert team.deployment()["displayName"] == name
    assert len(team.patches()) == 3
