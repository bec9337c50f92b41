"""What the records of models say against a spec, and what stands while they are not known."""

from typing import Any

import pytest

from fireworks_operator.core.status.model_notices import model_notices, models_to_ask
from fireworks_operator.fireworks.models import BaseModelDetails, Model
from testkit.builders import ACCOUNT, BASE_MODEL, CREATED, a_deployment, a_resource
from testkit.report_steps import serving

DRAFT = f"accounts/{ACCOUNT}/models/draft"
MI300X = "AMD_MI300X_192GB"


def a_model(name: str = BASE_MODEL, *, kind: str = "llama", moe: bool = False, precisions: str = "FP16") -> Model:
    details = BaseModelDetails(model_type=kind, moe=moe)
    return Model(name, supported_precisions=tuple(precisions.split()), base_model_details=details)


@pytest.mark.parametrize(
    ("spec", "models", "words", "reason"),
    [
        ({"precision": "FP8"}, [a_model()], "not been prepared for spec.precision FP8", "Only FP16 is supported."),
        ({"precision": "FP8"}, [a_model(precisions="FP16 FP8")], None, "It was prepared."),
        ({"precision": "FP8"}, [a_model(precisions="")], None, "The record does not say which there are."),
        ({"precision": "BF16"}, [a_model()], None, "Nothing to prepare."),
        (
            {"draftModel": "draft"},
            [a_model(), a_model(DRAFT, kind="qwen2")],
            "a different model family",
            "Llama and Qwen.",
        ),
        ({"draftModel": "draft"}, [a_model(), a_model(DRAFT)], None, "Llama and Llama."),
        ({"draftModel": "draft"}, [a_model(), a_model(DRAFT, kind="")], None, "The record does not say."),
        ({"acceleratorType": MI300X}, [a_model(moe=True)], "mixture-of-experts", "Known to go wrong."),
        ({"acceleratorType": MI300X}, [a_model()], None, "A dense model runs there."),
        ({}, [a_model(moe=True)], None, "On other GPUs it runs."),
    ],
)
def test_what_a_record_says(spec: dict[str, Any], models: list[Model], words: str | None, reason: str) -> None:
    deployment = a_deployment(acceleratorType=spec.get("acceleratorType", "NVIDIA_H100_80GB"))
    resource = a_resource(spec, CREATED)
    found = model_notices(resource, deployment, {each.name: each for each in models})
    assert len(found) == (0 if words is None else 1), reason
    assert words is None or words in found[0]
    told = a_resource(spec, {**CREATED, "notices": ["another one", *found]})
    assert model_notices(told, deployment, {}) == found, "it stands while the records are not known"
    assert model_notices(resource, deployment, {}) == [], "nothing is said that was never known"


@pytest.mark.parametrize(
    ("spec", "names", "reason"),
    [
        ({}, [], "No record says anything against it."),
        ({"precision": "FP16"}, [], "Every model supports it."),
        ({"precision": "FP8"}, [BASE_MODEL], "Prepared for it?"),
        ({"acceleratorType": MI300X}, [BASE_MODEL], "A mixture of experts?"),
        ({"draftModel": "draft", "precision": "FP8"}, [BASE_MODEL, DRAFT], "Of one family?"),
    ],
)
def test_only_records_that_matter_are_asked_for(spec: dict[str, Any], names: list[str], reason: str) -> None:
    assert models_to_ask(a_resource(spec, CREATED), ACCOUNT) == names, reason
    assert models_to_ask(serving(spec), ACCOUNT) == [], "nothing is asked for at rest"
    assert models_to_ask(serving(spec, generation=2), ACCOUNT) == names, "a change is judged anew"
