"""What becomes of a deployment as virtual time passes."""

import pytest

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api, state_of

DAY = 86_400
FIREWORKS = "accounts/fireworks/models/"


def stats(deployment: JsonObject) -> object:
    return deployment["replicaStats"]


def test_a_new_deployment_passes_all_stages_and_is_ready_after_a_minute(api: Api, sim: SimulatorClient) -> None:
    created = api.create(minReplicaCount=2, maxReplicaCount=4)
    assert (created["state"], created["replicaCount"], created["desiredReplicaCount"]) == ("CREATING", 0, 2)
    seen = [stats(created)]
    for seconds in (5, 35, 20):
        sim.advance(seconds - 1)
        assert stats(api.get()) == seen[-1]
        sim.advance(1)
        seen.append(stats(api.get()))
    assert seen == [
        {"pendingSchedulingReplicaCount": 2},
        {"downloadingModelReplicaCount": 2},
        {"initializingReplicaCount": 2},
        {"readyReplicaCount": 2, "effectiveReplicaCount": 2.0},
    ]
    ready = api.get()
    assert (ready["state"], ready["replicaCount"], ready["status"]) == ("READY", 2, {"code": "OK", "message": ""})


def test_the_server_fills_in_what_the_user_left_open(api: Api) -> None:
    created = api.create(minReplicaCount=3)
    expected = {
        "maxReplicaCount": 3,
        "acceleratorCount": 1,
        "precision": "FP16",
        "placement": {"multiRegion": "GLOBAL"},
        "region": "US_IOWA_1",
        "enableAddons": False,
    }
    assert {name: created[name] for name in expected} == expected
    assert "draftModel" not in created
    assert "displayName" not in created
    assert "autoscalingPolicy" not in created


def test_a_drafter_is_inherited_unless_speculation_is_disabled(api: Api) -> None:
    model = FIREWORKS + "llama-v3p3-70b-instruct"
    inherited = api.create("one", baseModel=model)
    assert (inherited["draftModel"], inherited["draftTokenCount"]) == (FIREWORKS + "llama-v3p2-1b-instruct", 4)
    assert "draftModel" not in api.create("two", {"disableSpeculativeDecoding": "true"}, baseModel=model)
    zero = api.create("three", baseModel=model, draftTokenCount=0)
    assert zero["draftTokenCount"] == 4, "a zero of a create cannot be told from nothing"
    body = {"draftModel": "", "draftTokenCount": 0}
    changed = api.patch(body, "draft_model,draft_token_count", "three").json()
    assert "draftModel" not in changed, "one of a PATCH can, by its mask"


@pytest.mark.parametrize(
    ("fields", "count", "reason"),
    [
        ({"baseModel": LLAMA}, 1, "8B in 16 bits fit into 80 GB"),
        ({"baseModel": FIREWORKS + "llama-v3p3-70b-instruct"}, 4, "70B in 16 bits need 168 GB"),
        ({"baseModel": FIREWORKS + "llama-v3p3-70b-instruct", "precision": "FP8"}, 2, "and half of it in FP8"),
        ({"baseModel": LLAMA, "autoTune": {"longPrompt": True}}, 2, "long prompts double it"),
        ({"baseModel": LLAMA, "acceleratorCount": 8}, 8, "what the user says counts"),
    ],
)
def test_the_number_of_gpus_is_estimated(api: Api, fields: dict[str, object], count: int, reason: str) -> None:
    created = api.value("POST", "/deployments", {"acceleratorType": H100, **fields}, **SHAPELESS)
    assert created["acceleratorCount"] == count, reason


def test_durations_are_normalised_to_seconds(api: Api) -> None:
    policy = {"scaleUpWindow": "030.50s", "scaleDownWindow": "600.000s", "loadTargets": {"default": 0.5}}
    assert api.create(autoscalingPolicy=policy)["autoscalingPolicy"] == {
        "scaleUpWindow": "30.500s",
        "scaleDownWindow": "600s",
        "loadTargets": {"default": 0.5},
    }


def test_a_shape_becomes_its_version_and_brings_its_hardware(api: Api) -> None:
    body = {"baseModel": FIREWORKS + "gpt-oss-120b", "deploymentShape": "fast"}
    created = api.value("POST", "/deployments", body, deploymentId="chat")
    shape = "accounts/fireworks/deploymentShapes/gpt-oss-120b-fast"
    assert str(created["deploymentShape"]).startswith(shape + "/versions/")
    assert (created["acceleratorType"], created["acceleratorCount"]) == ("NVIDIA_H200_141GB", 4)


def test_an_embedding_model_needs_no_accelerator(api: Api) -> None:
    body = {"baseModel": FIREWORKS + "qwen3-embedding-8b"}
    assert api.value("POST", "/deployments", body, **SHAPELESS)["acceleratorType"] == "NVIDIA_A100_80GB"


def test_validate_only_creates_nothing(api: Api) -> None:
    assert api.create("chat", {"validateOnly": "true"})["name"] == "accounts/acme/deployments/chat"
    assert api.send("GET", "/deployments/chat").status_code == 404


def test_generated_ids_are_repeatable_by_seed(api: Api, sim: SimulatorClient) -> None:
    names = []
    for _ in range(2):
        sim.reset()
        names.append(
            api.value("POST", "/deployments", {"baseModel": LLAMA, "acceleratorType": H100}, **SHAPELESS)["name"]
        )
    assert names[0] == names[1]


def test_idle_deployments_scale_to_zero_and_stay_ready(api: Api, sim: SimulatorClient) -> None:
    api.create(autoscalingPolicy={"scaleToZeroWindow": "600s"})
    sim.advance(60 + 599)
    assert state_of(api.get()) == ("READY", 1)
    sim.advance(1)
    found = api.get()
    assert state_of(found) == ("READY", 0)
    assert (found["replicaCount"], "desiredReplicaCount" in found) == (0, False)


def test_traffic_postpones_scaling_to_zero(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.advance(60 + 3000)
    sim.traffic("chat")
    sim.advance(3000)
    assert state_of(api.get()) == ("READY", 1)
    sim.advance(600)
    assert state_of(api.get()) == ("READY", 0)


def test_a_minimum_above_zero_never_scales_to_zero(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(30 * DAY)
    assert state_of(api.get()) == ("READY", 1)


def test_an_idle_minimum_zero_deployment_is_deleted_after_a_week(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.advance(7 * DAY - 1)
    assert api.get()["state"] == "READY"
    sim.advance(60)
    assert api.get()["state"] == "DELETED"
    sim.advance(7 * DAY)
    assert api.send("GET", "/deployments/chat").status_code == 404


def test_load_scales_up_and_down_within_the_bounds(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1, maxReplicaCount=3)
    sim.advance(60)
    sim.load("chat", 7.5)
    sim.advance(29)
    assert api.get()["desiredReplicaCount"] == 1
    sim.advance(1)
    assert api.get()["desiredReplicaCount"] == 3
    sim.advance(60)
    assert state_of(api.get()) == ("READY", 3)
    sim.load("chat", 0)
    sim.advance(599)
    assert api.get()["desiredReplicaCount"] == 3
    sim.advance(1)
    assert state_of(api.get()) == ("READY", 1)


def test_a_parked_deployment_is_ready_without_replicas(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=0, maxReplicaCount=0)
    sim.advance(60)
    assert state_of(api.get()) == ("READY", 0)


def test_parking_while_creating_still_ends_in_ready(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    api.patch({"minReplicaCount": 0, "maxReplicaCount": 0}, "min_replica_count,max_replica_count")
    sim.advance(60)
    assert state_of(api.get()) == ("READY", 0)


def test_lowering_the_bounds_can_complete_a_start(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(30)
    bounds = "min_replica_count,max_replica_count"
    api.patch({"minReplicaCount": 3, "maxReplicaCount": 3}, bounds)
    sim.advance(31)
    assert state_of(api.get()) == ("CREATING", 1)
    assert state_of(api.patch({"minReplicaCount": 1, "maxReplicaCount": 1}, bounds).json()) == ("READY", 1)


def test_without_gpus_replicas_stay_pending_until_there_are_some(api: Api, sim: SimulatorClient) -> None:
    sim.stage("chat", outcome="stockout")
    api.create()
    sim.advance(5000)
    found = api.get()
    assert (found["state"], stats(found)) == ("CREATING", {"pendingSchedulingReplicaCount": 1})
    sim.clear_stages()
    sim.advance(60)
    assert state_of(api.get()) == ("READY", 1)


def test_stages_can_take_longer_for_some(api: Api, sim: SimulatorClient) -> None:
    sim.stage("slow$", downloading=600)
    api.create("slow")
    api.create("quick")
    sim.advance(60)
    assert [api.get(name)["state"] for name in ("slow", "quick")] == ["CREATING", "READY"]
    sim.advance(600)
    assert api.get("slow")["state"] == "READY"


def test_starts_that_take_no_time_are_ready_at_once(api: Api, sim: SimulatorClient) -> None:
    sim.timing(pending=0, downloading=0, initializing=0)
    assert state_of(api.create()) == ("READY", 1)


def test_a_deployment_can_fail_after_it_was_ready(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.advance(60)
    sim.fail("chat", "node lost", termination_message="exit code 137")
    found = api.get()
    assert (state_of(found), found["status"]) == (("FAILED", 0), {"code": "INTERNAL", "message": "node lost"})
    assert api.value("GET", "/deployments/chat/terminationMessage") == {"message": "exit code 137"}


def test_scale_sets_the_count_once(api: Api, sim: SimulatorClient) -> None:
    api.create(maxReplicaCount=2, autoscalingPolicy={"scaleToZeroWindow": "300s"})
    sim.advance(400)
    assert state_of(api.get()) == ("READY", 0)
    assert api.value("PATCH", "/deployments/chat:scale", {"replicaCount": 2}) == {}
    sim.advance(60)
    assert state_of(api.get()) == ("READY", 2)
    sim.advance(300)
    assert state_of(api.get()) == ("READY", 0)


def test_tags_are_set_and_removed(api: Api) -> None:
    api.create(annotations={"custom/a": "1"})
    tags = {"tags": {"custom/b": "2", "custom/a": "3"}}
    assert api.value("POST", "/deployments/chat:setTags", tags)["annotations"] == {"custom/a": "3", "custom/b": "2"}
    keys = {"keys": ["custom/a", "custom/none"]}
    assert api.value("POST", "/deployments/chat:deleteTags", keys)["annotations"] == {"custom/b": "2"}
    assert api.send("POST", "/deployments/chat:setTags", {"tags": {"bare": "1"}}).status_code == 403


def test_a_frozen_deployment_does_not_move(api: Api, sim: SimulatorClient) -> None:
    api.create("ice")
    api.create("free")
    fault = sim.fault("freeze_state", match={"deployment": "ice"})
    sim.advance(60)
    assert [api.get(name)["state"] for name in ("ice", "free")] == ["CREATING", "READY"]
    sim.clear_fault(fault)
    assert api.get("ice")["state"] == "READY"


def test_preparing_a_model_takes_time(api: Api, sim: SimulatorClient) -> None:
    sim.add_model("accounts/acme/models/own", supportedPrecisions=["FP16"])
    body = {"baseModel": "accounts/acme/models/own", "acceleratorType": H100, "precision": "FP8"}
    assert api.value("POST", "/models/own:prepare", {"precision": "FP8"}) == {}
    assert api.send("POST", "/deployments", body, **SHAPELESS).status_code == 400
    sim.advance(60)
    assert api.send("POST", "/deployments", body, **SHAPELESS).status_code == 200
    assert api.value("GET", "/models/own")["supportedPrecisions"] == ["FP16", "FP8"]


def test_quotas_show_what_is_in_use(api: Api, sim: SimulatorClient) -> None:
    sim.quota("global--h100-count", 8)
    api.create(acceleratorCount=2, minReplicaCount=3)
    found = api.value("GET", "/quotas/global--h100-count")
    assert (found["value"], found["usage"]) == ("8", 6.0)
    quotas = api.value("GET", "/quotas")["quotas"]
    assert isinstance(quotas, list)
    assert found in quotas
