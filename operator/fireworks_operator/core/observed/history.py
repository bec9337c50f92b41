"""What has been done to an observed deployment before, as far as the status and its tags tell."""

from collections.abc import Collection

from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.core.desired.fields import RESETS_OF_NEW, STATIC_DEFAULTS, schedules_of, tags_of
from fireworks_operator.core.identity import was_created
from fireworks_operator.core.pauses import CREATIONS, POST_SETTLES, UNFINISHED
from fireworks_operator.fireworks.models import Deployment


def history(resource: FireworksDeployment, deployment: Deployment) -> Collection[str] | None:
    """Return the field paths that were set at Fireworks before; None: not known, so nothing may be reset.

    Without a status, two things tell all the same: what this resource's own request has just created, and a deleted
    deployment that was created for a resource of this name, which nobody uses and which is to come back as a new one.
    """
    applied = resource.status.applied_fields
    if applied is not None or not was_created(deployment.annotations):
        return applied
    if deployment.state == "DELETED":
        return RESETS_OF_NEW
    if not _just_created(resource, deployment):
        return None
    return STATIC_DEFAULTS.union(schedules_of(deployment.raw), tags_of(deployment.raw))


def has_lost_status(resource: FireworksDeployment) -> bool:
    """Tell whether nothing is remembered of a resource that has been claimed, so that a request may be on its way.

    The finalizer is added right before a claim, and what is claimed has an attempt until it is created.
    """
    status = resource.status
    forgotten = status.deployment_name is None and status.last_attempt is None and status.create_time is None
    return forgotten and FINALIZER in resource.metadata.finalizers


def _just_created(resource: FireworksDeployment, deployment: Deployment) -> bool:
    """Tell whether the deployment is what became of a create request whose answer was lost."""
    attempt, created = resource.status.last_attempt, deployment.create_time
    if attempt is None or attempt.action not in CREATIONS or created is None:
        return False
    return attempt.reason in UNFINISHED and created > attempt.time - POST_SETTLES


def created_here(resource: FireworksDeployment, deployment: Deployment) -> bool:
    """Tell whether the deployment is certainly one that was created for this resource, and not taken over."""
    applied, created = resource.status.applied_fields, was_created(deployment.annotations)
    return bool(created) if applied is None else "baseModel" in applied and created is not False
