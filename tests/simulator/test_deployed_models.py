"""LoRA addons on deployments."""

import pytest

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import LLAMA, Api

ADDON = "accounts/acme/models/tone"
DEPLOYMENT = "accounts/acme/deployments/chat"


@pytest.fixture
def ready(api: Api, sim: SimulatorClient) -> Api:
    """A deployment that takes addons, and an addon for it."""
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(enableAddons=True, minReplicaCount=1)
    sim.advance(60)
    return api


def load(api: Api, **fields: object) -> JsonObject:
    return api.value("POST", "/deployedModels", {"model": ADDON, "deployment": DEPLOYMENT, **fields})


def deployed_id(deployed: JsonObject) -> str:
    return str(deployed["name"]).rsplit("/", 1)[-1]


def states(api: Api) -> list[object]:
    found = api.value("GET", "/deployedModels", filter=f'model="{ADDON}"')["deployedModels"]
    assert isinstance(found, list)
    return [m["state"] for m in found if isinstance(m, dict)]


def test_an_addon_loads_and_unloads_in_time(ready: Api, sim: SimulatorClient) -> None:
    loaded = load(ready, displayName="Tone")
    assert (loaded["state"], loaded["model"], loaded["deployment"]) == ("DEPLOYING", ADDON, DEPLOYMENT)
    assert (loaded["displayName"], loaded["default"]) == ("Tone", True)
    assert deployed_id(loaded).startswith("tone-")
    sim.advance(15)
    assert states(ready) == ["DEPLOYED"]
    assert ready.value("DELETE", f"/deployedModels/{deployed_id(loaded)}") == {}
    assert states(ready) == ["UNDEPLOYING"]
    sim.advance(10)
    ready.value("DELETE", f"/deployedModels/{deployed_id(loaded)}")
    sim.advance(5)
    assert states(ready) == []
    assert ready.send("DELETE", f"/deployedModels/{deployed_id(loaded)}").json()["code"] == 5


def test_the_same_pair_twice_is_409(ready: Api, sim: SimulatorClient) -> None:
    loaded = load(ready)
    body = {"model": ADDON, "deployment": DEPLOYMENT}
    refused = ready.send("POST", "/deployedModels", body)
    assert (refused.status_code, refused.json()["code"]) == (409, 6)
    ready.value("DELETE", f"/deployedModels/{deployed_id(loaded)}")
    assert ready.send("POST", "/deployedModels", body).status_code == 200


def test_an_addon_waits_for_the_first_replica(api: Api, sim: SimulatorClient) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(enableAddons=True)
    load(api)
    sim.advance(60 + 14)
    assert states(api) == ["DEPLOYING"]
    sim.advance(1)
    assert states(api) == ["DEPLOYED"]


@pytest.mark.parametrize(
    ("model", "fields", "deployment", "code", "reason"),
    [
        (ADDON, {"baseModel": "accounts/fireworks/models/llama-v3p2-3b-instruct"}, "chat", 3, "another base model"),
        (ADDON, {"baseModel": LLAMA}, "plain", 9, "addons are not enabled there"),
        (ADDON, {"baseModel": LLAMA}, "nothing", 5, "no such deployment"),
        ("accounts/acme/models/nothing", {"baseModel": LLAMA}, "chat", 5, "no such model"),
        ("accounts/fireworks/models/llama-v3p2-3b-instruct", {"baseModel": LLAMA}, "chat", 3, "no addon at all"),
    ],
)
def test_loads_that_are_refused(
    ready: Api, sim: SimulatorClient, model: str, fields: dict[str, str], deployment: str, code: int, reason: str
) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", **fields)
    ready.create("plain")
    body = {"model": model, "deployment": f"accounts/acme/deployments/{deployment}"}
    assert ready.send("POST", "/deployedModels", body).json()["code"] == code, reason


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"deployment": DEPLOYMENT}, "model is required"),
        ({"model": ADDON}, "deployment is required"),
        ({"model": ADDON, "deployment": DEPLOYMENT, "serverless": True}, "serverless must not be set"),
        ({"model": ADDON, "deployment": DEPLOYMENT, "displayName": "x" * 64}, "displayName must be fewer than 64"),
        ({"model": ADDON, "deployment": DEPLOYMENT, "id": "x"}, 'unknown field "id"'),
    ],
)
def test_load_bodies_that_are_refused(ready: Api, body: dict[str, object], message: str) -> None:
    refused = ready.send("POST", "/deployedModels", body)
    assert refused.status_code == 400
    assert message in refused.json()["message"]


def test_texts_and_flags_can_be_changed_but_not_what_is_loaded(ready: Api) -> None:
    path = f"/deployedModels/{deployed_id(load(ready, description='old'))}"
    changed = ready.value("PATCH", path, {"public": True, "description": ""}, updateMask="public,description")
    assert changed["public"] is True
    assert "description" not in changed
    refused = ready.send("PATCH", path, {"model": LLAMA}, updateMask="model")
    assert refused.json()["message"] == "field model is immutable"


def test_one_deployed_model_per_model_is_the_default(ready: Api, sim: SimulatorClient) -> None:
    first = load(ready)
    ready.create("other", enableAddons=True)
    second = load(ready, deployment="accounts/acme/deployments/other")
    assert (first["default"], "default" in second) == (True, False)
    ready.value("PATCH", f"/deployedModels/{deployed_id(second)}", {"default": True}, updateMask="default")
    assert "default" not in ready.value("GET", f"/deployedModels/{deployed_id(first)}")


def test_a_deployment_with_addons_is_not_deleted_unless_checks_are_ignored(ready: Api, sim: SimulatorClient) -> None:
    load(ready)
    refused = ready.delete()
    assert (refused.status_code, refused.json()["code"]) == (400, 9)
    assert ready.delete(ignoreChecks="true").status_code == 200
    assert states(ready) == ["UNDEPLOYING"]
    sim.advance(11)
    assert states(ready) == []


def test_a_deletion_can_last_for_hours_and_its_addons_with_it(ready: Api, sim: SimulatorClient) -> None:
    sim.stage("slow$", deleting=4 * 3600)
    ready.create("slow", enableAddons=True)
    sim.advance(61)
    load(ready, deployment="accounts/acme/deployments/slow")
    ready.delete("slow", ignoreChecks="true")
    sim.advance(4 * 3600 - 61)
    assert (ready.get("slow")["state"], ready.get("slow")["replicaCount"]) == ("DELETING", 0)
    assert states(ready) == ["UNDEPLOYING"]
    sim.advance(62)
    assert (ready.get("slow")["state"], states(ready)) == ("DELETED", [])


def test_a_model_says_where_it_is_deployed(ready: Api, sim: SimulatorClient) -> None:
    loaded = load(ready)
    refs = ready.value("GET", "/models/tone")["deployedModelRefs"]
    expected = {"name": loaded["name"], "deployment": DEPLOYMENT, "state": "DEPLOYING", "default": True}
    assert refs == [{**expected, "public": False}]


def test_the_state_of_an_addon_can_be_forced(ready: Api, sim: SimulatorClient) -> None:
    name = deployed_id(load(ready))
    sim.edit_deployed_model(name, state="DEPLOYING", statusCode="INTERNAL", statusMessage="LoRA failed to load")
    sim.advance(1000)
    found = ready.value("GET", f"/deployedModels/{name}")
    assert found["state"] == "DEPLOYING"
    assert found["status"] == {"code": "INTERNAL", "message": "LoRA failed to load"}
