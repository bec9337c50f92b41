"""What is accepted but has no effect, or not the one that was meant, is said in a notice."""

from typing import Any

import pytest

from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.notices import notices
from testkit.builders import CREATED, a_context, a_deployment, a_resource, present

WINDOW = {"autoscalingPolicy": {"scaleToZeroWindow": "1h"}}
EAGLE = "accounts/fireworks/models/eagle-llama-v3-3b-instruct-v2"
DRAFT = "accounts/fireworks/models/llama-v3p2-1b-instruct"
WEEK = "With minReplicaCount 0 Fireworks deletes the deployment after 7 days"
UNUSED = "spec.autoscalingPolicy.scaleToZeroWindow has no effect while minReplicaCount is above 0"
GPUS = "spec.longPrompt needs at least two GPUs per replica"


@pytest.mark.parametrize(
    ("spec", "wire", "says", "reason"),
    [
        (WINDOW, {"minReplicaCount": 1}, UNUSED, "the last replica never goes"),
        (
            WINDOW,
            {"minReplicaCount": 0, "maxReplicaCount": 0},
            None,
            "it is parked: it is not the minimum that keeps one",
        ),
        ({}, {"minReplicaCount": 1}, None, "no window is asked for"),
        ({}, {"minReplicaCount": 0, "maxReplicaCount": 1}, WEEK, "who is away for a week has to know"),
        ({}, {"minReplicaCount": 0, "maxReplicaCount": 0}, None, "what is parked is not deleted for being idle"),
        ({"longPrompt": True}, {"acceleratorCount": 1}, GPUS, "as with a shape of one GPU"),
        ({"longPrompt": True}, {"acceleratorCount": 2}, None, "two are enough"),
        ({"longPrompt": False}, {"acceleratorCount": 1}, None, "it is off"),
        ({"draftModel": EAGLE, "draftTokenCount": 4}, {}, "Fireworks advises 3 for this kind", "an EAGLE drafter"),
        ({"draftModel": EAGLE, "draftTokenCount": 3}, {}, None, "as advised"),
        ({"draftModel": DRAFT, "draftTokenCount": 3}, {}, "Fireworks advises 4 for this kind", "any other drafter"),
        ({"draftModel": DRAFT, "draftTokenCount": 4}, {}, None, "as advised"),
        ({"draftModel": DRAFT, "draftTokenCount": 0}, {}, None, "0 is off, and no number of tokens"),
        ({"ngramSpeculationLength": 8, "draftTokenCount": 9}, {}, None, "nothing is advised for n-grams"),
    ],
)
def test_what_is_said_of_a_spec(spec: dict[str, Any], wire: dict[str, Any], says: str | None, reason: str) -> None:
    fields = {"minReplicaCount": 1, "maxReplicaCount": 2, **wire}
    resource = a_resource({"acceleratorType": "NVIDIA_H100_80GB", **spec}, CREATED)
    situation = assess(resource, present(**fields), a_context())
    found = notices(situation, a_deployment(**fields))
    assert len(found) == (0 if says is None else 1), (reason, found)
    assert says is None or says in found[0], reason
