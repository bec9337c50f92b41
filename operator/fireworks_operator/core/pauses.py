"""How long pauses last, counted from times in the status so that they survive a restart."""

from collections.abc import Callable
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeploymentStatus, GivenUp, LastAttempt, Replacement
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.fireworks.request import WRITE_DEADLINE

REFUSED = (60, 300, 900, 3600)
"""Seconds between tries that Fireworks answered with a definite no."""
BLOCKED = (60, 120, 300, 600)
"""Seconds between tries to delete a deployment that Fireworks does not let go of yet."""
FAILED = (300, 900, 3600, 3 * 3600, 6 * 3600)
"""Seconds between a deployment's failure and its replacement."""
UPDATE_SPACING = timedelta(seconds=30)
"""Least time between two PATCHes, or two changes of tags, of one deployment for the same spec."""
CONVERGENCE_TRIES = 3
"""Changes that may leave a field as it is before the operator stops and says so."""
CREATE, RECREATE, REPLACE, UPDATE, SET_TAGS = "Create", "Recreate", "Replace", "Update", "SetTags"
PREPARE = "PrepareModel"
VALIDATE = "Validate"
"""Names of attempts in `status.lastAttempt`."""
UNDELETE, DELETE, DELETE_IGNORING_CHECKS = "Undelete", "Delete", "DeleteIgnoringChecks"
"""Names of attempts that may leave behind, or bring back, a deployment that is deleted."""
DELETE_WITH_ADDONS = "DeleteWithAddons"
"""Name of an attempt that Fireworks has refused since addons are loaded, so that they are unloaded first."""
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


_REVIVALS = frozenset({UNDELETE, REPLACE, DELETE, DELETE_IGNORING_CHECKS})
"""Attempts that bring back what is deleted, or that were made while such a one had no answer."""
_UNANSWERED = frozenset({Reason.CREATING, Reason.API_UNAVAILABLE})
_REASONS = {each.value: each for each in Reason}


def known_reason(stored: str) -> Reason:
    """Return a reason that status holds; one that another version wrote counts as a plain refusal."""
    return _REASONS.get(stored, Reason.REJECTED_BY_FIREWORKS)


def pause_until(attempt: LastAttempt, ladder: tuple[int, ...]) -> datetime:
    """Return when the next try is due."""
    return attempt.time + timedelta(seconds=ladder[min(max(attempt.count, 1), len(ladder)) - 1])


def set_clock_right(status: FireworksDeploymentStatus, now: datetime) -> FireworksDeploymentStatus:
    """Return the status with each time that a pause is counted from pulled back out of the future; itself if none is.

    A clock was ahead, and the pauses would last for as long. Conditions keep their times, by which nobody waits: at
    rest nothing is written.
    """
    latest, now = now + CLOCK_TOLERANCE, now.replace(microsecond=0)

    def right(time: datetime) -> datetime:
        return now if time > latest else time

    choice, replacement, router = status.choice, status.replacement, status.router
    requested = None if router is None or router.request_time is None else right(router.request_time)
    given_up = None if choice is None or choice.given_up is None else [_at(each, right) for each in choice.given_up]
    righted = status.model_copy(
        update={
            **_righted(status, right),
            "choice": choice and choice.model_copy(update={"given_up": given_up}),
            "replacement": replacement and _drained_right(replacement, right),
            "router": router and router.model_copy(update={"request_time": requested}),
        }
    )
    return status if righted == status else righted


def _righted(
    known: FireworksDeploymentStatus | Replacement, right: Callable[[datetime], datetime]
) -> dict[str, object]:
    """Return what is remembered of one deployment with its times pulled back."""
    attempt, times, replicas = known.last_attempt, known.recreations, known.replicas
    since = None if replicas is None or replicas.waiting_since is None else right(replicas.waiting_since)
    return {
        "last_attempt": attempt and attempt.model_copy(update={"time": right(attempt.time)}),
        "recreations": None if times is None else [right(each) for each in times],
        "replicas": replicas and replicas.model_copy(update={"waiting_since": since}),
    }


def _drained_right(replacement: Replacement, right: Callable[[datetime], datetime]) -> Replacement:
    """Return a replacement with its times pulled back; a former deployment drains for as long as it was to."""
    since, until = right(replacement.start_time), replacement.until
    ends = None if until is None else until - (replacement.start_time - since)
    return replacement.model_copy(update={**_righted(replacement, right), "start_time": since, "until": ends})


def is_replacing(status: FireworksDeploymentStatus) -> bool:
    """Tell whether the deployment is being deleted, or about to be, to be created anew by spec.replacePolicy."""
    attempt = status.last_attempt
    return attempt is not None and (attempt.action, attempt.reason) == (REPLACE, Reason.REPLACING)


def _at(given_up: GivenUp, right: Callable[[datetime], datetime]) -> GivenUp:
    return given_up.model_copy(update={"time": right(given_up.time)})


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


def revives_until(attempt: LastAttempt | None, now: datetime) -> datetime | None:
    """Return until when a request without an answer may bring a deleted deployment back; None if none can."""
    if attempt is None or attempt.action not in _REVIVALS or attempt.reason not in _UNANSWERED:
        return None
    until = attempt.time + POST_SETTLES
    return until if until > now else None


def recent_recreations(status: FireworksDeploymentStatus, now: datetime) -> list[datetime]:
    """Return when the deployment was brought back within the last day, oldest first."""
    return [each for each in status.recreations or () if now - each < RECREATION_WINDOW]
