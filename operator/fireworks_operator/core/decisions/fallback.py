"""Giving up on hardware that is not to be had, for the next of spec.fallbacks; only before the first service.

One deployment at a time, under one claimed id: the choice is written down first, then the deployment of the former one
is deleted for good, upon a look of the same pass, and only then the next is created. What is found to have got its
GPUs meanwhile is kept, and the choice with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import Choice, GivenUp
from fireworks_operator.core.actions import Action, Choose, Create, Delete, Progress
from fireworks_operator.core.desired.choices import (
    CHOSEN_FIELDS,
    choices,
    current_index,
    fallback_after,
    hardware_of,
    is_outdated,
    request_of,
    revision_of,
    told,
    tried_before,
    with_hardware,
)
from fireworks_operator.core.desired.demands import demand_of
from fireworks_operator.core.desired.drift import find_drift
from fireworks_operator.core.desired.wanted import Wanted, want
from fireworks_operator.core.diagnosis import Diagnosis
from fireworks_operator.core.identity import account_of
from fireworks_operator.core.observed.history import created_here
from fireworks_operator.core.observed.shortage import ENDED, never_served, only_pending
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import BLOCKED, DELETE_IGNORING_CHECKS, pause_until
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.errors import ErrorKind
from fireworks_operator.fireworks.models import Deployment

from .growth import has_room

COLD_FOR = timedelta(hours=1)
"""How long a choice that was given up is not tried again."""
_LOOKED_AGAIN = timedelta(minutes=10)
"""How often a deployment that waits looks whether a choice before it can be tried again."""
SKIPPED = "Skipped"
"""Why a choice was never tried: others have just found that the account has no such GPUs."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What follows a creation that was refused for lack of quota; `exhausted`: nothing is left to be tried now."""

    choice: Choice
    exhausted: bool
    message: str


def decide_beginning(situation: Situation) -> Choose | None:
    """Choose what to create, where that is not the choice that was made, or the spec itself."""
    spec, choice = situation.spec, situation.status.choice
    if not spec.fallbacks and choice is None:
        return None
    anew = choice is not None and is_outdated(choice, spec)
    current = 0 if anew else current_index(situation.resource)
    chosen = _warmer(situation, current)
    if chosen is not None:
        return _skip(situation, current, chosen)
    if not anew:
        return None
    made = _choice(situation, current, ())
    return Choose(made, f"The spec has other choices than before: trying {_named(situation, made)}.")


def after_refusal(situation: Situation, outcome: Outcome) -> Moved | None:
    """Return what follows a create request that was refused for lack of quota; None where nothing else follows.

    A spec that is refused for what it says is as wrong with other GPUs.
    """
    action, error = outcome.action, outcome.error
    if not isinstance(action, Create) or error is None or not situation.spec.fallbacks:
        return None
    if error.kind is not ErrorKind.QUOTA_EXCEEDED or not error.definite:
        return None
    current = current_index(situation.resource)
    entry = _entry(situation, current, Reason.QUOTA_EXCEEDED)
    given_up = (*_others(_given_up(situation), current), entry)
    chosen = _pick(situation, given_up, besides=current)
    if chosen is None:
        made = _choice(situation, 0, given_up)
        return Moved(
            made, True, f"{tried_before(given_up)} The first is tried again after a pause, the others after an hour."
        )
    made = _choice(situation, chosen, given_up)
    return Moved(made, False, f"The account's quota does not cover {entry.hardware}: trying {_named(situation, made)}.")


def explain_refusal(situation: Situation, outcome: Outcome, diagnosis: Diagnosis) -> Diagnosis:
    """Add to a refusal what was tried before, where nothing is left to be tried now."""
    moved = after_refusal(situation, outcome)
    return diagnosis if moved is None else replace(diagnosis, message=f"{diagnosis.message} {moved.message}")


def decide_fallback(situation: Situation, deployment: Deployment) -> Action | None:
    """Give up on a deployment that waits for GPUs for too long, or go on with giving it up; None to let it be."""
    spec, choice = situation.spec, situation.status.choice
    if not spec.fallbacks and choice is None:
        return None
    created = _seconds(deployment.create_time)
    if choice is not None and choice.replaces is not None and choice.replaces == created:
        return _replace(situation, deployment, choice)
    unknown = situation.status.applied_fields is None or situation.status.create_time != created
    followed = _follow(situation, deployment) if unknown else None
    if followed is not None:
        return followed
    if not _is_replaceable(situation, deployment) or created is None:
        return None
    edited = choice is not None and is_outdated(choice, spec)
    if edited or _differs(situation, deployment, situation.wanted):
        return _start_over(situation, deployment, created)
    return _give_up(situation, created)


def fallback_due(situation: Situation, deployment: Deployment) -> datetime | None:
    """Return when a deployment that waits for GPUs is to be looked at again; None if nothing follows."""
    created = _seconds(deployment.create_time)
    if not situation.spec.fallbacks or created is None or not _is_replaceable(situation, deployment):
        return None
    due = created + fallback_after(situation.spec)
    return due if due > situation.now else situation.now + _LOOKED_AGAIN


def replace_choice(choice: Choice, created: datetime | None) -> Choice:
    """Return a choice for which the deployment that was created then is to be deleted; None: none (any more)."""
    return choice.model_copy(update={"replaces": created})


def _warmer(situation: Situation, current: int) -> int | None:
    """Return what to try instead of a choice that others have just found out not to be had; None to try that."""
    if not demand_of(_wanted(situation, current).values).is_cold(situation.context.cold):
        return None
    return _pick(situation, _given_up(situation), besides=current)


def _skip(situation: Situation, current: int, chosen: int) -> Choose:
    before = _given_up(situation)
    known = {each.index for each in before}
    passed = (index for index in range(max(current, chosen) + 1) if index != chosen and index not in known)
    skipped = [_entry(situation, index, SKIPPED) for index in passed]
    made = _choice(situation, chosen, (*_others(before, chosen), *skipped))
    names = ", ".join(each.hardware for each in made.given_up or ())
    return Choose(made, f"The account had no GPUs within the last hour for {names}: trying {_named(situation, made)}.")


def _give_up(situation: Situation, created: datetime) -> Choose | None:
    """Choose what to try next, once a deployment has waited for GPUs for too long; None to wait on."""
    after = fallback_after(situation.spec)
    if situation.now - created < after:
        return None
    current = current_index(situation.resource)
    given_up = (*_others(_given_up(situation), current), _entry(situation, current, Reason.CAPACITY_PENDING))
    chosen = _pick(situation, given_up, besides=current)
    if chosen is None:
        return None
    made = replace_choice(_choice(situation, chosen, given_up), created)
    return Choose(
        made,
        f"Fireworks has had no free GPUs for {given_up[-1].hardware} since the deployment was created: trying "
        f"{_named(situation, made)}.",
        demand_of(situation.wanted.values),
    )


def _replace(situation: Situation, deployment: Deployment, choice: Choice) -> Action | None:
    """Delete what was given up, if it still waits; else stay with it, as it has got its GPUs."""
    if not _is_replaceable(situation, deployment):
        return _stay(situation, choice)
    attempt = situation.attempt_of(DELETE_IGNORING_CHECKS)
    if attempt is not None and not situation.context.skip_pauses:
        until = pause_until(attempt, BLOCKED)
        if until > situation.now:
            return Progress(Reason.FALLING_BACK, attempt.message or Reason.FALLING_BACK.doc, until)
    # The checks are about those whom it serves: nobody, as was seen just now.
    return Delete(deployment.name, hard=True, ignore_checks=True)


def _stay(situation: Situation, choice: Choice) -> Choose:
    given_up = _given_up(situation)
    if not given_up:
        return Choose(replace_choice(choice, None), "The deployment is kept, as it has got its GPUs.")
    last = given_up[-1]
    made = _choice(situation, last.index, _others(given_up, last.index))
    return Choose(made, f"The deployment is kept, as it has got its GPUs: {last.hardware}.")


def _follow(situation: Situation, deployment: Deployment) -> Choose | None:
    """Find out which choice a deployment is of that the status does not know: of a lost answer, or a lost status."""
    if not created_here(situation.resource, deployment) or not _differs(situation, deployment, situation.wanted):
        return None
    for index in range(len(choices(situation.spec))):
        if not _differs(situation, deployment, _wanted(situation, index)):
            made = _choice(situation, index, _others(_given_up(situation), index))
            return Choose(made, f"The deployment exists with {told(made)}.")
    return None


def _start_over(situation: Situation, deployment: Deployment, created: datetime) -> Choose:
    """Begin with the first choice again, as the user has changed them."""
    chosen, choice = _pick(situation, (), besides=None) or 0, situation.status.choice
    made = _choice(situation, chosen, ())
    same = choice is None or hardware_of(choice) == hardware_of(made)
    if not same or _differs(situation, deployment, _wanted(situation, chosen)):
        made = replace_choice(made, created)
    return Choose(made, f"The spec has other choices than before: trying {_named(situation, made)}.")


def _is_replaceable(situation: Situation, deployment: Deployment) -> bool:
    """Tell whether nobody loses anything with the deployment: ours, never served, and still without any GPU."""
    waits = deployment.state not in ENDED and only_pending(deployment) and situation.parking is None
    return waits and created_here(situation.resource, deployment) and never_served(situation.resource, deployment)


def _pick(situation: Situation, given_up: Sequence[GivenUp], *, besides: int | None) -> int | None:
    """Return the first choice that can be tried now: not lately given up, nor by others, and within the budgets."""
    for index in range(len(choices(situation.spec))):
        lately = any(each.index == index and abs(situation.now - each.time) < COLD_FOR for each in given_up)
        if index == besides or lately:
            continue
        wanted = _wanted(situation, index)
        if demand_of(wanted.values).is_cold(situation.context.cold):
            continue
        if index == 0 or has_room(_with(situation, wanted)):
            return index
    return None


def _with(situation: Situation, wanted: Wanted) -> Situation:
    return replace(situation, wanted=wanted, context=replace(situation.context, hardware=None))


def _wanted(situation: Situation, index: int) -> Wanted:
    spec = with_hardware(situation.spec, choices(situation.spec)[index])
    account = situation.status.account if situation.target is None else account_of(situation.target)
    return want(situation.resource, account, spec)


def _differs(situation: Situation, deployment: Deployment, wanted: Wanted) -> bool:
    """Tell whether a deployment has other hardware than wanted, which only another deployment could have."""
    values = {path: value for path, value in wanted.values.items() if path in CHOSEN_FIELDS}
    return bool(find_drift(values, deployment.raw, ()).replacements)


def _given_up(situation: Situation) -> tuple[GivenUp, ...]:
    choice = situation.status.choice
    return () if choice is None or is_outdated(choice, situation.spec) else tuple(choice.given_up or ())


def _others(given_up: Sequence[GivenUp], index: int) -> tuple[GivenUp, ...]:
    return tuple(each for each in given_up if each.index != index)


def _entry(situation: Situation, index: int, reason: str) -> GivenUp:
    hardware = told(choices(situation.spec)[index])
    return GivenUp(index=index, hardware=hardware, reason=reason, time=_whole(situation.now))


def _choice(situation: Situation, index: int, given_up: Sequence[GivenUp]) -> Choice:
    return Choice(
        **dict(choices(situation.spec)[index]),
        index=index,
        since=_whole(situation.now),
        requested=request_of(situation.spec),
        revision=revision_of(situation.spec),
        given_up=list(given_up) or None,
    )


def _named(situation: Situation, choice: Choice) -> str:
    if choice.index == 0:
        return f"{told(choice)}, as the spec itself asks"
    return f"{told(choice)} (fallback {choice.index} of {len(situation.spec.fallbacks or ())})"


def _whole(time: datetime) -> datetime:
    return time.replace(microsecond=0)


def _seconds(time: datetime | None) -> datetime | None:
    return None if time is None else _whole(time)
