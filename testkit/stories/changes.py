"""What a change of the spec, or of the deployment by others, leads to."""

from collections.abc import Mapping

from testkit.conditions import condition, holds

from .team import AnyTeam, Json

DRAFT = "accounts/fireworks/models/llama-v3p2-1b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-v3p1-8b-minimal"


_SHAPE = {"acceleratorType": None, "minReplicaCount": None}

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
"""Specs, and what somebody makes of the deployment that is no other than what the spec says."""


def everything_that_was_changed_in_the_console_is_put_back_by_one_request(team: AnyTeam) -> None:
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
    team.eventually(lambda: team.patches(), "it is put back", within=3.5 + team.slack)
    team.eventually(lambda: team.deployment()["state"] == "READY", "it is in force")
    after = team.deployment()
    policy = after["autoscalingPolicy"]
    assert policy.pop("scalingSchedules") == schedule, "what the spec has no field for is nobody's to remove"
    for name in spec.keys() - {"longPrompt"} | {"autoTune"}:
        assert after[name] == before[name], name
    assert after.get("ngramSpeculationLength", 0) == 0
    team.assert_at_rest()
    assert len(team.patches()) == 1


def a_later_change_follows_the_first_without_waiting(team: AnyTeam) -> None:
    team.create(displayName="one")
    team.until_ready()
    for name in ("two", "three", "four"):
        team.change(displayName=name)
        team.until_ready(within=5 + team.slack)
        assert team.deployment()["displayName"] == name
    assert len(team.patches()) == 3


def a_change_that_is_not_applied_ends_when_the_spec_goes_back(team: AnyTeam) -> None:
    team.create(displayName="before")
    team.until_ready()
    team.fault("ignore_patch", method="PATCH")
    team.change(displayName="after")
    team.eventually(lambda: team.patches(), "a change request")
    team.change(displayName="before")
    team.until_ready(within=10 + team.slack)
    assert len(team.patches()) == 1


def a_draft_model_that_does_not_exist_leaves_the_deployment_serving(team: AnyTeam) -> None:
    team.create()
    team.until_ready()
    team.change(draftModel="accounts/fireworks/models/no-such-drafter", draftTokenCount=4)
    resource = team.until("chat", "Stalled", "True", "ModelNotFound", says="spec.draftModel")
    assert holds(resource, "Available") == "True"
    assert "spec.draftModel" in condition(resource, "Ready")["message"]
    team.change(draftModel=None, draftTokenCount=None)
    team.until_ready()


def a_maximum_of_zero_alone_parks_and_its_removal_unparks(team: AnyTeam) -> None:
    team.create(minReplicaCount=1)
    team.until_ready()
    team.change(minReplicaCount=None, maxReplicaCount=0)
    team.until("chat", "Ready", "True", "Parked")
    team.change(maxReplicaCount=None)
    team.until("chat", "Ready", "True", "ScaledToZero")
    deployment = team.deployment()
    assert (deployment.get("minReplicaCount", 0), deployment["maxReplicaCount"]) == (0, 1)


def a_secret_key_of_another_name_is_read_where_the_resource_names_it(team: AnyTeam) -> None:
    team.put_secret("keys", production=team.api_key)
    team.create(credentialsSecretRef={"name": "keys", "key": "production"})
    team.until_ready()


STORIES = (
    everything_that_was_changed_in_the_console_is_put_back_by_one_request,
    a_later_change_follows_the_first_without_waiting,
    a_change_that_is_not_applied_ends_when_the_spec_goes_back,
    a_draft_model_that_does_not_exist_leaves_the_deployment_serving,
    a_maximum_of_zero_alone_parks_and_its_removal_unparks,
    a_secret_key_of_another_name_is_read_where_the_resource_names_it,
)
