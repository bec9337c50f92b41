"""`report_resource()`: the whole status of a resource, of which one deployment or two are known."""

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import FireworksDeploymentStatus
from fireworks_operator.core.actions import HandBack, Rest, SetReplacement, Switch
from fireworks_operator.core.decisions.hand_back import failed_again
from fireworks_operator.core.decisions.replacement import blocked
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Beside, Situation
from fireworks_operator.core.status.report import report
from fireworks_operator.core.successor import carry, handed_back, handed_over


def report_resource(situation: Situation, outcome: Outcome) -> FireworksDeploymentStatus:
    """Derive the status of a resource, by a step that is about its deployment, or about the second one."""
    action, beside = outcome.action, situation.beside
    if isinstance(action, SetReplacement):
        status = report(situation, outcome) if beside is None else report(beside.situation, Outcome(beside.action))
        return bounded(status.model_copy(update={"replacement": action.replacement}))
    if isinstance(action, HandBack):
        return _handed_back(situation)
    if beside is None:
        return report(situation, outcome)
    if isinstance(action, Switch):
        return _switched(situation, beside)
    replacement = beside.situation.status.replacement
    if replacement is None:
        raise AssertionError("a second deployment that the status does not know")
    second = report(situation, outcome)
    status = report(beside.situation, Outcome(beside.action))
    return bounded(status.model_copy(update={"replacement": carry(replacement, second, _message(second))}))


def _switched(situation: Situation, beside: Beside) -> FireworksDeploymentStatus:
    """Return the status once the successor serves in the place of the former deployment: one write, all of it."""
    main = beside.situation
    handed = handed_over(main.resource, situation.now)
    return report(situation.alone(handed, other=main.observed), Outcome(Rest()))


def _handed_back(situation: Situation) -> FireworksDeploymentStatus:
    """Return the status once the former deployment serves again in the place of its successor: one write, all of it."""
    handed = situation.handed_back(handed_back(situation.resource, failed_again(situation), situation.now))
    return report(handed, Outcome(blocked(handed)))


def _message(status: FireworksDeploymentStatus) -> str | None:
    """Return what the second deployment waits for: nothing once it is Ready."""
    ready = next((each for each in status.conditions if each.type == ConditionType.READY), None)
    return None if ready is None or ready.status == "True" else ready.message
