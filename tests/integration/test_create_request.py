"""What users write arrives at Fireworks under its wire name, and nothing else does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from testkit.kubernetes_api import Json
from testkit.team import MODEL, Team

DRAFT = "accounts/fireworks/models/llama-v3p2-1b-instruct"
SHAPE = "accounts/fireworks/deploymentShapes/llama-v3p1-8b-minimal"
LEAST: Json = {"baseModel": MODEL, "acceleratorType": "NVIDIA_H100_80GB"}


@dataclass(frozen=True, slots=True)
class Row:
    """A spec, and the request that it must become: `body` beside the base model and the owner marker."""

    reason: str
    spec: Mapping[str, object]
    body: Json
    query: Mapping[str, str] = field(default_factory=dict)
    hardware: bool = True
    """Whether the accelerator of other tests is set; a shape brings its own."""


ROWS = [
    Row("the least that can be said", {}, {}),
    Row(
        "everything that goes together",
        {
            "displayName": "Chat",
            "description": "For the help desk.",
            "acceleratorCount": 2,
            "minReplicaCount": 1,
            "maxReplicaCount": 3,
            "autoscalingPolicy": {
                "scaleUpWindow": "1m30s",
                "scaleDownWindow": "0.25h",
                "scaleToZeroWindow": "1h",
                "loadTargets": {"default": 0.5, "requests_per_second": 4},
            },
            "draftModel": DRAFT,
            "draftTokenCount": 4,
            "precision": "BF16",
            "longPrompt": True,
            "enableAddons": True,
            "placement": {"multiRegion": "US"},
            "maxContextLength": 8192,
            "maxConcurrencyPerReplica": 16,
            "enableSessionAffinity": True,
            "preemptible": True,
        },
        {
            "displayName": "Chat",
            "description": "For the help desk.",
            "acceleratorCount": 2,
            "minReplicaCount": 1,
            "maxReplicaCount": 3,
            "autoscalingPolicy": {
                "scaleUpWindow": "90s",
                "scaleDownWindow": "900s",
                "scaleToZeroWindow": "3600s",
                "loadTargets": {"default": 0.5, "requests_per_second": 4},
            },
            "draftModel": DRAFT,
            "draftTokenCount": 4,
            "precision": "BF16",
            "autoTune": {"longPrompt": True},
            "enableAddons": True,
            "placement": {"multiRegion": "US"},
            "maxContextLength": 8192,
            "maxConcurrencyPerReplica": 16,
            "enableSessionAffinity": True,
            "preemptible": True,
        },
    ),
    Row(
        "zero and false are said, not left out",
        {"minReplicaCount": 0, "maxReplicaCount": 0, "preemptible": False, "enableAddons": False, "longPrompt": False},
        {
            "minReplicaCount": 0,
            "maxReplicaCount": 0,
            "preemptible": False,
            "enableAddons": False,
            "autoTune": {"longPrompt": False},
        },
    ),
    Row(
        "n-gram speculation instead of a draft model",
        {"ngramSpeculationLength": 8, "draftTokenCount": 3},
        {"ngramSpeculationLength": 8, "draftTokenCount": 3},
    ),
    Row("no drafter at all", {"disableSpeculativeDecoding": True}, {}, {"disableSpeculativeDecoding": "true"}),
    Row("a quantised precision", {"precision": "FP8"}, {"precision": "FP8"}),
    Row("one region", {"placement": {"region": "US_IOWA_1"}}, {"placement": {"region": "US_IOWA_1"}}),
    Row(
        "several regions",
        {"placement": {"regions": ["US_IOWA_1", "US_ILLINOIS_2"]}},
        {"placement": {"regions": ["US_IOWA_1", "US_ILLINOIS_2"]}},
    ),
    Row("a shape", {"deploymentShape": SHAPE}, {"deploymentShape": SHAPE}, hardware=False),
    Row("an id of one's own", {"deploymentId": "7-chat-prod"}, {}, {"deploymentId": "7-chat-prod"}),
]


TAGS = ("managed-by", "cluster", "cluster-uid", "namespace", "name", "adopted")


@pytest.mark.proof
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.reason.replace(" ", "-"))
def test_the_create_request_says_what_the_user_said(team: Team, row: Row) -> None:
    hardware = {} if row.hardware else {"acceleratorType": None}
    team.create(spec={"minReplicaCount": None, **hardware, **row.spec})
    name = team.until_ready()["status"]["deploymentName"]
    (post,) = team.posts()
    assert isinstance(post.body, dict)
    body = dict(post.body)
    marker = body.pop("annotations")
    least = LEAST if row.hardware else {"baseModel": MODEL}
    assert body == {**least, **row.body}
    accepted = {"acceptShapelessRisk": "true"} if row.hardware else {}
    assert post.query == {"deploymentId": name.rsplit("/", 1)[-1], **accepted, **row.query}
    assert isinstance(marker, dict)
    assert set(marker) == {f"custom/{each}" for each in TAGS}
    assert marker["custom/adopted"] == "false"
    assert marker["custom/namespace"] == team.namespace
    assert marker["custom/name"] == "chat"
    assert [each.method for each in team.writes()] == ["POST"], "what was created needs no correction"


@pytest.mark.proof
def test_a_bare_model_id_means_the_own_account(team: Team) -> None:
    model = f"accounts/{team.account}/models/tuned"
    team.simulator.add_model(model)
    team.create(baseModel="tuned")
    assert team.until_ready()["status"]["modelIdentifier"].startswith(f"{model}#")
    assert team.deployment()["baseModel"] == model


def test_a_refused_spec_is_explained_in_fireworks_words_and_created_once_it_is_corrected(team: Team) -> None:
    team.create(acceleratorType="NVIDIA_H100_90GB")
    team.until("chat", "Stalled", "True", "RejectedByFireworks", says="NVIDIA_H100_90GB")
    team.change(acceleratorType="NVIDIA_H100_80GB")
    team.until_ready()
    assert [each.committed for each in team.posts()] == [False, True]


@pytest.mark.proof
def test_a_model_that_does_not_exist_can_be_corrected_although_the_field_is_immutable(team: Team) -> None:
    team.create(baseModel="accounts/fireworks/models/llama-v3p1-9b-instruct")
    team.until("chat", "Stalled", "True", "ModelNotFound", says="spec.baseModel")
    team.change(baseModel=MODEL)
    team.until_ready()
    assert len(team.deployments()) == 1
