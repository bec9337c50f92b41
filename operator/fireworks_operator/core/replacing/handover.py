"""`decide_both()`: which one step comes next for a resource that has two deployments while it is being replaced.

Each of them is decided upon by the rules of one; here is only whose turn it is. At any moment at most two exist, and
one of them serves: the former is not touched until the successor serves, and the successor is discarded if it is no
longer wanted.
"""

from dataclasses import replace
from datetime import datetime

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, ManagementPolicy, Replacement, ReplacementPhase
from fireworks_operator.core.actions import (
    Action,
    Delete,
    Mutation,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    SetReplacement,
    Switch,
    Trouble,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide, withhold
from fireworks_operator.core.decisions.hand_back import (
    LOOK_AGAIN,
    decide_hand_back,
    leads_back,
    live,
    take_former_again,
    takes_over_at,
)
from fireworks_operator.core.decisions.replacement import blocked, told
from fireworks_operator.core.decisions.router import router_settled
from fireworks_operator.core.identity import Ownership
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import may_take_effect
from fireworks_operator.core.situation import Beside, Situation, assess
from fireworks_operator.core.status.facts import has_condition
from fireworks_operator.core.status.report import report
from fireworks_operator.core.successor import is_blue_green, second
from fireworks_operator.fireworks.models import Deployment

_BY_WORD = frozenset({"Abandon", "CrdDeleted"})
"""Causes for which a resource is let go whatever exists."""


def decide_resource(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> tuple[Situation, Action]:
    """Name the next step of a resource, upon what is known; `other` is of its second deployment, if it has one."""
    replacement = resource.status.replacement
    if replacement is None:
        main = assess(resource, observed, context)
        return main, decide(main)
    main = assess(resource, observed, context, other)
    action, of_second = decide(main), replace(context, revision=replacement.revision)
    beside = assess(second(resource, replacement), other, of_second, observed)
    due = replacement.phase is ReplacementPhase.PREPARING or is_due(main, action, replacement)
    return decide_both(main, action, beside, decide(beside) if due else Rest(replacement.until))


def decide_both(main: Situation, action: Action, other: Situation, step: Action) -> tuple[Situation, Action]:
    """Name the next step for two deployments, and the situation that it is about.

    Args:
        main: of the deployment that the status names.
        action: what comes next there, were it alone.
        other: of the deployment in `status.replacement`.
        step: what comes next there, were it alone.
    """
    replacement = main.status.replacement
    if replacement is None:
        return main, action
    if _is_ending(main):
        return _ending(main, action, other, step, replacement)
    situation, chosen = _in_turn(main, action, other, step, replacement)
    held = withhold(main, chosen)
    return (situation, chosen) if held is chosen else (main, held)  # what is withheld is said of the whole resource


def _in_turn(
    main: Situation, action: Action, other: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    again = take_former_again(main, action)
    if again is not None:
        return main, again
    if replacement.phase is ReplacementPhase.PREPARING:
        return _preparing(main, action, other, step, replacement)
    if replacement.phase is ReplacementPhase.DRAINING:
        return _draining(main, action, other, step, replacement)
    return _removing(main, action, other, step)


def is_due(main: Situation, action: Action, replacement: Replacement) -> bool:
    """Tell whether the second deployment is to be deleted now.

    A former one not before it has drained, nor while nothing else serves, or requests go to it by the router.
    """
    if _is_ending(main):
        return True
    if replacement.phase is not ReplacementPhase.DRAINING:
        return replacement.phase is ReplacementPhase.DISCARDING
    drained = replacement.until is None or replacement.until <= main.now
    calm = isinstance(action, Rest | Refuse) or _waits_for_former(action)
    serves = _serves(main) or (calm and _is_asleep(main))
    return drained and router_settled(main) and (serves or main.parking is not None)


def _preparing(
    main: Situation, action: Action, other: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    why = _no_longer_wanted(main, other)
    if why is not None and _is_taken(other):
        message = f"The id of {other.target} is taken by a deployment of other hardware or model: trying another id."
        return main, SetReplacement(replacement.model_copy(update={"revision": replacement.revision + 1}), message)
    if why is not None:
        return main, _discard(replacement, why, main)
    if not isinstance(action, Progress) or action.reason is not Reason.REPLACING:
        return main, action  # something of the resource itself comes first
    if isinstance(step, Delete) and not leads_back(main):
        return main, replace(blocked(main), until=main.now + LOOK_AGAIN)
    if isinstance(step, Rest) and has_condition(report(other, Outcome(step)), ConditionType.READY):
        return _take_over(main, action, other, replacement)
    return _beside(other, main, _outlook(main, other, step)), step


def _take_over(
    main: Situation, action: Progress, other: Situation, replacement: Replacement
) -> tuple[Situation, Action]:
    """Have a successor that is ready take over, after a pause if it has failed in its place before."""
    later = takes_over_at(main, other.observed)
    if later is None:
        return _beside(other, main, action), Switch(replacement.deployment_name or "")
    message = f"{told(main)} It is ready again, and takes over after a pause."
    return _beside(other, main, Progress(Reason.REPLACING, message, later)), Rest(later)


def _draining(
    main: Situation, action: Action, other: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    if main.drift.replacements and _may_return(other):
        again = replacement.model_copy(
            update={
                "phase": ReplacementPhase.PREPARING,
                "start_time": main.now.replace(microsecond=0),
                "until": None,
                "fields": [each.path for each in main.drift.replacements],
            }
        )
        return main, SetReplacement(again, f"{replacement.deployment_name} is what the spec asks for again.")
    back = decide_hand_back(main, action)
    if back is not None:
        return main, back
    if isinstance(step, Rest):  # it has not drained yet
        return main, _sooner(action, step.until if step.until is not None and step.until > main.now else None)
    return _removing(main, action, other, step)


def _sooner(action: Action, until: datetime | None) -> Action:
    """Return what is waited for, but for so long at most."""
    if until is None or not isinstance(action, Rest | Progress | Trouble | Refuse):
        return action
    return replace(action, until=until if action.until is None else min(until, action.until))


def _removing(main: Situation, action: Action, other: Situation, step: Action) -> tuple[Situation, Action]:
    """Delete the second deployment, unless there is something to do for the first."""
    if not isinstance(action, Waiting):
        return main, action
    if isinstance(step, Delete) and not leads_back(main):
        return main, _sooner(action, main.now + LOOK_AGAIN)
    if isinstance(step, RemoveFinalizer):
        return _beside(other, main, action), SetReplacement(None, step.message, step.left)
    return _beside(other, main, action), step


def _is_ending(main: Situation) -> bool:
    """Tell whether the resource will have no deployment to look after."""
    return main.is_deleting or main.spec.management_policy is ManagementPolicy.OBSERVE


def _ending(
    main: Situation, action: Action, other: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    """Let go of the resource once the second deployment is gone; by the user's word, of both at once."""
    if isinstance(action, RemoveFinalizer) and action.cause in _BY_WORD:
        left = other.status.deployment_name
        also = "" if left is None else f" So does {left}, by which it was being replaced."
        return main, replace(action, message=action.message + also)
    if replacement.phase is ReplacementPhase.PREPARING:
        return main, _discard(replacement, "the resource is deleted, or only observed", main)
    if isinstance(step, RemoveFinalizer):
        return main, SetReplacement(None, step.message, step.left)
    if isinstance(action, Mutation):
        return main, action
    waits: Waiting = action if isinstance(action, Waiting) else _deleting(step)
    return _beside(other, main, waits), step


def _deleting(step: Action) -> Waiting:
    """Say what the resource waits for, once its own deployment is gone."""
    if isinstance(step, Progress | Trouble | Refuse):
        return step
    return Progress(Reason.DELETING, "Deleting the second deployment, by which the first was being replaced.")


def _no_longer_wanted(main: Situation, other: Situation) -> str | None:
    """Say why the successor is discarded; None if it is still what is wanted."""
    if main.parking is not None:
        return "the deployment is to be parked"
    if not is_blue_green(main.spec):
        return "spec.replacePolicy.type is no longer BlueGreen"
    if live(main.observed) is not None and not main.drift.replacements:
        return "the spec asks for what the present deployment is"
    differs = isinstance(other.observed, Present) and other.drift.replacements
    return "the spec asks for something else by now" if differs else None


def _is_taken(other: Situation) -> bool:
    """Tell whether a successor would get the id of an earlier one that is another deployment, and unknown by now."""
    unclaimed = other.status.deployment_name is None
    return unclaimed and isinstance(other.observed, Present) and bool(other.drift.replacements)


def _discard(replacement: Replacement, why: str, main: Situation) -> SetReplacement:
    message = f"The replacement is given up: {why}."
    if replacement.deployment_name is None and not may_take_effect(replacement.last_attempt, main.now):
        return SetReplacement(None, message)  # nothing was ever created
    update = {"phase": ReplacementPhase.DISCARDING, "start_time": main.now.replace(microsecond=0), "message": message}
    return SetReplacement(replacement.model_copy(update=update), message)


def _outlook(main: Situation, other: Situation, step: Action) -> Waiting:
    """Say how the successor gets on; as long as the present deployment can serve, nothing has gone wrong."""
    status = report(other, Outcome(step))
    ready = next((each for each in status.conditions if each.type == ConditionType.READY), None)
    message = f"{told(main)} {'' if ready is None else ready.message}".rstrip()
    if not has_condition(status, ConditionType.STALLED):
        return Progress(Reason.REPLACING, message, _until(step))
    message += " To give the replacement up, put the old value back."
    reason = Reason.REPLACEMENT_BLOCKED
    if live(main.observed) is not None:
        return Progress(reason, message, _until(step))
    return Refuse(reason, message, _until(step))


def _until(step: Action) -> datetime | None:
    return step.until if isinstance(step, Progress | Refuse | Trouble | Rest) else None


def _beside(other: Situation, main: Situation, waits: Waiting) -> Situation:
    return replace(other, beside=Beside(main, waits))


def _may_return(other: Situation) -> bool:
    """Tell whether a former deployment can serve again as what the spec asks for by now."""
    return live(other.observed) is not None and not other.drift.replacements


def _own(main: Situation) -> Deployment | None:
    """Return the deployment of a resource if it serves, or can, and is not another's by now."""
    deployment = live(main.observed)
    ours = deployment is not None and main.ownership(deployment) in (Ownership.OURS, Ownership.OURS_UNMARKED)
    return deployment if ours else None


def _serves(main: Situation) -> bool:
    deployment = _own(main)
    return deployment is not None and deployment.replica_stats.ready > 0


def _waits_for_former(action: Action) -> bool:
    """Tell whether another replacement waits for the deletion of what this one has left, so that it must not wait."""
    return isinstance(action, Progress) and action.reason is Reason.REPLACING


def _is_asleep(main: Situation) -> bool:
    """Tell whether a deployment has no replica until somebody asks for one; not while it has lost one."""
    deployment = _own(main)
    return deployment is not None and deployment.min_replica_count == deployment.desired_replica_count == 0
