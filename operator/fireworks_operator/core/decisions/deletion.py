"""What happens to a deployment whose resource is being deleted."""

from dataclasses import replace
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    ANNOTATION_IGNORE_CHECKS,
    FINALIZER,
    FireworksDeployment,
)
from fireworks_operator.core.actions import (
    Action,
    Adopt,
    Claim,
    Delete,
    Pending,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    Trouble,
    Undelete,
    UnloadAddon,
)
from fireworks_operator.core.context import Context, Unlisted, Unusable
from fireworks_operator.core.identity import Ownership, deployment_id, is_released
from fireworks_operator.core.observed.history import has_lost_status
from fireworks_operator.core.observed.observation import UNREADABLE, Absent, Observed, Present, Unknown
from fireworks_operator.core.pauses import (
    BLOCKED,
    CLOCK_TOLERANCE,
    CREATIONS,
    DELETE,
    DELETE_IGNORING_CHECKS,
    DELETE_WITH_ADDONS,
    POST_SETTLES,
    pause_until,
)
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

from .addons import next_unload, unlisted_message
from .adoption import account_mismatch
from .refusals import still_refused
from .release import decide_release, is_abandoned, not_ours, nothing_left
from .router import decide_router_before_deletion

STUCK_DELETING = timedelta(minutes=30)
"""After so long in DELETING without a replica, the resource is let go with a warning."""

ADDONS_PATIENCE = timedelta(minutes=2)
"""How long a deletion waits for the loaded addons to be listed before it is tried without."""

UNSETTLED = (*CREATIONS, Undelete.name, Adopt.name)
"""Attempts whose requests make, revive or take over a deployment, perhaps after their sender has given up."""

_WAY_OUT = f'To remove the resource without deleting the deployment, set the annotation {ANNOTATION_ABANDON}: "true".'


def decide_deletion(situation: Situation) -> Action:
    """Name the next step for a resource with a deletionTimestamp."""
    action = _decide(situation)
    if isinstance(action, Refuse | Progress | Trouble):
        return replace(action, message=action.message + _not_understood(situation.resource))
    return action


def _not_understood(resource: FireworksDeployment) -> str:
    """Say which of the annotations have a value that does nothing."""
    annotations = resource.metadata.annotations
    values = {name: annotations.get(name, "") for name in (ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS)}
    return "".join(
        f' The annotation {name} is "{value[:40]}", which is not a valid value: set it to "true".'
        for name, value in values.items()
        if value not in ("true", "false", "")
    )


def _decide(situation: Situation) -> Action:
    resource, observed, context = situation.resource, situation.observed, situation.context
    if FINALIZER not in resource.metadata.finalizers:
        return Rest()
    if resource.status.deployment_name is None:
        return _decide_unclaimed(situation)
    released = decide_release(resource, context, resource.status.deployment_name)
    if released is not None:
        return (None if _unsettled_until(situation) else nothing_left(observed)) or released
    if isinstance(context.credential, Unusable):
        return _without_credential(context.credential)
    mismatch = account_mismatch(resource, context.credential, f". {_WAY_OUT}")
    if mismatch is not None:
        return mismatch
    if isinstance(observed, Unknown):
        return _decide_unknown(observed, context)
    router = decide_router_before_deletion(situation)
    if router is not None:
        return router
    if isinstance(observed, Absent):
        return _decide_absent(situation, observed)
    return _decide_present(situation, observed)


def _decide_unclaimed(situation: Situation) -> Action:
    """Let go of what has nothing at Fireworks; a restore from backup may have lost the status of one that has."""
    observed, context = situation.observed, situation.context
    nothing = RemoveFinalizer("No deployment was created at Fireworks.")
    if isinstance(context.credential, Unusable) or isinstance(observed, Unknown):
        return _decide_unasked(situation) or nothing
    if isinstance(observed, Absent):
        return _decide_unclaimed_absent(situation, observed) or nothing
    return _decide_unclaimed_present(situation, observed) or nothing


def _decide_unclaimed_absent(situation: Situation, observed: Absent) -> Action | None:
    if is_abandoned(situation.resource):
        return None
    if not observed.confirmed:
        return Pending()
    return _claim_for_router(situation) or _settling_since_loss(situation)


def _decide_unclaimed_present(situation: Situation, observed: Present) -> Action | None:
    resource, context, deployment = situation.resource, situation.context, observed.deployment
    if not observed.fresh and not is_abandoned(resource):
        return Pending()
    if isinstance(context.credential, Unusable):
        return None
    ours = situation.ownership(deployment) in (Ownership.OURS, Ownership.OURS_UNMARKED)
    if not ours or is_released(deployment.annotations):
        # What is here is another's; the status that was lost may have named a successor, which has the marker.
        left = next(iter(context.leftovers(situation.owner, deployment.name)), None)
        return None if left is None else Claim(left, context.credential.account)
    if deployment.state == "DELETED":
        return _claim_for_router(situation)
    return decide_release(resource, context, deployment.name) or Claim(deployment.name, context.credential.account)


def _claim_for_router(situation: Situation) -> Claim | None:
    """Claim what exists no longer, as the lost status did: its router may have outlived it, and goes by the claim."""
    credential = situation.context.credential
    may_have_one = situation.spec.router is not None and _may_have_been_claimed(situation)
    if not may_have_one or situation.target is None or isinstance(credential, Unusable):
        return None
    return Claim(situation.target, credential.account)


def _may_have_been_claimed(situation: Situation) -> bool:
    """Tell whether the status was lost of what may have had something at Fireworks, and is not to leave it there."""
    kept = decide_release(situation.resource, situation.context, "") is not None
    return has_lost_status(situation.resource) and situation.context.may_have_claimed and not kept


def _decide_unasked(situation: Situation) -> Action | None:
    """Wait, or let go with a warning, where nobody can tell whether anything exists; None if nothing does.

    The finalizer is added right before a claim, so who has it and no claim was refused, or has lost its status.
    """
    resource, observed, context = situation.resource, situation.observed, situation.context
    abandoned, usable = is_abandoned(resource), not isinstance(context.credential, Unusable)
    if usable and context.unreachable_since is None and not abandoned and observed == Unknown():
        return Pending()  # the first observation is still on its way
    attempt = resource.status.last_attempt
    if attempt is not None and attempt.action in UNSETTLED and not (usable and _is_odd(observed)):
        return None  # its request was refused, which is why the claim was taken back
    identifier = resource.spec.deployment_id or deployment_id(situation.owner)
    released = decide_release(resource, context, identifier)
    if released is not None:
        message = (
            "The status of this resource was lost and Fireworks was not queried, so the operator does not know "
            f"whether the deployment {identifier} exists; if it does, it stays at Fireworks and may keep incurring "
            "charges."
        )
        return replace(released, message=message)
    if isinstance(context.credential, Unusable):
        return _without_credential(context.credential, _NOT_KNOWN)
    return _decide_unknown(observed, context, _NOT_KNOWN) if isinstance(observed, Unknown) else None


def _is_odd(observed: Observed) -> bool:
    return isinstance(observed, Unknown) and (observed.unreadable or observed.doubt != "")


_CANNOT = "The deployment cannot be deleted:"
_NOT_KNOWN = "The status of this resource was lost, and the operator cannot check whether it has a deployment:"


def _without_credential(credential: Unusable, why: str = _CANNOT) -> Refuse | Trouble:
    message = f"{why} {credential.message} {_WAY_OUT}"
    if credential.needs_user:
        return Refuse(credential.reason, message)
    return Trouble(credential.reason, message)


def _decide_unknown(observed: Unknown, context: Context, why: str = "") -> Pending | Trouble:
    if observed.unreadable:
        return Trouble(Reason.API_UNAVAILABLE, f"{UNREADABLE} {_WAY_OUT}")
    if observed.doubt:
        return Trouble(Reason.API_UNAVAILABLE, f"{observed.doubt} {_WAY_OUT}")
    if context.unreachable_since is None:
        return Pending()  # the first observation is still on its way
    return Trouble(context.unreachable_reason, f"{why} {context.unreachable} {_WAY_OUT}".lstrip())


def _decide_absent(situation: Situation, observed: Absent) -> Action:
    return (_settling(situation) if observed.confirmed else None) or nothing_left(observed) or Pending()


def _settling(situation: Situation) -> Progress | None:
    """Wait for what a request without an answer may yet do; None once all have had their time."""
    until = _unsettled_until(situation)
    return None if until is None else replace(_SETTLING, until=until)


_SETTLING = Progress(Reason.DELETING, "Waiting to confirm that an unanswered request did not take effect.")


def _settling_since_loss(situation: Situation) -> Progress | None:
    """Wait for what a request may yet do that only the lost status knew of; None once it has had its time."""
    deleted = situation.resource.metadata.deletion_timestamp
    if deleted is None or not _may_have_been_claimed(situation):
        return None
    left = deleted + POST_SETTLES - situation.now
    if not timedelta(0) < left <= POST_SETTLES + CLOCK_TOLERANCE:
        return None
    return replace(_SETTLING, until=deleted + POST_SETTLES)


def _unsettled_until(situation: Situation) -> datetime | None:
    """Return until when a request may still make, revive or take over a deployment; None if none can."""
    attempt = situation.status.last_attempt
    if attempt is None or attempt.reason == Reason.AS_DESIRED:
        return None
    revivable = attempt.action in (DELETE, DELETE_IGNORING_CHECKS) and attempt.reason == Reason.API_UNAVAILABLE
    if attempt.action not in UNSETTLED and not revivable:
        return None
    until = attempt.time + POST_SETTLES
    return until if until > situation.now else None


def _decide_present(situation: Situation, observed: Present) -> Action:
    deployment = observed.deployment
    if deployment.state == "DELETED":
        return _settling(situation) or nothing_left(observed) or Pending()
    ours = situation.ownership(deployment) in (Ownership.OURS, Ownership.OURS_UNMARKED)
    if ours and deployment.state == "DELETING":
        return _decide_deleting(situation, observed)
    if not ours or is_released(deployment.annotations):
        return _settling(situation) or (not_ours(situation, deployment) if observed.fresh else Pending())
    return _decide_delete(situation, deployment)


def _decide_delete(situation: Situation, deployment: Deployment) -> Action:
    ignore_checks = situation.resource.metadata.annotations.get(ANNOTATION_IGNORE_CHECKS) == "true"
    with_addons = _goes_with_addons(situation, deployment)
    unload = None if with_addons else _decide_unloading(situation, deployment, ignore_checks=ignore_checks)
    if unload is not None:
        return unload
    action = Delete(deployment.name, ignore_checks=ignore_checks, of_two=situation.is_of_two, with_addons=with_addons)
    attempt = situation.attempt_of(delete_attempt_name(action))
    if attempt is None or situation.context.skip_pauses:
        return action
    until = pause_until(attempt, BLOCKED)
    if until > situation.now and attempt.reason in (Reason.DELETING, Reason.API_UNAVAILABLE):
        return Progress(Reason.DELETING, "Fireworks is deleting the deployment.", until)
    return action if until <= situation.now else still_refused(attempt, until)


def _goes_with_addons(situation: Situation, deployment: Deployment) -> bool:
    """Tell whether a deletion is tried with the addons loaded: Fireworks may refuse it for an hour, and they are used.

    Nobody knows whether it refuses for the addons as well; if it has, they are unloaded first.
    """
    refused = situation.attempt_of(DELETE_WITH_ADDONS, UnloadAddon.name) is not None
    return situation.is_of_two and not refused and next_unload(situation, deployment) is not None


def _decide_unloading(situation: Situation, deployment: Deployment, *, ignore_checks: bool) -> Action | None:
    if ignore_checks:
        return None  # the addons go with the deployment
    context = situation.context
    unload = next_unload(situation, deployment)
    if isinstance(unload, Pending) and context.addons_unlisted is not None:
        return _decide_unlisted(context.addons_unlisted, situation)
    attempt = situation.attempt_of(UnloadAddon.name)
    if not isinstance(unload, UnloadAddon) or attempt is None:
        return unload
    until = pause_until(attempt, BLOCKED)
    if context.skip_pauses or until <= context.now:
        return unload
    return Refuse(
        Reason.DELETION_BLOCKED,
        f"Fireworks refuses to unload the addon {unload.model}, which must happen before the deletion. The operator "
        f"retries automatically; to delete the deployment along with it, {_by_force(situation)}.",
        until,
    )


def _by_force(situation: Situation) -> str:
    """Say what has a deployment deleted that is in use."""
    if situation.is_of_two:
        return "set spec.replacePolicy.ignoreChecks to true"
    return f'set the annotation {ANNOTATION_IGNORE_CHECKS}: "true"'


def _decide_unlisted(unlisted: Unlisted, situation: Situation) -> Progress | None:
    """Wait for the addons to be listed for a while; then Fireworks itself must say whether any is in the way."""
    until = unlisted.since + ADDONS_PATIENCE
    if until <= situation.now:
        return None
    return Progress(
        Reason.DELETING,
        f"The addons are unloaded before the deployment is deleted. {unlisted_message(unlisted)} To delete the "
        f"deployment along with them, {_by_force(situation)}.",
        until,
    )


def delete_attempt_name(action: Delete) -> str:
    """Return the attempt's name: asking with and without checks are two different tries."""
    return DELETE_IGNORING_CHECKS if action.ignore_checks else DELETE


def _decide_deleting(situation: Situation, observed: Present) -> Action:
    deployment = observed.deployment
    since = _deleting_since(situation.resource, deployment)
    stats = deployment.replica_stats
    idle = (
        deployment.replica_count
        == stats.ready
        == stats.initializing
        == stats.downloading_model
        == stats.pending_scheduling
        == 0
    )
    if observed.fresh and idle and since is not None and situation.now - since > STUCK_DELETING:
        return RemoveFinalizer(
            f"{deployment.name} has been DELETING for over 30 minutes with no replicas; the resource is released.",
            deployment.name,
            "StuckDeleting",
        )
    until = since + STUCK_DELETING if since is not None and situation.now - since <= STUCK_DELETING else None
    return Progress(Reason.DELETING, "Fireworks is deleting the deployment.", until)


def _deleting_since(resource: FireworksDeployment, deployment: Deployment) -> datetime | None:
    """Return since when the deployment is being deleted: not before we asked for it, since clocks differ."""
    attempt = resource.status.last_attempt
    asked = attempt.time if attempt is not None and attempt.action in (DELETE, DELETE_IGNORING_CHECKS) else None
    since = deployment.delete_time or resource.metadata.deletion_timestamp
    return max((each for each in (since, asked) if each is not None), default=None)
