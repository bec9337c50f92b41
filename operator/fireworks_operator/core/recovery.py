"""What to do about a deployment that failed, or that somebody else deleted."""

from dataclasses import replace
from datetime import timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ExternalDeletionPolicy, FireworksDeployment
from fireworks_operator.fireworks.models import Deployment

from .actions import Action, Delete, Refuse, Undelete
from .applied import created_here
from .context import Context
from .drift import Drift
from .observed import Present
from .retry import (
    FAILED,
    RECREATE,
    RECREATION_WINDOW,
    RECREATIONS,
    REPLACE,
    attempt_of,
    freed_at,
    held_back,
    pause_until,
    recent_recreations,
)


def decide_lost(resource: FireworksDeployment, context: Context) -> Refuse | None:
    """Refuse to create again what was deleted elsewhere, by policy or since it happens too often."""
    attempt = resource.status.last_attempt
    if resource.status.applied_fields is None or (attempt is not None and attempt.action == REPLACE):
        return None  # never ours, such as a namesake's that was still going; or deleted here, to be replaced
    if resource.spec.external_deletion_policy is ExternalDeletionPolicy.REPORT:
        return Refuse(
            Reason.DEPLOYMENT_LOST,
            "The deployment was deleted outside Kubernetes and spec.externalDeletionPolicy is Report. "
            "Set it to Recreate to have it created again, or delete this resource.",
        )
    recent = recent_recreations(resource, context.now)
    asked = context.forced or resource.status.observed_generation != resource.metadata.generation
    if len(recent) < RECREATIONS or asked or attempt_of(resource, RECREATE, Undelete.name) is not None:
        return None
    return Refuse(
        Reason.DEPLOYMENT_LOST,
        f"The deployment was deleted outside Kubernetes {RECREATIONS} times within a day: find out who deletes it "
        "(the account's audit log tells), then change the spec or the annotation fireworks.ai/reconcile-at.",
        recent[0] + RECREATION_WINDOW,
    )


def decide_deleted(resource: FireworksDeployment, deployment: Deployment, drift: Drift, context: Context) -> Action:
    """Bring back a soft-deleted deployment, or make room for one that it cannot become."""
    lost = decide_lost(resource, context)
    if lost is not None:
        return lost if lost.retry is not None else replace(lost, retry=freed_at(deployment, context.now))
    held = held_back(resource, context, "Undelete", "Delete")
    if held is not None:
        return held
    if drift.replacements and not created_here(resource, deployment):
        return _kept_deleted(deployment, drift, context)
    return Delete(hard=True, ignore_checks=True) if drift.replacements else Undelete()


def _kept_deleted(deployment: Deployment, drift: Drift, context: Context) -> Refuse:
    """Refuse to delete for good what others may want back: nobody knows that the operator has created it itself."""
    fields = ", ".join(f"spec.{change.path} (is {change.observed or 'not set'})" for change in drift.replacements)
    return Refuse(
        Reason.REPLACE_REQUIRED,
        f"{deployment.name} is deleted, and Fireworks cannot bring it back with another {fields}. It was taken over, "
        "or may have been, so it is not deleted for good to make room. Put the old value back to have it brought back, "
        "delete it for good in the Fireworks console, or wait until Fireworks does.",
        freed_at(deployment, context.now),
    )


def decide_failed(resource: FireworksDeployment, observed: Present, context: Context) -> Action:
    """Replace a deployment that failed before it ever served, after pauses that grow."""
    deployment = observed.deployment
    why = "; ".join(text.rstrip(".") for text in (deployment.status_message, observed.termination) if text)
    message = f"Fireworks reports that the deployment failed: {why or 'no reason given'}."
    if deployment.replica_stats.ready > 0 or not created_here(resource, deployment):
        return Refuse(
            Reason.DEPLOYMENT_FAILED,
            f"{message} Look at it in the Fireworks console, or delete this resource. The operator replaces only what "
            "it has created itself and what has no ready replica.",
        )
    before = resource.status.last_attempt
    if before is not None and before.action == REPLACE and before.generation != resource.metadata.generation:
        return Delete(hard=True)  # a new spec deserves a new try at once
    attempt = attempt_of(resource, REPLACE)
    refused = attempt.message if attempt is not None and attempt.reason == Reason.DEPLOYMENT_FAILED else None
    told = f"{message} {refused or 'It is replaced after a pause; a change of the spec replaces it at once.'}"
    if attempt is None or attempt.reason != Reason.DEPLOYMENT_FAILED:
        return Refuse(Reason.DEPLOYMENT_FAILED, told, context.now + timedelta(seconds=FAILED[0]))
    until = pause_until(attempt, FAILED)
    if until > context.now and not context.forced:
        return Refuse(Reason.DEPLOYMENT_FAILED, told, until)
    return Delete(hard=True)
