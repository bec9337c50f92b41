"""What a plan says of one resource."""

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import ManagementPolicy
from fireworks_operator.core.actions import Adopt, Create, Delete, Mutation, Pending, Refuse, Trouble, Undelete
from fireworks_operator.core.forecast.bill import NO_BILL, Bill, bill_of
from fireworks_operator.core.forecast.changes import FieldChange
from fireworks_operator.core.forecast.fireworks import in_the_end
from fireworks_operator.core.forecast.forecast import Forecast
from fireworks_operator.core.status.attempts import NOT_OURS

from .looking import Seen


class Verdict(StrEnum):
    """What would become of a resource, in one word."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    RESTORE = "restore"
    ADOPT = "adopt"
    RELEASE = "release"
    NOTHING = "nothing"
    REFUSED = "refused"
    UNKNOWN = "unknown"

    @property
    def is_error(self) -> bool:
        """Whether a person has to do something before the operator can."""
        return self in (Verdict.REFUSED, Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of one resource, and what it costs by the hour before and after.

    Attributes:
        namespace, name, source: which one, and the file that it stands in.
        verdict: in one word.
        deployment: the full name of the deployment at Fireworks; empty if there is none.
        changes: field by field.
        steps: the requests that would be sent, in words, in their order.
        reason, message: why it would be refused, or what is not known.
        notes: what is worth knowing besides.
        before, after: what is billed by the hour.
    """

    namespace: str
    name: str
    source: str
    verdict: Verdict
    deployment: str = ""
    changes: tuple[FieldChange, ...] = ()
    steps: tuple[str, ...] = ()
    reason: str = ""
    message: str = ""
    notes: tuple[str, ...] = ()
    before: Bill = field(default=NO_BILL)
    after: Bill = field(default=NO_BILL)

    @property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    def to_data(self) -> dict[str, JsonValue]:
        """Return it for programs."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "source": self.source,
            "action": self.verdict.value,
            "deployment": self.deployment or None,
            "changes": [{"field": each.path, "old": each.old, "new": each.new} for each in self.changes],
            "requests": list(self.steps),
            "reason": self.reason or None,
            "message": self.message or None,
            "notes": list(self.notes),
            "before": bill_data(self.before),
            "after": bill_data(self.after),
        }


def bill_data(bill: Bill) -> dict[str, JsonValue]:
    """Return what is billed by the hour for programs; null is not known."""
    return {
        "gpus": bill.gpus,
        "hourly": _amount(bill.hourly),
        "gpusAtMost": bill.gpus_at_most,
        "hourlyCeiling": _amount(bill.ceiling),
    }


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def planned_of(namespace: str, name: str, source: str, seen: Seen) -> Planned:
    """Say what a forecast comes to."""
    found, situation = seen.forecast, seen.forecast.situation
    reason, message = _trouble(found)
    prices, now = situation.context.prices, situation.now
    before, after = bill_of(seen.before, prices, now), bill_of(in_the_end(situation.observed), prices, now)
    if isinstance(found.end, Refuse) and found.end.reason in NOT_OURS:
        before = after = NO_BILL  # it is another's deployment
    return Planned(
        namespace,
        name,
        source,
        _verdict(found, refused=bool(reason)),
        deployment=situation.target or "",
        changes=tuple(change for each in found.steps for change in each.changes),
        steps=tuple(f"{each.action.name} {each.action.target}" for each in found.steps),
        reason=reason,
        message=message,
        notes=_notes(found, seen.resource.status.notices or ()),
        before=before,
        after=after,
    )


_BY_ACTION: Final = (
    (Delete, Verdict.REPLACE),
    (Create, Verdict.CREATE),
    (Undelete, Verdict.RESTORE),
    (Adopt, Verdict.ADOPT),
)
"""What a plan is called by; the first one that occurs counts."""


def _verdict(found: Forecast, *, refused: bool) -> Verdict:
    if isinstance(found.end, Trouble | Pending):
        return Verdict.UNKNOWN
    if refused:
        return Verdict.REFUSED
    if found.released:
        return Verdict.RELEASE
    # A deployment of one's own that only gets its marker back is not adopted.
    actions = [
        type(each.action) for each in found.steps if not isinstance(each.action, Adopt) or each.action.by_request
    ]
    named = (verdict for action, verdict in _BY_ACTION if action in actions)
    return next(named, Verdict.UPDATE if found.steps else Verdict.NOTHING)


def _only_marks(action: Mutation) -> bool:
    """Tell whether a deployment of one's own gets its marker back."""
    return isinstance(action, Adopt) and not action.by_request


def _trouble(found: Forecast) -> tuple[str, str]:
    """Return why the operator would say that a person must act; empty texts if it would not."""
    end = found.end
    if isinstance(end, Refuse | Trouble):
        return ("", "") if end.reason is Reason.PAUSED else (end.reason.value, end.message)
    for condition in found.situation.status.conditions:
        if condition.type == ConditionType.STALLED and condition.status == "True":
            return condition.reason, condition.message
    return "", ""


def _notes(found: Forecast, known: Collection[str]) -> tuple[str, ...]:
    """Return what is worth knowing, and is not in the status already."""
    notes = [found.released] if found.released else []
    if isinstance(found.end, Refuse) and found.end.reason is Reason.PAUSED:
        notes.append(found.end.message)
    if found.situation.spec.management_policy is ManagementPolicy.OBSERVE and not found.released:
        notes.append("It is only observed: the operator changes nothing at Fireworks.")
    return (*notes, *(each for each in found.situation.status.notices or () if each not in known))
