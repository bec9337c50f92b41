"""What a model runs on, as the simulator knows it."""

import json
from collections.abc import Iterator

import pytest
import yaml
from click.testing import CliRunner
from pydantic import JsonValue

from fireworks_operator.fireworks.deployment_shapes import DeploymentShape, parse_shapes
from fireworks_operator.fireworks.errors import ErrorKind, FireworksError
from fireworks_operator.plugin.cli import main
from fireworks_operator.plugin.shapes import preset_word
from fireworks_simulator.app import running
from fireworks_simulator.testing import SimulatorClient
from testkit.builders import a_resource

LLAMA = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SHAPES = "accounts/fireworks/deploymentShapes"


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorClient]:
    """A simulator with a LoRA model."""
    with running() as client:
        client.add_model("accounts/acme/models/tone", kind="HF_PEFT_ADDON", baseModel=LLAMA)
        yield client


def shapes(simulator: SimulatorClient, *words: str, code: int = 0, key: str = "fw_simulator") -> str:
    """What the command prints."""
    environment = {"FIREWORKS_BASE_URL": simulator.url, "FIREWORKS_API_KEY": key}
    done = CliRunner().invoke(main, ["shapes", *words], env=environment)
    assert done.exit_code == code, done.output
    return done.output


def test_each_shape_has_a_line_with_its_hardware(simulator: SimulatorClient) -> None:
    head, minimal, fast, *_ = shapes(simulator, LLAMA).splitlines()
    assert head.split() == ["PRESET", "GPUS", "PRECISION", "CONTEXT", "ADDONS", "SHAPE"]
    assert minimal.split() == [
        "minimal",
        "1",
        "x",
        "NVIDIA_H100_80GB",
        "BF16",
        "-",
        "yes",
        f"{SHAPES}/llama-v3p1-8b-minimal",
    ]
    assert fast.split() == ["fast", "2", "x", "NVIDIA_H100_80GB", "FP8", "-", "no", f"{SHAPES}/llama-v3p1-8b-fast"]


def test_programs_get_data_or_names(simulator: SimulatorClient) -> None:
    found = json.loads(shapes(simulator, LLAMA, "-o", "json"))
    assert found == yaml.safe_load(shapes(simulator, LLAMA, "-o", "yaml"))
    assert found[0] == {
        "name": f"{SHAPES}/llama-v3p1-8b-minimal",
        "preset": "minimal",
        "baseModel": LLAMA,
        "acceleratorType": "NVIDIA_H100_80GB",
        "acceleratorCount": 1,
        "precision": "BF16",
        "enableAddons": True,
    }
    assert shapes(simulator, LLAMA, "-o", "name").splitlines() == [each["name"] for each in found]


def test_each_name_can_stand_in_a_spec(simulator: SimulatorClient) -> None:
    for name in shapes(simulator, LLAMA, "-o", "name").splitlines():
        assert a_resource({"deploymentShape": name}).spec.deployment_shape == name


def test_with_addons_only_shapes_are_shown_that_can_load_them(simulator: SimulatorClient) -> None:
    assert shapes(simulator, LLAMA, "--addons", "-o", "name") == f"{SHAPES}/llama-v3p1-8b-minimal\n"


def test_an_id_is_a_model_of_the_own_account_and_an_addon_stands_for_its_base(simulator: SimulatorClient) -> None:
    assert shapes(simulator, "tone") == shapes(simulator, LLAMA)


@pytest.mark.parametrize(
    ("words", "says", "reason"),
    [
        (["llama-v3p1-8b-instruct"], "For a model of Fireworks, write accounts/fireworks/models/llama-v3p1-8b", "bare"),
        (["accounts/fireworks/models/nope"], "no deployment shape for accounts/fireworks/models/nope. Check", "wrong"),
        (["accounts/fireworks/models/gpt-oss-120b", "--addons"], "in which addons can be loaded for", "no addons"),
    ],
)
def test_none_says_what_to_do(simulator: SimulatorClient, words: list[str], says: str, reason: str) -> None:
    assert says in shapes(simulator, *words), reason
    assert shapes(simulator, *words, "-o", "json") == "[]\n", reason


def test_a_key_that_is_not_accepted_is_told(simulator: SimulatorClient) -> None:
    assert "Set FIREWORKS_API_KEY to a valid API key." in shapes(simulator, LLAMA, code=1, key="fw_not-a-valid-one")


@pytest.mark.parametrize(
    ("preset", "word"),
    [("FAST", "fast"), ("AGENTIC_CODING", "agentic-coding"), ("", ""), ("PRESET_TYPE_UNSPECIFIED", "")],
)
def test_a_preset_is_the_word_that_a_spec_takes(preset: str, word: str) -> None:
    assert preset_word(DeploymentShape("accounts/a/deploymentShapes/s", preset=preset)) == word


@pytest.mark.parametrize("version", [3, {}, {"snapshot": {}}, {"snapshot": {"name": "accounts/a/models/m"}}])
def test_what_is_no_shape_is_a_protocol_error(version: JsonValue) -> None:
    with pytest.raises(FireworksError) as caught:
        parse_shapes({"deploymentShapeVersions": [version]})
    assert caught.value.kind is ErrorKind.PROTOCOL
    assert parse_shapes({}) == ()
