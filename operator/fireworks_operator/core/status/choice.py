"""`status.choice`: what the deployment runs on, of the spec and its fallbacks, and what was given up before."""

from fireworks_operator.api.v1alpha1 import Choice
from fireworks_operator.core.actions import Choose, Create, Delete, Rest
from fireworks_operator.core.decisions.fallback import after_refusal, replace_choice
from fireworks_operator.core.desired.choices import is_void
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Situation


def choice_after(situation: Situation, outcome: Outcome) -> Choice | None:
    """Return the choice after a step; one that the spec has made void goes once the deployment is as desired."""
    choice, action = situation.status.choice, outcome.action
    moved = after_refusal(situation, outcome)
    if moved is not None:
        return moved.choice
    if isinstance(action, Choose):
        return action.choice
    if choice is None:
        return None
    if isinstance(action, Rest) and is_void(choice, situation.spec):
        return None
    deleted = isinstance(action, Delete) and action.hard
    done = (deleted or isinstance(action, Create)) and outcome.error is None and not outcome.begun
    return replace_choice(choice, None) if done else choice
