"""Pauses that grow, computed from `status.lastAttempt` so that they survive a restart."""

from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus, LastAttempt
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.fireworks.request import WRITE_DEADLINE

from .actions import Refuse
from .context import Context

REFUSED = (60, 300, 900, 3600)
"""Seconds between tries that Fireworks answered with a definite no."""
BLOCKED = (60, 120, 300, 600)
"""Seconds between tries to delete a deployment that Fireworks does not let go of yet."""
FAILED = (300, 900, 3600, 3 * 3600, 6 * 3600)
"""Seconds between a deployment's failure and its replacement."""
UPDATE_SPACING = timedelta(seconds=30)
"""Least time between two PATCHes of one deployment for the same spec."""
CONVERGENCE_TRIES = 3
"""PATCHes that may leave a field unchanged before the operator stops and says so."""
CREATE, RECREATE, REPLACE, UPDATE = "Create", "Recreate", "Replace", "Update"
"""Names of attempts in `status.lastAttempt`."""
CREATIONS = (CREATE, RECREATE, REPLACE)
"""Attempts that are create requests."""
UNFINISHED = frozenset({Reason.CREATING, Reason.API_UNAVAILABLE, Reason.RATE_LIMITED})
"""Reasons of a create attempt that has neither succeeded nor been refused: sending it again is no further attempt."""
RECREATIONS = 3
"""How often a deployment that was deleted elsewhere is brought back within `RECREATION_WINDOW`."""
RECREATION_WINDOW = timedelta(hours=24)
POST_SETTLES = timedelta(seconds=WRITE_DEADLINE + 60)
"""A create request without an answer may take effect this long after it was begun: its deadline and a minute."""
PURGE_LATE = timedelta(hours=1)
"""How often it is seen whether a deleted deployment is gone for good that should be."""
CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far ahead another node's clock may have been."""


_REASONS = {each.value: each for each in Reason}


def known_reason(stored: str) -> Reason:
    """Return a reason that status holds; one that another version wrote counts as a plain refusal."""
    return _REASONS.get(stored, Reason.REJECTED_BY_FIREWORKS)


def still_refused(attempt: LastAttempt, until: datetime) -> Refuse:
    """Return the refusal of an attempt, in the words of then."""
    reason = known_reason(attempt.reason)
    return Refuse(reason, attempt.message or reason.doc, until)


def pause_until(attempt: LastAttempt, ladder: tuple[int, ...]) -> datetime:
    """Return when the next try is due."""
    return attempt.time + timedelta(seconds=ladder[min(max(attempt.count, 1), len(ladder)) - 1])


def attempt_of(resource: FireworksDeployment, *actions: str) -> LastAttempt | None:
    """Return the last attempt if it was one of these actions for the spec as it is now."""
    attempt = resource.status.last_attempt
    if attempt is None or attempt.action not in actions or attempt.generation != resource.metadata.generation:
        return None
    return attempt


def next_attempt(
    resource: FireworksDeployment, action: str, reason: Reason, now: datetime, message: str | None = None
) -> LastAttempt:
    """Return the record of one more try; the count starts again with a new generation or action.

    `message` is what a held-back refusal goes on saying, whatever the conditions had to say in between.
    """
    before = attempt_of(resource, action)
    tries = before.count + 1 if before is not None else 1
    return LastAttempt(
        action=action,
        generation=resource.metadata.generation,
        count=tries,
        time=now,
        reason=reason,
        message=message,
    )


def set_clock_right(status: FireworksDeploymentStatus, now: datetime) -> FireworksDeploymentStatus:
    """Return the status with each time that a pause is counted from pulled back out of the future; itself if none is.

    A clock was ahead, and the pauses would last for as long. Conditions keep their times, by which nobody waits: at
    rest nothing is written.
    """
    latest, now = now + CLOCK_TOLERANCE, now.replace(microsecond=0)

    def right(time: datetime) -> datetime:
        return now if time > latest else time

    attempt, known, replicas = status.last_attempt, status.recreations, status.replicas
    since = None if replicas is None or replicas.waiting_since is None else right(replicas.waiting_since)
    righted = status.model_copy(
        update={
            "last_attempt": attempt and attempt.model_copy(update={"time": right(attempt.time)}),
            "recreations": None if known is None else [right(each) for each in known],
            "replicas": replicas and replicas.model_copy(update={"waiting_since": since}),
        }
    )
    return status if righted == status else righted


def freed_at(deployment: Deployment, now: datetime) -> datetime | None:
    """Return when to look at a deleted deployment again, as no LIST tells that its id is free; None if it is not one.

    That is when Fireworks purges it; if it does not say when, or is late, hourly.
    """
    if deployment.state != "DELETED":
        return None
    purged = deployment.purge_time
    return purged if purged is not None and purged > now else now + PURGE_LATE


def may_take_effect(attempt: LastAttempt | None, now: datetime) -> bool:
    """Tell whether a create request that was never answered may still be carried out."""
    return attempt is not None and attempt.reason == Reason.API_UNAVAILABLE and now - attempt.time < POST_SETTLES


def create_attempt(resource: FireworksDeployment, now: datetime) -> LastAttempt:
    """Return the record that is written before a create request, so that a lost answer is not forgotten.

    A deployment that was there before counts as `Recreate`, one that stands in for a failed one as `Replace`.
    """
    unanswered = may_take_effect(resource.status.last_attempt, now)
    reason = Reason.API_UNAVAILABLE if unanswered else Reason.CREATING
    replaced = attempt_of(resource, REPLACE)
    if replaced is not None:
        return replaced.model_copy(update={"time": now, "reason": reason, "message": None})
    name = CREATE if resource.status.create_time is None else RECREATE
    before = attempt_of(resource, name)
    if before is not None and before.reason in UNFINISHED:
        return before.model_copy(update={"time": now, "reason": reason, "message": None})
    return next_attempt(resource, name, reason, now)


def recent_recreations(resource: FireworksDeployment, now: datetime) -> list[datetime]:
    """Return when the deployment was brought back within the last day, oldest first."""
    return [each for each in resource.status.recreations or () if now - each < RECREATION_WINDOW]


_NOT_REFUSALS = frozenset(
    {
        Reason.CREATING,
        Reason.UPDATING,
        Reason.API_UNAVAILABLE,
        Reason.RATE_LIMITED,
        Reason.DEPLOYMENT_FAILED,
        Reason.AS_DESIRED,
    }
)


def held_back(resource: FireworksDeployment, context: Context, *actions: str) -> Refuse | None:
    """Return the refusal that is still in force after Fireworks said no, None when the next try is due."""
    attempt = attempt_of(resource, *actions)
    if attempt is None or context.forced or attempt.reason in _NOT_REFUSALS:
        return None
    until = pause_until(attempt, REFUSED)
    if until <= context.now:
        return None
    return still_refused(attempt, until)
