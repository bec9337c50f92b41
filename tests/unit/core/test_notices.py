"""Notices about settings of the spec that are accepted but have no effect, or are known to go wrong."""

from typing import Any

import pytest

from testkit.builders import CREATED, a_resource, present
from testkit.report_steps import after

NO_SLEEP = (
    "spec.autoscalingPolicy.scaleToZeroWindow has no effect while minReplicaCount is above 0: the deployment never "
    "scales to zero."
)
ONE_GPU = (
    "spec.longPrompt needs at least two GPUs per replica to have an effect: set spec.acceleratorCount to 2 or more."
)
WINDOW = {"autoscalingPolicy": {"scaleToZeroWindow": "1h"}}


def told(spec: dict[str, Any], subject: str, **wire: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """The notices about a field, once the deployment was observed."""
    notices = after(a_resource(spec, CREATED), present(**wire)).status.notices or ()
    return [each for each in notices if subject in each]


@pytest.mark.parametrize(
    ("spec", "minimum", "expected", "reason"),
    [
        (WINDOW, 1, [NO_SLEEP], "It never sleeps."),
        (WINDOW, 3, [NO_SLEEP], "It never sleeps."),
        (WINDOW, 0, [], "It sleeps after that."),
        ({"autoscalingPolicy": {"scaleUpWindow": "1m"}}, 1, [], "Nobody asks when it should sleep."),
        ({"minReplicaCount": 1}, 1, [], "Nobody asks when it should sleep."),
        ({"minReplicaCount": 0, **WINDOW}, 1, [NO_SLEEP], "What is in force counts."),
    ],
)
def test_a_window_until_zero_is_useless_where_one_replica_is_always_there(
    spec: dict[str, Any], minimum: int, expected: list[str], reason: str
) -> None:
    found = told(spec, "has no effect while", minReplicaCount=minimum, maxReplicaCount=4)
    assert found == expected, reason


@pytest.mark.parametrize(
    ("model", "count", "advised", "reason"),
    [
        ("accounts/acme/models/drafter", 4, None, "As advised."),
        ("accounts/acme/models/drafter", 3, 4, "Fewer than advised for a draft model."),
        ("accounts/acme/models/drafter", 8, 4, "More than advised for a draft model."),
        ("accounts/acme/models/eagle-8b", 3, None, "As advised for EAGLE."),
        ("accounts/acme/models/EAGLE3-8b", 4, 3, "More than advised for EAGLE, however it is spelt."),
        ("accounts/acme/models/drafter", None, None, "Fireworks decides."),
        ("accounts/acme/models/drafter", 0, None, "It is off."),
        (None, 7, None, "Without a draft model of one's own nothing is advised."),
    ],
)
def test_how_many_tokens_a_draft_model_should_propose(
    model: str | None, count: int | None, advised: int | None, reason: str
) -> None:
    given = {"draftModel": model, "draftTokenCount": count}
    expected = (
        f"spec.draftTokenCount is {count}; Fireworks advises {advised} for this kind of draft model. Measure before "
        "you keep it."
    )
    found = told({key: value for key, value in given.items() if value is not None}, "advises")
    assert found == ([] if advised is None else [expected]), reason


@pytest.mark.parametrize(
    ("spec", "gpus", "expected", "reason"),
    [
        ({"longPrompt": True}, 1, [ONE_GPU], "One is not enough."),
        ({"longPrompt": True}, 2, [], "Two are."),
        ({"longPrompt": True}, None, [], "Nobody knows how many there are."),
        ({"longPrompt": False}, 1, [], "It is not asked for."),
        ({}, 1, [], "It is not asked for."),
    ],
)
def test_long_prompts_need_two_gpus(spec: dict[str, Any], gpus: int | None, expected: list[str], reason: str) -> None:
    assert told(spec, "longPrompt needs", acceleratorCount=gpus) == expected, reason


@pytest.mark.parametrize(
    ("maximum", "expected", "reason"),
    [
        (1, 1, "Who is away for a week has to know."),
        (0, 0, "What is parked is not deleted for being idle."),
    ],
)
def test_who_lets_a_deployment_sleep_is_told_when_it_is_deleted(maximum: int, expected: int, reason: str) -> None:
    found = told({}, "deletes the deployment after 7 days", minReplicaCount=0, maxReplicaCount=maximum)
    assert len(found) == expected, reason
