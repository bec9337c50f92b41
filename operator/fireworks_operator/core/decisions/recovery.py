"""What to do about a deployment that failed, or that somebody else deleted."""

from dataclasses import replace
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ExternalDeletionPolicy
from fireworks_operator.core.actions import Action, Delete, Refuse, Undelete
from fireworks_operator.core.desired.choices import is_given_up
from fireworks_operator.core.observed.history import created_here
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.pauses import (
    FAILED,
    RECREATE,
    RECREATION_WINDOW,
    RECREATIONS,
    REPLACE,
    freed_at,
    pause_until,
    recent_recreations,
)
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

from .growth import refuse_undelete
from .refusals import held_back
from .replacement import decide_last_step


def decide_lost(situation: Situation) -> Refuse | None:
    """Refuse to create again what was deleted elsewhere, by policy or since it happens too often."""
    attempt = situation.status.last_attempt
    if is_given_up(situation.resource):
        return None  # deleted here, or elsewhere before, for the next choice
    if situation.status.applied_fields is None or (attempt is not None and attempt.action == REPLACE):
        return None  # never ours, such as a namesake's that was still going; or deleted here, to be replaced
    if situation.spec.external_deletion_policy is ExternalDeletionPolicy.REPORT:
        return Refuse(
            Reason.DEPLOYMENT_LOST,
            "The deployment was deleted outside Kubernetes and spec.externalDeletionPolicy is Report. Set it to "
            "Recreate to have it recreated, or delete this resource.",
        )
    recent = recent_recreations(situation.status, situation.now)
    asked = situation.context.skip_pauses or situation.is_new
    if len(recent) < RECREATIONS or asked or situation.attempt_of(RECREATE, Undelete.name) is not None:
        return None
    return Refuse(
        Reason.DEPLOYMENT_LOST,
        f"The deployment was deleted outside Kubernetes {RECREATIONS} times within a day: find out who deletes it "
        "(see the account's audit log), then change the spec or the annotation fireworks.ai/reconcile-at.",
        recent[0] + RECREATION_WINDOW,
    )


def decide_deleted(situation: Situation, deployment: Deployment) -> Action:
    """Bring back a soft-deleted deployment, or make room for one that it cannot become."""
    lost = decide_lost(situation)
    if lost is not None:
        return lost if lost.until is not None else replace(lost, until=freed_at(deployment, situation.now))
    held = held_back(situation, "Undelete", "Delete")
    if held is not None:
        return held
    if not situation.drift.replacements:
        return refuse_undelete(situation, deployment) or Undelete(deployment.name)
    if not created_here(situation.resource, deployment):
        return _kept_deleted(situation, deployment)
    return decide_last_step(situation, deployment)


def _kept_deleted(situation: Situation, deployment: Deployment) -> Refuse:
    """Refuse to delete for good what others may want back: nobody knows that the operator has created it itself."""
    fields = ", ".join(
        f"spec.{change.path} (is {change.observed or 'not set'})" for change in situation.drift.replacements
    )
    return Refuse(
        Reason.REPLACE_REQUIRED,
        f"{deployment.name} is deleted, and Fireworks cannot restore it with a different {fields}. It was adopted, "
        "or may have been, so the operator does not delete it permanently to free its id. Put the old value back to "
        "have it restored, delete it permanently in the Fireworks console, or wait until Fireworks does.",
        freed_at(deployment, situation.now),
    )


def decide_failed(situation: Situation, deployment: Deployment) -> Action:
    """Replace a deployment that failed before it ever served, after pauses that grow."""
    failure = failure_of(situation, deployment)
    if deployment.replica_stats.ready > 0 or not created_here(situation.resource, deployment):
        return Refuse(
            Reason.DEPLOYMENT_FAILED,
            f"{failure} Check it in the Fireworks console, or delete this resource. The operator only replaces a "
            "deployment that it created itself and that has no ready replica.",
        )
    before = situation.status.last_attempt
    if before is not None and before.action == REPLACE and before.generation != situation.wanted.revision:
        return Delete(deployment.name, hard=True)  # a new spec deserves a new try at once
    attempt = situation.attempt_of(REPLACE)
    if attempt is None or attempt.reason != Reason.DEPLOYMENT_FAILED:
        return _replaced_later(failure, situation.now + timedelta(seconds=FAILED[0]))
    until = pause_until(attempt, FAILED)
    if until > situation.now and not situation.context.skip_pauses:
        return _replaced_later(failure, until, attempt.message)
    return Delete(deployment.name, hard=True)


def failure_of(situation: Situation, deployment: Deployment) -> str:
    """Say that a deployment failed, and why."""
    termination = situation.observed.termination if isinstance(situation.observed, Present) else ""
    why = "; ".join(text.rstrip(".") for text in (deployment.status_message, termination) if text)
    return f"Fireworks reports that the deployment failed: {why or 'no reason given'}."


def _replaced_later(failure: str, until: datetime, refusal: str | None = None) -> Refuse:
    """Wait before the replacement; `refusal` says why Fireworks did not delete the deployment the last time."""
    then = refusal or "It is replaced after a pause, or as soon as the spec changes."
    return Refuse(Reason.DEPLOYMENT_FAILED, f"{failure} {then}", until)
