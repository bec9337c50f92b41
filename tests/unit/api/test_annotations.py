"""Of the annotations that users and their tools write, only those are kept that mean something to the operator."""

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, ANNOTATION_RECONCILE_AT
from fireworks_operator.core.status.dropped_fields import LAST_APPLIED
from testkit.builders import a_resource


def test_annotations_of_others_are_not_kept() -> None:
    kept = {ANNOTATION_ABANDON: "true", ANNOTATION_RECONCILE_AT: "2026-03-01", LAST_APPLIED: '{"spec": {}}'}
    others = {"example.com/large": "x" * 250_000, "fireworks.ai.example.com/abandon": "true", "note": ""}
    assert a_resource(annotations={**others, **kept}).metadata.annotations == kept


def test_annotations_of_ours_are_kept_within_bounds() -> None:
    many = {f"fireworks.ai/{number:05}": "x" * 1000 for number in range(250)}
    found = a_resource(annotations={ANNOTATION_ABANDON: "true", **many}).metadata.annotations
    assert found[ANNOTATION_ABANDON] == "true"
    assert sum(len(name) + len(value) for name, value in found.items()) < 10_000
    assert a_resource().metadata.annotations == {}
