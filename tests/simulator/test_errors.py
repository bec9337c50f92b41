"""Every known refusal of the real service, in the situation that causes it, word for word."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api, error

FIREWORKS = "accounts/fireworks/models/"
ADDON = "accounts/acme/models/tone"
QWEN_ADDON = "accounts/acme/models/qwen-tone"
LOAD_TARGET_KEYS = (
    "concurrent_requests, vllm_concurrent_requests, serverless_uncached_input_capacity_utilization, default, "
    "generation_latency_per_token_ms, prompt_tokens_per_second, serverless_generated_capacity_utilization, "
    "tokens_generated_per_second, requests_per_second"
)


@dataclass(frozen=True)
class Refusal:
    """A create that is refused."""

    reason: str
    message: str
    body: dict[str, object] = field(default_factory=dict)
    omit: tuple[str, ...] = ()
    query: dict[str, str] = field(default_factory=dict)
    status: int = 400
    code: int = 3


REFUSALS = [
    Refusal(
        "load targets belong under autoscalingPolicy",
        'unknown field "loadTargets"',
        {"loadTargets": {"default": 0.5}},
    ),
    Refusal("nor does the snake_case name exist there", 'unknown field "load_targets"', {"load_targets": {}}),
    Refusal("the id is a query parameter", 'unknown field "deploymentId"', {"deploymentId": "chat"}),
    Refusal(
        "enum values are closed",
        'invalid value for enum field acceleratorType: "h200-141gb"',
        {"acceleratorType": "h200-141gb"},
    ),
    Refusal(
        "neither shape nor accelerator",
        "accelerator_type must be specified for non-embeddings engines",
        omit=("acceleratorType",),
    ),
    Refusal(
        "a shape is expected, unless the risk is accepted",
        "deployment_shape must be specified, or accept_shapeless_risk set to true",
        query={"acceptShapelessRisk": "false"},
    ),
    Refusal(
        "a shape and the risk of having none",
        "accept_shapeless_risk cannot be used together with deployment_shape",
        {"deploymentShape": "fast"},
        omit=("acceleratorType",),
        query=SHAPELESS,
    ),
    Refusal(
        "qwen3 does not run on A100",
        "invalid deployment: model type qwen3 is not supported on NVIDIA_A100_80GB",
        {"baseModel": FIREWORKS + "qwen3-8b", "acceleratorType": "NVIDIA_A100_80GB"},
    ),
    Refusal(
        "gpt_oss needs Hopper or Blackwell",
        "invalid deployment: model type gpt_oss requires one of: NVIDIA_H100_80GB, NVIDIA_B200_180GB, NVIDIA_GB200, "
        "NVIDIA_B300_288GB, NVIDIA_H200_141GB",
        {"baseModel": FIREWORKS + "gpt-oss-120b", "acceleratorType": "NVIDIA_A100_80GB"},
    ),
    Refusal(
        "mixture-of-experts models do not run on MI300X",
        "invalid deployment: model type mixtral is not supported on AMD_MI300X_192GB",
        {"baseModel": FIREWORKS + "mixtral-8x7b-instruct", "acceleratorType": "AMD_MI300X_192GB"},
    ),
    Refusal(
        "unknown load target",
        'invalid deployment: unknown load target key ""gpu_cache_usage_pct"", currently supported keys are: '
        + LOAD_TARGET_KEYS,
        {"autoscalingPolicy": {"loadTargets": {"gpu_cache_usage_pct": 1}}},
    ),
    Refusal(
        "addons need 16 bits",
        "invalid deployment: addons cannot be enabled with quantized precisions (FP8/FP4)",
        {"enableAddons": True, "precision": "FP8"},
    ),
    Refusal(
        "and so does the inherited drafter",
        "draft model precision validation failed: addons cannot be enabled with quantized precisions (FP8/FP4)",
        {"baseModel": FIREWORKS + "qwen3-8b", "enableAddons": True, "precision": "BF16"},
    ),
    Refusal(
        "not every model takes addons",
        "addons are not supported for this model",
        {"baseModel": FIREWORKS + "mixtral-8x7b-instruct", "enableAddons": True},
    ),
    Refusal(
        "a LoRA as base model is a live merge, which not every model supports",
        "live merge is not supported for this deployment configuration; choose a deployment shape that supports live "
        "merge, or use multi-lora (enable_addons=true) instead of live merge for LoRA fine-tuning",
        {"baseModel": QWEN_ADDON},
    ),
    Refusal(
        "no such shape",
        "the deployment shape version does not exist or you do not have access to it",
        {"deploymentShape": "accounts/fireworks/deploymentShapes/nothing"},
        omit=("acceleratorType",),
        status=404,
        code=5,
    ),
    Refusal(
        "a shape brings its accelerator",
        "accelerator_type cannot be specified together with deployment_shape",
        {"deploymentShape": "fast"},
    ),
    Refusal(
        "scale to zero takes at least 5 minutes",
        "scale_to_zero_window must be at least 5 minutes",
        {"autoscalingPolicy": {"scaleToZeroWindow": "299s"}},
    ),
    Refusal(
        "min above max",
        "min_replica_count cannot be greater than max_replica_count",
        {"minReplicaCount": 3, "maxReplicaCount": 2},
    ),
    Refusal(
        "annotations belong to custom/",
        'annotation "owner" is not allowed: only keys beginning with custom/ are',
        {"annotations": {"owner": "me"}},
        status=403,
        code=7,
    ),
    Refusal(
        "no such model", f"model {FIREWORKS}nothing not found", {"baseModel": FIREWORKS + "nothing"}, status=404, code=5
    ),
    Refusal("a model is required", "base_model is required", omit=("baseModel",)),
    Refusal(
        "two ways of speculation",
        "draft_model and ngram_speculation_length cannot be used together",
        {"draftModel": FIREWORKS + "llama-v3p2-1b-instruct", "draftTokenCount": 4, "ngramSpeculationLength": 3},
    ),
    Refusal(
        "a drafter without token count",
        "draft_token_count must be set when draft_model or ngram_speculation_length is used",
        {"draftModel": FIREWORKS + "llama-v3p2-1b-instruct"},
    ),
    Refusal(
        "n-gram without token count",
        "draft_token_count must be set when draft_model or ngram_speculation_length is used",
        {"ngramSpeculationLength": 3},
    ),
    Refusal(
        "a precision that the model was not prepared for",
        f"invalid deployment: precision FP8 is not supported for model {FIREWORKS}llama-v3p2-3b-instruct; "
        "prepare the model for it first",
        {"baseModel": FIREWORKS + "llama-v3p2-3b-instruct", "precision": "FP8"},
    ),
    Refusal(
        "one placement only",
        "placement: exactly one of region, multi_region and regions must be set",
        {"placement": {"region": "US_IOWA_1", "multiRegion": "GLOBAL"}},
    ),
    Refusal("long names", "display_name must be fewer than 64 characters", {"displayName": "x" * 64}),
    Refusal("long texts", "description must be fewer than 1000 characters", {"description": "x" * 1000}),
    Refusal(
        "windows end at an hour",
        "scale_up_window must be between 0 and 1 hour",
        {"autoscalingPolicy": {"scaleUpWindow": "3601s"}},
    ),
    Refusal(
        "an id with capital letters",
        'invalid deployment id "Chat": must be 1-63 characters of a-z, 0-9 and hyphens, and must not begin or end '
        "with a hyphen",
        query={"deploymentId": "Chat"},
    ),
    Refusal(
        "flags are Go booleans",
        'parsing field "validate_only": strconv.ParseBool: parsing "yes": invalid syntax',
        query={"validateOnly": "yes"},
    ),
]


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.reason)
def test_create_is_refused(api: Api, sim: SimulatorClient, row: Refusal) -> None:
    sim.add_model(QWEN_ADDON, kind="HF_PEFT_ADDON", baseModel=FIREWORKS + "qwen3-8b")
    body = {"baseModel": LLAMA, "acceleratorType": H100, **row.body}
    for name in row.omit:
        del body[name]
    query = {"deploymentId": "chat", **({} if "deploymentShape" in body else SHAPELESS), **row.query}
    status, code, message = error(api.send("POST", "/deployments", body, **query))
    assert (status, code) == (row.status, row.code)
    assert message == row.message or (message.startswith("proto: (line 1:") and message.endswith(row.message))
    assert sim.deployments() == []


def test_an_id_that_exists_is_409_even_while_it_is_only_soft_deleted(api: Api, sim: SimulatorClient) -> None:
    api.create()
    expected = (409, 6, "deployment accounts/acme/deployments/chat already exists")
    body = {"baseModel": LLAMA, "acceleratorType": H100}
    assert error(api.send("POST", "/deployments", body, deploymentId="chat", **SHAPELESS)) == expected
    api.delete()
    sim.advance(3600)
    assert error(api.send("POST", "/deployments", body, deploymentId="chat", **SHAPELESS)) == expected


def test_delete_within_an_hour_of_traffic(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.traffic("chat")
    assert error(api.delete()) == (
        400,
        9,
        "deployment has received inference requests in the last hour, pass ignore_checks to skip this check",
    )


def test_quota_names_what_is_in_use(api: Api, sim: SimulatorClient) -> None:
    sim.quota("global--h200-count", 16)
    api.create("big", acceleratorType="NVIDIA_H200_141GB", acceleratorCount=7, minReplicaCount=2)
    body = {"baseModel": LLAMA, "acceleratorType": "NVIDIA_H200_141GB", "acceleratorCount": 4}
    response = api.send("POST", "/deployments", body, deploymentId="more", **SHAPELESS)
    assert error(response) == (429, 8, "global--h200-count for account acme, in use: 14, quota: 16, requesting: 4")


def test_what_is_not_there_is_404_in_the_control_planes_envelope(api: Api) -> None:
    expected = (404, 5, "deployment accounts/acme/deployments/nothing not found")
    assert error(api.send("GET", "/deployments/nothing")) == expected
    assert error(api.patch({}, deployment_id="nothing")) == expected
    assert error(api.delete("nothing")) == expected


def test_a_broken_adapter(api: Api, sim: SimulatorClient) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA, broken="model.layers.0.experts")
    api.create(enableAddons=True)
    body = {"model": ADDON, "deployment": "accounts/acme/deployments/chat"}
    assert error(api.send("POST", "/deployedModels", body)) == (
        400,
        3,
        "LoRA validation failed: LoRA keys reference non-existent base model parameters: model.layers.0.experts",
    )


def test_a_failed_start_says_internal_error(api: Api, sim: SimulatorClient) -> None:
    sim.stage("chat$", outcome="fail", terminationMessage="CUDA out of memory")
    api.create()
    sim.advance(61)
    found = api.get()
    assert found["state"] == "FAILED"
    assert found["status"] == {
        "code": "INTERNAL",
        "message": "Internal error occurred, please contact the Fireworks AI team at https://discord.gg/fireworks-ai",
    }
    assert api.value("GET", "/deployments/chat/terminationMessage") == {"message": "CUDA out of memory"}


def test_a_suspended_account_is_412_everywhere(api: Api, sim: SimulatorClient) -> None:
    sim.suspend()
    text = (
        "Account acme is suspended, possibly due to reaching the monthly spending limit or failure to pay past "
        "invoices. Please go to https://fireworks.ai/account/billing for more information."
    )
    for response in (api.send("GET", "/deployments"), api.chat("accounts/acme/deployments/chat")):
        assert (response.status_code, response.json()["error"]["message"]) == (412, text)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic fw_simulator"}])
def test_authentication_fails_at_the_edge(sim: SimulatorClient, headers: dict[str, str]) -> None:
    response = httpx.get(sim.url + "/v1/accounts", headers=headers)
    assert response.status_code == 401
    expected = {"message": "The API key you provided is invalid.", "code": "UNAUTHORIZED", "type": "error"}
    assert response.json() == {"error": expected}


def test_either_header_carries_the_key(sim: SimulatorClient) -> None:
    assert httpx.get(sim.url + "/v1/accounts", headers={"X-Api-Key": "fw_simulator"}).status_code == 200


def test_verify_api_key_names_the_account_in_a_header(api: Api) -> None:
    assert api.http.get("/verifyApiKey").headers["x-fireworks-account-id"] == "acme"


def test_paths_that_the_edge_does_not_route(api: Api) -> None:
    response = api.http.get("/api/v1/accounts")
    assert (response.status_code, response.text) == (404, "fault filter abort")
    assert response.headers["content-type"].startswith("text/plain")


def test_paths_and_methods_that_the_gateway_does_not_know(api: Api) -> None:
    assert error(api.send("GET", "/nothing")) == (404, 5, "Not Found")
    assert error(api.send("PUT", "/deployments")) == (501, 12, "Method Not Allowed")


def test_roles_of_keys(api: Api, sim: SimulatorClient, login: Callable[..., Api]) -> None:
    api.create()
    reader, inference, contributor = (login(f"fw_{n}") for n in ("reader", "inference", "contributor"))
    sim.add_key("fw_reader", "inference-user")
    sim.add_key("fw_inference", "inference-only")
    sim.add_key("fw_contributor", "contributor")
    assert reader.send("GET", "/deployments").status_code == 200
    assert error(reader.delete())[:2] == (403, 7)
    assert inference.send("GET", "/deployments").status_code == 401
    assert contributor.send("GET", "/deployments/chat").status_code == 200
    assert error(contributor.delete())[:2] == (403, 7)
    contributor.create("own")
    assert contributor.delete("own").status_code == 200


def test_a_revoked_key_is_401(api: Api, sim: SimulatorClient, login: Callable[..., Api]) -> None:
    key = sim.add_key("fw_second")
    second = login("fw_second")
    assert second.send("GET", "/deployments").status_code == 200
    sim.revoke_key(key)
    assert second.send("GET", "/deployments").status_code == 401
    assert api.send("GET", "/deployments").status_code == 200


def test_accounts_do_not_see_each_other(api: Api, sim: SimulatorClient, login: Callable[..., Api]) -> None:
    sim.add_account("globex", "fw_globex")
    api.create()
    foreign = login("fw_globex", "acme")
    assert error(foreign.send("GET", "/deployments/chat"))[:2] == (403, 7)
    assert login("fw_globex", "globex").listed() == []


def test_errors_are_json_whatever_was_sent(api: Api) -> None:
    response = api.http.post(f"{api.prefix}/deployments", content=b"\xff\xfe")
    assert json.loads(response.text)["code"] == 3
