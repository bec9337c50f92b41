"""What the status says of a deployment's shape: one that was dropped is missed, one that nobody set is nobody's."""

from typing import Any

import pytest

from fireworks_operator.core.actions import Undelete
from testkit.builders import CLAIMED, CREATED, MADE_HERE, NAME, a_context, a_resource, present
from testkit.report_steps import after

NO_SHAPE = "has no shape"
MINIMAL = "accounts/fireworks/deploymentShapes/llama-v3p2-3b-instruct-minimal/versions/v1"


@pytest.mark.parametrize(
    ("spec", "status", "wire", "told", "reason"),
    [
        ({}, {}, {}, "Set spec.deploymentShape to decide it", "The default shape was dropped."),
        ({}, {}, {"deploymentShape": MINIMAL}, None, "It is in force."),
        ({"deploymentShape": "fast"}, {}, {}, "Set another spec.deploymentShape", "The user's shape was dropped."),
        ({"acceleratorType": "NVIDIA_H100_80GB"}, {}, {}, None, "None was asked for."),
        ({}, {"appliedFields": ["acceleratorType", "baseModel"]}, {}, None, "None was asked for when it was created."),
        ({}, {"appliedFields": ["displayName"]}, {}, None, "It was adopted as it is."),
        ({}, {}, {"state": "FAILED"}, None, "There are worse news."),
    ],
)
def test_a_shape_that_was_dropped_is_a_notice(
    spec: dict[str, Any], status: dict[str, Any], wire: dict[str, Any], told: str | None, reason: str
) -> None:
    resource = a_resource(spec, {**CREATED, **status})
    notices = [each for each in after(resource, present(**wire)).status.notices or () if NO_SHAPE in each]
    assert (told is None) is (notices == []), reason
    assert told is None or told in notices[0], reason


def test_without_the_default_shape_there_is_none_to_be_missed() -> None:
    resource = a_resource({}, CREATED)
    told = after(resource, present(), context=a_context(default_shape=False)).status.notices or ()
    assert NO_SHAPE not in " ".join(told)


def test_a_shape_that_the_operator_asked_for_is_no_setting_of_a_restored_deployment() -> None:
    deleted = present(
        state="DELETED", annotations=MADE_HERE, deploymentShape=MINIMAL, precision="BF16", enableAddons=True
    )
    claimed = a_resource({}, CLAIMED)
    restored = after(claimed, deleted, Undelete(NAME)).status.applied_fields or ()
    assert "enableAddons" in restored
    assert not {"deploymentShape", "acceleratorType", "acceleratorCount", "precision"} & set(restored)
