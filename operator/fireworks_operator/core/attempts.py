"""What status must remember of tries over a restart: those that failed, or whose answer is not known yet."""

from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, LastAttempt

from .actions import Action, Adopt, Claim, Create, Delete, Refuse, Undelete, Update, Wait
from .addons import ADDON_ACTIONS, uses_addons
from .context import Context
from .deletion import DELETE, DELETE_IGNORING_CHECKS, delete_attempt_name
from .explain import Explanation, explain
from .observed import Observed, Present
from .outcome import Outcome
from .retry import (
    CREATE,
    CREATIONS,
    POST_SETTLES,
    RECREATE,
    RECREATIONS,
    REPLACE,
    UNFINISHED,
    UPDATE,
    attempt_of,
    create_attempt,
    may_take_effect,
    next_attempt,
    recent_recreations,
)

NOT_OURS = frozenset({Reason.CONFLICT, Reason.ADOPTION_NOT_ALLOWED})
"""Refusals that say that the deployment is somebody else's."""
_REVIVALS = frozenset({Undelete.name, REPLACE, DELETE, DELETE_IGNORING_CHECKS})
_UNANSWERED = frozenset({Reason.CREATING, Reason.API_UNAVAILABLE})
"""Attempts that bring back what is deleted, or that were made while such a one had no answer."""
_BOUNDED = timedelta(seconds=10)
"""A record of so long ago bounds a request that starts now."""


def last_attempt(
    resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context
) -> LastAttempt | None:
    """Return what must be remembered over a restart: tries that failed, or whose answer is not known yet."""
    action, now, before = outcome.action, context.now, resource.status.last_attempt
    match action:
        case Claim():
            return create_attempt(resource, now)
        case Create() if outcome.begun:
            return before if _just_begun(before, now) else create_attempt(resource, now)
        case Undelete() | Adopt(by_request=True) if outcome.begun:
            return _begun_attempt(resource, action, now)
        case _ if outcome.error is not None:
            return _failed_attempt(resource, action, explain(outcome.error, action), now)
        case Undelete() if may_take_effect(before, now):
            return before  # an earlier one without an answer may yet bring back what is deleted by then
        case Create() | Undelete():
            replaced = attempt_of(resource, REPLACE)
            return replaced and replaced.model_copy(update={"reason": Reason.AS_DESIRED, "message": None})
        case Adopt(by_request=True):
            return None
        case Delete(hard=False):
            reason = Reason.DELETING if revives_until(resource, now) is None else Reason.API_UNAVAILABLE
            return next_attempt(resource, delete_attempt_name(action), reason, now)
        case Update():
            return next_attempt(resource, UPDATE, Reason.UPDATING, now)
        case Refuse():
            return _refused_attempt(resource, action, now)
    return before if revives_until(resource, now) is not None else _settled(resource, observed, action)


def recreations(resource: FireworksDeployment, outcome: Outcome, now: datetime) -> list[datetime] | None:
    """Add when a deployment that was deleted elsewhere is brought back, once however often it is tried."""
    action, known = outcome.action, resource.status.recreations
    brings_back = outcome.begun and isinstance(action, Create | Undelete)
    counted = attempt_of(resource, RECREATE, REPLACE, Undelete.name) is not None
    if not brings_back or counted or resource.status.create_time is None:
        return known
    return [*recent_recreations(resource, now), now.replace(microsecond=0)][-RECREATIONS:]


def _begun_attempt(resource: FireworksDeployment, action: Undelete | Adopt, now: datetime) -> LastAttempt:
    """Return the record that is written before a request that may take effect after its sender has given up."""
    before, names = attempt_of(resource, action.name), (REPLACE, action.name)
    if isinstance(action, Undelete):
        before = attempt_of(resource, *names)
    elif before is not None and before.reason == Reason.CREATING and now - before.time < _BOUNDED:
        return before
    unanswered = revives_until(resource, now) is not None
    reason = Reason.API_UNAVAILABLE if unanswered else Reason.CREATING
    if before is None or (before.action != REPLACE and before.reason not in UNFINISHED):
        return next_attempt(resource, action.name, reason, now)
    return before.model_copy(update={"time": now, "reason": reason, "message": None})


def revives_until(resource: FireworksDeployment, now: datetime) -> datetime | None:
    """Return until when a request without an answer may bring a deleted deployment back; None if none can."""
    attempt = resource.status.last_attempt
    if attempt is None or attempt.action not in _REVIVALS or attempt.reason not in _UNANSWERED:
        return None
    until = attempt.time + POST_SETTLES
    return until if until > now else None


def _just_begun(attempt: LastAttempt | None, now: datetime) -> bool:
    """Tell whether the record is recent enough to bound a request that starts now."""
    return attempt is not None and attempt.reason == Reason.CREATING and now - attempt.time < _BOUNDED


def _refused_attempt(resource: FireworksDeployment, refused: Refuse, now: datetime) -> LastAttempt | None:
    """Remember what a look has told and what pauses begin with."""
    before, status = resource.status.last_attempt, resource.status
    if refused.reason in NOT_OURS and status.deployment_name is not None and status.applied_fields is None:
        return next_attempt(resource, CREATE, refused.reason, now, refused.message)  # claimed, and the id is taken
    known = before is not None and (before.action, before.reason) == (REPLACE, Reason.DEPLOYMENT_FAILED)
    if refused.reason is Reason.DEPLOYMENT_FAILED and not known:
        return next_attempt(resource, REPLACE, Reason.DEPLOYMENT_FAILED, now)
    return before


def _settled(resource: FireworksDeployment, observed: Observed, action: Action) -> LastAttempt | None:
    """Forget an attempt once the deployment is as desired, a failed one's replacement once it serves."""
    before = resource.status.last_attempt
    if before is None or not isinstance(action, Wait) or action.reason is not None or not isinstance(observed, Present):
        return before
    if before.action == REPLACE and observed.deployment.replica_stats.ready == 0:
        return before
    addons_settled = action.until is None and (observed.addons is not None or not uses_addons(resource))
    return before if before.action in ADDON_ACTIONS and not addons_settled else None


def _failed_attempt(
    resource: FireworksDeployment, action: Action, explanation: Explanation, now: datetime
) -> LastAttempt | None:
    before = resource.status.last_attempt
    if isinstance(action, Create):
        attempt = before if before is not None and before.action in CREATIONS else create_attempt(resource, now)
        message = explanation.message if explanation.final else None
        return attempt.model_copy(update={"time": now, "reason": explanation.reason, "message": message})
    if isinstance(action, Undelete | Adopt) and before is not None and before.action == action.name:
        message = explanation.message if explanation.final else None
        return before.model_copy(update={"time": now, "reason": explanation.reason, "message": message})
    if isinstance(action, Undelete) and not explanation.final and before is not None:
        return before.model_copy(update={"time": now, "reason": explanation.reason})  # it stands in for a failed one
    if not explanation.final:
        return before  # the queue's own pauses do; a restart may try at once
    if isinstance(action, Delete) and action.hard and not action.ignore_checks:
        # The failed deployment stays: the pauses before its replacement grow, and say why.
        return next_attempt(resource, REPLACE, Reason.DEPLOYMENT_FAILED, now, explanation.message)
    name = delete_attempt_name(action) if isinstance(action, Delete) and not action.hard else action.name
    return next_attempt(resource, name, explanation.reason, now, explanation.message)
