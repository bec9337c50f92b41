"""Inference: identifiers, cold starts, and that requests count as traffic."""

from collections.abc import Callable

import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import LLAMA, Api, state_of

DEPLOYMENT = "accounts/acme/deployments/chat"
ADDON = "accounts/acme/models/tone"
NOT_DEPLOYED = {
    "error": {
        "message": "Model not found, inaccessible, and/or not deployed",
        "param": "model",
        "code": "NOT_FOUND",
        "type": "error",
    }
}
SCALING_UP = {
    "error": {
        "message": "Deployment is currently scaled to zero and is scaling up. Please retry your request in a few "
        "minutes.",
        "code": "DEPLOYMENT_SCALING_UP",
        "type": "error",
    }
}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (f"{LLAMA}#{DEPLOYMENT}", "the full form"),
        ("fireworks/llama-v3p1-8b-instruct#acme/chat", "the short form"),
        (DEPLOYMENT, "the deployment alone"),
        (LLAMA, "the default deployment of a model"),
    ],
)
def test_identifiers_of_the_base_model(api: Api, sim: SimulatorClient, model: str, reason: str) -> None:
    api.create()
    sim.advance(60)
    answer = api.chat(model)
    assert answer.status_code == 200, reason
    body = answer.json()
    assert body["model"] == model
    assert body["choices"][0]["message"]["content"] == f"This is {model.partition('#')[0]} on {DEPLOYMENT}, simulated."
    assert answer.headers["fireworks-deployment"] == DEPLOYMENT


@pytest.mark.parametrize(
    "model",
    [
        f"{LLAMA}#accounts/acme/deployments/nothing",
        f"{LLAMA}#chat",
        "accounts/acme/deployments/nothing",
        "accounts/fireworks/models/llama-v3p2-3b-instruct",
        "oops",
    ],
)
def test_identifiers_of_nothing(api: Api, sim: SimulatorClient, model: str) -> None:
    api.create()
    sim.advance(60)
    answer = api.chat(model)
    assert (answer.status_code, answer.json()) == (404, NOT_DEPLOYED)


def test_an_addon_answers_once_it_is_loaded(api: Api, sim: SimulatorClient) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(enableAddons=True)
    sim.advance(60)
    model = f"{ADDON}#{DEPLOYMENT}"
    missing = api.chat(model)
    assert (missing.status_code, missing.json()["error"]) == (
        404,
        {"message": f"The model `{model}` does not exist.", "type": "NotFoundError", "param": "model", "code": 404},
    )
    api.value("POST", "/deployedModels", {"model": ADDON, "deployment": DEPLOYMENT})
    assert api.chat(model).status_code == 404
    sim.advance(15)
    assert ADDON in api.chat(model).json()["choices"][0]["message"]["content"]
    assert {m["id"] for m in api.http.get("/inference/v1/models").json()["data"]} == {model, f"{LLAMA}#{DEPLOYMENT}"}


def test_a_request_wakes_what_is_scaled_to_zero(api: Api, sim: SimulatorClient) -> None:
    api.create(autoscalingPolicy={"scaleToZeroWindow": "300s"})
    sim.advance(60 + 300)
    assert state_of(api.get()) == ("READY", 0)
    answer = api.chat(DEPLOYMENT)
    assert (answer.status_code, answer.json()) == (503, SCALING_UP)
    assert "retry-after" not in answer.headers
    waking = api.get()
    assert (waking["state"], waking["replicaStats"]) == ("READY", {"pendingSchedulingReplicaCount": 1})
    sim.advance(59)
    assert api.chat(DEPLOYMENT).status_code == 503
    sim.advance(1)
    assert api.chat(DEPLOYMENT).status_code == 200


def test_requests_count_as_traffic(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.advance(60)
    api.chat(DEPLOYMENT)
    assert api.delete().json()["code"] == 9
    sim.advance(3600)
    assert api.delete().status_code == 200


def test_what_is_creating_failed_deleted_or_parked_is_not_deployed(api: Api, sim: SimulatorClient) -> None:
    api.create()
    assert api.chat(DEPLOYMENT).json() == NOT_DEPLOYED
    sim.fail("chat")
    assert api.chat(DEPLOYMENT).json() == NOT_DEPLOYED
    api.delete()
    assert api.chat(DEPLOYMENT).json() == NOT_DEPLOYED
    api.create("parked", maxReplicaCount=0)
    sim.advance(60)
    assert api.chat("accounts/acme/deployments/parked").json() == NOT_DEPLOYED


def test_completions_and_streams(api: Api, sim: SimulatorClient) -> None:
    api.create()
    sim.advance(60)
    answer = api.http.post("/inference/v1/completions", json={"model": DEPLOYMENT, "prompt": "Say this is a test"})
    assert answer.json()["choices"][0]["text"] == f"This is {DEPLOYMENT} on {DEPLOYMENT}, simulated."
    stream = api.chat(DEPLOYMENT, stream=True)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.text.endswith("data: [DONE]\n\n")
    assert '"usage":{"completion_tokens":6,' in stream.text


@pytest.mark.parametrize(
    ("path", "content", "param"),
    [
        ("chat/completions", "oops", None),
        ("chat/completions", "[]", None),
        ("chat/completions", '{"model": "m"}', "messages"),
        ("chat/completions", '{"messages": [{}]}', "model"),
        ("completions", '{"model": "m"}', "prompt"),
    ],
)
def test_bad_requests(api: Api, path: str, content: str, param: str | None) -> None:
    answer = api.http.post(f"/inference/v1/{path}", content=content)
    assert (answer.status_code, answer.json()["error"].get("param")) == (400, param)


def test_only_public_models_answer_to_other_accounts(api: Api, sim: SimulatorClient, login: Callable[..., Api]) -> None:
    sim.add_account("globex", "fw_globex")
    api.create()
    sim.advance(60)
    other = login("fw_globex", "globex")
    assert other.chat(DEPLOYMENT).status_code == 404
    deployed = sim.deployed_models()[0]
    api.value("PATCH", "/deployedModels/" + str(deployed["name"]).rsplit("/", 1)[-1], {"public": True})
    assert other.chat(DEPLOYMENT).status_code == 200
