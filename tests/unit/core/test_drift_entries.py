"""Entries of maps, of which some are the spec's and some are others': scaling schedules and tags."""

from collections.abc import Collection
from copy import deepcopy
from typing import Any

import pytest
from pydantic import JsonValue

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.formats import MOST_TAGS
from fireworks_operator.api.v1alpha1 import FireworksDeploymentStatus
from fireworks_operator.core.desired.fields import FIELDS, field_at, schedules_of, tags_of
from tests.unit.core.test_drift import DAY, FOREIGN, POLICY, SCHEDULES, THERE, drift_of, with_schedules, with_tags


@pytest.mark.parametrize(
    ("spec", "applied", "after", "reason"),
    [
        (with_schedules(day=DAY), (), {"day": THERE, "night": FOREIGN, "theirs": FOREIGN}, "One is added."),
        (
            with_schedules(night=DAY),
            (),
            {"night": {**THERE, "maxReplicaCount": 9}, "theirs": FOREIGN},
            "What is not modelled of one that is changed survives.",
        ),
        ({}, [f"{SCHEDULES}.night"], {"theirs": FOREIGN}, "One is removed."),
        (with_schedules(day=DAY), [f"{SCHEDULES}.night"], {"day": THERE, "theirs": FOREIGN}, "One for another."),
    ],
)
def test_a_patch_of_one_schedule_keeps_those_of_others(
    spec: dict[str, Any], applied: Collection[str], after: dict[str, JsonValue], reason: str
) -> None:
    night: dict[str, JsonValue] = {**FOREIGN, "maxReplicaCount": 9}
    raw: dict[str, JsonValue] = {
        POLICY: {"scaleUpWindow": "30s", "scalingSchedules": {"night": night, "theirs": FOREIGN}}
    }
    before = deepcopy(raw)
    drift = drift_of(spec, raw, applied)
    body = drift.patch_body(raw)
    expected = {**after, "night": night} if after.get("night") == FOREIGN else after
    assert body == {POLICY: {"scaleUpWindow": "30s", "scalingSchedules": expected}}, reason
    assert drift.mask() == ("autoscaling_policy",)
    assert raw == before, "what was observed is not touched"


@pytest.mark.parametrize(
    ("spec", "raw", "applied", "tags", "reason"),
    [
        ({"team": "search"}, {}, [], {"tags.team": "search"}, "Not there."),
        ({"team": "search"}, with_tags(team="ads"), [], {"tags.team": "search"}, "Another value."),
        ({"a.b/c": "1"}, {"annotations": {"custom/a.b/c": "2"}}, [], {"tags.a.b/c": "1"}, "Dots and slashes."),
        ({}, with_tags(team="ads"), ["tags.team"], {"tags.team": ""}, "It left the spec."),
        ({}, with_tags(team="ads"), [], {}, "Nobody knows that it is ours."),
        ({}, {}, ["tags.team"], {}, "It is gone already."),
        (
            {"team": "search"},
            with_tags(team="ads", project="chat", theirs="x"),
            ["tags.team", "tags.project"],
            {"tags.project": "", "tags.team": "search"},
            "Each on its own.",
        ),
    ],
)
def test_tags_that_differ_are_no_matter_of_a_patch(
    spec: dict[str, str], raw: dict[str, JsonValue], applied: list[str], tags: dict[str, str], reason: str
) -> None:
    drift = drift_of({"tags": spec}, raw, applied)
    assert {each.path: each.wanted for each in drift.tags} == tags, reason
    assert (drift.changes, drift.replacements, drift.kept) == ((), (), ())


def test_the_entries_of_a_deployment_are_its_schedules_and_the_tags_that_are_not_the_operators() -> None:
    raw = {**with_schedules(b=THERE, a=THERE), **with_tags(**{"name": "chat", "team": "x", "fireworks.ai/a": "1"})}
    raw["annotations"]["bare"] = "not a customer's"
    assert schedules_of(raw) == [f"{SCHEDULES}.a", f"{SCHEDULES}.b"]
    assert tags_of(raw) == ["tags.team"]
    assert schedules_of({POLICY: None}) == tags_of({"annotations": None}) == []
    assert field_at("gone.since.long") is None


def test_the_status_has_room_for_every_path_that_may_be_applied() -> None:
    longest = [f"tags.{number:02}{'k' * 119}" for number in range(MOST_TAGS)]
    schedules = [f"{SCHEDULES}.{number}{'n' * 62}" for number in range(5)]
    status = FireworksDeploymentStatus(applied_fields=[*(field.path for field in FIELDS), *longest, *schedules])
    assert bounded(status) is status
