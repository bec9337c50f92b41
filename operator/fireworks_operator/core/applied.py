"""`status.appliedFields`: what the spec has put into force at Fireworks, and is reset there when it leaves the spec."""

from collections.abc import Collection

from fireworks_operator.api.v1alpha1 import FireworksDeployment, ManagementPolicy
from fireworks_operator.fireworks.models import Deployment

from .actions import Action, Create, Undelete, Update, Wait
from .desired import FIELD_BY_PATH, FIELDS, desired, get
from .drift import RESETS_OF_NEW, STATIC_DEFAULTS
from .identity import account_of, was_created
from .observed import Observed, Present
from .retry import CREATIONS, POST_SETTLES, UNFINISHED


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
    return STATIC_DEFAULTS if _just_created(resource, deployment) else None


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


def fields_after(
    action: Action, applied: Collection[str] | None, resource: FireworksDeployment, observed: Observed
) -> Collection[str] | None:
    """Return the field paths that count as applied after a step that succeeded; None: not known.

    What a change was to reset stays among them until it is seen to be reset: Fireworks may accept a change and not
    make it.
    """
    if isinstance(action, Create):
        return action.fields
    if resource.spec.management_policy is ManagementPolicy.OBSERVE:
        return None  # let go of: others may set what they like
    if not isinstance(observed, Present):
        return applied
    in_spec = set(desired(resource.spec, account_of(observed.deployment.name)).values)
    if applied is None and not created_here(resource, observed.deployment):
        in_spec -= {"baseModel"}  # only a create request sets it
    if isinstance(action, Undelete) and applied is None and created_here(resource, observed.deployment):
        return in_spec | _of_a_former_spec(observed.deployment)
    if isinstance(action, Update) and applied is not None:
        return {*applied, *in_spec.intersection(action.fields)}
    if isinstance(action, Wait) and action.reason is None:
        return in_spec if applied is None else _in_force(applied, in_spec)
    return applied


def _of_a_former_spec(deployment: Deployment) -> set[str]:
    """Return what may have been set by a former resource of the same name: what can be reset, and what there is."""
    return {
        field.path
        for field in FIELDS
        if field.path in STATIC_DEFAULTS or (field.default is None and get(deployment.raw, field.wire))
    }


def _in_force(applied: Collection[str], in_spec: set[str]) -> set[str]:
    """Return what counts as applied while all is as desired: the spec, whoever set it first; what cannot be reset."""
    kept = {path for path in applied if path in FIELD_BY_PATH and FIELD_BY_PATH[path].default is None}
    # Only a create request sets the base model: without it, the deployment was taken over.
    return (in_spec | kept) - ({"baseModel"} - set(applied))
