"""What a step changes, field by field, in the words of the spec."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from fireworks_operator.core.actions import (
    Adopt,
    Create,
    CreateRouter,
    Delete,
    DeleteRouter,
    KeyChange,
    LoadAddon,
    Mutation,
    PrepareModel,
    SetDeployedModel,
    SetRouter,
    SetTags,
    UnloadAddon,
    Update,
    UpdateAddon,
)
from fireworks_operator.core.desired.drift import Difference
from fireworks_operator.core.desired.shapes import DEFAULT_SHAPE
from fireworks_operator.core.identity import parse_marker
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import DeployedModel


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field: its value at Fireworks, None where there is none, and the one that it would get, None: removed."""

    path: str
    old: JsonValue
    new: JsonValue


def changes_of(action: Mutation, situation: Situation) -> tuple[FieldChange, ...]:
    """Return what a step changes; nothing for one that only brings a deployment back or deletes it."""
    return tuple(_changes(action, situation))


def _changes(action: Mutation, situation: Situation) -> Iterator[FieldChange]:
    match action:
        case Create(body=body):
            yield from (FieldChange(path, None, value) for path, value in situation.wanted.values.items())
            if body.get("deploymentShape") == DEFAULT_SHAPE and not situation.wanted.names_hardware:
                yield FieldChange("deploymentShape", None, DEFAULT_SHAPE)
        case Update(fields=fields):
            yield from _differences(fields, situation.drift.changes)
            if KeyChange.field in fields:  # which are never shown
                yield FieldChange(KeyChange.field, None, "sent again" if situation.spec.direct_route else None)
        case Delete(hard=False, replaces=fields):
            yield from _differences(fields, situation.drift.replacements)
        case SetTags():
            for each in situation.drift.tags:
                yield FieldChange(each.path, each.observed, each.wanted or None)
        case Adopt():
            yield FieldChange("owner", _owner(situation), situation.resource.ref)
        case PrepareModel(model=model, precision=precision):
            yield FieldChange(f"{model} (supported precisions)", None, precision)
        case CreateRouter() | SetRouter() | DeleteRouter():
            yield from _of_router(action, situation)
        case _:
            yield from _of_loaded(action, situation)


def _differences(fields: tuple[str, ...], drifted: tuple[Difference, ...]) -> Iterator[FieldChange]:
    yield from (FieldChange(each.path, each.observed, each.wanted) for each in drifted if each.path in fields)


def _of_router(action: CreateRouter | SetRouter | DeleteRouter, situation: Situation) -> Iterator[FieldChange]:
    if isinstance(action, CreateRouter):
        yield FieldChange("router", None, action.router)
        return
    if isinstance(action, DeleteRouter):
        yield FieldChange("router", action.router, None)
        return
    seen = situation.context.router
    router = None if seen is None else seen.router
    old: dict[str, JsonValue] = (
        {} if router is None else {"displayName": router.display_name, "deployments": list(router.deployments)}
    )
    for key, value in action.body.items():
        yield FieldChange(f"router ({key})", old.get(key), value)


def _of_loaded(action: Mutation, situation: Situation) -> Iterator[FieldChange]:
    match action:
        case LoadAddon(model=model):
            yield FieldChange(f"addons[{model}]", None, "loaded")
        case UnloadAddon(model=model):
            yield FieldChange(f"addons[{model}]", "loaded", None)
        case UpdateAddon(deployed_model=name, body=body):
            there = _loaded(situation, name)
            for key, value in body.items():
                old = None if there is None else there.raw.get(key)
                yield FieldChange(f"addons[{there.model if there is not None else name}].{key}", old, value)
        case SetDeployedModel(deployed_model=name, body=body, fields=fields):
            there = None if name is None else _loaded(situation, name)
            for path in fields:
                key = path.rpartition(".")[2]
                yield FieldChange(path, None if there is None else there.raw.get(key), body.get(key))


def _loaded(situation: Situation, name: str) -> DeployedModel | None:
    observed = situation.observed
    addons = observed.addons if isinstance(observed, Present) else None
    return next((each for each in addons or () if each.name == name), None)


def _owner(situation: Situation) -> str | None:
    observed = situation.observed
    marker = parse_marker(observed.deployment.annotations) if isinstance(observed, Present) else None
    return None if marker is None else marker.ref
