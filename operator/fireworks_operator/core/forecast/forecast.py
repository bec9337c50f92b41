"""`forecast()`: all that the operator would do, one decision after the other, until there is nothing left to do."""

from dataclasses import dataclass, replace
from datetime import timedelta

from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.core.actions import (
    Action,
    AddFinalizer,
    Adopt,
    Choose,
    Claim,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    LoadAddon,
    Mutation,
    Park,
    PrepareModel,
    Progress,
    Refuse,
    RemoveFinalizer,
    SetReplacement,
    SetRouter,
    Switch,
    Trouble,
    Turn,
    Undelete,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.observed.observation import Absent, Observed
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.replacing.handover import decide_resource
from fireworks_operator.core.replacing.report import report_resource
from fireworks_operator.core.situation import Situation

from .changes import FieldChange, changes_of
from .fireworks import Told, after, in_time, router_after

MOST_STEPS = 1000
"""More decisions than any resource takes: 100 addons are loaded one by one."""
_MOMENT = timedelta(seconds=1)
_BEGUN = (Create, Adopt, Undelete, LoadAddon, CreateRouter)
"""What the operator writes down before it asks for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A request that would be sent, and what it changes."""

    action: Mutation
    changes: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the operator would do.

    Attributes:
        steps: the requests that change something at Fireworks, in their order.
        end: what it would wait in.
        situation: upon which the end is decided: the resource with its status, and the deployment, as they would be.
        released: why the operator would stop managing the deployment; empty if it would not.
        refused: the request after those that Fireworks says it would refuse; None if it was not asked, or would not.
        beside: what both deployments are while one takes the place of the other; None if there are never two.
    """

    steps: tuple[Step, ...]
    end: Waiting
    situation: Situation
    released: str = ""
    refused: Step | None = None
    beside: tuple[Observed, Observed] | None = None


class EndlessError(Exception):
    """The decisions do not come to an end; that is a mistake of the operator."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """How things are before a decision: the resource, its deployment, and the second one while it is replaced."""

    resource: FireworksDeployment
    observed: Observed
    second: Observed
    context: Context

    def decided(self) -> tuple[Situation, Action]:
        """Return the next step, and the situation that it is about."""
        return decide_resource(self.resource, self.observed, self.second, self.context)

    def seen(self, situation: Situation, observed: Observed) -> "_Moment":
        """Return the moment after one of both deployments has become another."""
        return replace(self, second=observed) if situation.beside is not None else replace(self, observed=observed)


def forecast(
    resource: FireworksDeployment, observed: Observed, context: Context, told: Told, second: Observed | None = None
) -> Forecast:
    """Decide, and take it for granted that Fireworks accepts what is asked of it, until nothing is left to do.

    Args:
        resource: as the API server would store it, with the status that it has now.
        observed: what Fireworks says of its deployment now.
        context: what surrounds the resource now.
        told: what Fireworks was asked beforehand.
        second: what it says of the second deployment of a resource that is being replaced; None if there is none.

    Raises:
        EndlessError: there is no end.
    """
    moment = _Moment(resource, observed, Absent(confirmed=True) if second is None else second, context)
    steps: list[Step] = []
    released, refused, beside = "", None, None
    for _ in range(MOST_STEPS):
        situation, action = moment.decided()
        if isinstance(action, Waiting):
            moment = replace(moment, resource=_stored(situation, Outcome(action)))
            later = None if isinstance(action, Refuse | Trouble) else _later(moment, action)
            if later is None:
                end = replace(situation, resource=moment.resource)
                return Forecast(tuple(steps), _said(situation, action), end, released, refused, beside)
            moment = later
        elif isinstance(action, Create) and situation.beside is not None and told.refused is not None:
            refused = Step(action, changes_of(action, situation))
            context = replace(moment.context, skip_pauses=False)  # it is not tried again at once
            moment = replace(moment, resource=_stored(situation, Outcome(action, told.refused)), context=context)
        elif isinstance(action, Mutation):
            steps.append(Step(action, changes_of(action, situation)))
            moment = _carried_out(moment, situation, action, told)
        else:
            released = action.message if isinstance(action, RemoveFinalizer) else released
            if isinstance(action, Switch):
                beside = (moment.observed, moment.second)
            moment = _written(moment, situation, action)
    raise EndlessError(f"{resource.ref}: the decisions do not come to an end after {MOST_STEPS} steps")


def _said(situation: Situation, action: Waiting) -> Waiting:
    """Return what the resource waits in: while a successor is refused, the deployment that it replaces serves."""
    return action if situation.beside is None or isinstance(action, Trouble) else situation.beside.action


def _later(moment: _Moment, action: Waiting) -> _Moment | None:
    """Return what comes about by time alone; None if nothing does."""
    replacement = moment.resource.status.replacement
    observed, second = in_time(moment.observed), in_time(moment.second)
    if observed is not None:
        return replace(moment, observed=observed)
    if replacement is not None and second is not None:
        return replace(moment, second=second)
    drains = replacement.until if replacement is not None else None
    until = action.until if isinstance(action, Progress) else drains
    if until is None or (until < moment.context.now and not isinstance(action, Progress)):
        return None
    return replace(moment, context=replace(moment.context, now=max(until, moment.context.now) + _MOMENT))


def _carried_out(moment: _Moment, situation: Situation, action: Mutation, told: Told) -> _Moment:
    """Return the moment after a request that was accepted."""
    if isinstance(action, _BEGUN) or (isinstance(action, Delete) and action.replaces):
        situation = situation.stored(_stored(situation, Outcome(action, begun=True)))
    observed = after(action, situation, told)
    resource = _stored(situation.answered(observed), Outcome(action))
    context = _learnt(moment.context, action)
    return replace(moment.seen(situation, observed), resource=resource, context=context)


def _written(
    moment: _Moment,
    situation: Situation,
    action: AddFinalizer | Claim | Choose | Park | SetReplacement | Turn | RemoveFinalizer,
) -> _Moment:
    """Return the moment after a change at Kubernetes alone."""
    if not isinstance(action, AddFinalizer | RemoveFinalizer):
        written = replace(moment, resource=_stored(situation, Outcome(action)))
        if isinstance(action, Turn):
            return replace(written, observed=moment.second, second=moment.observed)
        ended = isinstance(action, SetReplacement) and action.replacement is None
        return replace(written, second=Absent(confirmed=True)) if ended else written
    resource, metadata = situation.subject, situation.subject.metadata
    finalizers = [each for each in metadata.finalizers if each != FINALIZER]
    if isinstance(action, AddFinalizer):
        finalizers.append(FINALIZER)
    finalized = metadata.model_copy(update={"finalizers": finalizers})
    return replace(moment, resource=resource.model_copy(update={"metadata": finalized}))


def _stored(situation: Situation, outcome: Outcome) -> FireworksDeployment:
    return situation.subject.model_copy(update={"status": report_resource(situation, outcome)})


def _learnt(context: Context, action: Mutation) -> Context:
    """Return the context once a router is changed, or a model is prepared, which its record then says."""
    if isinstance(action, CreateRouter | SetRouter | DeleteRouter):
        return replace(context, router=router_after(action, context))
    if not isinstance(action, PrepareModel) or action.model not in context.models:
        return context
    record = context.models[action.model]
    prepared = replace(record, supported_precisions=(*record.supported_precisions, action.precision))
    return replace(context, models={**context.models, action.model: prepared})
