"""PATCH: with a mask exactly its paths, without one the keys of the body."""

from dataclasses import dataclass

import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import LLAMA, Api

POLICY = {"scaleUpWindow": "60s", "scaleDownWindow": "120s", "loadTargets": {"default": 0.5}}


@dataclass(frozen=True)
class Change:
    """A PATCH, and the fields that it leaves behind (None: absent)."""

    reason: str
    body: dict[str, object]
    mask: str | None
    after: dict[str, object]


CHANGES = [
    Change("only what the mask names", {"displayName": "b", "description": "c"}, "display_name",
           {"displayName": "b", "description": "old"}),
    Change("camelCase paths do too", {"displayName": "b"}, "displayName", {"displayName": "b"}),
    Change("in the mask but not in the body: cleared", {}, "description", {"description": None, "displayName": "old"}),
    Change("null clears", {"description": None}, "description", {"description": None}),
    Change("several paths", {"displayName": "b"}, "display_name,description",
           {"displayName": "b", "description": None}),
    Change("a nested message is replaced as a whole", {"autoscalingPolicy": {"scaleUpWindow": "10s"}},
           "autoscaling_policy", {"autoscalingPolicy": {"scaleUpWindow": "10s"}}),
    Change("a sub-path leaves its neighbours", {"autoscalingPolicy": {"scaleUpWindow": "10s"}},
           "autoscaling_policy.scale_up_window", {"autoscalingPolicy": POLICY | {"scaleUpWindow": "10s"}}),
    Change("a map is replaced as a whole", {"autoscalingPolicy": {"loadTargets": {"requests_per_second": 5}}},
           "autoscaling_policy.load_targets",
           {"autoscalingPolicy": POLICY | {"loadTargets": {"requests_per_second": 5}}}),
    Change("without a mask the keys of the body", {"displayName": "b"}, None,
           {"displayName": "b", "description": "old"}),
    Change("and their leaves", {"autoscalingPolicy": {"scaleUpWindow": "10s"}}, None,
           {"autoscalingPolicy": POLICY | {"scaleUpWindow": "10s"}}),
    Change("a zero is a value", {"maxReplicaCount": 0, "minReplicaCount": 0}, None,
           {"maxReplicaCount": 0, "minReplicaCount": 0}),
    Change("the base model may come along", {"baseModel": LLAMA, "displayName": "b"}, None, {"displayName": "b"}),
    Change("output-only keys are ignored without a mask", {"state": "FAILED", "displayName": "b"}, None,
           {"displayName": "b", "state": "CREATING"}),
    Change("an immutable field may be named with its present value", {"baseModel": LLAMA}, "base_model",
           {"baseModel": LLAMA}),
]  # fmt: skip


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: row.reason)
def test_patch_changes(api: Api, row: Change) -> None:
    api.create(displayName="old", description="old", minReplicaCount=1, autoscalingPolicy=POLICY)
    response = api.patch(row.body, row.mask)
    assert response.status_code == 200, response.text
    for value in (response.json(), api.get()):
        assert {name: value.get(name) for name in row.after} == row.after


@pytest.mark.parametrize(
    ("body", "mask", "message"),
    [
        ({}, "nothing", 'invalid update mask: unknown path "nothing"'),
        ({}, "autoscaling_policy.nothing", 'invalid update mask: unknown path "autoscaling_policy.nothing"'),
        ({}, "display_name.x", 'invalid update mask: unknown path "display_name.x"'),
        ({}, "autoscaling_policy.load_targets.default", "unknown path"),
        ({}, "state", 'invalid update mask: "state" is output only'),
        ({"baseModel": "accounts/x/models/y"}, "base_model", "field baseModel is immutable"),
        ({"placement": {"multiRegion": "US"}}, "placement", "field placement is immutable"),
        ({"preemptible": True}, "preemptible", "field preemptible is immutable"),
        ({"acceleratorType": "NVIDIA_A100_80GB"}, "accelerator_type", "field acceleratorType is immutable"),
        ({"annotations": {"custom/a": "1"}}, "annotations", "annotations cannot be updated; use setTags"),
        ({"minReplicaCount": 2}, "min_replica_count", "min_replica_count cannot be greater than max_replica_count"),
        ({"enableAddons": True, "precision": "FP8"}, "enable_addons,precision", "addons cannot be enabled"),
        ({"draftModel": "accounts/fireworks/models/llama-v3p2-1b-instruct"}, "draft_model", "draft_token_count must"),
        ({"oops": 1}, "display_name", 'unknown field "oops"'),
    ],
)
def test_patch_is_refused(api: Api, body: dict[str, object], mask: str, message: str) -> None:
    before = api.create(minReplicaCount=1)
    response = api.patch(body, mask)
    assert (response.status_code, response.json()["code"]) == (400, 3)
    assert message in response.json()["message"]
    assert api.get() == before


def test_a_serving_configuration_rolls_out_while_replicas_serve(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(60)
    updating = api.patch({"maxContextLength": 8192}, "max_context_length").json()
    assert (updating["state"], updating["replicaStats"]) == (
        "UPDATING",
        {"readyReplicaCount": 1, "effectiveReplicaCount": 1.0},
    )
    sim.advance(30)
    assert api.get()["state"] == "READY"


@pytest.mark.parametrize(
    ("body", "mask"),
    [
        ({"displayName": "x"}, "display_name"),
        ({"maxReplicaCount": 3}, "max_replica_count"),
        ({"autoscalingPolicy": {"scaleUpWindow": "5s"}}, "autoscaling_policy"),
        ({"maxContextLength": 4096}, "max_context_length"),
    ],
)
def test_nothing_else_rolls_out(api: Api, sim: SimulatorClient, body: dict[str, object], mask: str) -> None:
    api.create(minReplicaCount=1, maxContextLength=4096)
    sim.advance(60)
    assert api.patch(body, mask).json()["state"] == "READY"


def test_new_bounds_take_effect(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(60)
    bounds = "min_replica_count,max_replica_count"
    grown = api.patch({"minReplicaCount": 3, "maxReplicaCount": 3}, bounds).json()
    assert grown["replicaStats"] == {
        "readyReplicaCount": 1,
        "effectiveReplicaCount": 1.0,
        "pendingSchedulingReplicaCount": 2,
    }
    sim.advance(60)
    assert api.get()["replicaStats"] == {"readyReplicaCount": 3, "effectiveReplicaCount": 3.0}
    parked = api.patch({"minReplicaCount": 0, "maxReplicaCount": 0}, bounds).json()
    assert (parked["state"], parked["replicaStats"]) == ("READY", {})


def test_growth_beyond_the_quota_is_refused(api: Api, sim: SimulatorClient) -> None:
    sim.quota("global--h100-count", 2)
    api.create(minReplicaCount=1, maxReplicaCount=4)
    response = api.patch({"minReplicaCount": 3}, "min_replica_count")
    expected = "global--h100-count for account acme, in use: 0, quota: 2, requesting: 3"
    assert (response.status_code, response.json()["message"]) == (429, expected)


def test_another_shape_brings_its_hardware(api: Api) -> None:
    body = {"baseModel": "accounts/fireworks/models/gpt-oss-120b", "deploymentShape": "fast"}
    api.value("POST", "/deployments", body, deploymentId="chat")
    changed = api.patch({"deploymentShape": "throughput"}, "deployment_shape").json()
    assert (changed["acceleratorType"], changed["acceleratorCount"]) == ("NVIDIA_H100_80GB", 4)
    assert "/versions/" in changed["deploymentShape"]


def test_the_update_time_moves(api: Api, sim: SimulatorClient) -> None:
    before = api.create()
    sim.advance(1)
    after = api.patch({"displayName": "x"}, "display_name").json()
    assert after["updateTime"] > str(before["updateTime"])
    assert after["createTime"] == before["createTime"]


def test_the_journal_remembers_a_missing_mask(api: Api, sim: SimulatorClient) -> None:
    api.create()
    api.patch({"displayName": "a"})
    api.patch({"displayName": "b"}, "display_name")
    assert [entry.mask_missing for entry in sim.journal(method="PATCH")] == [True, False]
