"""What holds for a resource with two deployments, whatever they are and whatever surrounds them."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus, ReplacementPhase
from fireworks_operator.core.actions import (
    Action,
    AddFinalizer,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    HandBack,
    Mutation,
    RemoveFinalizer,
    SetDeployedModel,
    SetReplacement,
    SetRouter,
    Switch,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.observed.observation import Observed, Present, Unknown
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.replacing.handover import decide_resource
from fireworks_operator.core.replacing.report import report_resource
from fireworks_operator.core.status.facts import has_condition
from fireworks_operator.core.successor import has_been_handed_back
from testkit.builders import CREATED, MADE_HERE, NAME, a_deployment, a_resource
from testkit.properties import examples
from tests.unit.core.strategies import (
    REPLACEMENTS,
    SECOND,
    contexts,
    failed_ones,
    handing_back,
    live_ones,
    observations,
    replaced,
)

MANY = examples(60)
SECONDS = observations(SECOND)
FAILED_ONES, FAILED_SECONDS, LIVE_SECONDS = failed_ones(), failed_ones(SECOND), live_ones(SECOND)
ON_OTHER_GPUS = REPLACEMENTS.map(
    lambda drawn: a_resource(
        {"acceleratorType": "NVIDIA_H100_80GB", "replacePolicy": {"type": "BlueGreen"}},
        {
            **CREATED,
            "appliedFields": ["acceleratorType", "baseModel"],
            "replacement": {**drawn, "phase": "Draining", "deploymentName": SECOND},
        },
    )
)
"""A resource whose successor has taken over; one that Fireworks mends is all that it asks for."""
BY_WORD = ("Abandon", "CrdDeleted")


def after(resource: FireworksDeployment, status: FireworksDeploymentStatus) -> FireworksDeployment:
    """Return the resource as the API server has it after a write."""
    return resource.model_copy(update={"status": FireworksDeploymentStatus.model_validate(status.to_wire())})


@MANY
@given(replaced() | handing_back(), observations() | FAILED_ONES, SECONDS | LIVE_SECONDS, contexts())
def test_there_is_one_answer_and_a_status_that_the_schema_accepts(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    situation, action = decide_resource(resource, observed, other, context)
    assert type(action) in get_args(Action)
    assert decide_resource(resource, observed, other, context)[1] == action
    if isinstance(action, AddFinalizer | RemoveFinalizer):
        return
    status = report_resource(situation, Outcome(action))
    assert FireworksDeploymentStatus.model_validate(status.to_wire()).to_wire() == status.to_wire()
    stalled, working = (has_condition(status, kind) for kind in (ConditionType.STALLED, ConditionType.RECONCILING))
    assert not (stalled and working)


@MANY
@given(replaced() | handing_back(), observations(), SECONDS | FAILED_SECONDS, contexts())
def test_the_deployment_that_serves_is_not_touched_while_its_successor_is_made_ready(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    situation, action = decide_resource(resource, observed, other, context)
    replacement = resource.status.replacement
    preparing = replacement is not None and replacement.phase is ReplacementPhase.PREPARING
    goes = resource.metadata.deletion_timestamp is not None
    if not preparing or not isinstance(action, Mutation) or goes:
        return
    if situation.beside is not None:
        assert action.target != resource.status.deployment_name
    else:  # what leads requests to it is its own again
        assert has_been_handed_back(resource)
        assert isinstance(action, SetDeployedModel | CreateRouter | SetRouter | DeleteRouter)


@MANY
@given(replaced(), observations(), SECONDS, contexts())
def test_nothing_is_created_but_what_the_status_names_and_nothing_deleted_before_it_has_drained(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    replacement = resource.status.replacement
    assert replacement is not None
    _, action = decide_resource(resource, observed, other, context)
    if isinstance(action, Create):
        assert action.target in (resource.status.deployment_name, replacement.deployment_name)
    second = isinstance(action, Delete) and action.target == replacement.deployment_name
    if second and resource.metadata.deletion_timestamp is None and resource.spec.management_policy == "Manage":
        drained = replacement.until is None or replacement.until <= context.now
        assert drained or replacement.phase is not ReplacementPhase.DRAINING


@MANY
@given(replaced(), observations(), SECONDS, contexts())
def test_the_resource_goes_with_both_or_by_word(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    _, action = decide_resource(resource, observed, other, context)
    if isinstance(action, RemoveFinalizer):
        assert action.cause in BY_WORD
        replacement = resource.status.replacement
        second = None if replacement is None else replacement.deployment_name
        assert second is None or second in action.message


@MANY
@given(replaced(), observations(), SECONDS, contexts())
def test_a_switch_names_a_successor_that_is_there_and_keeps_the_former_one_in_mind(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    situation, action = decide_resource(resource, observed, other, context)
    if not isinstance(action, Switch):
        return
    assert isinstance(other, Present)
    status = report_resource(situation, Outcome(action))
    assert (status.deployment_name, has_condition(status, ConditionType.READY)) == (SECOND, True)
    assert status.replacement is not None
    assert status.replacement.deployment_name == resource.status.deployment_name
    assert status.replacement.phase is ReplacementPhase.DRAINING


@MANY
@given(replaced() | handing_back(), observations() | FAILED_ONES, SECONDS | LIVE_SECONDS, contexts())
def test_a_hand_back_names_a_former_one_that_can_serve_and_keeps_the_failed_one_in_mind(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    situation, action = decide_resource(resource, observed, other, context)
    if not isinstance(action, HandBack):
        return
    assert isinstance(observed, Present)
    assert (observed.deployment.state, observed.deployment.replica_stats.ready) == ("FAILED", 0)
    assert isinstance(other, Present)
    assert other.deployment.state in ("READY", "UPDATING")
    status, before = report_resource(situation, Outcome(action)), resource.status.replacement
    assert status.replacement is not None
    assert before is not None
    assert (status.deployment_name, status.replacement.deployment_name) == (SECOND, resource.status.deployment_name)
    assert status.replacement.phase is ReplacementPhase.PREPARING
    assert status.replacement.hand_backs == (before.hand_backs or 0) + 1
    assert not has_condition(status, ConditionType.STALLED)
    assert not has_condition(status, ConditionType.READY)
    if other.deployment.replica_stats.ready > 0:
        assert has_condition(status, ConditionType.AVAILABLE)


@examples(200)
@given(handing_back() | ON_OTHER_GPUS, FAILED_ONES, LIVE_SECONDS, contexts(), st.booleans())
def test_two_deployments_do_not_take_turns(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context, mended: bool
) -> None:
    context = replace(context, skip_pauses=False)
    situation, action = decide_resource(resource, observed, other, context)
    if not isinstance(action, HandBack):
        return
    resource = after(resource, report_resource(situation, Outcome(action)))
    assert isinstance(observed, Present)
    if mended:
        observed = Present(a_deployment(name=NAME, annotations=MADE_HERE), observed.addons)
    for seconds in (0, 1, 60, 299):
        later = replace(context, now=context.now + timedelta(seconds=seconds))
        situation, action = decide_resource(resource, other, observed, later)
        assert not isinstance(action, Switch | HandBack)
        if not isinstance(action, Waiting | SetReplacement):
            return
        resource = after(resource, report_resource(situation, Outcome(action)))


@MANY
@given(replaced(), SECONDS, contexts())
def test_the_unknown_leads_to_no_change_at_fireworks_but_to_the_other_one(
    resource: FireworksDeployment, other: Observed, context: Context
) -> None:
    _, action = decide_resource(resource, Unknown(), other, context)
    assert not isinstance(action, HandBack)
    if isinstance(action, Mutation):
        assert action.target != resource.status.deployment_name


@MANY
@given(replaced() | handing_back(), observations() | FAILED_ONES, SECONDS | LIVE_SECONDS, contexts())
def test_an_idle_resource_is_written_at_most_until_all_is_said(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    context = replace(context, skip_pauses=False)
    for _ in range(5):
        situation, action = decide_resource(resource, observed, other, context)
        if not isinstance(action, Waiting | SetReplacement | HandBack):
            return
        resource = after(resource, report_resource(situation, Outcome(action)))
        if isinstance(action, HandBack):
            observed, other = other, observed
    later = replace(context, now=context.now + timedelta(milliseconds=700))
    situation, action = decide_resource(resource, observed, other, later)
    if isinstance(action, Waiting):
        assert report_resource(situation, Outcome(action)) == resource.status


@MANY
@given(replaced() | handing_back(), observations() | FAILED_ONES, SECONDS | LIVE_SECONDS, contexts())
def test_paused_lets_no_change_through_but_deletion(
    resource: FireworksDeployment, observed: Observed, other: Observed, context: Context
) -> None:
    if resource.spec.paused and resource.metadata.deletion_timestamp is None:
        _, action = decide_resource(resource, observed, other, context)
        observing = resource.spec.management_policy == "Observe"
        assert observing or not isinstance(action, Mutation | SetReplacement | Switch | HandBack)
