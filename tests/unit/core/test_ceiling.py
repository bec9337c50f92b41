"""What may run at most, by every field that can raise it."""

import pytest
from pydantic import JsonValue

from fireworks_operator.core.ceiling import (
    MOST_GPUS,
    gpus_at_most,
    replicas_of_new,
    wire_gpus_at_most,
)
from testkit.builders import a_deployment, a_deployment_json

MOST_INT64 = 2**63 - 1


def schedules(*minimums: JsonValue, **fields: JsonValue) -> JsonValue:
    return {"scalingSchedules": {f"s{number}": {"minReplicaCount": n, **fields} for number, n in enumerate(minimums)}}


@pytest.mark.parametrize(
    ("wire", "gpus"),
    [
        ({"maxReplicaCount": 4}, 8),
        ({"maxReplicaCount": "4", "acceleratorCount": "8"}, 32),
        ({"maxReplicaCount": 4, "acceleratorCount": 0}, 4),
        ({"maxReplicaCount": 4, "maxWithRevocableReplicaCount": 6}, 12),
        ({"maxReplicaCount": 4, "maxWithRevocableReplicaCount": 0}, 8),
        ({"maxReplicaCount": 4, "maxWithRevocableReplicaCount": 3}, 8),
        ({"maxReplicaCount": 4, "minReplicaCount": 5}, 10),
        ({"maxReplicaCount": 4, "autoscalingPolicy": schedules(2, 7)}, 14),
        ({"maxReplicaCount": 4, "autoscalingPolicy": schedules(7, disabled=False)}, 14),
        ({"maxReplicaCount": 4, "autoscalingPolicy": schedules(7, disabled=True)}, 8),
        ({"maxReplicaCount": 0}, 2),
        ({"maxReplicaCount": 0, "maxWithRevocableReplicaCount": 6, "minReplicaCount": 3}, 2),
        ({"maxReplicaCount": 0, "autoscalingPolicy": schedules(7), "replicaStats": {}}, 0),
        ({"maxReplicaCount": 4, "replicaStats": {"readyReplicaCount": 9}}, 18),
        ({"maxReplicaCount": 4, "state": "DELETING"}, 8),
        ({"maxReplicaCount": 4, "state": "FAILED"}, 8),
        ({"maxReplicaCount": 4, "state": "DELETED"}, 0),
    ],
)
def test_what_may_run_is_counted(wire: dict[str, JsonValue], gpus: int) -> None:
    given: dict[str, JsonValue] = {"acceleratorCount": 2, **wire}
    assert gpus_at_most(a_deployment(**given)) == gpus
    if wire.get("state") != "DELETED":
        assert wire_gpus_at_most(a_deployment_json(**given)) == gpus


def test_what_is_undeleted_counts_as_it_will_be() -> None:
    assert wire_gpus_at_most(a_deployment_json(state="DELETED", maxReplicaCount=4, replicaStats={})) == 4


@pytest.mark.parametrize(
    ("wire", "replicas"),
    [
        ({}, 1),
        ({"minReplicaCount": 3}, 3),
        ({"maxReplicaCount": 0}, 0),
        ({"maxReplicaCount": 2, "maxWithRevocableReplicaCount": 5}, 5),
        ({"maxWithRevocableReplicaCount": 5}, 5),
    ],
)
def test_a_new_deployment_has_the_servers_defaults(wire: dict[str, JsonValue], replicas: int) -> None:
    assert replicas_of_new(wire) == replicas


@pytest.mark.parametrize("odd", [None, "many", -1, 1.5, True, [], {}, 2**70, "9" * 400])
def test_what_makes_no_sense_raises_nothing(odd: JsonValue) -> None:
    fields: dict[str, JsonValue] = {"maxWithRevocableReplicaCount": odd, "autoscalingPolicy": schedules(odd)}
    assert wire_gpus_at_most(a_deployment_json(maxReplicaCount=3, **fields)) == 3
    assert wire_gpus_at_most({"maxReplicaCount": 3, "autoscalingPolicy": {"scalingSchedules": odd}}) == 3
    assert wire_gpus_at_most({"maxReplicaCount": 3, "autoscalingPolicy": odd, "replicaStats": odd}) == 3


def test_a_number_without_bounds_has_one() -> None:
    assert wire_gpus_at_most({"maxReplicaCount": MOST_INT64, "acceleratorCount": MOST_INT64}) == MOST_GPUS
