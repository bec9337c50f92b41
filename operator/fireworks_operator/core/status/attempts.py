"""What status must remember of tries over a restart: those that failed, or whose answer is not known yet."""

from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import LastAttempt
from fireworks_operator.core.actions import (
    Action,
    Adopt,
    Claim,
    Create,
    Delete,
    Park,
    PrepareModel,
    Refuse,
    Rest,
    RouterChange,
    SetDeployedModel,
    SetTags,
    Undelete,
    Update,
)
from fireworks_operator.core.decisions.addons import ADDON_ACTIONS, observed_addons, uses_addons
from fireworks_operator.core.decisions.deletion import delete_attempt_name
from fireworks_operator.core.decisions.fallback import after_refusal, explain_refusal
from fireworks_operator.core.decisions.parking import rest_parked
from fireworks_operator.core.decisions.preparation import preparing
from fireworks_operator.core.decisions.replacement import refuse_rejected
from fireworks_operator.core.desired.choices import is_given_up
from fireworks_operator.core.diagnosis import Diagnosis, diagnose, needs_unloading
from fireworks_operator.core.observed.history import has_lost_status
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import (
    CREATE,
    CREATIONS,
    DELETE_WITH_ADDONS,
    RECREATE,
    RECREATIONS,
    REPLACE,
    UNFINISHED,
    UPDATE,
    VALIDATE,
    is_replacing,
    may_take_effect,
    recent_recreations,
    revives_until,
)
from fireworks_operator.core.situation import Situation

NOT_OURS = frozenset({Reason.CONFLICT, Reason.ADOPTION_NOT_ALLOWED})
"""Refusals that say that the deployment is somebody else's."""
_WITHOUT_REFUSAL = frozenset(
    {*UNFINISHED, Reason.AS_DESIRED, Reason.DEPLOYMENT_FAILED, Reason.REPLACING, Reason.DELETION_BLOCKED}
)
"""Reasons of a replacement whose create request has not been refused, so that the next one is no further try."""
_BOUNDED = timedelta(seconds=10)
"""A record of so long ago bounds a request that starts now."""


def last_attempt(situation: Situation, outcome: Outcome) -> LastAttempt | None:
    """Return what must be remembered over a restart: tries that failed, or whose answer is not known yet."""
    action, now, before = outcome.action, situation.now, situation.status.last_attempt
    may_be_revived = revives_until(before, now) is not None
    match action:
        case Claim():
            return _create_attempt(situation)
        case Create() if outcome.begun:
            return before if _just_begun(before, now) else _create_attempt(situation)
        case Undelete() | Adopt(by_request=True) | Delete() if outcome.begun:
            return _begun_attempt(situation, action)
        case _ if outcome.error is not None:
            return _failed_attempt(situation, outcome, diagnose(outcome.error, action))
        case Undelete() if may_take_effect(before, now):
            return before  # an earlier one without an answer may yet bring back what is deleted by then
        case Create() | Undelete():
            replaced = situation.attempt_of(REPLACE)
            return replaced and replaced.model_copy(update={"reason": Reason.AS_DESIRED, "message": None})
        case Adopt(by_request=True):
            return None
        case Delete(hard=False) | Delete(replaces=(_, *_)):
            return _deleted_attempt(situation, action)
        case Update() | SetTags() | SetDeployedModel():
            return _changed_attempt(situation, action)
        case PrepareModel(model=model, precision=precision):
            return _next_attempt(situation, action.name, Reason.PREPARING_MODEL, preparing(model, precision))
        case Refuse():
            return _refused_attempt(situation, action)
    return before if may_be_revived else _settled(situation, action)


def recreations(situation: Situation, outcome: Outcome) -> list[datetime] | None:
    """Add when a deployment that was deleted elsewhere is brought back, once however often it is tried."""
    action, known = outcome.action, situation.status.recreations
    brings_back = outcome.begun and isinstance(action, Create | Undelete)
    # Nor counts what was deleted here to be replaced, when the old value is put back.
    counted = situation.attempt_of(RECREATE, REPLACE, Undelete.name) is not None or is_replacing(situation.status)
    if not brings_back or counted or situation.status.create_time is None or is_given_up(situation.resource):
        return known
    recent = recent_recreations(situation.status, situation.now)
    return [*recent, situation.now.replace(microsecond=0)][-RECREATIONS:]


def _changed_attempt(situation: Situation, action: Update | SetTags | SetDeployedModel) -> LastAttempt | None:
    """Return the record of a change that was accepted, in case it is never made; of API keys nobody can see that."""
    if not (isinstance(action, Update) and action.is_of_keys_alone):
        return _next_attempt(situation, action.name, Reason.UPDATING)
    before = situation.status.last_attempt
    refused = before is not None and before.action == action.name and before.reason != Reason.UPDATING
    return None if refused else before


def _next_attempt(situation: Situation, action: str, reason: Reason, message: str | None = None) -> LastAttempt:
    """Return the record of one more try; the count starts again with a new revision, target or action.

    `message` is what a held-back refusal goes on saying, whatever the conditions had to say in between.
    """
    before = situation.attempt_of(action)
    return LastAttempt(
        action=action,
        target=situation.target,
        generation=situation.wanted.revision,
        count=before.count + 1 if before is not None else 1,
        time=situation.now,
        reason=reason,
        message=message,
    )


def _create_attempt(situation: Situation) -> LastAttempt:
    """Return the record that is written before a create request, so that a lost answer is not forgotten.

    A deployment that was there before counts as `Recreate`, one that stands in for a failed one as `Replace`.
    """
    now = situation.now
    # One of the time before a status was lost is as good as unanswered; a successor has not had any status before.
    lost = has_lost_status(situation.resource) and situation.context.may_have_claimed
    unanswered = (lost and not situation.context.revision) or may_take_effect(situation.status.last_attempt, now)
    reason = Reason.API_UNAVAILABLE if unanswered else Reason.CREATING
    replaced = situation.attempt_of(REPLACE)
    if replaced is not None and replaced.reason not in _WITHOUT_REFUSAL:
        return _next_attempt(situation, REPLACE, reason)
    if replaced is not None:
        return replaced.model_copy(update={"time": now, "reason": reason, "message": None})
    name = CREATE if situation.status.create_time is None else RECREATE
    before = situation.attempt_of(name)
    if before is not None and before.reason in UNFINISHED:
        return before.model_copy(update={"time": now, "reason": reason, "message": None})
    return _next_attempt(situation, name, reason)


def _begun_replacement(situation: Situation) -> LastAttempt:
    """Return the record that is written before a deployment is deleted to be created anew.

    Without it, a deletion whose answer is lost would look like somebody else's. Sending it again is no further try.
    """
    now, before = situation.now, situation.attempt_of(REPLACE)
    may_be_revived = revives_until(situation.status.last_attempt, now) is not None
    reason = Reason.API_UNAVAILABLE if may_be_revived else Reason.REPLACING
    if before is None or before.reason not in (Reason.REPLACING, Reason.API_UNAVAILABLE):
        return _next_attempt(situation, REPLACE, reason)
    return before.model_copy(update={"time": now, "reason": reason, "message": None})


def _deleted_attempt(situation: Situation, action: Delete) -> LastAttempt | None:
    """Return the record of a deletion that was accepted; what a replacement was begun with tells who has deleted it."""
    before = situation.status.last_attempt
    if action.replaces:
        return before
    reason = Reason.DELETING if revives_until(before, situation.now) is None else Reason.API_UNAVAILABLE
    return _next_attempt(situation, delete_attempt_name(action), reason)


def _begun_attempt(situation: Situation, action: Undelete | Adopt | Delete) -> LastAttempt:
    """Return the record that is written before a request that may take effect after its sender has given up."""
    now = situation.now
    if isinstance(action, Delete):
        return _begun_replacement(situation)
    before = situation.attempt_of(action.name)
    if isinstance(action, Undelete):
        before = situation.attempt_of(REPLACE, action.name)
    elif before is not None and _just_begun(before, now):
        return before
    unanswered = revives_until(situation.status.last_attempt, now) is not None
    reason = Reason.API_UNAVAILABLE if unanswered else Reason.CREATING
    if before is None or (before.action != REPLACE and before.reason not in UNFINISHED):
        return _next_attempt(situation, action.name, reason)
    return before.model_copy(update={"time": now, "reason": reason, "message": None})


def _just_begun(attempt: LastAttempt | None, now: datetime) -> bool:
    """Tell whether the record is recent enough to bound a request that starts now."""
    return attempt is not None and attempt.reason == Reason.CREATING and now - attempt.time < _BOUNDED


def _refused_attempt(situation: Situation, refused: Refuse) -> LastAttempt | None:
    """Remember what a look has told and what pauses begin with."""
    before, status = situation.status.last_attempt, situation.status
    if refused == rest_parked(situation) and revives_until(before, situation.now) is None:
        return _settled(situation, Rest())
    if refused == refuse_rejected(situation):
        return _next_attempt(situation, VALIDATE, refused.reason, refused.message)
    if refused.reason in NOT_OURS and status.deployment_name is not None and status.applied_fields is None:
        return _next_attempt(situation, CREATE, refused.reason, refused.message)  # claimed, and the id is taken
    known = before is not None and (before.action, before.reason) == (REPLACE, Reason.DEPLOYMENT_FAILED)
    if refused.reason is Reason.DEPLOYMENT_FAILED and not known:
        return _next_attempt(situation, REPLACE, Reason.DEPLOYMENT_FAILED)
    return before


def _settled(situation: Situation, action: Action) -> LastAttempt | None:
    """Forget an attempt once the deployment is as desired, a failed one's replacement once it serves."""
    before, observed = situation.status.last_attempt, situation.observed
    if isinstance(action, Park) and before is not None and before.action == UPDATE:
        return None  # something else is wanted than what a change was refused for, or did not come to
    if before is None or not isinstance(action, Rest) or not isinstance(observed, Present):
        return before
    if before.action == REPLACE and observed.deployment.replica_stats.ready == 0:
        return before
    addons_known = observed_addons(observed) is not None or not uses_addons(situation.resource)
    addons_settled = action.until is None and addons_known
    return before if before.action in ADDON_ACTIONS and not addons_settled else None


def _failed_attempt(situation: Situation, outcome: Outcome, diagnosis: Diagnosis) -> LastAttempt | None:
    action, before = outcome.action, situation.status.last_attempt
    match action:
        case Create():
            begun = before if before is not None and before.action in CREATIONS else _create_attempt(situation)
            return _ended_creation(situation, outcome, begun, diagnosis)
        case Delete(replaces=(_, *_)) if before is not None and diagnosis.needs_user:
            return _ended(before, situation.now, diagnosis)
        case Undelete() | Adopt() if before is not None and before.action == action.name:
            return _ended(before, situation.now, diagnosis)
        case Undelete() if before is not None and not diagnosis.needs_user:
            # It stands in for a failed one.
            return before.model_copy(update={"time": situation.now, "reason": diagnosis.reason})
        case Delete(with_addons=True) if outcome.error is not None and needs_unloading(outcome.error, action):
            return _next_attempt(situation, DELETE_WITH_ADDONS, diagnosis.reason)
        case _ if not diagnosis.needs_user:
            return before  # the queue's own pauses do; a restart may try at once
        case Delete(hard=True, ignore_checks=False):
            # The failed deployment stays: the pauses before its replacement grow, and say why.
            return _next_attempt(situation, REPLACE, Reason.DEPLOYMENT_FAILED, diagnosis.message)
    return _refused(situation, action, diagnosis)


def _refused(situation: Situation, action: Action, diagnosis: Diagnosis) -> LastAttempt | None:
    """Remember a refusal; of a router, a request about the deployment whose answer is not known weighs more."""
    before, now = situation.status.last_attempt, situation.now
    if isinstance(action, RouterChange) and (may_take_effect(before, now) or revives_until(before, now) is not None):
        return before
    asked_again = isinstance(action, Delete) and (not action.hard or is_given_up(situation.resource))
    name = delete_attempt_name(action) if isinstance(action, Delete) and asked_again else action.name
    return _next_attempt(situation, name, diagnosis.reason, diagnosis.message)


def _ended_creation(situation: Situation, outcome: Outcome, begun: LastAttempt, diagnosis: Diagnosis) -> LastAttempt:
    moved = after_refusal(situation, outcome)
    if moved is None:
        return _ended(begun, situation.now, diagnosis)
    if moved.exhausted:
        return _ended(begun, situation.now, explain_refusal(situation, outcome, diagnosis))
    # The next choice is tried at once. An earlier request without an answer is not forgotten over it.
    unanswered = may_take_effect(begun, situation.now)
    reason = Reason.API_UNAVAILABLE if unanswered else Reason.CREATING
    return begun.model_copy(update={"time": situation.now, "reason": reason, "message": None})


def _ended(begun: LastAttempt, now: datetime, diagnosis: Diagnosis) -> LastAttempt:
    """Return the record of a request, written before it was sent, with how it ended."""
    message = diagnosis.message if diagnosis.needs_user else None
    return begun.model_copy(update={"time": now, "reason": diagnosis.reason, "message": message})
