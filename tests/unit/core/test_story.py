"""Which changes of status become events."""

from datetime import timedelta

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.v1alpha1 import Condition, ConditionStatus, FireworksDeploymentStatus
from fireworks_operator.core.status.transitions import tell
from fireworks_operator.fireworks.errors import ErrorKind
from testkit import replacements
from testkit.builders import NOW, an_error

Line = tuple[ConditionType, ConditionStatus, Reason, str]
READY, STALLED, ADDONS = ConditionType.READY, ConditionType.STALLED, ConditionType.ADDONS_READY
CAPACITY = ConditionType.CAPACITY_PENDING


def a_status(*conditions: Line, identifier: str | None = None) -> FireworksDeploymentStatus:
    made: list[Condition] = []
    for kind, status, reason, message in conditions:
        made = set_condition(made, kind, status, reason, message, generation=1, now=NOW)
    return FireworksDeploymentStatus(conditions=made, model_identifier=identifier)


CREATING: Line = (READY, "False", Reason.CREATING, "Being created.")
SERVING: Line = (READY, "True", Reason.SERVING, "It serves.")
REJECTED: Line = (STALLED, "True", Reason.REJECTED_BY_FIREWORKS, "No.")
QUOTA: Line = (STALLED, "True", Reason.QUOTA_EXCEEDED, "No GPUs.")
FINE: Line = (STALLED, "False", Reason.AS_DESIRED, "")
FAILED_ADDON: Line = (ADDONS, "False", Reason.ADDON_FAILED, "No such model.")
LOADING_ADDONS: Line = (READY, "False", Reason.LOADING_ADDONS, "It serves. Waiting for lora.")
LOADING: Line = (ADDONS, "False", Reason.ADDONS_LOADING, "Waiting for lora.")
UNREACHED: Line = (READY, "Unknown", Reason.API_UNAVAILABLE, "No answer.")
UNLISTED: Line = (ADDONS, "Unknown", Reason.API_UNAVAILABLE, "No answer.")
ADDON_STALLS: Line = (STALLED, "True", Reason.ADDON_FAILED, "No such model.")
LOADED: Line = (ADDONS, "True", Reason.ADDONS_LOADED, "1 loaded.")
RECOVERING: Line = (READY, "True", Reason.RECOVERING, "Another one starts.")
LOST: Line = (READY, "False", Reason.CAPACITY_PENDING, "No GPUs for any.")
ALL_WAIT: Line = (CAPACITY, "True", Reason.CAPACITY_PENDING, "No GPUs for any.")
SOME_WAIT: Line = (CAPACITY, "True", Reason.CAPACITY_PENDING, "No GPUs for some.")
NONE_WAITS: Line = (CAPACITY, "False", Reason.AS_DESIRED, "None is missing.")


@pytest.mark.parametrize(
    ("before", "after", "told", "reason"),
    [
        (a_status(), a_status(CREATING), [("Normal", Reason.CREATING, "Being created.")], "The first word."),
        (
            a_status(CREATING),
            a_status(SERVING, FINE, identifier="m#d"),
            [("Normal", Reason.SERVING, "It serves. Model identifier: m#d")],
            "What users wait for, and what to put into their request.",
        ),
        (a_status(SERVING), a_status((READY, "True", Reason.SERVING, "2 serve.")), [], "Only the words changed."),
        (a_status(SERVING), a_status(SERVING), [], "Nothing changed."),
        (
            a_status(SERVING),
            a_status((READY, "False", Reason.REJECTED_BY_FIREWORKS, "No."), REJECTED),
            [("Warning", Reason.REJECTED_BY_FIREWORKS, "No.")],
            "One warning, not two events for the same thing.",
        ),
        (a_status(REJECTED), a_status(QUOTA), [("Warning", Reason.QUOTA_EXCEEDED, "No GPUs.")], "Another trouble."),
        (a_status(REJECTED), a_status(REJECTED), [], "The same trouble is not told twice."),
        (
            a_status(SERVING),
            a_status(SERVING, FAILED_ADDON),
            [("Warning", Reason.ADDON_FAILED, "No such model.")],
            "An addon in trouble.",
        ),
        (
            a_status(SERVING, FAILED_ADDON),
            a_status(SERVING, LOADED),
            [("Normal", Reason.ADDONS_LOADED, "1 loaded.")],
            "And out of it.",
        ),
        (
            a_status(CREATING),
            a_status(CREATING, LOADING),
            [],
            "The base model comes first, and then Ready says what is waited for.",
        ),
        (
            a_status(CREATING),
            a_status(LOADING_ADDONS, LOADING),
            [("Normal", Reason.LOADING_ADDONS, "It serves. Waiting for lora.")],
            "Addons are loaded: told once and not by two conditions.",
        ),
        (
            a_status(SERVING),
            a_status(SERVING, LOADING),
            [("Normal", Reason.ADDONS_LOADING, "Waiting for lora.")],
            "Ready says nothing of it where no replica can load one.",
        ),
        (
            a_status(LOADING_ADDONS, LOADING),
            a_status((READY, "False", Reason.ADDON_FAILED, "No such model."), ADDON_STALLS, FAILED_ADDON),
            [("Warning", Reason.ADDON_FAILED, "No such model.")],
            "One warning for an addon that cannot be loaded.",
        ),
        (
            a_status(LOADING_ADDONS, LOADING),
            a_status(LOST, ALL_WAIT, LOADING),
            [("Warning", Reason.CAPACITY_PENDING, "No GPUs for any.")],
            "An outage of what served, though not with all its addons.",
        ),
        (
            a_status(LOADING_ADDONS, LOADING),
            a_status(UNREACHED, UNLISTED),
            [("Normal", Reason.API_UNAVAILABLE, "No answer.")],
            "One word about a LIST that fails.",
        ),
        (
            a_status(RECOVERING),
            a_status(LOST, ALL_WAIT),
            [("Warning", Reason.CAPACITY_PENDING, "No GPUs for any.")],
            "An outage, told once and not by two conditions.",
        ),
        (
            a_status(SERVING),
            a_status((READY, "False", Reason.RECOVERING, "It starts.")),
            [("Warning", Reason.RECOVERING, "It starts.")],
            "An outage, too, although others are on their way.",
        ),
        (
            a_status(SERVING),
            a_status(RECOVERING),
            [("Normal", Reason.RECOVERING, "Another one starts.")],
            "A moment without replica is no outage yet.",
        ),
        (
            a_status(CREATING),
            a_status(LOST, ALL_WAIT),
            [("Normal", Reason.CAPACITY_PENDING, "No GPUs for any.")],
            "What never served is no outage.",
        ),
        (
            a_status(LOST, ALL_WAIT),
            a_status((READY, "False", Reason.REPLICAS_LOST, "None starts.")),
            [("Warning", Reason.REPLICAS_LOST, "None starts.")],
            "An outage that does not heal by itself.",
        ),
        (
            a_status(SERVING),
            a_status((READY, "Unknown", Reason.UNKNOWN_STATE, "SUSPENDED.")),
            [("Warning", Reason.UNKNOWN_STATE, "SUSPENDED.")],
            "Somebody has to look.",
        ),
        (
            a_status(LOST, ALL_WAIT),
            a_status(SERVING, NONE_WAITS),
            [("Normal", Reason.SERVING, "It serves.")],
            "The end of an outage, told once.",
        ),
        (
            a_status(SERVING),
            a_status(SERVING, SOME_WAIT),
            [("Warning", Reason.CAPACITY_PENDING, "No GPUs for some.")],
            "Ready stays, and yet somebody may want to know.",
        ),
        (a_status(SERVING, SOME_WAIT), a_status(SERVING, SOME_WAIT), [], "The same shortage is not told twice."),
        (
            a_status(SERVING, SOME_WAIT),
            a_status(SERVING, NONE_WAITS),
            [("Normal", Reason.SERVING, "It serves.")],
            "The end of it.",
        ),
        (
            a_status(SERVING, SOME_WAIT),
            a_status((READY, "False", Reason.DELETING, "It goes."), NONE_WAITS),
            [("Normal", Reason.DELETING, "It goes.")],
            "Nobody waits for GPUs any more.",
        ),
        (a_status(SERVING), a_status(SERVING, NONE_WAITS), [], "What never was has no end."),
        (a_status(SERVING), a_status(), [], "A condition that is gone is no news."),
    ],
)
def test_events(
    before: FireworksDeploymentStatus,
    after: FireworksDeploymentStatus,
    told: list[tuple[str, Reason, str]],
    reason: str,
) -> None:
    assert list(tell(before, after)) == told, reason


def test_the_time_of_a_transition_is_no_news() -> None:
    before = a_status(SERVING)
    moved = before.conditions[0].model_copy(update={"last_transition_time": NOW + timedelta(hours=1)})
    assert list(tell(before, before.model_copy(update={"conditions": [moved]}))) == []


QUOTA_FOR_ONE = an_error(ErrorKind.QUOTA_EXCEEDED, "quota global--h200-count exceeded, in use: 8, quota: 8")
IN_USE = an_error(ErrorKind.INVALID, "the deployment has received inference requests in the last hour")


def test_a_successor_that_is_refused_is_a_warning_and_told_once() -> None:
    before, after = replacements.preparing().status, replacements.refused(QUOTA_FOR_ONE).status
    ((kind, reason, message),) = tell(before, after)
    assert (kind, reason) == ("Warning", Reason.REPLACEMENT_BLOCKED)
    assert "quota" in message
    assert list(tell(after, after)) == []


def test_a_former_deployment_that_is_not_deleted_is_a_warning_though_the_resource_is_ready() -> None:
    before, after = replacements.draining().status, replacements.undeletable(IN_USE).status
    ((kind, reason, message),) = tell(before, after)
    assert (kind, reason) == ("Warning", Reason.DELETION_BLOCKED)
    assert "requests in the last hour" in message
    assert list(tell(after, after)) == []
