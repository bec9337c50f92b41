"""Deployment shapes: the words, private ones, and which of them fit."""

from collections.abc import Callable

import pytest

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import H100, LLAMA, Api

MODELS = "accounts/fireworks/models/"
SHAPES = "accounts/fireworks/deploymentShapes/"
OWN = "accounts/acme/deploymentShapes/own"
ADDON = "accounts/acme/models/tone"


def shaped(api: Api, shape: str, base_model: str = LLAMA, **fields: object) -> tuple[int, str]:
    """Status of a create, and the shape that it has then or the reason against it."""
    body = {"baseModel": base_model, "deploymentShape": shape, **fields}
    response = api.send("POST", "/deployments", body)
    return response.status_code, response.json().get("deploymentShape") or response.json()["message"]


def matching(api: Api, base_model: str, **fields: object) -> list[str]:
    """Names of the shapes that the service finds for a model."""
    request = {"createDeploymentRequest": {"deployment": {"baseModel": base_model, **fields}}}
    found = api.value("POST", "/deploymentShapeVersions:match", request)["deploymentShapeVersions"]
    assert isinstance(found, list)
    return [str(each["name"]).split("/")[3] for each in found if isinstance(each, dict)]


def test_a_model_alone_is_enough_with_the_default_shape(api: Api, sim: SimulatorClient) -> None:
    models = api.http.get("/v1/accounts/fireworks/models").json()["models"]
    deployable = [model["name"] for model in models if model["kind"] in ("HF_BASE_MODEL", "EMBEDDING_MODEL")]
    assert len(deployable) > 10
    for number, name in enumerate(deployable):
        body = {"baseModel": name, "deploymentShape": "default"}
        created = api.value("POST", "/deployments", body, deploymentId=f"chat-{number}")
        assert str(created["deploymentShape"]).startswith(SHAPES), name
        assert created["acceleratorCount"], name
    sim.advance(61)
    assert {each["state"] for each in sim.deployments()} == {"READY"}


@pytest.mark.parametrize(
    ("word", "expected", "reason"),
    [
        ("default", "llama-v3p1-8b-minimal", "the first that there is"),
        ("minimal", "llama-v3p1-8b-minimal", "a preset"),
        ("fast", "llama-v3p1-8b-fast", "a preset"),
        ("throughput", "llama-v3p1-8b-throughput", "a preset"),
    ],
)
def test_a_word_becomes_the_version_of_a_shape(api: Api, word: str, expected: str, reason: str) -> None:
    status, shape = shaped(api, word)
    assert (status, shape.split("/versions/")[0]) == (200, SHAPES + expected), reason


def test_the_default_shape_fits_what_else_is_asked_for_or_says_what_does_not(api: Api) -> None:
    _, shape = shaped(api, "default", acceleratorCount=2)
    assert "llama-v3p1-8b-fast" in shape
    assert shaped(api, "default", acceleratorCount=7) == (
        400,
        "deployment shape default conflicts with: acceleratorCount",
    )
    assert shaped(api, "fast", precision="BF16") == (400, "deployment shape fast conflicts with: precision")
    assert shaped(api, "fast", enableAddons=True) == (400, "deployment shape fast conflicts with: enableAddons")
    status, text = shaped(api, "default", acceleratorType=H100)
    assert (status, text) == (400, "accelerator_type cannot be specified together with deployment_shape")


def test_a_shape_is_for_its_model_alone(api: Api) -> None:
    status, text = shaped(api, SHAPES + "gpt-oss-120b-fast")
    assert (status, text.split(",")[0]) == (
        400,
        f"deployment shape {SHAPES}gpt-oss-120b-fast is for base model {MODELS}gpt-oss-120b",
    )


def test_the_shapes_of_an_addon_are_those_of_its_base_model(api: Api, sim: SimulatorClient) -> None:
    sim.add_model(ADDON, kind="HF_PEFT_ADDON", baseModel=LLAMA)
    assert (
        matching(api, ADDON)
        == matching(api, LLAMA)
        == [
            "llama-v3p1-8b-minimal",
            "llama-v3p1-8b-fast",
            "llama-v3p1-8b-throughput",
        ]
    )
    assert matching(api, LLAMA, enableAddons=True) == ["llama-v3p1-8b-minimal"]
    assert matching(api, MODELS + "eagle-llama-v3-8b-instruct-v2") == []
    assert api.send("POST", "/deploymentShapeVersions:match", {}).status_code == 400


def test_a_private_shape_is_its_accounts_alone(api: Api, sim: SimulatorClient, login: Callable[..., Api]) -> None:
    sim.add_account("globex", "fw_globex")
    globex = login("fw_globex", "globex")
    sim.add_shape(OWN, LLAMA, acceleratorCount=4, precision="FP8", presetType="CHAT")
    assert matching(api, LLAMA)[-1] == "own"
    assert "own" not in matching(globex, LLAMA)
    assert shaped(api, OWN) == (200, OWN + "/versions/v1")
    assert shaped(globex, OWN)[0] == 404
    assert api.value("GET", "/deploymentShapes/own/versions/latest")["public"] is False
    assert globex.http.get("/v1/accounts/-/deploymentShapes/-/versions", params={"pageSize": 200}).text.count(OWN) == 0
    sim.add_shape(OWN, LLAMA, acceleratorCount=8, validated=False)
    assert "own" not in matching(api, LLAMA)


def test_a_model_of_ones_own_has_no_shape_until_there_is_one(api: Api, sim: SimulatorClient) -> None:
    own = "accounts/acme/models/own"
    sim.add_model(own)
    assert shaped(api, "default", own)[0] == 404
    sim.add_shape(OWN, own)
    assert shaped(api, "default", own) == (200, OWN + "/versions/v1")
