"""What a plan says of one resource."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.spec_parts import DEFAULT_DRAIN
from fireworks_operator.api.v1alpha1 import ManagementPolicy, ReplacementPhase
from fireworks_operator.core.actions import (
    Adopt,
    Create,
    Delete,
    Mutation,
    Pending,
    Progress,
    Refuse,
    Trouble,
    Undelete,
)
from fireworks_operator.core.budgets import Ceiling
from fireworks_operator.core.forecast.bill import NO_BILL, Bill, bill_of
from fireworks_operator.core.forecast.changes import FieldChange
from fireworks_operator.core.forecast.fireworks import in_the_end
from fireworks_operator.core.forecast.forecast import Forecast
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.core.situation import Situation
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
        both: what is billed while a deployment and its successor serve; None if there are never two.
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
    both: Bill | None = None

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
            "whileBothRun": None if self.both is None else bill_data(self.both),
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
    main = situation if situation.beside is None else situation.beside.situation
    before = _bill(situation, seen.before, seen.second, *(each.observed for each in found.taken_up))
    after = _bill(situation, in_the_end(situation.observed), situation.other and in_the_end(situation.other))
    if isinstance(found.end, Refuse) and found.end.reason in NOT_OURS:
        before = after = NO_BILL  # it is another's deployment
    return Planned(
        namespace,
        name,
        source,
        _verdict(seen, refused=bool(reason)),
        deployment=main.target or "",
        changes=tuple(change for each in found.steps for change in each.changes),
        steps=tuple(f"{each.action.name} {each.action.target}" for each in found.steps),
        reason=reason,
        message=message,
        notes=_notes(seen),
        before=before,
        after=after,
        both=None if found.beside is None else _bill(situation, *found.beside),
    )


def ceiling_of_plan(seen: Seen) -> Ceiling:
    """Return what a resource may run at most from now on; while it has two deployments, both of them."""
    found, situation = seen.forecast, seen.forecast.situation
    bills = [_bill(situation, situation.observed, situation.other)]
    if found.beside is not None:
        bills.append(_bill(situation, *found.beside))
    highest = max(bills, key=lambda each: each.gpus_at_most or 0)
    return Ceiling(highest.gpus_at_most or 0, highest.ceiling)


def _bill(situation: Situation, observed: Observed, *others: Observed | None) -> Bill:
    """Return what is billed for a resource by the hour, which may have several deployments."""
    prices, now = situation.context.prices, situation.now
    bill = bill_of(observed, prices, now)
    for each in others:
        bill = bill if each is None else bill.plus(bill_of(each, prices, now))
    return bill


_BY_ACTION: Final = (
    (Delete, Verdict.REPLACE),
    (Create, Verdict.CREATE),
    (Undelete, Verdict.RESTORE),
    (Adopt, Verdict.ADOPT),
)
"""What a plan is called by; the first one that occurs counts."""


def _verdict(seen: Seen, *, refused: bool) -> Verdict:
    found = seen.forecast
    if isinstance(found.end, Trouble | Pending):
        return Verdict.UNKNOWN
    if refused:
        return Verdict.REFUSED
    if found.released:
        return Verdict.RELEASE
    actions = [type(each.action) for each in found.steps if not _is_aside(each.action, seen)]
    named = (verdict for action, verdict in _BY_ACTION if action in actions)
    return next(named, Verdict.UPDATE if found.steps else Verdict.NOTHING)


def _is_aside(action: Mutation, seen: Seen) -> bool:
    """Tell whether a deployment of one's own gets its marker back, or the one that is left over is deleted."""
    if isinstance(action, Adopt):
        return not action.by_request
    replacement = seen.resource.status.replacement
    left = {_name_of(each.observed) for each in seen.forecast.taken_up}
    left.add("" if replacement is None else replacement.deployment_name or "")
    return isinstance(action, Delete) and action.target in left


def _trouble(found: Forecast) -> tuple[str, str]:
    """Return why the operator would say that a person must act; empty texts if it would not."""
    end = found.end
    if isinstance(end, Refuse | Trouble):
        return ("", "") if end.reason is Reason.PAUSED else (end.reason.value, end.message)
    if isinstance(end, Progress) and end.reason is Reason.REPLACEMENT_BLOCKED:
        return end.reason.value, end.message
    for condition in found.situation.status.conditions:
        if condition.type == ConditionType.STALLED and condition.status == "True":
            return condition.reason, condition.message
    return "", ""


def _notes(seen: Seen) -> tuple[str, ...]:
    """Return what is worth knowing, and is not in the status already."""
    found, known = seen.forecast, seen.resource.status.notices or ()
    notes = [found.released] if found.released else []
    notes += _about_two(seen)
    if isinstance(found.end, Refuse) and found.end.reason is Reason.PAUSED:
        notes.append(found.end.message)
    if found.situation.spec.management_policy is ManagementPolicy.OBSERVE and not found.released:
        notes.append("It is only observed: the operator changes nothing at Fireworks.")
    return (*notes, *(each for each in found.situation.status.notices or () if each not in known))


def _about_two(seen: Seen) -> Iterator[str]:
    """Say what becomes of two deployments."""
    for each in seen.forecast.taken_up:
        yield each.message or f"{_id_of(each.observed)} has taken the place of the deployment that the status names."
    if seen.forecast.beside is not None:
        yield _about_successor(seen, *(_id_of(each) for each in seen.forecast.beside))
    replacement = seen.resource.status.replacement
    if replacement is None or replacement.deployment_name is None:
        return
    if replacement.phase is ReplacementPhase.DRAINING and replacement.until is not None:
        until = f"{replacement.until:%Y-%m-%dT%H:%M:%SZ}"
        yield f"{_short(replacement.deployment_name)} has been replaced, and is deleted after {until}."
    elif replacement.phase is ReplacementPhase.DISCARDING:
        yield f"{_short(replacement.deployment_name)}, the successor that is no longer wanted, is deleted."
    elif replacement.hand_backs is not None:
        former = _short(seen.resource.status.deployment_name or "")
        yield f"{_short(replacement.deployment_name)} took over and then failed: {former} serves until it does again."


def _about_successor(seen: Seen, former: str, successor: str) -> str:
    created = any(isinstance(each.action, Create) for each in seen.forecast.steps)
    how = f"{successor} is created beside {former}" if created else f"{successor} exists already"
    policy = seen.resource.spec.replace_policy
    drain = (policy and policy.drain) or DEFAULT_DRAIN
    unused = "" if policy is not None and policy.ignore_checks else ", if it has had no request for an hour by then"
    return f"BlueGreen: {how}, takes over once it serves, and {former} is deleted {drain} later{unused}."


def _id_of(observed: Observed) -> str:
    return _short(_name_of(observed))


def _name_of(observed: Observed) -> str:
    return observed.deployment.name if isinstance(observed, Present) else ""


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]
