"""Fields of deployments that came later: revocable replicas, direct routes, one addon merged into the base model."""

import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import LLAMA, Api

DEPLOYMENT = "accounts/acme/deployments/chat"
TONES = ("accounts/acme/models/tone", "accounts/acme/models/second")
REGION = {"region": "US_IOWA_1"}


def test_replicas_beyond_the_maximum_are_revocable(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1, maxReplicaCount=2, maxWithRevocableReplicaCount=4)
    sim.advance(61)
    sim.load("chat", 9)
    sim.advance(120)
    found = api.get()
    stats = found["replicaStats"]
    assert isinstance(stats, dict)
    assert (found["desiredReplicaCount"], stats["revocableReplicaCount"]) == (4, 2)
    refused = api.patch({"maxWithRevocableReplicaCount": 1}, "max_with_revocable_replica_count")
    assert refused.json()["message"] == "max_with_revocable_replica_count cannot be less than max_replica_count"
    api.patch({"maxWithRevocableReplicaCount": 0}, "max_with_revocable_replica_count")
    assert api.get()["desiredReplicaCount"] == 2


def test_adapters_on_the_gpu_are_a_number(api: Api) -> None:
    assert api.create(numPeftDeviceCached=8)["numPeftDeviceCached"] == 8
    refused = api.patch({"numPeftDeviceCached": -1}, "num_peft_device_cached")
    assert refused.json()["message"] == "num_peft_device_cached must be greater than or equal to 0"


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("INTERNET", "chat.direct."),
        ("GCP_PRIVATE_SERVICE_CONNECT", "serviceAttachments/chat"),
        ("AWS_PRIVATELINK", "vpce-svc-chat"),
    ],
)
def test_a_direct_route_has_a_handle_once_it_leads_anywhere(
    api: Api, sim: SimulatorClient, kind: str, part: str
) -> None:
    created = api.create(directRouteType=kind, directRouteApiKeys=["secret"], placement=REGION)
    assert "directRouteHandle" not in created
    sim.advance(61)
    found = api.get()
    assert part in str(found["directRouteHandle"])
    assert "secret" not in str(found), "keys are written, never read"


def test_a_direct_route_needs_a_region(api: Api) -> None:
    api.create()
    refused = api.patch({"directRouteType": "INTERNET"}, "direct_route_type")
    assert refused.json()["message"] == "direct_route_type requires placement.region to be set"


def test_the_version_of_a_model_changes_at_the_end_of_a_roll_out(api: Api, sim: SimulatorClient) -> None:
    created = api.create()
    assert created["activeModelVersion"] == created["targetModelVersion"]
    sim.advance(61)
    changed = api.patch({"targetModelVersion": "next"}, "target_model_version").json()
    assert (changed["state"], changed["activeModelVersion"]) == ("UPDATING", created["activeModelVersion"])
    sim.advance(31)
    assert (api.get()["state"], api.get()["activeModelVersion"]) == ("READY", "next")


def load(api: Api, model: str, **query: str) -> tuple[int, str]:
    """Status of loading an addon, and the reason against it."""
    response = api.send("POST", "/deployedModels", {"model": model, "deployment": DEPLOYMENT}, **query)
    return response.status_code, response.json().get("message", "")


def test_a_merged_addon_is_exchanged_without_a_restart(api: Api, sim: SimulatorClient) -> None:
    for tone in TONES:
        sim.add_model(tone, kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(enableHotReloadLatestAddon=True)
    sim.advance(61)
    assert load(api, TONES[0]) == (
        400,
        f"replace_merged_addon must be set to load an addon into deployment {DEPLOYMENT}",
    )
    for tone in TONES:
        assert load(api, tone, replaceMergedAddon="true")[0] == 200
        assert api.chat(DEPLOYMENT).status_code == 404, "it is not there yet"
        sim.advance(16)
        assert tone in api.chat(DEPLOYMENT).text
        assert api.chat(f"{tone}#{DEPLOYMENT}").status_code == 404
        assert (api.get()["state"], api.get()["replicaCount"]) == ("READY", 1)
    assert [m["model"] for m in sim.deployed_models() if m["model"] != LLAMA] == [TONES[1]]
    assert TONES[1] in api.chat(DEPLOYMENT).text


def test_only_a_merged_addon_is_replaced(api: Api, sim: SimulatorClient) -> None:
    sim.add_model(TONES[0], kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(enableAddons=True)
    status, text = load(api, TONES[0], replaceMergedAddon="true")
    assert (status, "enable_hot_reload_latest_addon" in text) == (400, True)


def test_the_default_and_public_of_a_base_model_are_those_of_its_own_deployed_model(
    api: Api, sim: SimulatorClient
) -> None:
    api.create("chat")
    api.create("second", {"disableAutoDeploy": "true"})
    sim.advance(61)
    body = {"model": LLAMA, "deployment": "accounts/acme/deployments/second"}
    loaded = api.value("POST", "/deployedModels", body)
    assert "default" not in loaded
    path = "/deployedModels/" + str(loaded["name"]).rsplit("/", 1)[-1]
    changed = api.value("PATCH", path, {"default": True, "public": True}, updateMask="default,public")
    assert (changed["default"], changed["public"]) == (True, True)
    assert [(m["deployment"], m.get("default")) for m in sim.deployed_models()] == [
        (DEPLOYMENT, None),
        ("accounts/acme/deployments/second", True),
    ]
    assert "deployments/second" in api.chat(LLAMA).text


def test_without_auto_deploy_the_name_of_the_model_leads_nowhere(api: Api, sim: SimulatorClient) -> None:
    api.create("chat", {"disableAutoDeploy": "true"})
    sim.advance(61)
    assert (sim.deployed_models(), api.chat(LLAMA).status_code) == ([], 404)
    assert api.chat(DEPLOYMENT).status_code == 200


@pytest.mark.parametrize(
    ("tags", "status", "reason"),
    [
        ({"custom/team": "search"}, 200, "a tag"),
        ({f"custom/k{n}": "v" for n in range(64)}, 200, "64 of them"),
        ({f"custom/k{n}": "v" for n in range(65)}, 400, "one too many"),
        ({"team": "search"}, 403, "a bare key"),
        ({"custom/" + "k" * 121: "v" * 128}, 200, "the longest"),
        ({"custom/" + "k" * 122: "v"}, 400, "a longer key"),
        ({"custom/k": "v" * 129}, 400, "a longer value"),
        ({"custom/k": ""}, 400, "an empty value"),
        ({"custom/k": " v"}, 400, "a blank at the edge"),
        ({"custom/k": "a\nb"}, 400, "a control character"),
        ({"custom/k": "d\u00e9j\u00e0\u200bvu \U0001f600"}, 200, "any other character"),
        ({"custom/": "v"}, 400, "nothing after the prefix"),
        ({"custom/-k": "v"}, 400, "a key that begins with a hyphen"),
        ({"custom/a.b_c-d/e": "v"}, 200, "all that a key may have"),
    ],
)
def test_tags_of_a_create_follow_the_same_rules_as_later_ones(
    api: Api, tags: dict[str, str], status: int, reason: str
) -> None:
    api.create("later")
    body = {"baseModel": LLAMA, "deploymentShape": "default", "annotations": tags}
    assert api.send("POST", "/deployments", body, deploymentId="chat").status_code == status, reason
    assert api.send("POST", "/deployments/later:setTags", {"tags": tags}).status_code == status, reason


def test_a_bare_key_cannot_be_removed_either(api: Api) -> None:
    api.create()
    assert api.send("POST", "/deployments/chat:deleteTags", {"keys": ["team"]}).status_code == 403


def test_inference_says_what_it_did_with_speculation_and_users(api: Api, sim: SimulatorClient) -> None:
    model = "accounts/fireworks/models/llama-v3p3-70b-instruct"
    api.create(baseModel=model, minReplicaCount=3, enableSessionAffinity=True)
    sim.advance(61)
    plain = api.chat(DEPLOYMENT)
    assert "perf_metrics" not in plain.json()
    metrics = api.chat(DEPLOYMENT, perf_metrics_in_response=True).json()["perf_metrics"]
    assert int(metrics["speculation-matched-tokens"]) == int(metrics["speculation-generated-tokens"]) > 0
    ignored = api.chat(DEPLOYMENT, perf_metrics_in_response=True, disable_speculation=True).json()["perf_metrics"]
    assert ignored["speculation-matched-tokens"] == "0"
    hosts = {
        user: {api.chat(DEPLOYMENT, user=user).headers["fireworks-backend-host"] for _ in range(3)} for user in "abcdef"
    }
    assert {len(each) for each in hosts.values()} == {1}, "a user stays where it is"
    assert len(set.union(*hosts.values())) > 1, "and not all are in one place"


@pytest.mark.parametrize("path", ["deployments", "inference"])
def test_without_credits_creates_and_inference_are_402(api: Api, sim: SimulatorClient, path: str) -> None:
    api.create()
    sim.advance(61)
    sim.fault("payment_required")
    body = {"baseModel": LLAMA, "deploymentShape": "default"}
    refused = api.send("POST", "/deployments", body) if path == "deployments" else api.chat(DEPLOYMENT)
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "PAYMENT_REQUIRED")
    assert api.get()["state"] == "READY", "looking is free"
    assert api.delete(ignoreChecks="true").status_code == 200, "and so is putting an end to it"


@pytest.mark.parametrize(
    ("placement", "accelerator", "region"),
    [
        (None, "NVIDIA_H100_80GB", "US_IOWA_1"),
        ({"multiRegion": "GLOBAL"}, "NVIDIA_B200_180GB", "US_OHIO_1"),
        ({"multiRegion": "US"}, "NVIDIA_A100_80GB", "US_ILLINOIS_2"),
        ({"multiRegion": "EUROPE"}, "NVIDIA_H100_80GB", "EU_FRANKFURT_1"),
        ({"multiRegion": "EUROPE"}, "NVIDIA_B200_180GB", "EU_ICELAND_2"),
        ({"multiRegion": "APAC"}, "NVIDIA_H200_141GB", "AP_TOKYO_2"),
        ({"multiRegion": "APAC"}, "NVIDIA_B200_180GB", "AP_TOKYO_1"),
        ({"multiRegion": "CANADA"}, "NVIDIA_H100_80GB", "NA_BRITISHCOLUMBIA_1"),
        ({"region": "US_UTAH_1"}, "NVIDIA_H100_80GB", "US_UTAH_1"),
        ({"regions": ["EU_FRANKFURT_1", "US_IOWA_1"]}, "NVIDIA_H100_80GB", "EU_FRANKFURT_1"),
    ],
)
def test_the_region_lies_in_the_placement(
    api: Api, placement: dict[str, object] | None, accelerator: str, region: str
) -> None:
    fields: dict[str, object] = {} if placement is None else {"placement": placement}
    assert api.create("chat", None, acceleratorType=accelerator, **fields)["region"] == region
