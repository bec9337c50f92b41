"""What happens to a deployment whose resource is being deleted."""

from dataclasses import replace
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    ANNOTATION_IGNORE_CHECKS,
    FINALIZER,
    DeletionPolicy,
    FireworksDeployment,
    ManagementPolicy,
)
from fireworks_operator.fireworks.models import Deployment

from .actions import Action, Adopt, Claim, Delete, Refuse, RemoveFinalizer, Undelete, UnloadAddon, Wait
from .addons import next_unload, unlisted_message
from .context import Context, Unlisted, Unusable, pinned_account
from .identity import Ownership, deployment_id, is_released
from .observed import UNREADABLE, Absent, Observed, Present, Unknown
from .retry import BLOCKED, CREATIONS, POST_SETTLES, attempt_of, pause_until, still_refused

STUCK_DELETING = timedelta(minutes=30)
"""After so long in DELETING without a replica, the resource is let go with a warning."""

ADDONS_PATIENCE = timedelta(minutes=2)
"""How long a deletion waits for the loaded addons to be listed before it is tried without."""

DELETE, DELETE_IGNORING_CHECKS = "Delete", "DeleteIgnoringChecks"
"""Names of attempts in `status.lastAttempt`."""

UNSETTLED = (*CREATIONS, Undelete.name, Adopt.name)
"""Attempts whose requests make, revive or take over a deployment, perhaps after their sender has given up."""

_WAY_OUT = f'To let the resource go without deleting the deployment, set the annotation {ANNOTATION_ABANDON}: "true".'


def decide_deletion(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    """Name the next step for a resource with a deletionTimestamp."""
    action = _decide(resource, observed, context)
    if isinstance(action, Refuse | Wait) and action.message:
        return replace(action, message=action.message + _not_understood(resource))
    return action


def _not_understood(resource: FireworksDeployment) -> str:
    """Say which of the annotations have a value that does nothing."""
    annotations = resource.metadata.annotations
    values = {name: annotations.get(name, "") for name in (ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS)}
    return "".join(
        f' The annotation {name} is "{value[:40]}", which is not understood: write "true".'
        for name, value in values.items()
        if value not in ("true", "false", "")
    )


def _decide(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    if FINALIZER not in resource.metadata.finalizers:
        return Wait()
    if resource.status.deployment_name is None:
        return _decide_unclaimed(resource, observed, context)
    released = _decide_release(resource, context, resource.status.deployment_name)
    if released is not None:
        return (None if _unsettled_until(resource, context) else _nothing_left(observed)) or released
    if isinstance(context.credential, Unusable):
        return _without_credential(context.credential)
    pinned = pinned_account(resource)
    if pinned is not None and pinned != context.credential.account:
        return Refuse(
            Reason.ACCOUNT_MISMATCH,
            f'The deployment lives in account "{pinned}", but the API key belongs to account '
            f'"{context.credential.account}". Restore a key of "{pinned}". {_WAY_OUT}',
        )
    if isinstance(observed, Unknown):
        return _decide_unknown(observed, context)
    if isinstance(observed, Absent):
        return _decide_absent(resource, observed, context)
    return _decide_present(resource, observed, context)


def _decide_unclaimed(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    """Let go of what has nothing at Fireworks; a restore from backup may have lost the status of one that has."""
    nothing = RemoveFinalizer("Nothing was created at Fireworks.")
    if isinstance(context.credential, Unusable) or isinstance(observed, Unknown):
        return _decide_unasked(resource, observed, context) or nothing
    if isinstance(observed, Absent):
        return nothing if observed.confirmed or _is_abandoned(resource) else Wait()
    if not observed.fresh and not _is_abandoned(resource):
        return Wait()
    deployment = observed.deployment
    ours = context.ownership(resource, deployment) in (Ownership.OURS, Ownership.OURS_UNMARKED)
    if deployment.state == "DELETED" or not ours or is_released(deployment.annotations):
        return nothing
    return _decide_release(resource, context, deployment.name) or Claim(deployment.name, context.credential.account)


def _decide_unasked(resource: FireworksDeployment, observed: Observed, context: Context) -> Action | None:
    """Wait, or let go with a warning, where nobody can tell whether anything exists; None if nothing does.

    The finalizer is added right before a claim, so who has it and no claim was refused, or has lost its status.
    """
    abandoned, usable = _is_abandoned(resource), not isinstance(context.credential, Unusable)
    if usable and context.unreachable_since is None and not abandoned and observed == Unknown():
        return Wait()  # the first observation is still on its way
    attempt = resource.status.last_attempt
    if attempt is not None and attempt.action in UNSETTLED and not (usable and _is_odd(observed)):
        return None  # its request was refused, which is why the claim was taken back
    identifier = resource.spec.deployment_id or deployment_id(context.owner(resource))
    released = _decide_release(resource, context, identifier)
    if released is not None:
        message = (
            f"Its status was lost and Fireworks was not asked, so it is not known whether the deployment {identifier} "
            "exists; if it does, it stays at Fireworks and may go on costing money."
        )
        return replace(released, message=message)
    if isinstance(context.credential, Unusable):
        return _without_credential(context.credential, _NOT_KNOWN)
    return _decide_unknown(observed, context, _NOT_KNOWN) if isinstance(observed, Unknown) else None


def _is_odd(observed: Observed) -> bool:
    return isinstance(observed, Unknown) and (observed.unreadable or observed.doubt != "")


def _decide_release(resource: FireworksDeployment, context: Context, left: str) -> RemoveFinalizer | None:
    """Let go at once where nothing is to be deleted: by policy, or by the user's word."""
    if resource.spec.management_policy is ManagementPolicy.OBSERVE:
        return RemoveFinalizer(f"Only observed: {left} stays.", left, "Observe")
    if _is_abandoned(resource):
        return RemoveFinalizer(
            f"Abandoned by annotation: {left} is left at Fireworks and may go on costing money.", left, "Abandon"
        )
    if context.crd_deleting:
        return RemoveFinalizer(
            f"The CRD is being deleted: {left} is left at Fireworks and goes on costing money.", left, "CrdDeleted"
        )
    if resource.spec.deletion_policy is DeletionPolicy.RETAIN:
        message = f"deletionPolicy is Retain: {left} stays at Fireworks and goes on costing money."
        return RemoveFinalizer(message, left, "Retain")
    return None


def _is_abandoned(resource: FireworksDeployment) -> bool:
    return resource.metadata.annotations.get(ANNOTATION_ABANDON) == "true"


def _nothing_left(observed: Observed) -> RemoveFinalizer | None:
    """Let go of what no longer exists, whatever was to become of it; what was said a while ago does not count."""
    if isinstance(observed, Absent) and observed.confirmed:
        return RemoveFinalizer("The deployment no longer exists at Fireworks.")
    if isinstance(observed, Present) and observed.fresh and observed.deployment.state == "DELETED":
        return RemoveFinalizer(f"{observed.deployment.name} is deleted; Fireworks keeps it recoverable for 7 days.")
    return None


_CANNOT = "The deployment cannot be deleted:"
_NOT_KNOWN = (
    "The status of this resource was lost, so it is not known whether it has a deployment, nor can that be asked:"
)


def _without_credential(credential: Unusable, why: str = _CANNOT) -> Action:
    message = f"{why} {credential.message} {_WAY_OUT}"
    if credential.final:
        return Refuse(credential.reason, message)
    return Wait(None, credential.reason, message)


def _decide_unknown(observed: Unknown, context: Context, why: str = "") -> Wait:
    if observed.unreadable:
        return Wait(None, Reason.API_UNAVAILABLE, f"{UNREADABLE} {_WAY_OUT}")
    if observed.doubt:
        return Wait(None, Reason.API_UNAVAILABLE, f"{observed.doubt} {_WAY_OUT}")
    if context.unreachable_since is None:
        return Wait()  # the first observation is still on its way
    return Wait(None, context.unreachable_reason, f"{why} {context.unreachable} {_WAY_OUT}".lstrip())


def _decide_absent(resource: FireworksDeployment, observed: Absent, context: Context) -> Action:
    return (_settling(resource, context) if observed.confirmed else None) or _nothing_left(observed) or Wait()


def _settling(resource: FireworksDeployment, context: Context) -> Wait | None:
    """Wait for what a request without an answer may yet do; None once all have had their time."""
    until = _unsettled_until(resource, context)
    if until is None:
        return None
    return Wait(until, Reason.DELETING, "Making sure that a request without an answer has not taken effect.")


def _unsettled_until(resource: FireworksDeployment, context: Context) -> datetime | None:
    """Return until when a request may still make, revive or take over a deployment; None if none can."""
    attempt = resource.status.last_attempt
    if attempt is None or attempt.reason == Reason.AS_DESIRED:
        return None
    revivable = attempt.action in (DELETE, DELETE_IGNORING_CHECKS) and attempt.reason == Reason.API_UNAVAILABLE
    if attempt.action not in UNSETTLED and not revivable:
        return None
    until = attempt.time + POST_SETTLES
    return until if until > context.now else None


def _decide_present(resource: FireworksDeployment, observed: Present, context: Context) -> Action:
    deployment = observed.deployment
    if deployment.state == "DELETED":
        return _settling(resource, context) or _nothing_left(observed) or Wait()
    if context.ownership(resource, deployment) not in (Ownership.OURS, Ownership.OURS_UNMARKED):
        return _settling(resource, context) or (_not_ours(resource, deployment, context) if observed.fresh else Wait())
    if deployment.state == "DELETING":
        return _decide_deleting(resource, observed, context)
    ignore_checks = resource.metadata.annotations.get(ANNOTATION_IGNORE_CHECKS) == "true"
    unload = _decide_unloading(resource, observed, context, ignore_checks=ignore_checks)
    if unload is not None:
        return unload
    action = Delete(ignore_checks=ignore_checks)
    attempt = attempt_of(resource, delete_attempt_name(action))
    if attempt is None or context.forced:
        return action
    until = pause_until(attempt, BLOCKED)
    if until > context.now and attempt.reason in (Reason.DELETING, Reason.API_UNAVAILABLE):
        return Wait(until, Reason.DELETING, "Fireworks is deleting the deployment.")
    return action if until <= context.now else still_refused(attempt, until)


def _not_ours(resource: FireworksDeployment, deployment: Deployment, context: Context) -> RemoveFinalizer:
    """Leave another's deployment alone; one that was ours before is worth a warning, as nobody may know of it."""
    if resource.status.applied_fields is None:
        return RemoveFinalizer(f"{deployment.name} is not this resource's deployment and is left untouched.")
    if context.ownership(resource, deployment) in (Ownership.ELSEWHERE, Ownership.RECREATED):
        return RemoveFinalizer(
            f"{deployment.name} carries this resource's owner marker, but was made by another cluster with the same "
            "id, or again by somebody else. It is left untouched: unless it is needed, delete it at Fireworks.",
            deployment.name,
            "NotOurs",
        )
    return RemoveFinalizer(
        f"{deployment.name} no longer carries this resource's owner marker and is left untouched: unless the owner "
        "that its custom/… annotations name looks after it, delete it at Fireworks.",
        deployment.name,
        "NotOurs",
    )


def _decide_unloading(
    resource: FireworksDeployment, observed: Present, context: Context, *, ignore_checks: bool
) -> Action | None:
    if ignore_checks:
        return None  # the addons go with the deployment
    unload = next_unload(resource, observed)
    if isinstance(unload, Wait) and observed.addons is None and context.addons_unlisted is not None:
        return _decide_unlisted(context.addons_unlisted, context)
    attempt = attempt_of(resource, UnloadAddon.name)
    if not isinstance(unload, UnloadAddon) or attempt is None:
        return unload
    until = pause_until(attempt, BLOCKED)
    if context.forced or until <= context.now:
        return unload
    return Refuse(
        Reason.DELETION_BLOCKED,
        f"Fireworks refuses to unload the addon {unload.model}, which comes before the deletion. It is tried again by "
        f'itself; to delete the deployment along with it, set the annotation {ANNOTATION_IGNORE_CHECKS}: "true".',
        until,
    )


def _decide_unlisted(unlisted: Unlisted, context: Context) -> Wait | None:
    """Wait for the addons to be listed for a while; then Fireworks itself must say whether any is in the way."""
    until = unlisted.since + ADDONS_PATIENCE
    if until <= context.now:
        return None
    return Wait(
        until,
        Reason.DELETING,
        f"The addons are unloaded before the deployment is deleted. {unlisted_message(unlisted)} To delete the "
        f'deployment along with them, set the annotation {ANNOTATION_IGNORE_CHECKS}: "true".',
    )


def delete_attempt_name(action: Delete) -> str:
    """Return the attempt's name: asking with and without checks are two different tries."""
    return DELETE_IGNORING_CHECKS if action.ignore_checks else DELETE


def _decide_deleting(resource: FireworksDeployment, observed: Present, context: Context) -> Action:
    deployment = observed.deployment
    since = _deleting_since(resource, deployment)
    stats = deployment.replica_stats
    idle = (
        deployment.replica_count
        == stats.ready
        == stats.initializing
        == stats.downloading_model
        == stats.pending_scheduling
        == 0
    )
    if observed.fresh and idle and since is not None and context.now - since > STUCK_DELETING:
        return RemoveFinalizer(
            f"{deployment.name} has been DELETING for over 30 minutes without any replica; it is let go.",
            deployment.name,
            "StuckDeleting",
        )
    until = since + STUCK_DELETING if since is not None and context.now - since <= STUCK_DELETING else None
    return Wait(until, Reason.DELETING, "Fireworks is deleting the deployment.")


def _deleting_since(resource: FireworksDeployment, deployment: Deployment) -> datetime | None:
    """Return since when the deployment is being deleted: not before we asked for it, since clocks differ."""
    attempt = resource.status.last_attempt
    asked = attempt.time if attempt is not None and attempt.action in (DELETE, DELETE_IGNORING_CHECKS) else None
    since = deployment.delete_time or resource.metadata.deletion_timestamp
    return max((each for each in (since, asked) if each is not None), default=None)
