"""Refusals that stay in force until the next try is due."""

from datetime import datetime

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import LastAttempt
from fireworks_operator.core.actions import Refuse
from fireworks_operator.core.pauses import REFUSED, REPLACE, known_reason, pause_until
from fireworks_operator.core.situation import Situation

_NOT_REFUSALS = frozenset(
    {
        Reason.CREATING,
        Reason.UPDATING,
        Reason.API_UNAVAILABLE,
        Reason.RATE_LIMITED,
        Reason.DEPLOYMENT_FAILED,
        Reason.AS_DESIRED,
        Reason.REPLACING,
    }
)


def held_back(situation: Situation, *actions: str) -> Refuse | None:
    """Return the refusal that is still in force after Fireworks said no, None when the next try is due."""
    attempt = situation.attempt_of(*actions)
    if attempt is None or situation.context.skip_pauses or attempt.reason in _NOT_REFUSALS:
        return None
    if (attempt.action, attempt.reason) == (REPLACE, Reason.DELETION_BLOCKED):
        return None  # a deletion was refused, and no creation
    until = pause_until(attempt, REFUSED)
    if until <= situation.now:
        return None
    return still_refused(attempt, until)


def still_refused(attempt: LastAttempt, until: datetime) -> Refuse:
    """Return the refusal of an attempt, in the words of then."""
    reason = known_reason(attempt.reason)
    return Refuse(reason, attempt.message or reason.doc, until)
