"""What raises the ceiling of a deployment, and whether the budgets of its resource let it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from fireworks_operator.api.conditions import ConditionType, Reason
from fireworks_operator.api.v1alpha1 import Effective, FireworksDeployment, ManagementPolicy
from fireworks_operator.core.actions import Action, Claim, Create, Delete, Refuse, RemoveFinalizer, Undelete, Update
from fireworks_operator.core.budgets import NOTHING, Ceiling, Hardware, Room, money, refusal, stored_ceiling
from fireworks_operator.core.ceiling import (
    bounded,
    gpus_at_most,
    gpus_of_replica,
    hourly_of,
    replicas_of_new,
    wire_gpus_at_most,
)
from fireworks_operator.core.desired.choices import chosen_spec
from fireworks_operator.core.desired.drift import Difference
from fireworks_operator.core.desired.fields import fields_at, put
from fireworks_operator.core.desired.parking import ParkingOrder
from fireworks_operator.core.desired.shapes import DEFAULT_SHAPE, same_shape
from fireworks_operator.core.desired.wanted import wire_values
from fireworks_operator.core.observed.observation import Absent, Present, Unknown
from fireworks_operator.core.pauses import is_replacing, may_take_effect, revives_until
from fireworks_operator.core.prices import Prices
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.deployment_shapes import DeploymentShape
from fireworks_operator.fireworks.models import Deployment

_RAISES = frozenset({"maxReplicaCount", "maxWithRevocableReplicaCount", "acceleratorCount", "deploymentShape"})
"""Fields whose change can raise the ceiling; a minimum only does where it is above the maximum."""


GPUS_OF_NODE = 8
"""GPUs of the largest replica (Fireworks documentation, on-demand deployments)."""
_UNCLAIMED = "accounts/unknown/deployments/unknown"
UNKNOWN_RECHECK = timedelta(minutes=10)
"""How often it is asked again for the GPUs of a replica that Fireworks has not told."""


@dataclass(frozen=True, slots=True)
class HardwareQuestion:
    """What has to be asked of Fireworks to know the GPUs of a replica: which shapes fit a model.

    `shape` and `accelerator_type` narrow the answer, where the spec names one.
    """

    model: str
    shape: str | None
    accelerator_type: str | None
    addons: bool


def refuse_creation(situation: Situation) -> Refuse | None:
    """Refuse a deployment that the budgets have no room for; None if they have."""
    if not situation.context.rooms:
        return None
    asked, first = _of_new(situation), situation.status.create_time is None
    # What is created again has to fit the limits of today; what was granted for the first time is kept to.
    before = situation.context.granted if first else _whole(situation, NOTHING)
    return _unknown(situation) if asked is None else _refuse(situation, asked, before)


def has_room(situation: Situation) -> bool:
    """Tell whether the budgets have room for a new deployment in the place of the one there is, as far as is known."""
    asked = _of_new(situation)
    return asked is None or _refuse(situation, asked, _whole(situation, NOTHING)) is None


def refuse_replacement(situation: Situation) -> Refuse | None:
    """Refuse a deployment in the place of the present one, whose room is its own; None if there is enough."""
    if not situation.context.rooms:
        return None
    asked, before = _of_new(situation), _whole(situation, ceiling_of(situation)).grown_to(situation.context.granted)
    return _unknown(situation) if asked is None else _refuse(situation, asked, before)


def frees_quota(situation: Situation) -> bool:
    """Tell whether the present deployment's end frees all of the account's quota that the one in its place takes."""
    observed, asked = situation.observed, _of_new(situation)
    if not isinstance(observed, Present) or observed.deployment.state == "DELETED" or asked is None:
        return False
    same = situation.wanted.values.get("acceleratorType") == observed.deployment.accelerator_type
    stays = all(each.path != "placement" for each in situation.drift.replacements)
    return same and stays and asked.gpus <= ceiling_of(situation).gpus


def refuse_undelete(situation: Situation, deployment: Deployment) -> Refuse | None:
    """Refuse to bring back what the budgets have no room for; None if they have.

    What was deleted here only to be replaced still has its room.
    """
    before = situation.context.granted if is_replacing(situation.status) else _whole(situation, NOTHING)
    return _refuse(situation, _ceiling(situation, deployment, wire_gpus_at_most(deployment.raw)), before)


def within_budget(situation: Situation, deployment: Deployment) -> tuple[Situation, Refuse | None]:
    """Take from the drift what the budgets have no room for; all else is put right meanwhile."""
    changes = situation.drift.changes
    if not situation.context.rooms or not any(_may_raise(each, deployment) for each in changes):
        return situation, None
    asked = _after(situation, deployment, situation.drift.patch_body(deployment.raw))
    granted = _whole(situation, ceiling_of(situation)).grown_to(situation.context.granted)
    refused = _unknown(situation) if asked is None else _refuse(situation, asked, granted)
    if refused is None:
        return situation, None
    others = tuple(each for each in changes if not _may_raise(each, deployment))
    return replace(situation, drift=replace(situation.drift, changes=others)), refused


def ceiling_of(situation: Situation) -> Ceiling:
    """Return the ceiling of the observed deployment; nothing if there is none, or if it is deleted."""
    if not isinstance(situation.observed, Present):
        return NOTHING
    deployment = situation.observed.deployment
    return _ceiling(situation, deployment, gpus_at_most(deployment))


def ceiling_after(situation: Situation, action: Action) -> Ceiling | None:
    """Return the ceiling that an action leads to; None if it raises none, or if that is not known."""
    own = _own_ceiling_after(situation, action)
    return None if own is None else _whole(situation, own)


def _own_ceiling_after(situation: Situation, action: Action) -> Ceiling | None:
    observed = situation.observed
    match action:
        case Claim() | Create():
            return _of_new(situation)
        case Undelete() if isinstance(observed, Present):
            return _ceiling(situation, observed.deployment, wire_gpus_at_most(observed.deployment.raw))
        case Update(body=body) if isinstance(observed, Present):
            return _after(situation, observed.deployment, body)
        case Delete(replaces=(_, *_)):
            asked = _of_new(situation)  # its room is kept before the present one goes
            return None if asked is None else asked.grown_to(ceiling_of(situation))
    return None


def asked_for(situation: Situation) -> Ceiling | None:
    """Return the ceiling that the resource asks for in the end; None if it is not known."""
    own = _own_asked_for(situation)
    return None if own is None else _whole(situation, own)


def _own_asked_for(situation: Situation) -> Ceiling | None:
    if not isinstance(situation.observed, Present) or (situation.may_replace and situation.drift.replacements):
        return _of_new(situation)
    deployment = situation.observed.deployment
    return _after(situation, deployment, situation.drift.patch_body(deployment.raw))


def granted_still(situation: Situation, action: Action, granted: Ceiling) -> Ceiling:
    """Return what a resource needs of the ceiling that it was granted, as a pass finds it.

    Where nothing exists and nothing is going to be made, it needs none; while that is not known, it keeps all.
    """
    observed, status = situation.observed, situation.status
    if isinstance(situation.other, Unknown):
        return granted
    if isinstance(observed, Present) and observed.deployment.state != "DELETED":
        has, replaced = _whole(situation, ceiling_of(situation)), is_replacing(status)
        return has.grown_to(granted) if replaced and situation.drift.replacements else has
    lacking = isinstance(observed, Absent) and (observed.confirmed or status.create_time is None)
    deleted = isinstance(observed, Present)
    pending = may_take_effect(status.last_attempt, situation.now) or revives_until(status.last_attempt, situation.now)
    ends = isinstance(action, Refuse | RemoveFinalizer) and not pending
    return _whole(situation, NOTHING) if (lacking or deleted) and ends else granted


def possible_ceiling(resource: FireworksDeployment, prices: Prices, now: datetime) -> Ceiling:
    """Return the ceiling that a resource may come to have by a request that was sent before anybody looked.

    That is what its spec asks for, if it has claimed a deployment.
    """
    stored, managed = stored_ceiling(resource), resource.spec.management_policy is ManagementPolicy.MANAGE
    claimed = resource.status.deployment_name is not None and resource.metadata.deletion_timestamp is None
    if not (claimed and managed):
        return stored
    asked = spec_ceiling(resource, prices, now)
    return asked.grown_to(stored) if resource.status.replacement is None else asked.plus(stored)


def spec_ceiling(resource: FireworksDeployment, prices: Prices, now: datetime) -> Ceiling:
    """Return the ceiling that a spec asks for, as far as it tells: a replica of unknown size counts as a whole node."""
    wire: dict[str, JsonValue] = {}
    values = wire_values(chosen_spec(resource), resource.status.account)
    for field in fields_at(values):
        put(wire, field.wire, values[field.path])
    effective = resource.status.effective or Effective()
    wire.setdefault("acceleratorCount", effective.accelerator_count or GPUS_OF_NODE)
    wire.setdefault("acceleratorType", effective.accelerator_type or "")
    gpus = bounded(replicas_of_new(wire) * gpus_of_replica(wire))
    deployment = Deployment.parse({**wire, "name": resource.status.deployment_name or _UNCLAIMED})
    return Ceiling(gpus, hourly_of(prices.of(deployment.account), deployment, gpus, now))


def is_waiting(resource: FireworksDeployment) -> bool:
    """Tell whether a resource waits for room, as its status says."""
    said = (each.reason for each in resource.status.conditions if each.type == ConditionType.READY)
    return Reason.BUDGET_EXCEEDED in said and not resource.spec.paused and resource.status.parked is None


def parked_by_budget(rooms: Iterable[Room]) -> ParkingOrder | None:
    """Return why budgets have a resource parked; None if they have not."""
    for room in rooms:
        if room.parks and room.month_is_spent:
            return ParkingOrder(
                Reason.BUDGET_EXCEEDED,
                f"Parked: budget {room.budget} allows ${money(room.limits.monthly)} per month: they are spent. "
                "Nothing is deleted. It continues when the next month begins, at "
                f"{room.month_ends:%Y-%m-%d %H:%M} UTC, or when spec.limits.monthlyCost of the budget is raised.",
                room.month_ends,
            )
    return None


def hardware_question(situation: Situation) -> HardwareQuestion | None:
    """Return what to ask Fireworks before the budgets can be asked; None if it is known, or need not be."""
    if not situation.context.rooms or situation.context.hardware is not None or _knows_hardware(situation):
        return None
    values = situation.wanted.values
    shape, kind = values.get("deploymentShape"), values.get("acceleratorType")
    return HardwareQuestion(
        str(values["baseModel"]),
        str(shape) if shape and shape != DEFAULT_SHAPE else None,
        str(kind) if kind else None,
        bool(values.get("enableAddons")),
    )


def fitting(question: HardwareQuestion, shapes: Iterable[DeploymentShape]) -> tuple[Hardware, ...]:
    """Return what a replica may run on, by the shapes that fit the model."""
    found = (
        each
        for each in shapes
        if (question.shape is None or same_shape(each.name, question.shape, question.model))
        and question.accelerator_type in (None, each.accelerator_type)
        and each.accelerator_count
    )
    return tuple(Hardware(each.accelerator_type, each.accelerator_count) for each in found)


def _knows_hardware(situation: Situation) -> bool:
    """Tell whether the GPUs after the next step are known without asking."""
    observed, values = situation.observed, situation.wanted.values
    if isinstance(observed, Present) and not situation.drift.replacements:
        return all(each.path != "deploymentShape" for each in situation.drift.changes)
    return "acceleratorType" in values and "acceleratorCount" in values


def _whole(situation: Situation, own: Ceiling) -> Ceiling:
    """Return the ceiling of a resource whose deployment has this one: while it has two, they count together."""
    other = situation.other
    if not isinstance(other, Present):
        return own
    return own.plus(_ceiling(situation, other.deployment, gpus_at_most(other.deployment)))


def _refuse(situation: Situation, asked: Ceiling, before: Ceiling) -> Refuse | None:
    """Say why the budgets refuse one deployment a ceiling, `before` being that of the whole resource."""
    why = refusal(situation.context.rooms, _whole(situation, asked), before)
    return None if why is None else Refuse(Reason.BUDGET_EXCEEDED, why)


def _unknown(situation: Situation) -> Refuse:
    budget = situation.context.rooms[0].budget
    return Refuse(
        Reason.BUDGET_EXCEEDED,
        f"Budget {budget} counts GPUs, and Fireworks does not tell how many a replica of this deployment would have. "
        "Set spec.acceleratorType and spec.acceleratorCount, or a spec.deploymentShape that `kubectl fireworks shapes "
        "MODEL` lists.",
        situation.now + UNKNOWN_RECHECK,
    )


def _may_raise(change: Difference, deployment: Deployment) -> bool:
    if change.path == "minReplicaCount":
        return isinstance(change.wanted, int) and change.wanted > deployment.max_replica_count
    return change.path in _RAISES


def _of_new(situation: Situation) -> Ceiling | None:
    """Return the ceiling of the deployment that a create request would make; None if Fireworks chooses its GPUs."""
    wanted, name = situation.wanted, situation.target
    body = wanted.create_body(situation.owner, default_shape=False)
    if name is None:
        return None
    replicas = replicas_of_new(body)
    options = _with_hardware(situation, {**body, "name": name})
    return _highest(
        _ceiling(situation, Deployment.parse(each), bounded(replicas * gpus_of_replica(each))) for each in options
    )


def _after(situation: Situation, deployment: Deployment, body: Mapping[str, JsonValue]) -> Ceiling | None:
    """Return the ceiling after a PATCH; None if it names a shape whose GPUs are not known."""
    merged: dict[str, JsonValue] = {**deployment.raw, **body}
    if "deploymentShape" not in body:
        return _ceiling(situation, Deployment.parse(merged), wire_gpus_at_most(merged))
    for name in {"acceleratorType", "acceleratorCount"} - body.keys():
        merged.pop(name, None)  # the shape says
    options = _with_hardware(situation, merged)
    return _highest(_ceiling(situation, Deployment.parse(each), wire_gpus_at_most(each)) for each in options)


def _with_hardware(situation: Situation, wire: dict[str, JsonValue]) -> list[dict[str, JsonValue]]:
    """Return what may become of a deployment, by the shapes that Fireworks may choose; none if that is not known."""
    if "acceleratorType" in wire and "acceleratorCount" in wire:
        return [wire]
    found: tuple[Hardware, ...] = situation.context.hardware or ()
    return [
        {"acceleratorType": each.accelerator_type, "acceleratorCount": each.accelerator_count, **wire} for each in found
    ]


def _highest(ceilings: Iterable[Ceiling]) -> Ceiling | None:
    """Return what is enough whichever of them comes true; None of none."""
    highest: Ceiling | None = None
    for each in ceilings:
        highest = each if highest is None else highest.grown_to(each)
    return highest


def _ceiling(situation: Situation, deployment: Deployment, gpus: int) -> Ceiling:
    context = situation.context
    return Ceiling(gpus, hourly_of(context.prices.of(deployment.account), deployment, gpus, context.now))
