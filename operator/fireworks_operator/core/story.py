"""What a change of status is worth telling as an event."""

from collections.abc import Iterator
from typing import Literal

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import Condition, FireworksDeploymentStatus

Line = tuple[Literal["Normal", "Warning"], Reason, str]
_REASONS = {each.value: each for each in Reason}


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
        yield "Normal", _REASONS[ready.reason], message
    addons = _find(after, ConditionType.ADDONS_READY)
    if addons is not None and _changed(before, addons):
        yield ("Warning" if addons.reason == Reason.ADDON_FAILED else "Normal"), _REASONS[addons.reason], addons.message


def _find(status: FireworksDeploymentStatus, kind: ConditionType) -> Condition | None:
    return next((each for each in status.conditions if each.type == kind), None)


def _changed(before: FireworksDeploymentStatus, condition: Condition) -> bool:
    former = next((each for each in before.conditions if each.type == condition.type), None)
    return former is None or (former.status, former.reason) != (condition.status, condition.reason)
