"""What a user sees of a replacement by BlueGreen: which deployment serves, and what becomes of the other."""

import pytest

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.fireworks.errors import ErrorKind
from fireworks_operator.plugin.cost import claimed
from fireworks_operator.plugin.listing import _totals, _wide_row
from fireworks_operator.plugin.status_view import View
from fireworks_operator.plugin.summary import summary_of
from fireworks_operator.plugin.target import find_target
from fireworks_operator.settings import Settings
from testkit import replacements as made
from testkit.builders import NAME, NOW, an_error
from testkit.report_steps import ASLEEP, serving
from tests.plugin.test_views import plain, shown

QUOTA = an_error(ErrorKind.QUOTA_EXCEEDED, "quota global--h200-count exceeded, in use: 8, quota: 8")
IN_USE = an_error(ErrorKind.INVALID, "the deployment has received inference requests in the last hour")
SINCE, UNTIL = "2026-03-01T12:00:00Z", "2026-03-01T12:10:00Z"
HEADS = (
    *("Deployment", "Replacement", "Successor", "Former deployment", "Failed successor", "Given up"),
    *("Progress", "Blocked by", "Cost"),
)


def second(resource: FireworksDeployment) -> str:
    """Return the name of the second deployment."""
    assert resource.status.replacement is not None
    return str(resource.status.replacement.deployment_name)


def lines(resource: FireworksDeployment) -> list[str]:
    """Return the lines that tell of the deployments."""
    return [each for each in plain(shown(resource, terminal=False)) if each.startswith(HEADS)]


def test_while_a_successor_starts_its_state_and_the_cost_of_both_are_shown() -> None:
    resource = made.starting()
    assert lines(resource) == [
        f"Deployment: {NAME}",
        f"Replacement: Preparing since {SINCE}, to change spec.acceleratorType: the deployment above serves until its "
        "successor does",
        f"Successor: {second(resource)}: CREATING, 0 of 1 replicas ready",
        "Progress: Replicas are initializing.",
        "Cost of both: $8.00/h, at most $16.00/h",
    ]
    assert "Stage of the successor: initializing (stage 3 of 4)" in plain(shown(resource, terminal=False))
    assert View.of(resource).brief().startswith("chat: READY, 1 [0,1], successor initializing (stage 3 of 4), Replac")
    page = "\n".join(plain(shown(resource, terminal=True)))
    assert "chat in namespace team-a: Being replaced, Replacing" in page
    assert "  Stage of the successor" in page


def test_a_successor_that_is_refused_says_why_and_ends_the_watch() -> None:
    resource = made.refused(QUOTA)
    assert lines(resource)[2] == "Successor: not created yet"
    assert lines(resource)[3].startswith("Blocked by: The account's quota does not cover this:")
    assert len(lines(resource)) == 4, "nothing costs anything beside the deployment"
    assert "Stage" not in shown(resource, terminal=False)
    assert summary_of(resource).settled
    assert not summary_of(made.starting()).settled
    assert not summary_of(resource).stalled


def test_while_the_former_deployment_drains_it_is_said_until_when() -> None:
    resource = made.draining()
    assert lines(resource) == [
        f"Deployment: {resource.status.deployment_name}",
        f"Replacement: Draining since {SINCE}: the deployment above serves, and the former one finishes its requests",
        f"Former deployment: {NAME}: READY, 1 of 1 replicas ready, answers those who still name it, and is deleted "
        f"after {UNTIL}",
        "Cost of both: $16.00/h, at most $16.00/h",
    ]
    brief = f"Draining {NAME.rsplit('/', 1)[-1]}"
    assert View.of(resource).brief() == f"chat: READY, 1 [0,1], {brief}, Serving: 1 of 1 replicas serving."
    assert brief in _wide_row(summary_of(resource), NOW).cells
    assert _totals([summary_of(resource)]) == "1 FireworksDeployment, 1 ready; 2 GPUs in ready replicas"


def test_a_former_deployment_that_is_not_deleted_says_why() -> None:
    resource = made.undeletable(IN_USE)
    assert lines(resource)[3].startswith("Blocked by: Fireworks refuses to delete this deployment")
    assert "set spec.replacePolicy.ignoreChecks to true" in lines(resource)[3]
    assert summary_of(resource).ready


def test_a_successor_that_failed_after_it_had_taken_over_is_told_as_such_and_ends_the_watch() -> None:
    resource = made.handed_back()
    assert lines(resource)[:3] == [
        f"Deployment: {NAME}",
        f"Replacement: Preparing since {SINCE}, to change spec.acceleratorType: the deployment above serves again, "
        "since its successor failed, until that one has been created anew",
        f"Failed successor: {second(resource)}: FAILED, 0 of 1 replicas ready, has failed once after it had taken over",
    ]
    assert lines(resource)[3].startswith("Blocked by: Fireworks reports that the deployment failed: out of memory.")
    assert summary_of(resource).settled
    assert not summary_of(resource).stalled
    replacement = View.of(resource).to_data()["replacement"]
    assert isinstance(replacement, dict)
    assert replacement["handBacks"] == 1


def test_a_successor_that_is_given_up_is_told_with_the_reason() -> None:
    resource = made.discarding()
    assert lines(resource)[1:4] == [
        f"Replacement: Discarding since {SINCE}: the deployment above goes on serving, and its successor is deleted",
        f"Given up: {second(resource)}: READY, 1 of 1 replicas ready",
        "Progress: The deployment is being deleted.",
    ]


def test_programs_get_the_same() -> None:
    resource = made.draining()
    assert View.of(resource).to_data()["replacement"] == {
        "phase": "Draining",
        "startTime": SINCE,
        "until": UNTIL,
        "fields": ["acceleratorType"],
        "blocked": False,
        "servingDeployment": resource.status.deployment_name,
        "deploymentName": NAME,
        "state": "READY",
        "readyReplicas": 1,
        "hourlyOfBoth": "16.00",
        "hourlyCeilingOfBoth": "16.00",
    }
    assert View.of(serving()).to_data()["replacement"] is None
    assert [each for each in lines(serving()) if not each.startswith("Deployment")] == []


def test_what_both_have_cost_is_that_of_the_resource() -> None:
    resource = made.draining()
    assert list(claimed(resource)) == [resource.status.deployment_name, NAME]
    assert list(claimed(serving())) == [NAME]


@pytest.mark.parametrize("asleep", [False, True])
def test_the_deployment_that_serves_can_be_asked_while_its_successor_is_prepared(asleep: bool) -> None:
    resource = made.starting()
    if asleep:
        resource = made.passed(resource, made.former(**ASLEEP), made.successor(resource, state="CREATING"))
    target = find_target(resource, None, Settings.model_validate({}))
    assert target.identifier.endswith(NAME)
