"""Fields that an apply has dropped are told; what somebody else writes into the annotation costs next to nothing."""

import json
from time import process_time

import pytest
from pydantic import JsonValue

from fireworks_operator.core.status.dropped_fields import _REMEMBERED, LAST_APPLIED, MOST_TOLD, _told, misspelt_fields
from testkit.builders import ADDON, a_resource


def told(text: str) -> tuple[str, ...]:
    return tuple(misspelt_fields(a_resource(annotations={LAST_APPLIED: text})))


def fields(spec: JsonValue) -> list[str]:
    """Return the paths that are told of a spec as it was applied."""
    return [each.split(" ")[0] for each in told(json.dumps({"spec": spec}))]


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ({"deletionPolcy": "Retain"}, ["spec.deletionPolcy"]),
        ({"addons": [{"model": ADDON}, {"modl": ADDON}]}, ["spec.addons[1].modl"]),
        (
            {"autoscalingPolicy": {"scaleUpWindw": "1m", "loadTargets": {"any": 1}}},
            ["spec.autoscalingPolicy.scaleUpWindw"],
        ),
        ({"placement": {"regions": ["A"]}, "baseModel": "m"}, []),
        ({"tags": {"team": "a"}, "autoscalingPolicy": {"scalingSchedules": {"day": {"duration": "1h"}}}}, []),
        (
            {"autoscalingPolicy": {"scalingSchedules": {"day": {"timzone": "UTC"}, "night": "odd"}}},
            ["spec.autoscalingPolicy.scalingSchedules.day.timzone"],
        ),
        ({"autoscalingPolicy": {"scalingSchedules": "odd"}}, []),
        ({"k" * 5000: 1}, [f"spec.{'k' * 64}…"]),
        ([], []),
        ({"addons": {"modl": 1}}, ["spec.addons.modl"]),
    ],
)
def test_what_is_told(spec: JsonValue, paths: list[str]) -> None:
    assert fields(spec) == paths


def test_a_near_name_is_offered() -> None:
    (sentence,) = told('{"spec": {"deletionPolcy": "Retain"}}')
    assert sentence.endswith("; did you mean deletionPolicy?")


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "[" * 100_000, '{"spec": ' + "1" * 10_000 + "}", "x" * 300_000]
)
def test_what_is_no_manifest_says_nothing(text: str) -> None:
    assert told(text) == ()


def test_so_many_are_told_and_no_more() -> None:
    assert len(fields({f"field{number}": 1 for number in range(1000)})) == MOST_TOLD


@pytest.mark.parametrize(
    "spec",
    [
        {"addons": [{}] * 83_000},
        {"addons": [{"model": "m"}] * 16_000},
        {"addons": [{f"{number:x}": 0 for number in range(200)}] * 100},
        {f"{number:x}": 0 for number in range(20_000)},
        {"k" * 250_000: 1},
        {f"{'deletionPolicy' * 2000}{number}": 1 for number in range(8)},
        {"placement": [[{}] * 40_000]},
    ],
    ids=["empty addons", "addons", "keys in addons", "keys", "a long key", "long keys", "lists"],
)
def test_a_hostile_annotation_holds_up_nobody(spec: JsonValue) -> None:
    text = json.dumps({"spec": spec}, separators=(",", ":"))
    assert len(text) < 262_144
    resources = [a_resource(annotations={LAST_APPLIED: text}) for _ in range(40)]
    began = process_time()
    for resource in resources:
        tuple(misspelt_fields(resource))
    assert process_time() - began < 1.0, "forty resources, a pass each"


def test_texts_that_change_again_and_again_are_not_all_remembered() -> None:
    for number in range(_REMEMBERED + 100):
        told(json.dumps({"spec": {f"field{number}": 1}}))
    assert len(_told) == _REMEMBERED
