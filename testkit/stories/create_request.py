"""What users write arrives at Fireworks under its wire name, and nothing else does."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .changes import DRAFT, SHAPE
from .team import MODEL, AnyTeam, Json


@dataclass(frozen=True, slots=True)
class Row:
    """A spec, and the request that it must become: `body` beside the base model and the owner marker.

    Attributes:
        hardware: whether the accelerator of other tests is set; a shape brings its own.
    """

    reason: str
    spec: Mapping[str, object]
    body: Json
    query: Mapping[str, str] = field(default_factory=dict)
    hardware: bool = True


LEAST: Json = {"baseModel": MODEL, "acceleratorType": "NVIDIA_H100_80GB"}
_SAME: Json = {
    "displayName": "Chat",
    "description": "For the help desk.",
    "acceleratorCount": 2,
    "minReplicaCount": 1,
    "maxReplicaCount": 3,
    "draftModel": DRAFT,
    "draftTokenCount": 4,
    "precision": "BF16",
    "enableAddons": True,
    "placement": {"multiRegion": "US"},
    "maxContextLength": 8192,
    "maxConcurrencyPerReplica": 16,
    "enableSessionAffinity": True,
    "preemptible": True,
}
_TARGETS = {"default": 0.5, "requests_per_second": 4}
_ZERO: Json = {"minReplicaCount": 0, "maxReplicaCount": 0, "preemptible": False, "enableAddons": False}
ROWS = (
    Row("the least that can be said", {}, {}),
    Row(
        "everything that goes together",
        {
            **_SAME,
            "longPrompt": True,
            "autoscalingPolicy": {
                "scaleUpWindow": "1m30s",
                "scaleDownWindow": "0.25h",
                "scaleToZeroWindow": "1h",
                "loadTargets": _TARGETS,
            },
        },
        {
            **_SAME,
            "autoTune": {"longPrompt": True},
            "autoscalingPolicy": {
                "scaleUpWindow": "90s",
                "scaleDownWindow": "900s",
                "scaleToZeroWindow": "3600s",
                "loadTargets": _TARGETS,
            },
        },
    ),
    Row(
        "zero and false are said, not left out",
        {**_ZERO, "longPrompt": False},
        {**_ZERO, "autoTune": {"longPrompt": False}},
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
)
_TAGS = ("managed-by", "cluster", "cluster-uid", "namespace", "name", "adopted")


def create(team: AnyTeam, row: Row) -> None:
    """Create a resource with a row's spec, and assert what was asked for it."""
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
    assert set(marker) == {f"custom/{each}" for each in _TAGS}
    assert marker["custom/adopted"] == "false"
    assert marker["custom/namespace"] == team.namespace
    assert marker["custom/name"] == "chat"
    team.assert_at_rest()
    assert team.methods() == ["POST"], "what was created needs no correction"
