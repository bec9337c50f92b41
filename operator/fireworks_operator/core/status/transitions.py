"""What a change of status is worth telling as an event."""

from collections.abc import Iterator
from typing import Literal

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import Condition, FireworksDeploymentStatus, ReplacementPhase
from fireworks_operator.core.successor import status_of

from .facts import ADDON_REASONS

Line = tuple[Literal["Normal", "Warning"], Reason, str]
_REASONS = {each.value: each for each in Reason}
_OUTAGES = frozenset({Reason.CAPACITY_PENDING, Reason.REPLICAS_LOST, Reason.RECOVERING, Reason.WAKING})
"""Why a deployment that was Ready is so no longer although nobody has changed anything."""


def tell(before: FireworksDeploymentStatus, after: FireworksDeploymentStatus) -> Iterator[Line]:
    """Yield the transitions from one status to the next: a condition's status or reason changed, nothing less."""
    stalled = _find(after, ConditionType.STALLED)
    if stalled is not None and stalled.status == "True":
        if _changed(before, stalled):
            yield "Warning", _REASONS[stalled.reason], stalled.message
        return
    ready = _find(after, ConditionType.READY)
    if ready is not None and _changed(before, ready):
        message = ready.message
        if ready.reason == Reason.SERVING and after.model_identifier is not None:
            message = f"{message} Model identifier: {after.model_identifier}"
        yield ("Warning" if _is_trouble(before, ready) else "Normal"), _REASONS[ready.reason], message
    else:
        yield from _tell_capacity(before, after)
    yield from _tell_leftover(before, after)
    addons = _find(after, ConditionType.ADDONS_READY)
    if addons is not None and _changed(before, addons) and not _is_told_by(ready, addons):
        yield ("Warning" if addons.reason == Reason.ADDON_FAILED else "Normal"), _REASONS[addons.reason], addons.message


def _is_told_by(ready: Condition | None, addons: Condition) -> bool:
    """Tell whether Ready says of the addons what AddonsReady does, or will once the base model serves."""
    waits = addons.reason == Reason.ADDONS_LOADING
    return ready is not None and (ready.status != "True" if waits else ready.reason == addons.reason)


def _is_trouble(before: FireworksDeploymentStatus, ready: Condition) -> bool:
    if ready.status == "True":
        return False
    former = _find(before, ConditionType.READY)
    served = former is not None and (former.status == "True" or former.reason in ADDON_REASONS)
    ends = served and ready.reason in _OUTAGES
    return ends or ready.reason in (Reason.REPLICAS_LOST, Reason.UNKNOWN_STATE, Reason.REPLACEMENT_BLOCKED)


def _tell_leftover(before: FireworksDeploymentStatus, after: FireworksDeploymentStatus) -> Iterator[Line]:
    """Yield that the second deployment, which nobody wants any more, is not deleted: Ready says nothing of it."""
    leftover = after.replacement
    if leftover is None or leftover.phase is ReplacementPhase.PREPARING:
        return
    known = FireworksDeploymentStatus() if before.replacement is None else status_of(before.replacement)
    stalled = _find(status_of(leftover), ConditionType.STALLED)
    if stalled is not None and stalled.status == "True" and _changed(known, stalled):
        yield "Warning", _REASONS[stalled.reason], stalled.message


def _tell_capacity(before: FireworksDeploymentStatus, after: FireworksDeploymentStatus) -> Iterator[Line]:
    """Yield that some replicas have been missing for long, or no longer are, where Ready has nothing to tell."""
    capacity, ready = _find(after, ConditionType.CAPACITY_PENDING), _find(after, ConditionType.READY)
    former = _find(before, ConditionType.CAPACITY_PENDING)
    if capacity is None or not _changed(before, capacity):
        return
    if capacity.status == "True":
        yield "Warning", _REASONS[capacity.reason], capacity.message
    elif former is not None and ready is not None and ready.status == "True":
        yield "Normal", _REASONS[ready.reason], ready.message


def _find(status: FireworksDeploymentStatus, kind: ConditionType) -> Condition | None:
    return next((each for each in status.conditions if each.type == kind), None)


def _changed(before: FireworksDeploymentStatus, condition: Condition) -> bool:
    former = next((each for each in before.conditions if each.type == condition.type), None)
    return former is None or (former.status, former.reason) != (condition.status, condition.reason)
