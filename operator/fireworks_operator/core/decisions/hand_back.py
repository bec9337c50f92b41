"""A successor that fails after it has taken over: when its former deployment takes over again, and what follows it.

What leads requests to a deployment by another name than its own, the router and the default of its model, is the former
one's again before the failed one is deleted to be made anew: Fireworks deletes neither what a router names nor the
default of a model.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import LastAttempt, ReplacementPhase
from fireworks_operator.core.actions import (
    Action,
    Claim,
    Delete,
    HandBack,
    Progress,
    Refuse,
    RouterChange,
    SetDeployedModel,
)
from fireworks_operator.core.identity import Ownership
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.core.pauses import FAILED, REPLACE
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.successor import has_been_handed_back, is_blue_green
from fireworks_operator.fireworks.models import Deployment

from .addons import observed_addons
from .deployed_model import decide_deployed_model
from .recovery import failure_of
from .replacement import blocked
from .router import Waits, decide_router, router_settled

LOOK_AGAIN = timedelta(seconds=30)
"""How often it is seen whether the failed deployment can be deleted by now."""
SERVING_STATES = frozenset({"READY", "UPDATING"})
"""States of a deployment that serves, or can."""


def live(observed: Observed | None) -> Deployment | None:
    """Return an observed deployment if it serves, or can; None if it does not, or is not known."""
    if not isinstance(observed, Present) or observed.deployment.state not in SERVING_STATES:
        return None
    return observed.deployment


def decide_hand_back(main: Situation, action: Action) -> HandBack | None:
    """Have the former deployment take over again from a successor that has failed; None if it stays as it is.

    Args:
        main: of the successor, which has taken over.
        action: what comes next there, were it alone.
    """
    former, observed = live(main.other), main.observed
    if former is None or not isinstance(observed, Present) or not is_blue_green(main.spec):
        return None
    failed = observed.deployment
    if failed.state != "FAILED" or failed.replica_stats.ready > 0 or not _is_about_failure(action):
        return None
    message = f"{failed.name} failed after it had taken over, so {former.name} serves again."
    return HandBack(former.name, f"{message} {failure_of(main, failed)}")


def take_former_again(main: Situation, action: Action) -> HandBack | None:
    """Have the former deployment take over again where the successor is gone for good; None if it stays as it is.

    That is where an id is to be claimed anew, since Fireworks refuses to create the successor once more, and what has
    the resource's marker is the former one: claimed beside itself, it would be deleted as the one that is to go.
    """
    former, replacement = live(main.other), main.status.replacement
    if former is None or replacement is None or replacement.phase is ReplacementPhase.PREPARING:
        return None
    if not isinstance(action, Claim) or action.deployment_name != former.name:
        return None
    return HandBack(former.name, f"The deployment that had taken over is gone, so {former.name} serves again.")


def failed_again(situation: Situation) -> LastAttempt:
    """Return what holds back the next try of a successor that has failed after it had taken over."""
    replacement = situation.status.replacement
    before = 0 if replacement is None else replacement.hand_backs or 0
    return LastAttempt(
        action=REPLACE,
        target=situation.target,
        generation=situation.wanted.revision,
        count=before + 1,
        time=situation.now,
        reason=Reason.DEPLOYMENT_FAILED,
    )


def takes_over_at(situation: Situation, successor: Observed) -> datetime | None:
    """Return when a successor that has failed in its place may take over again; None if it may now.

    One that was made anew may: it has had its pause. One that Fireworks has mended has not, and should it fail again
    and again, both would take turns as fast as lists tell.
    """
    replacement = situation.status.replacement
    if replacement is None or replacement.hand_backs is None or situation.context.skip_pauses:
        return None
    created = successor.deployment.create_time if isinstance(successor, Present) else None
    if created is not None and created >= replacement.start_time:
        return None
    pause = FAILED[min(replacement.hand_backs, len(FAILED)) - 1]
    until = replacement.start_time + timedelta(seconds=pause)
    return until if until > situation.now else None


def decide_way_back(situation: Situation) -> SetDeployedModel | RouterChange | Waits | None:
    """Name the next step that leads requests back to the deployment that serves again; None if none is due."""
    deployment = _serves_again(situation)
    if deployment is None or situation.parking is not None:
        return None
    if situation.ownership(deployment) not in (Ownership.OURS, Ownership.OURS_UNMARKED):
        return None
    steps = (decide_router(situation, deployment), decide_deployed_model(situation, deployment))
    changes = (each for each in steps if isinstance(each, SetDeployedModel | RouterChange))
    # A router in conflict is another's, and leads nowhere here.
    waits = [each for each in steps if isinstance(each, Waits) and each.reason is not Reason.ROUTER_CONFLICT]
    waits.sort(key=lambda each: isinstance(each, Progress))
    found = next(changes, None) or next(iter(waits), None)
    return replace(blocked(situation), until=found.until) if isinstance(found, Progress) else found


def leads_back(situation: Situation) -> bool:
    """Tell whether nothing leads to the failed deployment any more, as far as that can be known."""
    deployment, failed = _serves_again(situation), situation.other
    if deployment is None or not isinstance(failed, Present) or failed.deployment.state != "FAILED":
        return True
    known = None not in (observed_addons(situation.observed), failed.addons)
    listed = known or situation.context.addons_unlisted is not None
    is_default = deployment.state == "READY" and decide_deployed_model(situation, deployment) is None
    return listed and is_default and router_settled(situation)


def _serves_again(situation: Situation) -> Deployment | None:
    """Return the deployment that serves again since its successor has failed; None if it does not, or on its own.

    One that is what the spec asks for is treated as any other.
    """
    replacement = situation.status.replacement
    again = has_been_handed_back(situation.resource) and (
        (replacement is not None and replacement.phase is ReplacementPhase.PREPARING) or situation.drift.replacements
    )
    return live(situation.observed) if again else None


def _is_about_failure(action: Action) -> bool:
    """Tell whether nothing else of the resource comes before what becomes of its failed deployment."""
    deletes = isinstance(action, Delete) and action.hard
    return deletes or (isinstance(action, Refuse) and action.reason is Reason.DEPLOYMENT_FAILED)
