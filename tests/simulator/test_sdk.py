"""The official SDK as client, with strict parsing of every answer."""

from collections.abc import Iterator

import fireworks
import pytest
from fireworks import Fireworks
from fireworks.types import Deployment

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import API_KEY, H100, LLAMA, SHAPELESS

ADDON = "accounts/acme/models/tone"


@pytest.fixture
def sdk(sim: SimulatorClient) -> Iterator[Fireworks]:
    with Fireworks(
        api_key=API_KEY, account_id="acme", base_url=sim.url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def create(sdk: Fireworks, deployment_id: str) -> Deployment:
    return sdk.deployments.create(
        base_model=LLAMA, deployment_id=deployment_id, accelerator_type=H100, extra_query=SHAPELESS
    )


def test_create_get_update_delete_undelete(sdk: Fireworks, sim: SimulatorClient) -> None:
    created = sdk.deployments.create(
        base_model=LLAMA,
        deployment_id="chat",
        accelerator_type=H100,
        min_replica_count=1,
        autoscaling_policy={"scale_down_window": "120s"},
        extra_query=SHAPELESS,
    )
    assert (created.name, created.state) == ("accounts/acme/deployments/chat", "CREATING")
    sim.advance(61)
    found = sdk.deployments.get("chat")
    assert found.state == "READY"
    assert found.replica_stats is not None
    assert found.replica_stats.ready_replica_count == 1
    updated = sdk.deployments.update("chat", base_model=LLAMA, display_name="Chat")
    assert updated.display_name == "Chat"
    sdk.deployments.scale("chat", replica_count=1)
    sdk.deployments.delete("chat")
    sim.advance(11)
    assert sdk.deployments.get("chat").state == "DELETED"
    assert sdk.deployments.undelete("chat", body={}).state == "CREATING"


def test_list_walks_all_pages(sdk: Fireworks, sim: SimulatorClient) -> None:
    sim.create_foreign(450)
    names = [d.name for d in sdk.deployments.list(page_size=200)]
    assert len(names) == len(set(names)) == 450


def test_an_error_is_the_class_that_the_sdk_has_for_it(sdk: Fireworks) -> None:
    create(sdk, "chat")
    with pytest.raises(fireworks.ConflictError, match="already exists"):
        create(sdk, "chat")
    with pytest.raises(fireworks.NotFoundError):
        sdk.deployments.get("nothing")
    with pytest.raises(fireworks.BadRequestError, match="accelerator_type must be specified"):
        sdk.deployments.create(base_model=LLAMA, extra_query=SHAPELESS)


def test_load_list_update_and_unload_a_lora(sdk: Fireworks, sim: SimulatorClient) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA, public=False)
    sdk.deployments.create(
        base_model=LLAMA,
        deployment_id="chat",
        accelerator_type=H100,
        enable_addons=True,
        extra_query=SHAPELESS,
    )
    sim.advance(61)
    loaded = sdk.lora.load(model=ADDON, deployment="accounts/acme/deployments/chat")
    assert loaded.state == "DEPLOYING"
    assert loaded.name is not None
    sim.advance(16)
    pair = f'model="{ADDON}" AND deployment="accounts/acme/deployments/chat"'
    assert [m.state for m in sdk.lora.list(filter=pair)] == ["DEPLOYED"]
    deployed_id = loaded.name.rsplit("/", 1)[-1]
    assert sdk.lora.update(deployed_id, display_name="Tone").display_name == "Tone"
    sdk.lora.unload(deployed_id)
    assert sdk.lora.get(deployed_id).state == "UNDEPLOYING"
    sim.advance(16)
    assert list(sdk.lora.list(filter=pair)) == []


def test_accounts_models_and_shapes_parse(sdk: Fireworks) -> None:
    assert [a.name for a in sdk.accounts.list()] == ["accounts/acme"]
    assert sdk.accounts.get(account_id="acme").suspend_state == "UNSUSPENDED"
    model = sdk.models.get("llama-v3p1-8b-instruct", account_id="fireworks")
    assert model.base_model_details is not None
    assert model.base_model_details.parameter_count == "8000000000"
    assert len(list(sdk.models.list(account_id="fireworks"))) > 10
    assert sdk.deployment_shapes.get("gpt-oss-120b-fast", account_id="fireworks").accelerator_count == 4
    assert len(list(sdk.deployment_shapes.list(account_id="fireworks"))) > 20
    versions = sdk.deployment_shape_versions.list(
        "-", account_id="-", filter='snapshot.base_model="accounts/fireworks/models/gpt-oss-120b"'
    )
    assert len(list(versions)) == 3
    matched = sdk.deployment_shape_versions.match(
        create_deployment_request={"parent": "accounts/acme", "deployment": {"base_model": LLAMA}}
    )
    assert matched.deployment_shape_versions is not None
    assert [v.snapshot and v.snapshot.accelerator_count for v in matched.deployment_shape_versions] == [1, 2, 1]
    latest = sdk.deployment_shape_versions.get(
        "latest", account_id="fireworks", deployment_shape_id="gpt-oss-120b-fast"
    )
    assert latest.validated is True


def test_a_merged_addon_is_replaced_and_a_direct_route_has_a_handle(sdk: Fireworks, sim: SimulatorClient) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA, public=False)
    created = sdk.deployments.create(
        base_model=LLAMA,
        deployment_id="chat",
        deployment_shape="default",
        enable_hot_reload_latest_addon=True,
        max_with_revocable_replica_count=4,
        direct_route_type="INTERNET",
        direct_route_api_keys=["secret"],
        placement={"region": "US_IOWA_1"},
        extra_query={"disableAutoDeploy": True},
        extra_body={"numPeftDeviceCached": 2},
    )
    assert created.deployment_shape == "accounts/fireworks/deploymentShapes/llama-v3p1-8b-minimal/versions/a1b2c3d4"
    sim.advance(61)
    sdk.lora.load(model=ADDON, deployment="accounts/acme/deployments/chat", replace_merged_addon=True)
    sim.advance(16)
    assert [m.state for m in sdk.lora.list()] == ["DEPLOYED"]
    found = sdk.deployments.get("chat")
    assert (found.max_with_revocable_replica_count, found.num_peft_device_cached) == (4, 2)
    assert (found.direct_route_api_keys, found.direct_route_type) == (None, "INTERNET")
    assert found.direct_route_handle


def test_a_model_of_ones_own_is_prepared(sdk: Fireworks, sim: SimulatorClient) -> None:
    sim.add_model("accounts/acme/models/own", supportedPrecisions=["FP16"])
    assert sdk.models.prepare("own", precision="FP8") == {}
    sim.advance(60)
    assert sdk.models.get("own").supported_precisions == ["FP16", "FP8"]


def test_chat_goes_to_v1_when_the_base_url_is_replaced(sdk: Fireworks, sim: SimulatorClient) -> None:
    create(sdk, "chat")
    sim.advance(61)
    model = f"{LLAMA}#accounts/acme/deployments/chat"
    answer = sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    assert LLAMA in str(answer.choices[0].message.content)
    text = sdk.completions.create(model=model, prompt="hi")
    assert LLAMA in text.choices[0].text
    assert {e.path for e in sim.journal(path="completions")} == {"/v1/chat/completions", "/v1/completions"}


def test_the_sdk_streams(sdk: Fireworks, sim: SimulatorClient) -> None:
    create(sdk, "chat")
    sim.advance(61)
    chunks = list(
        sdk.chat.completions.create(
            model="accounts/acme/deployments/chat", messages=[{"role": "user", "content": "hi"}], stream=True
        )
    )
    assert "accounts/acme/deployments/chat" in str(chunks[0].choices[0].delta.content)
