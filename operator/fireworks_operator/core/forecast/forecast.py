"""`forecast()`: all that the operator would do, one decision after the other, until there is nothing left to do."""

from collections.abc import Iterator, Mapping
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
from fireworks_operator.core.heirs import Heirs
from fireworks_operator.core.observed.observation import Absent, Observed, Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.replacing.handover import decide_resource
from fireworks_operator.core.replacing.report import report_resource
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.target import second_name, target_name

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
class TakenUp:
    """A deployment that the status did not name, and that is looked after again.

    `message` says what a replacement has left behind; empty for what has taken the place of the one in the status.
    """

    observed: Observed
    message: str = ""


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
        taken_up: what is looked after again, since the status that named it was lost.
    """

    steps: tuple[Step, ...]
    end: Waiting
    situation: Situation
    released: str = ""
    refused: Step | None = None
    beside: tuple[Observed, Observed] | None = None
    taken_up: tuple[TakenUp, ...] = ()


_Write = AddFinalizer | Claim | Choose | Park | SetReplacement | Turn | RemoveFinalizer


class EndlessError(Exception):
    """The decisions do not come to an end; that is a mistake of the operator."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """How things are before a decision: the resource, its deployment, and the second one while it is replaced.

    `heirs` are what the context tells of the account's other deployments.
    """

    resource: FireworksDeployment
    observed: Observed
    second: Observed
    context: Context
    heirs: Heirs | None

    def decided(self) -> tuple[Situation, Action]:
        """Return the next step, and the situation that it is about."""
        return decide_resource(self.resource, self.observed, self.second, self.context)

    def seen(self, situation: Situation, observed: Observed) -> "_Moment":
        """Return the moment after one of both deployments has become another."""
        return replace(self, second=observed) if situation.beside is not None else replace(self, observed=observed)

    def without(self, name: str) -> "_Moment":
        """Return the moment after a deployment was deleted."""
        return self if self.heirs is None else self.knowing(self.heirs.without(name))

    def knowing(self, heirs: Heirs) -> "_Moment":
        """Return the moment with what is known of the account's deployments."""
        return replace(self, heirs=heirs, context=replace(self.context, heir=heirs.find, leftovers=heirs.beside))

    def named(self, resource: FireworksDeployment, others: Mapping[str, Observed]) -> "_Moment":
        """Return the moment once the status names other deployments than before, which have been looked at."""
        observed, second = self.observed, self.second
        name = target_name(resource, self.context)
        if name != target_name(self.resource, self.context):
            observed = others.get(name or "", Absent(confirmed=True))
        name = second_name(resource, self.context)
        if name != second_name(self.resource, self.context):
            second = others.get(name or "", Absent(confirmed=True))
        return replace(self, resource=resource, observed=observed, second=second)


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
    moment = _Moment(resource, observed, Absent(confirmed=True) if second is None else second, context, None)
    moment = moment if told.heirs is None else moment.knowing(told.heirs)
    steps: list[Step] = []
    taken_up: list[TakenUp] = []
    released, refused, beside = "", None, None
    for _ in range(MOST_STEPS):
        situation, action = moment.decided()
        if isinstance(action, Waiting):
            moment = replace(moment, resource=_stored(situation, Outcome(action)))
            later = None if isinstance(action, Refuse | Trouble) else _later(moment, action)
            if later is None:
                end = replace(situation, resource=moment.resource)
                waits = _said(situation, action)
                return Forecast(tuple(steps), waits, end, released, refused, beside, tuple(taken_up))
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
            written = _written(moment, situation, action, told)
            taken_up += _taken_up(moment, written, action)
            moment = written
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
    if isinstance(action, Delete):
        moment = moment.without(action.target)
    context = _learnt(moment.context, action)
    return replace(moment.seen(situation, observed), resource=resource, context=context)


def _written(moment: _Moment, situation: Situation, action: _Write, told: Told) -> _Moment:
    """Return the moment after a change at Kubernetes alone."""
    if isinstance(action, Turn):
        stored = _stored(situation, Outcome(action))
        return replace(moment, resource=stored, observed=moment.second, second=moment.observed)
    if not isinstance(action, AddFinalizer | RemoveFinalizer):
        return moment.named(_stored(situation, Outcome(action)), told.others)
    resource, metadata = situation.subject, situation.subject.metadata
    finalizers = [each for each in metadata.finalizers if each != FINALIZER]
    if isinstance(action, AddFinalizer):
        finalizers.append(FINALIZER)
    finalized = metadata.model_copy(update={"finalizers": finalizers})
    return replace(moment, resource=resource.model_copy(update={"metadata": finalized}))


def _taken_up(before: _Moment, after: _Moment, action: _Write) -> Iterator[TakenUp]:
    """Tell of a deployment that a write has put into the status, and that existed before."""
    if isinstance(action, Claim) and after.observed is not before.observed:
        yield TakenUp(after.observed)
    begun = isinstance(action, SetReplacement) and before.resource.status.replacement is None
    if isinstance(action, SetReplacement) and begun and isinstance(after.second, Present):
        yield TakenUp(after.second, action.message)


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
