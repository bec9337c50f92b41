"""A deployment as a manifest: equal to what there is, and never refused by the API server."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec
from fireworks_operator.core.desired.drift import find_drift
from fireworks_operator.core.desired.wanted import wire_values
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.plugin.manifests import NotImportableError, manifest_of, spec_of
from testkit.builders import ACCOUNT, ADDON, BASE_MODEL, NAME, a_deployment, a_deployment_json, an_addon
from testkit.properties import examples

SHAPE = "accounts/fireworks/deploymentShapes/fast-one/versions/v2"
DRAFTER = "accounts/fireworks/models/llama-v3p2-1b-instruct"
SCHEDULE: dict[str, JsonValue] = {
    "minReplicaCount": 1,
    "schedule": "0 8 * * 1-5",
    "duration": "3600s",
    "timezone": "UTC",
}
WIRE = st.fixed_dictionaries(
    {"baseModel": st.just(BASE_MODEL)},
    optional={
        "displayName": st.sampled_from(["", "Chat", "x" * 64]),
        "description": st.sampled_from(["", "two\nlines"]),
        "acceleratorType": st.sampled_from(["ACCELERATOR_TYPE_UNSPECIFIED", "NVIDIA_A100_80GB", "NVIDIA_H100_80GB"]),
        "acceleratorCount": st.sampled_from([0, 1, 2]),
        "minReplicaCount": st.integers(0, 2),
        "maxReplicaCount": st.sampled_from([0, 1, 5]),
        "precision": st.sampled_from(["PRECISION_UNSPECIFIED", "BF16", "FP8"]),
        "deploymentShape": st.sampled_from(["", SHAPE]),
        "directRouteType": st.sampled_from(["DIRECT_ROUTE_TYPE_UNSPECIFIED", "INTERNET"]),
        "draftModel": st.sampled_from(["", DRAFTER]),
        "draftTokenCount": st.integers(0, 4),
        "ngramSpeculationLength": st.sampled_from([0, 8]),
        "enableAddons": st.booleans(),
        "enableSessionAffinity": st.booleans(),
        "preemptible": st.booleans(),
        "maxContextLength": st.sampled_from([0, 32768]),
        "maxConcurrencyPerReplica": st.sampled_from([0, 64]),
        "autoTune": st.sampled_from([{}, {"longPrompt": True}, {"longPrompt": False}]),
        "annotations": st.dictionaries(
            st.sampled_from(["custom/team", "custom/name", "custom/-odd", "bare"]), st.sampled_from(["x", "odd "])
        ),
        "placement": st.sampled_from([{}, {"region": "US_IOWA_1"}, {"multiRegion": "GLOBAL", "region": ""}]),
        "autoscalingPolicy": st.fixed_dictionaries(
            {},
            optional={
                "scaleUpWindow": st.sampled_from(["0s", "30s", "7200s"]),
                "scaleToZeroWindow": st.sampled_from(["60s", "1800s"]),
                "loadTargets": st.sampled_from([{}, {"default": 0.6}, {"requests_per_second": 2}, {"Odd Key": 1.0}]),
                "scalingSchedules": st.dictionaries(
                    st.sampled_from(["day", "Odd name"]),
                    st.sampled_from([SCHEDULE, {**SCHEDULE, "duration": "60s"}, {**SCHEDULE, "minReplicaCount": 9}]),
                ),
            },
        ),
    },
)


def spec(**wire: JsonValue) -> dict[str, JsonValue]:
    """The spec that is made of a deployment with these fields."""
    return spec_of(a_deployment(**wire)).spec


def left_out(**wire: JsonValue) -> list[str]:
    """What could not be put into it."""
    return spec_of(a_deployment(**wire)).left_out


@examples(100)
@given(WIRE)
def test_the_operator_finds_nothing_to_change_at_an_imported_deployment(wire: Mapping[str, Any]) -> None:
    raw = {**a_deployment_json(), **wire}
    if wire.get("draftModel") and wire.get("ngramSpeculationLength"):
        raw["ngramSpeculationLength"] = 0  # Fireworks refuses both
    found = FireworksDeploymentSpec.model_validate(spec_of(Deployment.parse(raw)).spec)
    drift = find_drift(wire_values(found, ACCOUNT), raw, ())
    assert (drift.changes, drift.replacements, drift.tags) == ((), (), ())


def test_tags_and_schedules_are_in_the_manifest_unless_no_resource_may_have_them() -> None:
    schedules: dict[str, JsonValue] = {
        "day": SCHEDULE,
        "free": {key: value for key, value in SCHEDULE.items() if key != "minReplicaCount"},
        "odd name": SCHEDULE,
        "short": {**SCHEDULE, "duration": "60s"},
        "high": {**SCHEDULE, "minReplicaCount": 9},
        "none": "odd",
        "seconds": {**SCHEDULE, "schedule": "0 0 8 * * 1-5"},
    }
    raw = a_deployment(
        maxReplicaCount=3,
        annotations={"custom/team": "search", "custom/name": "chat", "custom/odd": "search "},
        autoscalingPolicy={"scalingSchedules": schedules},
    )
    found = spec_of(raw)
    assert found.spec["tags"] == {"team": "search"}
    assert found.spec["autoscalingPolicy"] == {
        "scalingSchedules": {"day": SCHEDULE, "free": {**SCHEDULE, "minReplicaCount": 0}}
    }
    told = [each.partition(" ")[0] for each in found.left_out]
    names = ("high", "none", "odd", "seconds", "short")
    assert told == [*(f"autoscalingPolicy.scalingSchedules.{name}" for name in names), "tags.odd"]


def test_replica_bounds_are_written_although_fireworks_leaves_zeros_out() -> None:
    raw = a_deployment_json()
    del raw["minReplicaCount"], raw["maxReplicaCount"]
    found = spec_of(Deployment.parse(raw)).spec
    assert (found["minReplicaCount"], found["maxReplicaCount"]) == (0, 0)


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        ({"displayName": "x" * 64}, "longer than 63"),
        ({"directRouteType": "INTERNET"}, "directRoute.type INTERNET: the operator leaves the direct route as it is"),
        ({"maxContextLength": 100_000_001}, "not between 0 and 100000000"),
        ({"precision": "fp8"}, "not in a format"),
        ({"autoscalingPolicy": {"scaleUpWindow": "7200s"}}, "scaleUpWindow 7200s: a resource may have 0s to 3600s"),
        (
            {"autoscalingPolicy": {"scaleToZeroWindow": "60s"}},
            "scaleToZeroWindow 60s: a resource may have 300s or more",
        ),
        ({"autoscalingPolicy": {"loadTargets": {"Odd Key": 1.0}}}, "loadTargets"),
        ({"autoscalingPolicy": {"scaleUpWindow": ".5s"}}, "scaleUpWindow .5s: not in a format"),
        ({"placement": {"region": "US_IOWA_1", "multiRegion": "US"}}, "exactly one of"),
        ({"precision": "FP8", "acceleratorType": "NVIDIA_A100_80GB"}, "precision FP8: quantized"),
        ({"precision": "FP8", "enableAddons": True}, "precision FP8: quantized"),
        ({"autoTune": {"longPrompt": True}, "acceleratorCount": 1}, "longPrompt True"),
        ({"minReplicaCount": 5, "maxReplicaCount": 0}, "minReplicaCount 5: above maxReplicaCount"),
        ({"deploymentShape": SHAPE}, "acceleratorType NVIDIA_H100_80GB: decided by the deployment shape"),
    ],
)
def test_what_the_api_server_would_refuse_is_left_out_and_said(wire: dict[str, JsonValue], told: str) -> None:
    assert any(told in each for each in left_out(**wire)), left_out(**wire)


def test_nothing_is_left_out_of_an_ordinary_deployment() -> None:
    ordinary: dict[str, JsonValue] = {"precision": "FP8", "placement": {"multiRegion": "GLOBAL", "region": ""}}
    assert left_out(**ordinary) == []
    assert spec(**ordinary)["placement"] == {"multiRegion": "GLOBAL"}


def test_numbers_that_fireworks_sends_as_text_are_numbers_in_the_manifest() -> None:
    assert spec(maxContextLength="32768", minReplicaCount="1")["maxContextLength"] == 32768


def test_a_drafter_comes_with_its_token_count_even_if_that_is_0() -> None:
    assert spec(draftModel=DRAFTER)["draftTokenCount"] == 0


def test_addons_of_this_deployment_are_named_and_the_entry_of_the_base_model_is_not() -> None:
    addons = [
        an_addon(ADDON, default=True, displayName="Tone"),
        an_addon(BASE_MODEL, default=True),
        an_addon(f"{ADDON}-b", deployment=f"{NAME}-b"),
        an_addon(f"{ADDON}-c", "UNDEPLOYING"),
    ]
    text = manifest_of(a_deployment(enableAddons=True), addons, namespace=None, secret=None)
    assert yaml.safe_load(text)["spec"]["addons"] == [{"model": ADDON, "default": True, "displayName": "Tone"}]


def test_the_manifest_only_observes_and_keeps_the_deployment() -> None:
    text = manifest_of(a_deployment(displayName="a\n# b: 'c'"), [], namespace="team-a", secret="fireworks")
    found = yaml.safe_load(text)
    assert found["metadata"] == {"name": NAME.rsplit("/", 1)[-1], "namespace": "team-a"}
    policies = ("managementPolicy", "adoptionPolicy", "deletionPolicy")
    assert [found["spec"][each] for each in policies] == ["Observe", "Unowned", "Retain"]
    assert found["spec"]["credentialsSecretRef"] == {"name": "fireworks"}
    assert found["spec"]["displayName"] == "a\n# b: 'c'"


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        ({"baseModel": "a model#b"}, "a base model that a resource cannot refer to"),
        ({"name": f"accounts/{ACCOUNT}/deployments/Odd_Name"}, "an id that a resource cannot refer to"),
    ],
)
def test_what_no_resource_can_stand_for_is_not_imported(wire: dict[str, JsonValue], told: str) -> None:
    with pytest.raises(NotImportableError, match=told):
        manifest_of(a_deployment(**wire), [], namespace=None, secret=None)
