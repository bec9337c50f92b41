"""Addons that were trained on another base model than the deployment's: told, and never sent."""

from typing import Any

import pytest

from fireworks_operator.core.actions import LoadAddon, Rest
from fireworks_operator.core.decisions.addons import MISFIT_RECHECK
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.situation import assess
from fireworks_operator.fireworks.models import Model, PeftDetails
from testkit.builders import ADDON, BASE_MODEL, NOW, a_context, a_resource, an_addon
from testkit.report_steps import after
from tests.unit.core.test_addons import BOTH, RECORDED, SECOND, SPEC, STATUS, capable, messages

OTHER = "accounts/fireworks/models/other"


def trained_on(base: str, name: str = ADDON) -> Model:
    return Model(name, peft_details=PeftDetails(base))


@pytest.mark.parametrize(
    ("models", "fits", "reason"),
    [
        ([], True, "No record: Fireworks decides."),
        ([trained_on("")], True, "The record does not say."),
        ([trained_on(BASE_MODEL)], True, "The same."),
        ([trained_on(OTHER)], False, "Another one."),
        ([trained_on(OTHER), trained_on(OTHER, BASE_MODEL)], True, "The deployment serves an addon of the same base."),
        ([trained_on(OTHER), trained_on("", BASE_MODEL)], False, "The deployment serves a base model."),
    ],
)
def test_an_addon_is_loaded_unless_its_record_names_another_base_model(
    models: list[Model], fits: bool, reason: str
) -> None:
    context = a_context(models={each.name: each for each in models})
    action = decide(assess(a_resource(SPEC, STATUS), capable(), context))
    assert isinstance(action, LoadAddon if fits else Rest), reason
    if isinstance(action, Rest):
        assert action.until == NOW + MISFIT_RECHECK


def test_one_that_does_not_fit_is_told_with_both_names_and_gives_way_to_the_next() -> None:
    context = a_context(models={ADDON: trained_on(OTHER)})
    action = decide(assess(a_resource(BOTH, STATUS), capable(), context))
    assert isinstance(action, LoadAddon)
    assert action.model == SECOND
    told = after(a_resource(BOTH, STATUS), capable(), context=context)
    message = messages(told)["lora-1"] or ""
    assert message.startswith(f"It was trained on {OTHER}, but the deployment serves {BASE_MODEL}: remove it from")
    assert messages(told)["lora-2"] is None


@pytest.mark.parametrize(
    ("spec", "addon", "reason"),
    [
        (SPEC, an_addon(), "Fireworks has loaded it, and knows better."),
        ({"enableAddons": True}, None, "It left the spec."),
    ],
)
def test_of_what_is_loaded_or_not_wanted_nothing_is_told(spec: dict[str, Any], addon: Any, reason: str) -> None:  # noqa: ANN401 - an addon or none
    context = a_context(models={ADDON: trained_on(OTHER)})
    status = {**RECORDED, "addons": [{"model": ADDON, "message": "It was trained on something else."}]}
    told = after(a_resource(spec, status), capable(*([addon] if addon else [])), context=context)
    assert not any(messages(told).values()), reason


def test_what_was_told_stands_while_the_record_is_not_known() -> None:
    resource = a_resource(SPEC, STATUS)
    told = after(resource, capable(), context=a_context(models={ADDON: trained_on(OTHER)}))
    still = after(told, capable(), Rest())
    assert messages(still) == messages(told)
