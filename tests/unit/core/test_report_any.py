"""What holds for every status that `report()` derives."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin

from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import ApiModel, FireworksDeployment, FireworksDeploymentStatus, ManagementPolicy
from fireworks_operator.core.actions import (
    Action,
    AddFinalizer,
    Create,
    LoadAddon,
    Mutation,
    Refuse,
    RemoveFinalizer,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Observed, Unknown
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import CLOCK_TOLERANCE, set_clock_right
from fireworks_operator.core.situation import assess
from fireworks_operator.core.status.report import report
from fireworks_operator.fireworks.errors import ErrorKind
from testkit.builders import NOW, an_error
from testkit.properties import examples
from tests.unit.core.strategies import contexts, observations, resources

Model = TypeVar("Model", bound=ApiModel)
REASONS = {reason.value for reason in Reason}
MANY = examples(100)
UNREPORTED = (AddFinalizer, RemoveFinalizer)
"""Actions that change the resource itself; the pass after them reports."""


def of(status: FireworksDeploymentStatus, kind: ConditionType) -> str:
    return next((each.status for each in status.conditions if each.type == kind), "absent")


def stored(resource: FireworksDeployment, status: FireworksDeploymentStatus) -> FireworksDeployment:
    """Return the resource as the API server has it after a write: times have whole seconds there."""
    return resource.model_copy(update={"status": FireworksDeploymentStatus.model_validate(status.to_wire())})


def outcome_of(action: Action, error: int) -> Outcome:
    """Return a success, or one of the ways to fail, of an action that can fail."""
    kinds = list(ErrorKind)
    if not isinstance(action, Mutation) or error == len(kinds):
        return Outcome(action)
    if error > len(kinds):
        return Outcome(action, begun=isinstance(action, Create | LoadAddon))
    return Outcome(action, an_error(kinds[error]))


OUTCOMES = st.integers(0, len(ErrorKind) + 1)


@MANY
@given(resources(), observations(), contexts(), OUTCOMES)
def test_nobody_is_called_while_work_goes_on_by_itself(
    resource: FireworksDeployment, observed: Observed, context: Context, result: int
) -> None:
    action = decide(assess(resource, observed, context))
    if isinstance(action, UNREPORTED):
        return
    status = report(assess(resource, observed, context), outcome_of(action, result))
    if status == resource.status:
        return
    assert (of(status, ConditionType.RECONCILING), of(status, ConditionType.STALLED)) != ("True", "True")
    if of(status, ConditionType.READY) == "True":
        assert status.observed_generation == resource.metadata.generation
        assert of(status, ConditionType.STALLED) == "False"
        assert not isinstance(action, Refuse)


@MANY
@given(resources(), observations(), contexts())
def test_an_idle_resource_is_written_at_most_until_all_is_said(
    resource: FireworksDeployment, observed: Observed, context: Context
) -> None:
    context = replace(context, skip_pauses=False)
    for _ in range(3):
        action = decide(assess(resource, observed, context))
        if not isinstance(action, Waiting):
            return
        resource = stored(resource, report(assess(resource, observed, context), Outcome(action)))
    later = replace(context, now=context.now + timedelta(milliseconds=700))
    action = decide(assess(resource, observed, later))
    if isinstance(action, Waiting):
        assert report(assess(resource, observed, later), Outcome(action)) == resource.status


@MANY
@given(resources(), contexts())
def test_the_unknown_is_not_gone(resource: FireworksDeployment, context: Context) -> None:
    action = decide(assess(resource, Unknown(), context))
    if isinstance(action, UNREPORTED):
        return
    before, after = resource.status, report(assess(resource, Unknown(), context), Outcome(action))
    for name in ("deployment_name", "account", "state", "replicas", "effective", "create_time"):
        assert getattr(after, name) == getattr(before, name), name
    if resource.spec.management_policy is ManagementPolicy.MANAGE:
        assert after.applied_fields == before.applied_fields
    if of(before, ConditionType.AVAILABLE) == "True":
        assert of(after, ConditionType.AVAILABLE) == "True"


@MANY
@given(resources(), observations(), contexts(), OUTCOMES)
def test_messages_hold_no_times_and_say_something(
    resource: FireworksDeployment, observed: Observed, context: Context, result: int
) -> None:
    action = decide(assess(resource, observed, context))
    if isinstance(action, UNREPORTED):
        return
    status = report(assess(resource, observed, context), outcome_of(action, result))
    for each in status.conditions:
        assert len(each.message) <= 700
        ending = f"{status.expires_at:%Y-%m-%dT%H:%M:%SZ}" if status.expires_at is not None else ""
        assert not re.search(r"\d\d:\d\d|20\d\d-\d\d", each.message.replace(ending, "")), each.message
        assert each.reason in REASONS
        if each.status != "False" and each.message != "before":
            assert each.message.strip().endswith((".", "true", '"')), each.message


@MANY
@given(resources(), observations(), contexts(), OUTCOMES)
def test_the_same_inputs_give_the_same_status_and_one_that_the_schema_accepts(
    resource: FireworksDeployment, observed: Observed, context: Context, result: int
) -> None:
    action = decide(assess(resource, observed, context))
    if isinstance(action, UNREPORTED):
        return
    status = report(assess(resource, observed, context), outcome_of(action, result))
    assert report(assess(resource, observed, context), outcome_of(action, result)) == status
    assert FireworksDeploymentStatus.model_validate(status.to_wire()).to_wire() == status.to_wire()
    assert len({each.type for each in status.conditions}) == len(status.conditions)
    if status.last_attempt is not None:
        assert len(status.last_attempt.action) <= 64


PULLED_BACK = {"time", "recreations", "waiting_since", "request_time", "start_time", "until"}
KEPT = {"create_time", "purge_time", "last_transition_time", "as_of", "expires_at", "since", "replaces"}
"""Times that Fireworks or the API server tell, those that only people read, and one that starts anew with the rate."""


def _times(value: object, name: str = "") -> list[tuple[str, datetime]]:
    """Return all times in a status by the names of their fields."""
    if isinstance(value, datetime):
        return [(name, value)]
    if isinstance(value, list):
        return [time for each in value for time in _times(each, name)]
    if isinstance(value, ApiModel):
        return [time for field in type(value).model_fields for time in _times(getattr(value, field), field)]
    return []


def test_no_pause_is_counted_from_a_time_in_the_future() -> None:
    ahead = NOW + timedelta(days=30)
    status = filled(FireworksDeploymentStatus, ahead)
    assert {name for name, _ in _times(status)} == PULLED_BACK | KEPT, "a new one needs its place in set_clock_right"
    righted = set_clock_right(status, NOW)
    assert {time for name, time in _times(righted) if name in PULLED_BACK} == {NOW}
    assert {time for name, time in _times(righted) if name in KEPT} == {ahead}
    assert set_clock_right(righted, NOW) is righted
    assert set_clock_right(status, ahead - CLOCK_TOLERANCE) is status, "clocks of two nodes differ a little"


def filled(model: type[Model], time: datetime) -> Model:
    """Return a model with every field filled, each list and map with one entry, each time the one given."""
    plain = {datetime: time, int: 1, float: 0.5, bool: True, str: "accounts/x/deployments/x"}

    def value(annotation: Any) -> Any:  # noqa: ANN401 - any type that a model is made of
        arguments = [each for each in get_args(annotation) if each is not type(None)]
        if annotation in plain:
            return plain[annotation]
        if get_origin(annotation) is list:
            return [value(arguments[0])]
        if get_origin(annotation) is dict:
            return {"key": value(arguments[1])}
        if isinstance(annotation, type) and issubclass(annotation, ApiModel):
            return filled(annotation, time)
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return next(iter(annotation))
        return arguments[0] if get_origin(annotation) is Literal else value(arguments[0])

    return model(**{name: value(info.annotation) for name, info in model.model_fields.items()})


def test_every_reason_is_explained() -> None:
    for reason in Reason:
        assert reason.doc.endswith("."), reason
        assert reason.value[0].isupper()
