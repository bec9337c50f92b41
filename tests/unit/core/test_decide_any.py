"""What holds for `decide()` whatever the resource, the observation and the surroundings."""

from typing import get_args

from hypothesis import given, settings

from fireworks_operator.api.v1alpha1 import FireworksDeployment, ManagementPolicy
from fireworks_operator.core.actions import (
    DESTRUCTIVE,
    Action,
    AddFinalizer,
    Adopt,
    Claim,
    Create,
    Delete,
    DeleteRouter,
    Mutation,
    Park,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    SetTags,
    Trouble,
    Update,
    Waiting,
)
from fireworks_operator.core.context import Context, Unusable
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.identity import Ownership, is_reserved_tag
from fireworks_operator.core.observed.observation import Absent, Observed, Present, Unknown
from fireworks_operator.core.situation import assess
from tests.unit.core.strategies import contexts, observations, resources

MANY = settings(max_examples=100, deadline=None)


@MANY
@given(resources(), observations(), contexts())
def test_every_situation_has_exactly_one_answer_of_a_closed_set(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    action = decide(assess(resource, observed, context))
    assert type(action) in get_args(Action)
    assert decide(assess(resource, observed, context)) == action


@MANY
@given(resources(), contexts())
def test_the_unknown_leads_to_no_change_at_fireworks(resource: FireworksDeployment, context: Context) -> None:
    action = decide(assess(resource, Unknown(), context))
    assert isinstance(action, Waiting | AddFinalizer | RemoveFinalizer)


@MANY
@given(resources(), observations(), contexts())
def test_nothing_changes_at_fireworks_without_a_claim_and_a_key_of_its_account(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    action = decide(assess(resource, observed, context))
    if isinstance(action, Mutation):
        assert resource.status.deployment_name is not None
        assert not isinstance(context.credential, Unusable)
        assert context.credential.account == resource.status.deployment_name.split("/")[1]
        assert resource.spec.management_policy is ManagementPolicy.MANAGE


@MANY
@given(resources(), observations(), contexts())
def test_paused_lets_no_change_through_but_deletion(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    if resource.spec.paused and resource.metadata.deletion_timestamp is None:
        assert not isinstance(decide(assess(resource, observed, context)), Mutation | AddFinalizer | Claim | Park)


@MANY
@given(resources(), observations(), contexts())
def test_nothing_that_is_not_ours_is_changed_or_deleted(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    action = decide(assess(resource, observed, context))
    if not isinstance(observed, Present) or not isinstance(action, Mutation):
        return
    whose = context.ownership(resource, observed.deployment)
    if isinstance(action, Adopt) and action.by_request:
        assert whose in (Ownership.UNOWNED, Ownership.RELEASED, Ownership.RECREATED)
        assert resource.spec.adoption_policy == "Unowned"
    else:
        assert whose in (Ownership.OURS, Ownership.OURS_UNMARKED)


@MANY
@given(resources(), observations(), contexts())
def test_create_and_destroy_follow_from_what_is_there(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    action = decide(assess(resource, observed, context))
    if isinstance(action, Create):
        assert isinstance(observed, Absent)
        assert observed.confirmed or resource.status.create_time is None
    if isinstance(action, DESTRUCTIVE) and not isinstance(action, DeleteRouter):  # a router outlives its deployment
        assert isinstance(observed, Present)
    if isinstance(action, Delete) and action.hard:
        assert observed.deployment.replica_stats.ready == 0 or observed.deployment.state == "DELETED"  # type: ignore[union-attr]
        assert not action.ignore_checks or observed.deployment.state == "DELETED"  # type: ignore[union-attr]
    if isinstance(action, Update):
        assert action.mask
        assert set(action.body) - {"baseModel"} == {_camel(path) for path in action.mask} - {"baseModel"}
    if isinstance(action, SetTags):
        assert action.fields
        keys = [key.removeprefix("custom/") for key in (*action.tags, *action.remove)]
        assert not [key for key in keys if is_reserved_tag(key)], "the owner marker is no tag of the spec"


@MANY
@given(resources(), observations(), contexts())
def test_whoever_waits_for_a_time_waits_for_the_future(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    # A time in the past would have the resource looked at again and again, without a pause.
    action = decide(assess(resource, observed, context))
    if isinstance(action, Rest | Progress | Trouble | Refuse):
        assert action.until is None or action.until > context.now


def _camel(path: str) -> str:
    first, *rest = path.split("_")
    return first + "".join(part.capitalize() for part in rest)
