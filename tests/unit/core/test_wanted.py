"""From the spec to the request body: every field under its wire name, and nothing that the user did not set."""

from typing import Any

import pytest

from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec
from fireworks_operator.core.desired.fields import FIELDS, put
from fireworks_operator.core.desired.wanted import want
from testkit.builders import ACCOUNT, BASE_MODEL, OWNER, a_resource

MARKER = {"annotations": {**OWNER.marker(), "custom/adopted": "false"}}
NOT_SENT = {
    "addons",
    "deploymentId",
    "disableSpeculativeDecoding",
    "disableAutoDeploy",
    "prepareModel",
    "deployedModel",
    "adoptionPolicy",
    "deletionPolicy",
    "externalDeletionPolicy",
    "managementPolicy",
    "replacePolicy",
    "paused",
    "expiresAfter",
    "fallbacks",
    "fallbackAfter",
    "credentialsSecretRef",
    "connection",
    "router",
}
"""Fields that are no part of the body: policies, query parameters, and objects of their own."""
ENTRIES = {"tags"}
"""Fields of which each entry is sent as a field of its own."""
DAY = {"minReplicaCount": 2, "schedule": "0 8 * * 1-5", "duration": "1h30m", "timezone": "Europe/Berlin"}


def body_of(spec: dict[str, Any], *, default_shape: bool = False) -> dict[str, Any]:
    return want(a_resource(spec), ACCOUNT).create_body(OWNER, default_shape=default_shape)


@pytest.mark.parametrize(
    ("spec", "wire"),
    [
        ({}, {}),
        ({"displayName": "Chat"}, {"displayName": "Chat"}),
        ({"displayName": ""}, {"displayName": ""}),
        ({"description": "for the app"}, {"description": "for the app"}),
        ({"acceleratorType": "NVIDIA_B200_180GB"}, {"acceleratorType": "NVIDIA_B200_180GB"}),
        ({"acceleratorCount": 2}, {"acceleratorCount": 2}),
        ({"minReplicaCount": 0, "maxReplicaCount": 0}, {"minReplicaCount": 0, "maxReplicaCount": 0}),
        ({"autoscalingPolicy": {}}, {}),
        (
            {"autoscalingPolicy": {"scaleUpWindow": "0s", "scaleDownWindow": "10m", "scaleToZeroWindow": "0.5h"}},
            {"autoscalingPolicy": {"scaleUpWindow": "0s", "scaleDownWindow": "600s", "scaleToZeroWindow": "1800s"}},
        ),
        (
            {"autoscalingPolicy": {"loadTargets": {"default": 0.6}}},
            {"autoscalingPolicy": {"loadTargets": {"default": 0.6}}},
        ),
        ({"autoscalingPolicy": {"scalingSchedules": {}}}, {}),
        (
            {"autoscalingPolicy": {"scalingSchedules": {"day": DAY, "off": {**DAY, "disabled": True}}}},
            {
                "autoscalingPolicy": {
                    "scalingSchedules": {
                        "day": {**DAY, "duration": "5400s"},
                        "off": {**DAY, "duration": "5400s", "disabled": True},
                    }
                }
            },
        ),
        ({"draftModel": "mine"}, {"draftModel": "accounts/acme/models/mine"}),
        ({"draftModel": "accounts/fireworks/models/d"}, {"draftModel": "accounts/fireworks/models/d"}),
        ({"draftTokenCount": 0}, {"draftTokenCount": 0}),
        ({"ngramSpeculationLength": 0}, {"ngramSpeculationLength": 0}),
        ({"precision": "FP8"}, {"precision": "FP8"}),
        ({"longPrompt": False}, {"autoTune": {"longPrompt": False}}),
        ({"enableAddons": False}, {"enableAddons": False}),
        ({"addons": [{"model": "lora-1"}]}, {"enableAddons": True}),
        (
            {"addons": [{"model": "lora-1"}], "enableHotReloadLatestAddon": True},
            {"enableHotReloadLatestAddon": True},
        ),
        ({"placement": {"region": "US_IOWA_1"}}, {"placement": {"region": "US_IOWA_1"}}),
        ({"placement": {"multiRegion": "GLOBAL"}}, {"placement": {"multiRegion": "GLOBAL"}}),
        ({"placement": {"regions": ["A", "B"]}}, {"placement": {"regions": ["A", "B"]}}),
        ({"deploymentShape": "fast"}, {"deploymentShape": "fast"}),
        ({"directRoute": {"type": "AWS_PRIVATELINK"}}, {"directRouteType": "AWS_PRIVATELINK"}),
        (
            {"directRoute": {"type": "INTERNET", "apiKeysSecretRef": {"name": "route", "keys": ["a"]}}},
            {"directRouteType": "INTERNET"},
        ),
        ({"maxContextLength": 0}, {"maxContextLength": 0}),
        ({"numPeftDeviceCached": 4}, {"numPeftDeviceCached": 4}),
        ({"maxWithRevocableReplicaCount": 8}, {"maxWithRevocableReplicaCount": 8}),
        ({"maxConcurrencyPerReplica": 8}, {"maxConcurrencyPerReplica": 8}),
        ({"enableSessionAffinity": False}, {"enableSessionAffinity": False}),
        ({"preemptible": True}, {"preemptible": True}),
        ({"deploymentId": "chat", "paused": True, "deletionPolicy": "Retain"}, {}),
        ({"credentialsSecretRef": {"name": "key"}}, {}),
    ],
)
def test_the_body_holds_what_the_user_set_and_nothing_else(spec: dict[str, Any], wire: dict[str, Any]) -> None:
    assert body_of(spec) == {"baseModel": BASE_MODEL} | wire | MARKER


def test_tags_stand_beside_the_owner_marker_and_never_in_its_place() -> None:
    body = body_of({"tags": {"team": "search", "a.b/c": "1", "name": "mine", "adopted": "true"}})
    assert body == {
        "baseModel": BASE_MODEL,
        "annotations": {**MARKER["annotations"], "custom/team": "search", "custom/a.b/c": "1"},
    }


@pytest.mark.parametrize(
    ("spec", "shape", "reason"),
    [
        ({}, "default", "A model alone is enough."),
        ({"minReplicaCount": 1, "enableAddons": True}, "default", "Neither of them names hardware."),
        ({"acceleratorCount": 2, "precision": "FP8"}, "default", "Fireworks takes a shape that fits, or refuses."),
        ({"longPrompt": True}, "default", "Without a shape it would be refused for the missing accelerator."),
        ({"acceleratorType": "NVIDIA_H100_80GB"}, None, "Fireworks refuses both together."),
        ({"deploymentShape": "fast"}, "fast", "The user's choice."),
    ],
)
def test_what_names_no_hardware_is_created_with_the_default_shape(
    spec: dict[str, Any], shape: str | None, reason: str
) -> None:
    assert body_of(spec, default_shape=True).get("deploymentShape") == shape, reason
    assert body_of(spec).get("deploymentShape") == spec.get("deploymentShape"), "turned off"
    wanted = want(a_resource(spec), ACCOUNT)
    assert wanted.values.get("deploymentShape") == spec.get("deploymentShape"), "it is never compared"
    asked = wanted.create_query({"acceptShapelessRisk": "true"})
    assert asked == ({"acceptShapelessRisk": "true"} if shape is None else {}), "never both"


def test_every_field_of_the_spec_is_either_sent_or_known_not_to_be() -> None:
    sent = {field.path.split(".")[0] for field in FIELDS}
    spec = {field.alias or name for name, field in FireworksDeploymentSpec.model_fields.items()}
    assert sent | ENTRIES | NOT_SENT == spec
    assert not sent & NOT_SENT


def test_a_bare_base_model_means_the_own_account() -> None:
    assert body_of({"baseModel": "mine"})["baseModel"] == "accounts/acme/models/mine"


@pytest.mark.parametrize(("value", "query"), [(None, {}), (True, "true"), (False, "false")])
def test_speculation_is_switched_off_by_a_query_parameter(value: bool | None, query: object) -> None:
    resource = a_resource({"disableSpeculativeDecoding": value} if value is not None else {})
    assert want(resource, ACCOUNT).create_query({}) == ({"disableSpeculativeDecoding": query} if query else {})


def test_a_malformed_duration_is_passed_on_for_decide_to_refuse() -> None:
    assert body_of({"autoscalingPolicy": {"scaleUpWindow": "soon"}})["autoscalingPolicy"] == {"scaleUpWindow": "soon"}


def test_a_value_cannot_be_put_inside_another_value() -> None:
    with pytest.raises(TypeError, match="autoTune is not an object"):
        put({"autoTune": 1}, ("autoTune", "longPrompt"), True)


@pytest.mark.parametrize(
    ("spec", "settings", "query", "reason"),
    [
        ({}, {"disableAutoDeploy": "true"}, {"disableAutoDeploy": "true"}, "A switch of the operator goes along."),
        (
            {"disableAutoDeploy": False},
            {"disableAutoDeploy": "true"},
            {"disableAutoDeploy": "false"},
            "What the resource says counts instead.",
        ),
        ({"disableAutoDeploy": True}, {}, {"disableAutoDeploy": "true"}, "And where the operator says nothing."),
        (
            {"acceleratorType": "NVIDIA_H100_80GB"},
            {"acceptShapelessRisk": "true"},
            {"acceptShapelessRisk": "true"},
            "Without a shape the risk is accepted.",
        ),
        (
            {"deploymentShape": "accounts/fireworks/deploymentShapes/llama"},
            {"acceptShapelessRisk": "true"},
            {},
            "With a shape there is no risk to accept, and Fireworks refuses both together.",
        ),
    ],
)
def test_the_operators_switches_are_query_parameters(
    spec: dict[str, object], settings: dict[str, str], query: dict[str, str], reason: str
) -> None:
    assert want(a_resource(spec), ACCOUNT).create_query(settings) == query, reason
