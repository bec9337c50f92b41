"""`forecast()`: all that the operator would do, one decision after the other, until there is nothing left to do."""

from dataclasses import dataclass, replace
from datetime import timedelta

from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.core.actions import (
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
    SetRouter,
    Trouble,
    Undelete,
    Waiting,
)
from fireworks_operator.core.context import Context
from fireworks_operator.core.decisions.decide import decide
from fireworks_operator.core.observed.observation import Observed
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Situation, assess
from fireworks_operator.core.status.report import report

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
    """

    steps: tuple[Step, ...]
    end: Waiting
    situation: Situation
    released: str = ""
    refused: Step | None = None


class EndlessError(Exception):
    """The decisions do not come to an end; that is a mistake of the operator."""


def forecast(resource: FireworksDeployment, observed: Observed, context: Context, told: Told) -> Forecast:
    """Decide, and take it for granted that Fireworks accepts what is asked of it, until nothing is left to do.

    Args:
        resource: as the API server would store it, with the status that it has now.
        observed: what Fireworks says of its deployment now.
        context: what surrounds the resource now.
        told: what Fireworks was asked beforehand.

    Raises:
        EndlessError: there is no end.
    """
    steps: list[Step] = []
    released = ""
    for _ in range(MOST_STEPS):
        situation = assess(resource, observed, context)
        action = decide(situation)
        if isinstance(action, Waiting):
            resource = _stored(situation, Outcome(action))
            later = None if isinstance(action, Refuse | Trouble) else in_time(observed)
            if later is not None:
                observed = later
            elif isinstance(action, Progress) and action.until is not None:
                context = replace(context, now=max(action.until, context.now) + _MOMENT)
            else:
                return Forecast(tuple(steps), action, replace(situation, resource=resource), released)
        elif isinstance(action, Mutation):
            steps.append(Step(action, changes_of(action, situation)))
            resource, observed = _carried_out(situation, action, told)
            context = _learnt(context, action)
        else:
            released = action.message if isinstance(action, RemoveFinalizer) else released
            resource = _written(situation, action)
    raise EndlessError(f"{resource.ref}: the decisions do not come to an end after {MOST_STEPS} steps")


def _carried_out(situation: Situation, action: Mutation, told: Told) -> tuple[FireworksDeployment, Observed]:
    """Return the resource and the observation after a request that was accepted."""
    if isinstance(action, _BEGUN) or (isinstance(action, Delete) and action.replaces):
        situation = situation.stored(_stored(situation, Outcome(action, begun=True)))
    observed = after(action, situation, told)
    return _stored(situation.answered(observed), Outcome(action)), observed


def _written(
    situation: Situation, action: AddFinalizer | Claim | Choose | Park | RemoveFinalizer
) -> FireworksDeployment:
    """Return the resource after a change at Kubernetes alone."""
    if isinstance(action, Claim | Choose | Park):
        return _stored(situation, Outcome(action))
    resource, metadata = situation.resource, situation.resource.metadata
    finalizers = [each for each in metadata.finalizers if each != FINALIZER]
    if isinstance(action, AddFinalizer):
        finalizers.append(FINALIZER)
    return resource.model_copy(update={"metadata": metadata.model_copy(update={"finalizers": finalizers})})


def _stored(situation: Situation, outcome: Outcome) -> FireworksDeployment:
    return situation.resource.model_copy(update={"status": report(situation, outcome)})


def _learnt(context: Context, action: Mutation) -> Context:
    """Return the context once a router is changed, or a model is prepared, which its record then says."""
    if isinstance(action, CreateRouter | SetRouter | DeleteRouter):
        return replace(context, router=router_after(action, context))
    if not isinstance(action, PrepareModel) or action.model not in context.models:
        return context
    record = context.models[action.model]
    prepared = replace(record, supported_precisions=(*record.supported_precisions, action.precision))
    return replace(context, models={**context.models, action.model: prepared})
