"""The reference pages in docs/ are what the models say."""

from pathlib import Path

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.kinds import BUDGETS, DEPLOYMENTS
from fireworks_operator.api.reference import pages, render_conditions, render_fields
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentSpec

PAGES = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize(("name", "text"), pages().items(), ids=pages())
def test_the_page_in_the_repository_is_fresh(name: str, text: str) -> None:
    assert (PAGES / name).read_text(encoding="utf-8") == text, "run `make docs`"


def test_every_field_and_every_rule_of_a_budget_is_on_its_page() -> None:
    page = render_fields(BUDGETS)
    for path in ("spec.limits.gpus", "spec.limits.hourlyCost", "spec.selector.matchExpressions[].operator"):
        assert f"### `{path}`\n" in page
    assert "- Type: integer or string, at most 32 characters\n" in page
    assert "- spec.limits must set at least one of" in page
    assert "| MAX-$/H | `.spec.limits.hourlyCost` |" in page


def test_every_field_and_every_rule_is_on_the_page() -> None:
    page = render_fields(DEPLOYMENTS)
    for field in FireworksDeploymentSpec.model_fields.values():
        assert f"### `spec.{field.alias}`\n" in page
    for path in ("spec.autoscalingPolicy.scaleUpWindow", "spec.addons[].model", "spec.placement.regions"):
        assert f"### `{path}`\n" in page
    for rule in (*FireworksDeployment.rules, *FireworksDeploymentSpec.rules):
        assert f"- {rule.message}.\n" in page
    assert "- spec.placement.regions[] must be" in page
    assert "| `status.conditions[].lastTransitionTime` | time (RFC 3339) |" in page


def test_every_type_and_reason_is_on_the_page() -> None:
    page = render_conditions()
    for member in (*ConditionType, *Reason):
        assert f"| `{member}` | {member.doc} |\n" in page
