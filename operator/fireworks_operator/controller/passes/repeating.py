"""When a pass that changed nothing is repeated."""

from datetime import datetime

from fireworks_operator.api.conditions import Reason
from fireworks_operator.core.actions import Pending, Progress, Refuse, Rest, Trouble, Waiting
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.desired.parking import next_expiry
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.observed.shortage import patience_ends
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.status.cost import rate_ends

from .result import After, Next

CREDENTIAL_RETRY = 30.0
"""Seconds until a resource without a usable credential looks at its Secret again."""
SECRET_RETRY = 60.0
"""Seconds until a resource that is refused, or has API keys of a direct route, looks at its Secret again."""
UNLISTED_RETRY = 5.0
"""Seconds until it is asked again for what no LIST shows: a deployment's progress, the account of a key."""


def next_look(situation: Situation, action: Waiting) -> Next:
    """Return when a pass that changed nothing is repeated; some things come without anything changing."""
    then = _then(situation, action)
    order = situation.parking
    ends = (
        rate_ends(situation),
        next_expiry(situation.subject, situation.now),
        None if order is None else order.until,
    )
    later = [After(max((end - situation.now).total_seconds(), 0.0) + 0.5) for end in ends if end is not None]
    return min([each for each in (then, *later) if each is not None], key=lambda each: each.seconds, default=None)


def _then(situation: Situation, action: Waiting) -> After | None:
    """Return when there is something to do or to ask for; None: when something changes."""
    credential, observed = situation.context.credential, situation.observed
    if isinstance(credential, Unusable):
        return After(CREDENTIAL_RETRY if credential.needs_user else UNLISTED_RETRY)
    if isinstance(action, Pending):
        return None
    if isinstance(action, Refuse) and action.reason is Reason.ACCOUNT_MISMATCH:
        return After(CREDENTIAL_RETRY)
    reread = _next_reread(situation, action)
    until = _due(situation, action)
    if until is not None:
        pause = max((until - situation.now).total_seconds(), 0.0) + 0.5
        return After(pause if reread is None else min(pause, reread))
    if isinstance(action, Progress | Trouble) and isinstance(observed, Present) and observed.fresh:
        return After(UNLISTED_RETRY)
    return None if reread is None else After(reread)


def _next_reread(situation: Situation, action: Waiting) -> float | None:
    """Return in how many seconds a Secret is looked at again; None if none has to be."""
    route = situation.context.route_secret
    if isinstance(route, Unusable):
        return CREDENTIAL_RETRY
    # Another key brings no room in a budget; the ledger says when there is.
    mends = isinstance(action, Refuse) and action.reason is not Reason.BUDGET_EXCEEDED
    refused = mends and situation.spec.credentials_secret_ref is not None
    return SECRET_RETRY if refused or route is not None else None


def _due(situation: Situation, action: Progress | Rest | Trouble | Refuse) -> datetime | None:
    """Return when there is something to do or to tell: missing replicas are told whatever else is waited for."""
    observed = situation.observed
    ends = (
        patience_ends(situation.resource, observed.deployment, situation.now) if isinstance(observed, Present) else None
    )
    times = (action.until, ends if ends is not None and ends > situation.now else None)
    return min((each for each in times if each is not None), default=None)
