"""What users write arrives at Fireworks under its wire name, a change as one PATCH that names it, and nothing else."""

from dataclasses import dataclass

import pytest

from testkit.stories.changes import DRAFT
from testkit.stories.create_request import LEAST, ROWS, Row, create
from tests.virtual.team import Json, Team, holds

WITH_DRAFTER = "accounts/fireworks/models/llama-v3p3-70b-instruct"
"""A model that brings a drafter of its own."""


# --- the create request ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason.replace(" ", "-"))
def test_the_create_request_says_what_the_user_said(team: Team, row: Row) -> None:
    create(team, row)


def test_a_bare_model_id_means_the_own_account(team: Team) -> None:
    model = f"accounts/{team.account}/models/tuned"
    team.simulator.add_model(model)
    team.create(baseModel="tuned")
    assert team.until_ready()["status"]["modelIdentifier"].startswith(f"{model}#")
    assert team.deployment()["baseModel"] == model


def test_status_names_what_fireworks_decided_where_the_user_left_it_open(team: Team) -> None:
    team.create(baseModel=WITH_DRAFTER)
    effective = team.until_ready()["status"]["effective"]
    assert effective["acceleratorCount"] == 4
    assert effective["precision"] == "FP16"
    assert effective["maxReplicaCount"] == 1
    assert effective["draftModel"] == DRAFT
    assert effective["draftTokenCount"] == 4
    assert effective["region"]


WRONG = {
    "hardware that does not exist": ("acceleratorType", "NVIDIA_H100_90GB", "RejectedByFireworks", "NVIDIA_H100_90GB"),
    "a model that does not exist": (
        "baseModel",
        "accounts/fireworks/models/llama-v3p1-9b-instruct",
        "ModelNotFound",
        "spec.baseModel",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_refused_spec_is_explained_in_fireworks_words_and_created_once_it_is_corrected(
    team: Team, wrong: str
) -> None:
    name, value, reason, says = WRONG[wrong]
    team.create(spec={name: value})
    team.until("chat", "Stalled", "True", reason, says=says)
    team.change(**{name: LEAST[name]})
    team.until_ready(within=15)
    assert [each.committed for each in team.posts()] == [False, True]
    assert len(team.deployments()) == 1


# --- change requests ------------------------------------------------------------------------------------------------

_SCHEDULE = {"mornings": {"minReplicaCount": 1, "schedule": "0 7 * * *", "duration": "36000s", "timezone": "UTC"}}


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the spec, the mask of its request (empty: none), and what the deployment then has."""

    reason: str
    before: Json
    change: Json
    mask: str
    after: Json


STEPS = [
    Step(
        "several changes are one request",
        {"displayName": "Chat", "maxReplicaCount": 2, "autoscalingPolicy": {"scaleUpWindow": "1m"}},
        {"displayName": "Talk", "maxReplicaCount": 3, "enableSessionAffinity": True},
        "display_name,enable_session_affinity,max_replica_count",
        {"displayName": "Talk", "maxReplicaCount": 3, "enableSessionAffinity": True},
    ),
    Step(
        "a minimum that is removed is 0",
        {"minReplicaCount": 1},
        {"minReplicaCount": None},
        "min_replica_count",
        {"minReplicaCount": 0, "maxReplicaCount": 1},
    ),
    Step(
        "the maximum follows a minimum above it where the spec leaves it open",
        {"minReplicaCount": 1},
        {"minReplicaCount": 3},
        "max_replica_count,min_replica_count",
        {"minReplicaCount": 3, "maxReplicaCount": 3},
    ),
    Step(
        "what Fireworks has no default for stays",
        {"acceleratorCount": 2},
        {"acceleratorCount": None},
        "",
        {"acceleratorCount": 2},
    ),
    Step(
        "a draft model gives way to n-grams in one step",
        {"draftModel": DRAFT, "draftTokenCount": 4},
        {"draftModel": None, "ngramSpeculationLength": 8},
        "draft_model,ngram_speculation_length",
        {"draftModel": "", "ngramSpeculationLength": 8, "draftTokenCount": 4},
    ),
    Step(
        "n-grams give way to a draft model in one step",
        {"ngramSpeculationLength": 8, "draftTokenCount": 4},
        {"draftModel": DRAFT, "ngramSpeculationLength": None},
        "draft_model,ngram_speculation_length",
        {"draftModel": DRAFT, "ngramSpeculationLength": 0, "draftTokenCount": 4},
    ),
    Step(
        "speculation is turned off by 0",
        {"draftModel": DRAFT, "draftTokenCount": 4},
        {"draftModel": None, "draftTokenCount": 0},
        "draft_model,draft_token_count",
        {"draftModel": "", "draftTokenCount": 0},
    ),
    Step(
        "fewer tokens",
        {"draftModel": DRAFT, "draftTokenCount": 4},
        {"draftTokenCount": 3},
        "draft_token_count",
        {"draftModel": DRAFT, "draftTokenCount": 3},
    ),
    Step(
        "the model's own drafter gives way to n-grams",
        {"baseModel": WITH_DRAFTER},
        {"ngramSpeculationLength": 8, "draftTokenCount": 4},
        "draft_model,ngram_speculation_length",
        {"draftModel": "", "ngramSpeculationLength": 8, "draftTokenCount": 4},
    ),
    Step(
        "tuning for long prompts is switched on",
        {"acceleratorCount": 2},
        {"longPrompt": True},
        "auto_tune",
        {"autoTune": {"longPrompt": True}},
    ),
    Step(
        "it is switched off by false",
        {"acceleratorCount": 2, "longPrompt": True},
        {"longPrompt": False},
        "auto_tune",
        {},
    ),
    Step(
        "it is switched off where nobody asks for it any more",
        {"acceleratorCount": 2, "longPrompt": True},
        {"longPrompt": None},
        "auto_tune",
        {},
    ),
    Step(
        "everything goes back to what Fireworks has without it",
        {
            "displayName": "Chat",
            "minReplicaCount": 1,
            "maxReplicaCount": 3,
            "enableSessionAffinity": True,
            "autoscalingPolicy": {"scaleDownWindow": "20m", "loadTargets": {"default": 0.5}},
        },
        {
            "displayName": None,
            "minReplicaCount": None,
            "maxReplicaCount": None,
            "enableSessionAffinity": None,
            "autoscalingPolicy": None,
        },
        "autoscaling_policy,display_name,enable_session_affinity,max_replica_count,min_replica_count",
        {"displayName": "", "minReplicaCount": 0, "maxReplicaCount": 1, "enableSessionAffinity": False},
    ),
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.reason)
def test_a_change_is_one_request_that_names_what_changes(team: Team, step: Step) -> None:
    team.create(spec=step.before)
    team.until_ready()
    team.wait(30)
    assert team.methods() == ["POST"], "what the spec does not name is Fireworks' to choose"
    team.change(**step.change)
    team.until_ready(within=15)
    team.wait(90)
    masks = [",".join(sorted(each.query["updateMask"].split(","))) for each in team.patches()]
    assert masks == ([step.mask] if step.mask else [])
    deployment = team.deployment()
    zero: Json = {"displayName": "", "minReplicaCount": 0, "draftModel": "", "draftTokenCount": 0}
    zero |= {"ngramSpeculationLength": 0, "enableSessionAffinity": False}
    assert {name: deployment.get(name, zero.get(name)) for name in step.after} == step.after


WINDOWS: list[tuple[Json, Json]] = [
    ({"scaleDownWindow": "0.5h"}, {"scaleDownWindow": "1800s"}),
    ({"scaleToZeroWindow": "1h30m"}, {"scaleToZeroWindow": "5400s"}),
    ({"loadTargets": {"default": None}}, {"loadTargets": {"requests_per_second": 4}}),
    ({"scaleUpWindow": None}, {"scaleUpWindow": "30s"}),
    ({"scaleUpWindow": "0s"}, {"scaleUpWindow": "0s"}),
]


def test_windows_and_load_targets_change_one_by_one_and_return_to_the_defaults(team: Team) -> None:
    team.create(autoscalingPolicy={"scaleUpWindow": "90s", "loadTargets": {"default": 0.5, "requests_per_second": 4}})
    team.until_ready()
    team.simulator.edit(
        team.deployment_id(),
        {"autoscalingPolicy": {**team.deployment()["autoscalingPolicy"], "scalingSchedules": _SCHEDULE}},
    )
    policy = dict(team.deployment()["autoscalingPolicy"])
    for change, expected in WINDOWS:
        team.change(autoscalingPolicy=change)
        team.until_ready()
        policy |= expected
        assert team.deployment()["autoscalingPolicy"] == policy, change
    assert len(team.patches()) == len(WINDOWS)
    assert policy["scalingSchedules"] == _SCHEDULE, "what is not modelled survives"
    team.change(autoscalingPolicy=None)
    team.until_ready()
    after = team.deployment()["autoscalingPolicy"]
    windows = {"scaleUpWindow": "30s", "scaleDownWindow": "600s", "scaleToZeroWindow": "3600s"}
    assert {name: after[name] for name in windows} == windows
    assert after["loadTargets"] == {"default": 0.8}


@pytest.mark.parametrize(
    ("before", "change", "notice"),
    [
        ({"acceleratorCount": 2}, {"acceleratorCount": None}, "spec.acceleratorCount"),
        ({"minReplicaCount": 1}, {"minReplicaCount": None}, "7 days"),
    ],
)
def test_what_a_removal_leads_to_is_a_notice(team: Team, before: Json, change: Json, notice: str) -> None:
    team.create(spec=before)
    team.until_ready()
    team.change(**change)
    status = team.until_ready()["status"]
    assert any(notice in each for each in status["notices"])


def test_speculation_that_was_disabled_at_creation_stays_so(team: Team) -> None:
    team.create(baseModel=WITH_DRAFTER, disableSpeculativeDecoding=True)
    team.until_ready()
    assert "draftModel" not in team.deployment()
    team.change(displayName="Chat")
    team.until_ready()
    (patch,) = team.patches()
    assert "disableSpeculativeDecoding" not in patch.query
    assert "draftModel" not in team.deployment()


@pytest.mark.parametrize("corrected", ["by other targets", "by none"])
def test_a_refused_change_leaves_the_deployment_serving_and_heals_when_corrected(team: Team, corrected: str) -> None:
    team.create()
    team.until_ready()
    told = team.told()
    team.change(autoscalingPolicy={"loadTargets": {"no_such_measure": 1}})
    resource = team.until("chat", "Stalled", "True", "RejectedByFireworks", says="no_such_measure")
    assert holds(resource, "Ready") == "False"
    targets = {"no_such_measure": None, "requests_per_second": 2}
    team.change(autoscalingPolicy={"loadTargets": targets} if corrected == "by other targets" else None)
    team.until_ready(within=10)
    assert {holds(each, "Available") for each in team.versions(since=told)} == {"True"}


def test_other_hardware_needs_a_replacement_and_the_old_deployment_serves_on(team: Team) -> None:
    team.create()
    team.until_ready()
    seen = team.seen()
    team.change(acceleratorType="NVIDIA_H200_141GB")
    resource = team.until("chat", "Stalled", "True", "ReplaceRequired", says="spec.acceleratorType")
    assert holds(resource, "Available") == "True"
    team.wait(3600)
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()
    assert team.writes(since=seen) == []
