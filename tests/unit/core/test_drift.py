"""Which differences between spec and deployment count, and the PATCH that puts them right."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec
from fireworks_operator.core.desired.drift import Drift, find_drift
from fireworks_operator.core.desired.fields import FIELDS, RESETS_OF_NEW
from fireworks_operator.core.desired.shapes import same_shape
from fireworks_operator.core.desired.wanted import wire_values
from testkit.builders import ACCOUNT, BASE_MODEL
from testkit.properties import examples

SHAPE = "accounts/fireworks/deploymentShapes/llama-3b-fast"
POLICY = "autoscalingPolicy"
SCHEDULES = f"{POLICY}.scalingSchedules"
DAY: dict[str, JsonValue] = {"minReplicaCount": 2, "schedule": "0 8 * * 1-5", "duration": "1h", "timezone": "UTC"}
THERE: dict[str, JsonValue] = {**DAY, "duration": "3600s"}
FOREIGN: dict[str, JsonValue] = {**THERE, "minReplicaCount": 1}


def drift_of(spec: Mapping[str, Any], raw: Mapping[str, JsonValue], applied: Collection[str] = ("baseModel",)) -> Drift:
    wanted = wire_values(FireworksDeploymentSpec.model_validate({"baseModel": BASE_MODEL, **spec}), ACCOUNT)
    return find_drift(wanted, {"baseModel": BASE_MODEL, "maxReplicaCount": 1, **raw}, applied)


def with_schedules(**schedules: JsonValue) -> dict[str, Any]:
    """Return a policy with these schedules, in a spec or on the wire."""
    return {POLICY: {"scalingSchedules": schedules}}


def with_tags(**tags: JsonValue) -> dict[str, JsonValue]:
    """Return annotations on the wire."""
    return {"annotations": {f"custom/{key}": value for key, value in tags.items()}}


def changed(drift: Drift) -> dict[str, JsonValue]:
    return {change.path: change.wanted for change in drift.changes}


@pytest.mark.parametrize(
    ("spec", "raw", "reason"),
    [
        ({POLICY: {"scaleDownWindow": "10m"}}, {POLICY: {"scaleDownWindow": "600s"}}, "Two spellings of a duration."),
        ({POLICY: {"scaleDownWindow": "0.5h"}}, {POLICY: {"scaleDownWindow": "1800.000s"}}, "And a third."),
        ({"maxReplicaCount": 2}, {"maxReplicaCount": "2"}, "proto3 JSON has numbers as texts, too."),
        ({POLICY: {"scaleUpWindow": "0s"}}, {POLICY: {"scaleUpWindow": "0.000s"}}, "Fractions of zero."),
        ({POLICY: {"scaleUpWindow": "30s"}}, {}, "The default may be left out of the answer."),
        ({"deploymentShape": SHAPE}, {"deploymentShape": f"{SHAPE}/versions/v1"}, "The server pins the version."),
        ({"deploymentShape": "fast"}, {"deploymentShape": f"{SHAPE}/versions/v1"}, "The server expands a shorthand."),
        ({"deploymentShape": "default"}, {"deploymentShape": f"{SHAPE}/versions/v1"}, "The server's choice."),
        ({"deploymentShape": f"{SHAPE}/versions/v1"}, {"deploymentShape": f"{SHAPE}/versions/v1"}, "That version."),
        ({"baseModel": "mine"}, {"baseModel": "accounts/acme/models/mine"}, "A bare id means the own account."),
        ({"draftModel": "d"}, {"draftModel": "accounts/acme/models/d"}, "So with the draft model."),
        ({"minReplicaCount": 0}, {}, "A zero is left out of proto3 JSON."),
        ({"maxReplicaCount": 0}, {"maxReplicaCount": None}, "Parked: the zero is left out."),
        ({"enableSessionAffinity": False}, {}, "False is left out."),
        ({"displayName": ""}, {}, "An empty text is left out."),
        ({"maxContextLength": 0}, {}, "A zero without a static default is left out too."),
        ({"maxWithRevocableReplicaCount": 0}, {}, "No revocable replicas."),
        ({POLICY: {"loadTargets": {"rps": 2.0}}}, {POLICY: {"loadTargets": {"rps": 2.0, "default": 0.8}}}, "Added."),
        ({POLICY: {"loadTargets": {"rps": 0.1}}}, {POLICY: {"loadTargets": {"rps": 0.100000001}}}, "Single precision."),
        (
            {POLICY: {"loadTargets": {"default": 0.8}}},
            {POLICY: {"loadTargets": {"default": 0.800000011920929}}},
            "Too.",
        ),
        ({POLICY: {"loadTargets": {"default": 0.8}}}, {POLICY: {}}, "The default targets are left out."),
        ({"placement": {"region": "A"}}, {"placement": {"region": "A", "multiRegion": ""}}, "More keys than asked."),
        ({"placement": {"regions": ["A", "B"]}}, {"placement": {"regions": ["B", "A"]}}, "Regions are a set."),
        ({"placement": {"region": "A"}}, {}, "Not every answer has the placement."),
        ({}, {"description": "by hand", "minReplicaCount": 1}, "What the spec leaves open is the server's."),
        ({"longPrompt": True}, {"autoTune": {"longPrompt": True, "more": 1}}, "Nested."),
        (with_schedules(day=DAY), with_schedules(day=THERE), "Two spellings of the duration of a schedule."),
        (with_schedules(day=DAY), with_schedules(day={**THERE, "duration": "3600.000s"}), "And a third."),
        (with_schedules(day=DAY), with_schedules(day={**THERE, "schedule": "0  8 * * 1-5 "}), "Other blanks."),
        (with_schedules(day=DAY), with_schedules(day={**THERE, "disabled": False, "description": ""}), "Zero values."),
        (with_schedules(day=DAY), with_schedules(day={**THERE, "maxReplicaCount": 9}), "What is not modelled."),
        (
            with_schedules(day={**DAY, "minReplicaCount": 0, "disabled": False}),
            with_schedules(day={key: value for key, value in THERE.items() if key != "minReplicaCount"}),
            "A zero is left out.",
        ),
        (with_schedules(day=DAY), with_schedules(day=THERE, theirs=FOREIGN), "Another schedule is others'."),
        ({}, with_schedules(theirs=FOREIGN), "So it is without any in the spec."),
        ({"tags": {"team": "search"}}, with_tags(team="search", theirs="x"), "Another tag is others'."),
        ({}, with_tags(team="search"), "So it is without any in the spec."),
    ],
)
def test_no_drift(spec: dict[str, Any], raw: dict[str, Any], reason: str) -> None:
    assert drift_of(spec, raw) == Drift(), reason


@pytest.mark.parametrize(
    ("spec", "raw", "changes", "reason"),
    [
        ({"minReplicaCount": 1}, {}, {"minReplicaCount": 1}, "Absent is zero, not one."),
        ({"maxReplicaCount": 1}, {"maxReplicaCount": None}, {"maxReplicaCount": 1}, "Absent is parked, not 1."),
        ({"maxReplicaCount": 0}, {}, {"maxReplicaCount": 0}, "Parking is a change."),
        ({"acceleratorCount": 2}, {"acceleratorCount": 1}, {"acceleratorCount": 2}, "Fireworks changes it in place."),
        ({"precision": "FP8"}, {}, {"precision": "FP8"}, "The server did not take it."),
        ({"deploymentShape": "throughput"}, {"deploymentShape": SHAPE}, {"deploymentShape": "throughput"}, "Another."),
        (
            {"deploymentShape": f"{SHAPE}/versions/v2"},
            {"deploymentShape": f"{SHAPE}/versions/v1"},
            {"deploymentShape": f"{SHAPE}/versions/v2"},
            "The version was asked for.",
        ),
        (
            {POLICY: {"loadTargets": {"rps": 2.0}}},
            {POLICY: {"loadTargets": {"other": 1.0}}},
            {f"{POLICY}.loadTargets": {"rps": 2.0}},
            "Other measures.",
        ),
        (
            {POLICY: {"loadTargets": {"rps": 2.0}}},
            {POLICY: {"loadTargets": {"rps": 2.0, "default": 0.5}}},
            {f"{POLICY}.loadTargets": {"rps": 2.0}},
            "A target that left the spec; the server itself adds 0.8 only.",
        ),
        (
            {POLICY: {"loadTargets": {"default": 0.6}}},
            {},
            {f"{POLICY}.loadTargets": {"default": 0.6}},
            "Absent is the default of 0.8.",
        ),
        ({"longPrompt": True}, {"autoTune": {}}, {"longPrompt": True}, "Nested."),
        ({"addons": [{"model": "l"}]}, {}, {"enableAddons": True}, "Addons imply it."),
        (with_schedules(day=DAY), {}, {f"{SCHEDULES}.day": THERE}, "A schedule that is not there."),
        (
            with_schedules(day=DAY, night=DAY),
            with_schedules(day=THERE, night={**THERE, "timezone": "Europe/Berlin"}),
            {f"{SCHEDULES}.night": THERE},
            "Only the one that differs.",
        ),
        (
            with_schedules(day=DAY),
            with_schedules(day={**THERE, "disabled": True}),
            {f"{SCHEDULES}.day": THERE},
            "One that was disabled by hand.",
        ),
        (with_schedules(day=DAY), with_schedules(day="odd"), {f"{SCHEDULES}.day": THERE}, "What is no schedule."),
    ],
)
def test_drift_that_a_patch_puts_right(
    spec: dict[str, Any], raw: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    assert changed(drift_of(spec, raw)) == changes, reason


@pytest.mark.parametrize(
    ("spec", "raw", "path"),
    [
        ({"acceleratorType": "NVIDIA_B200_180GB"}, {"acceleratorType": "NVIDIA_H100_80GB"}, "acceleratorType"),
        ({"baseModel": "other"}, {}, "baseModel"),
        ({"placement": {"region": "A"}}, {"placement": {"region": "B"}}, "placement"),
        ({"placement": {"regions": ["A"]}}, {"placement": {"regions": ["A", "B"]}}, "placement"),
        ({"preemptible": True}, {}, "preemptible"),
    ],
)
def test_what_only_another_deployment_could_have_is_no_change(
    spec: dict[str, Any], raw: dict[str, Any], path: str
) -> None:
    drift = drift_of(spec, raw)
    assert [each.path for each in drift.replacements] == [path]
    assert drift.changes == ()


@pytest.mark.parametrize(
    ("applied", "raw", "changes"),
    [
        ("minReplicaCount", {"minReplicaCount": 1}, {"minReplicaCount": 0}),
        ("maxReplicaCount", {"maxReplicaCount": 5}, {"maxReplicaCount": 1}),
        ("maxReplicaCount", {"maxReplicaCount": 5, "minReplicaCount": 3}, {"maxReplicaCount": 3}),
        (f"{POLICY}.scaleUpWindow", {POLICY: {"scaleUpWindow": "1s"}}, {f"{POLICY}.scaleUpWindow": "30s"}),
        (f"{POLICY}.scaleDownWindow", {POLICY: {"scaleDownWindow": "1s"}}, {f"{POLICY}.scaleDownWindow": "600s"}),
        (
            f"{POLICY}.scaleToZeroWindow",
            {POLICY: {"scaleToZeroWindow": "300s"}},
            {f"{POLICY}.scaleToZeroWindow": "3600s"},
        ),
        (
            f"{POLICY}.loadTargets",
            {POLICY: {"loadTargets": {"rps": 1}}},
            {f"{POLICY}.loadTargets": {"default": 0.8}},
        ),
        ("displayName", {"displayName": "x"}, {"displayName": ""}),
        ("enableHotReloadLatestAddon", {"enableHotReloadLatestAddon": True}, {"enableHotReloadLatestAddon": False}),
        ("longPrompt", {"autoTune": {"longPrompt": True}}, {"longPrompt": False}),
        ("enableSessionAffinity", {"enableSessionAffinity": True}, {"enableSessionAffinity": False}),
        ("draftModel", {"draftModel": "d"}, {"draftModel": ""}),
        ("ngramSpeculationLength", {"ngramSpeculationLength": 4}, {"ngramSpeculationLength": 0}),
        ("displayName", {}, {}),
        (f"{SCHEDULES}.day", with_schedules(day=THERE, theirs=FOREIGN), {f"{SCHEDULES}.day": {}}),
        (f"{SCHEDULES}.day", with_schedules(theirs=FOREIGN), {}),
        ("gone.since.long", {}, {}),
    ],
)
def test_a_field_that_left_the_spec_is_reset(applied: str, raw: dict[str, Any], changes: dict[str, Any]) -> None:
    assert changed(drift_of({}, raw, ["baseModel", applied])) == changes


@pytest.mark.parametrize(
    "path", ["acceleratorCount", "precision", "deploymentShape", "maxContextLength", "numPeftDeviceCached"]
)
def test_a_field_without_a_default_stays_and_is_told(path: str) -> None:
    drift = drift_of({}, {path: 4}, ["baseModel", path])
    assert drift == Drift(kept=(path,))


def test_what_we_never_set_is_not_reset() -> None:
    raw: dict[str, JsonValue] = {"displayName": "by hand", "precision": "FP8", "minReplicaCount": 1}
    assert drift_of({}, raw, []) == Drift()


def test_what_only_a_new_deployment_could_reset_counts_where_a_deleted_one_may_be_replaced() -> None:
    raw: dict[str, JsonValue] = {"baseModel": BASE_MODEL, "maxReplicaCount": 1, "preemptible": True}
    wanted = wire_values(FireworksDeploymentSpec(base_model=BASE_MODEL), ACCOUNT)
    assert [each.path for each in find_drift(wanted, raw, RESETS_OF_NEW, deleted=True).replacements] == ["preemptible"]
    live = find_drift(wanted, raw, RESETS_OF_NEW)
    assert (live.changes, live.replacements) == ((), ()), "what serves is left as it is"


@pytest.mark.parametrize(
    ("spec", "raw", "applied", "changes", "reason"),
    [
        ({"minReplicaCount": 3}, {}, [], {"minReplicaCount": 3, "maxReplicaCount": 3}, "The open maximum moves along."),
        ({"minReplicaCount": 1}, {"maxReplicaCount": 4}, [], {"minReplicaCount": 1}, "The maximum is high enough."),
        ({"minReplicaCount": 0}, {"maxReplicaCount": 0}, [], {}, "Parked by hand: nothing was asked of the maximum."),
        ({"maxReplicaCount": 0}, {"minReplicaCount": 2}, [], {"minReplicaCount": 0, "maxReplicaCount": 0}, "Parked."),
        ({"maxReplicaCount": 4}, {"minReplicaCount": 2}, [], {"maxReplicaCount": 4}, "The minimum still fits."),
        (
            {"draftModel": "accounts/f/models/d", "draftTokenCount": 4},
            {"ngramSpeculationLength": 3},
            [],
            {"draftModel": "accounts/f/models/d", "draftTokenCount": 4, "ngramSpeculationLength": 0},
            "A draft model excludes n-grams.",
        ),
        (
            {"ngramSpeculationLength": 3, "draftTokenCount": 4},
            {"draftModel": "accounts/f/models/d", "draftTokenCount": 4},
            [],
            {"draftModel": "", "ngramSpeculationLength": 3},
            "N-grams exclude a draft model, also one that the server chose.",
        ),
        ({"ngramSpeculationLength": 0}, {"draftModel": "accounts/f/models/d"}, [], {}, "Off excludes nothing."),
    ],
)
def test_partners_that_the_spec_leaves_open_move_along(
    spec: dict[str, Any], raw: dict[str, Any], applied: list[str], changes: dict[str, Any], reason: str
) -> None:
    assert changed(drift_of(spec, raw, applied)) == changes, reason


def test_a_patch_of_one_window_keeps_all_other_keys_of_the_policy() -> None:
    raw: dict[str, JsonValue] = {
        POLICY: {"scaleUpWindow": "30s", "scaleDownWindow": "600s", "scalingSchedules": [{"cron": "0 8 * * *"}]}
    }
    drift = drift_of({POLICY: {"scaleUpWindow": "1m"}}, raw)
    assert drift.patch_body(raw | {"baseModel": BASE_MODEL}) == {
        "baseModel": BASE_MODEL,
        POLICY: {"scaleUpWindow": "60s", "scaleDownWindow": "600s", "scalingSchedules": [{"cron": "0 8 * * *"}]},
    }
    assert raw == {
        POLICY: {"scaleUpWindow": "30s", "scaleDownWindow": "600s", "scalingSchedules": [{"cron": "0 8 * * *"}]}
    }


def test_the_mask_names_whole_objects_once_in_snake_case() -> None:
    spec = {POLICY: {"scaleUpWindow": "1m", "scaleDownWindow": "1m"}, "longPrompt": True, "maxConcurrencyPerReplica": 3}
    assert drift_of(spec, {}).mask() == ("autoscaling_policy", "auto_tune", "max_concurrency_per_replica")


@pytest.mark.parametrize(
    ("observed", "wanted", "same"),
    [("", "fast", False), (None, "fast", False), ("", "", True), (SHAPE, "llama-3b-fast", True), (SHAPE, "ast", False)],
)
def test_shapes(observed: JsonValue, wanted: JsonValue, same: bool) -> None:
    assert same_shape(observed, wanted, "accounts/fireworks/models/llama-3b") is same


@pytest.mark.parametrize(
    ("model", "shape", "word", "same", "reason"),
    [
        ("llama-v3p3-70b-instruct", "llama-v3p3-70b-instruct-throughput", "throughput", True, "What follows the id."),
        ("llama-v3p3-70b-instruct", "llama-v3p3-70b-instruct-fast", "throughput", False, "Another word."),
        ("gpt-oss-120b", "gpt-oss-120b-coding-throughput", "throughput", False, "A word of two parts is another one."),
        ("gpt-oss-120b", "gpt-oss-120b-throughput", "coding-throughput", False, "The same the other way round."),
        ("gpt-oss-120b", "gpt-oss-120b-coding-throughput", "coding-throughput", True, "Both parts."),
        ("glm-4p7-flash", "glm-4p7-flash-throughput", "throughput", True, "The model's id ends in a word, too."),
        ("acme-fast", "acme-fast-minimal", "fast", False, "The model's own fast says nothing of the shape."),
        ("qwen3-30b-a3b-instruct-2507", "rft-qwen3-30b-a3b-throughput", "throughput", True, "Part of the id."),
        ("qwen3-30b-a3b-instruct-2507", "rft-qwen3-30b-a3b-throughput", "fast", False, "Part of the id, another word."),
        ("llama-v3p1-8b-instruct", "llama-v3p1-8b-minimal", "minimal", True, "Part of the id."),
        ("kimi-k2p5", "rft-kimi-k2p5-v2", "fast", True, "The name tells no word."),
        (
            "gpt-oss-120b",
            "gpt-oss-120b-coding-throughput",
            "AGENTIC_CODING",
            True,
            "Names spell it differently.",
        ),
        ("gpt-oss-120b", "gpt-oss-120b-fast", "agentic-coding", False, "A shape of another kind."),
        ("my-lora", "llama-v3p1-8b-fast", "fast", True, "A LoRA model's shape is its base model's."),
        ("my-lora", "llama-v3p1-8b-fast", "throughput", False, "Certainly another one."),
    ],
)
def test_a_word_for_a_shape_is_the_shapes_whole_word(
    model: str, shape: str, word: str, same: bool, reason: str
) -> None:
    observed = f"accounts/fireworks/deploymentShapes/{shape}/versions/v1"
    drift = find_drift(
        {"deploymentShape": word}, {"baseModel": f"accounts/acme/models/{model}", "deploymentShape": observed}, ()
    )
    assert (drift.changes == ()) is same, reason


# Specs and deployments of any kind, also contradictory ones: the API server's rules are not this module's business.
COUNT = st.integers(0, 4)
WINDOW = st.sampled_from(["0s", "30s", "10m", "1h30m"])
MODEL = st.sampled_from(["mine", "accounts/fireworks/models/d", ""])
TARGETS = st.dictionaries(st.sampled_from(["default", "rps"]), st.sampled_from([0.5, 0.8, 3.0]), min_size=1)
SCHEDULE = st.sampled_from([DAY, {**DAY, "disabled": True}, {**DAY, "minReplicaCount": 0}])
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "displayName": st.sampled_from(["", "x"]),
        "acceleratorCount": COUNT,
        "acceleratorType": st.sampled_from(["A", "B"]),
        "minReplicaCount": COUNT,
        "maxReplicaCount": COUNT,
        POLICY: st.fixed_dictionaries(
            {},
            optional={
                "scaleUpWindow": WINDOW,
                "scaleToZeroWindow": WINDOW,
                "loadTargets": TARGETS,
                "scalingSchedules": st.dictionaries(st.sampled_from("ab"), SCHEDULE),
            },
        ),
        "draftModel": MODEL,
        "draftTokenCount": COUNT,
        "ngramSpeculationLength": COUNT,
        "longPrompt": st.booleans(),
        "enableAddons": st.booleans(),
        "deploymentShape": st.sampled_from(["fast", "default", SHAPE]),
        "maxContextLength": COUNT,
        "preemptible": st.booleans(),
    },
)
SERVER_WINDOW = st.sampled_from(["0s", "30s", "600s", "1.5s"])
RAWS = st.fixed_dictionaries(
    {"baseModel": st.just(BASE_MODEL)},
    optional={
        "displayName": st.sampled_from(["", "y"]),
        "acceleratorCount": COUNT,
        "acceleratorType": st.sampled_from(["A", "B"]),
        "minReplicaCount": COUNT,
        "maxReplicaCount": COUNT,
        POLICY: st.fixed_dictionaries(
            {},
            optional={
                "scaleUpWindow": SERVER_WINDOW,
                "scaleToZeroWindow": SERVER_WINDOW,
                "loadTargets": TARGETS,
                "scalingSchedules": st.dictionaries(st.sampled_from("abc"), st.sampled_from([THERE, FOREIGN, {}])),
            },
        ),
        "annotations": st.dictionaries(st.sampled_from(["custom/a", "custom/b", "custom/c"]), st.sampled_from("xyz")),
        "draftModel": MODEL,
        "ngramSpeculationLength": COUNT,
        "autoTune": st.fixed_dictionaries({}, optional={"longPrompt": st.booleans(), "other": st.just(1)}),
        "deploymentShape": st.sampled_from(["", f"{SHAPE}/versions/v1"]),
    },
)
PATHS = [field.path for field in FIELDS] + [f"{kind}.{name}" for kind in (SCHEDULES, "tags") for name in "abc"]
APPLIED = st.sets(st.sampled_from(PATHS))


@examples(100)
@given(SPECS, RAWS, APPLIED)
def test_a_patch_leaves_no_drift_that_a_patch_could_put_right(
    spec: dict[str, Any], raw: dict[str, Any], applied: set[str]
) -> None:
    wanted = wire_values(FireworksDeploymentSpec.model_validate({"baseModel": BASE_MODEL, **spec}), ACCOUNT)
    drift = find_drift(wanted, raw, applied)
    assert bool(drift.mask()) is bool(drift.changes)
    assert all(mask == mask.lower() for mask in drift.mask())
    body = drift.patch_body(raw)
    names = {name.replace("_", "").lower() for name in drift.mask()}
    patched = raw | {name: value for name, value in body.items() if name.lower() in names}
    again = find_drift(wanted, patched, applied)
    assert again.changes == ()
    assert (again.replacements, again.tags) == (drift.replacements, drift.tags)
    assert find_drift(wanted, raw, applied) == drift


@examples(100)
@given(SPECS, RAWS, APPLIED)
def test_only_managed_fields_are_ever_named(spec: dict[str, Any], raw: dict[str, Any], applied: set[str]) -> None:
    wanted = wire_values(FireworksDeploymentSpec.model_validate({"baseModel": BASE_MODEL, **spec}), ACCOUNT)
    partners = {"minReplicaCount", "maxReplicaCount", "draftModel", "ngramSpeculationLength"}
    managed = set(wanted) | applied | partners
    drift = find_drift(wanted, raw, applied)
    assert {each.path for each in (*drift.changes, *drift.replacements, *drift.tags)} <= managed
    assert set(drift.kept) <= applied - set(wanted)
