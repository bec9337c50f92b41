"""`decide_both()`: which one step comes next for a resource that has two deployments while it is being replaced.

Each of them is decided upon by the rules of one; here is only whose turn it is. At any moment at most two exist, and
one of them serves: the former is not touched until the successor serves, and the successor is discarded if it is no
longer wanted.
"""

from dataclasses import replace
from datetime import datetime

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import ManagementPolicy, Replacement, ReplacementPhase
from fireworks_operator.core.actions import (
    Action,
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
from fireworks_operator.core.decisions.decide import withhold
from fireworks_operator.core.decisions.replacement import told
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import may_take_effect
from fireworks_operator.core.situation import Beside, Situation
from fireworks_operator.core.status.facts import has_condition
from fireworks_operator.core.status.report import report
from fireworks_operator.core.successor import is_blue_green
from fireworks_operator.fireworks.models import Deployment

_BY_WORD = frozenset({"Abandon", "CrdDeleted"})
"""Causes for which a resource is let go whatever exists."""
_SERVING_STATES = frozenset({"READY", "UPDATING"})


def decide_both(main: Situation, action: Action, second: Situation, step: Action) -> tuple[Situation, Action]:
    """Name the next step for two deployments, and the situation that it is about.

    Args:
        main: of the deployment that the status names.
        action: what comes next there, were it alone.
        second: of the deployment in `status.replacement`.
        step: what comes next there, were it alone.
    """
    replacement = main.status.replacement
    if replacement is None:
        return main, action
    if _is_ending(main):
        return _ending(main, action, second, step, replacement)
    if replacement.phase is ReplacementPhase.PREPARING:
        situation, chosen = _preparing(main, action, second, step, replacement)
    elif replacement.phase is ReplacementPhase.DRAINING:
        situation, chosen = _draining(main, action, second, step, replacement)
    else:
        situation, chosen = _removing(main, action, second, step)
    held = withhold(main, chosen)
    return (situation, chosen) if held is chosen else (main, held)  # what is withheld is said of the whole resource


def is_due(main: Situation, action: Action, replacement: Replacement) -> bool:
    """Tell whether the second deployment is to be deleted now.

    A former one not before it has drained, and not while nothing else serves.
    """
    if _is_ending(main):
        return True
    if replacement.phase is not ReplacementPhase.DRAINING:
        return replacement.phase is ReplacementPhase.DISCARDING
    drained = replacement.until is None or replacement.until <= main.now
    return drained and (isinstance(action, Rest) or _serves(main) or main.parking is not None)


def _preparing(
    main: Situation, action: Action, second: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    why = _no_longer_wanted(main, second)
    if why is not None:
        return main, _discard(replacement, why, main)
    if not isinstance(action, Progress) or action.reason is not Reason.REPLACING:
        return main, action  # something of the resource itself comes first
    if isinstance(step, Rest) and has_condition(report(second, Outcome(step)), ConditionType.READY):
        return _beside(second, main, action), Switch(replacement.deployment_name or "")
    return _beside(second, main, _outlook(main, second, step)), step


def _draining(
    main: Situation, action: Action, second: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    if main.drift.replacements and _may_return(second):
        again = replacement.model_copy(
            update={
                "phase": ReplacementPhase.PREPARING,
                "start_time": main.now.replace(microsecond=0),
                "until": None,
                "fields": [each.path for each in main.drift.replacements],
            }
        )
        return main, SetReplacement(again, f"{replacement.deployment_name} is what the spec asks for again.")
    if isinstance(step, Rest):  # it has not drained yet
        return main, _sooner(action, step.until)
    return _removing(main, action, second, step)


def _sooner(action: Action, until: datetime | None) -> Action:
    """Return what is waited for, but for so long at most."""
    if until is None or not isinstance(action, Rest | Progress | Trouble | Refuse):
        return action
    return replace(action, until=until if action.until is None else min(until, action.until))


def _removing(main: Situation, action: Action, second: Situation, step: Action) -> tuple[Situation, Action]:
    """Delete the second deployment, unless there is something to do for the first."""
    if not isinstance(action, Waiting):
        return main, action
    if isinstance(step, RemoveFinalizer):
        return main, SetReplacement(None, step.message, step.left)
    return _beside(second, main, action), step


def _is_ending(main: Situation) -> bool:
    """Tell whether the resource will have no deployment to look after."""
    return main.is_deleting or main.spec.management_policy is ManagementPolicy.OBSERVE


def _ending(
    main: Situation, action: Action, second: Situation, step: Action, replacement: Replacement
) -> tuple[Situation, Action]:
    """Let go of the resource once the second deployment is gone; by the user's word, of both at once."""
    if isinstance(action, RemoveFinalizer) and action.cause in _BY_WORD:
        left = second.status.deployment_name
        also = "" if left is None else f" So does {left}, by which it was being replaced."
        return main, replace(action, message=action.message + also)
    if replacement.phase is ReplacementPhase.PREPARING:
        return main, _discard(replacement, "the resource is deleted, or only observed", main)
    if isinstance(step, RemoveFinalizer):
        return main, SetReplacement(None, step.message, step.left)
    if isinstance(action, Mutation):
        return main, action
    waits: Waiting = action if isinstance(action, Waiting) else _deleting(step)
    return _beside(second, main, waits), step


def _deleting(step: Action) -> Waiting:
    """Say what the resource waits for, once its own deployment is gone."""
    if isinstance(step, Progress | Trouble | Refuse):
        return step
    return Progress(Reason.DELETING, "Deleting the second deployment, by which the first was being replaced.")


def _no_longer_wanted(main: Situation, second: Situation) -> str | None:
    """Say why the successor is discarded; None if it is still what is wanted."""
    if main.parking is not None:
        return "the deployment is to be parked"
    if not is_blue_green(main.spec):
        return "spec.replacePolicy.type is no longer BlueGreen"
    if isinstance(second.observed, Present) and second.drift.replacements:
        return "the spec asks for something else by now"
    present = isinstance(main.observed, Present) and _is_live(main.observed.deployment)
    return "the spec asks for what the present deployment is" if present and not main.drift.replacements else None


def _discard(replacement: Replacement, why: str, main: Situation) -> SetReplacement:
    message = f"The replacement is given up: {why}."
    if replacement.deployment_name is None and not may_take_effect(replacement.last_attempt, main.now):
        return SetReplacement(None, message)  # nothing was ever created
    update = {"phase": ReplacementPhase.DISCARDING, "start_time": main.now.replace(microsecond=0), "message": message}
    return SetReplacement(replacement.model_copy(update=update), message)


def _outlook(main: Situation, second: Situation, step: Action) -> Waiting:
    """Say how the successor gets on; as long as the present deployment can serve, nothing has gone wrong."""
    conditions = report(second, Outcome(step)).conditions
    by_type = {each.type: each for each in conditions}
    ready, stalled = by_type.get(ConditionType.READY), by_type.get(ConditionType.STALLED)
    if ready is None or stalled is None:
        return Progress(Reason.REPLACING, told(main), _until(step))  # nothing is known of it yet
    message = f"{told(main)} {ready.message}"
    if stalled.status != "True":
        return Progress(Reason.REPLACING, message, _until(step))
    message += " To give the replacement up, put the old value back."
    reason = Reason.REPLACEMENT_BLOCKED
    if isinstance(main.observed, Present) and _is_live(main.observed.deployment):
        return Progress(reason, message, _until(step))
    return Refuse(reason, message, _until(step))


def _until(step: Action) -> datetime | None:
    return step.until if isinstance(step, Progress | Refuse | Trouble | Rest) else None


def _beside(second: Situation, main: Situation, waits: Waiting) -> Situation:
    return replace(second, beside=Beside(main, waits))


def _may_return(second: Situation) -> bool:
    """Tell whether a former deployment can serve again as what the spec asks for by now."""
    observed = second.observed
    live = isinstance(observed, Present) and _is_live(observed.deployment)
    return live and not second.drift.replacements


def _serves(main: Situation) -> bool:
    observed = main.observed
    return (
        isinstance(observed, Present) and _is_live(observed.deployment) and observed.deployment.replica_stats.ready > 0
    )


def _is_live(deployment: Deployment) -> bool:
    return deployment.state in _SERVING_STATES
