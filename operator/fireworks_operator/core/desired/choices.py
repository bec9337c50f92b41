"""Which hardware a deployment is to have: what the spec itself asks for (choice 0), or one of its fallbacks."""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta

from fireworks_operator.api.spec_fallbacks import DEFAULT_FALLBACK_AFTER, MOST_FALLBACKS, FallbackPlacement
from fireworks_operator.api.v1alpha1 import (
    Choice,
    ChosenHardware,
    Fallback,
    FireworksDeployment,
    FireworksDeploymentSpec,
    GivenUp,
    Placement,
)

from .durations import parse_duration

CHOSEN_FIELDS = ("acceleratorType", "acceleratorCount", "placement", "deploymentShape")
"""Fields of the spec in which choices differ."""


def choices(spec: FireworksDeploymentSpec) -> tuple[ChosenHardware, ...]:
    """Return what the spec asks for, and what it asks for instead, best first."""
    return (own_hardware(spec), *(_instead(spec, each) for each in (spec.fallbacks or ())[:MOST_FALLBACKS]))


def own_hardware(spec: FireworksDeploymentSpec) -> ChosenHardware:
    """Return what the spec itself asks for."""
    return _hardware(spec.accelerator_type, spec.accelerator_count, spec.placement, spec.deployment_shape)


def hardware_of(choice: ChosenHardware) -> ChosenHardware:
    """Return what a choice asks for, without why and since when."""
    return ChosenHardware(**{name: getattr(choice, name) for name in ChosenHardware.model_fields})


def revision_of(spec: FireworksDeploymentSpec) -> str:
    """Return what changes whenever the spec has other choices than before."""
    return _digest(choices(spec))


def request_of(spec: FireworksDeploymentSpec) -> str:
    """Return what changes whenever the spec itself asks for other hardware than before."""
    return _digest((own_hardware(spec),))


def is_void(choice: Choice, spec: FireworksDeploymentSpec) -> bool:
    """Tell whether the spec itself asks for other hardware than when the choice was made: the user has decided."""
    return choice.requested != request_of(spec)


def is_outdated(choice: Choice, spec: FireworksDeploymentSpec) -> bool:
    """Tell whether the spec has other choices than those it was made from, or has never had so many."""
    most = max((choice.index, *(each.index for each in choice.given_up or ())))
    return choice.revision != revision_of(spec) or most >= len(choices(spec))


def current_index(resource: FireworksDeployment) -> int:
    """Return the place of what the deployment is to have among the choices; 0 if those are others by now."""
    choice = resource.status.choice
    return 0 if choice is None or is_outdated(choice, resource.spec) else choice.index


def chosen_spec(resource: FireworksDeployment) -> FireworksDeploymentSpec:
    """Return the spec with the hardware that was chosen, which outlives the list that it was chosen from."""
    choice = resource.status.choice
    if choice is None or is_void(choice, resource.spec):
        return resource.spec
    return with_hardware(resource.spec, choice)


def with_hardware(spec: FireworksDeploymentSpec, hardware: ChosenHardware) -> FireworksDeploymentSpec:
    """Return a spec that asks for this hardware, and for the same in all else."""
    place = hardware.placement
    return spec.model_copy(
        update={
            "accelerator_type": hardware.accelerator_type,
            "accelerator_count": hardware.accelerator_count,
            "placement": None if place is None else Placement.model_validate(place.model_dump()),
            "deployment_shape": hardware.deployment_shape,
        }
    )


def fallback_after(spec: FireworksDeploymentSpec) -> timedelta:
    """Return how long a new deployment may wait for GPUs; what is no duration counts as the default."""
    try:
        return timedelta(seconds=float(parse_duration(spec.fallback_after or DEFAULT_FALLBACK_AFTER)))
    except (ValueError, OverflowError):
        return timedelta(seconds=float(parse_duration(DEFAULT_FALLBACK_AFTER)))


def is_given_up(resource: FireworksDeployment) -> bool:
    """Tell whether the deployment of the status is the one that is deleted for the next choice, by the operator."""
    choice, created = resource.status.choice, resource.status.create_time
    return choice is not None and choice.replaces is not None and choice.replaces == created


def told(hardware: ChosenHardware) -> str:
    """Return hardware in words, e.g. `2 x NVIDIA_H100_80GB in EUROPE`."""
    what = hardware.accelerator_type
    if what is None:
        what = f"the shape {hardware.deployment_shape}" if hardware.deployment_shape else "the default shape"
    count = "" if hardware.accelerator_count is None else f"{hardware.accelerator_count} x "
    return f"{count}{what}{_where(hardware)}"


def tried_before(given_up: Iterable[GivenUp]) -> str:
    """Return what was given up, as a sentence."""
    return "Tried: " + ", ".join(f"{each.hardware} ({each.reason})" for each in given_up) + "."


def _digest(hardware: tuple[ChosenHardware, ...]) -> str:
    text = json.dumps([each.to_wire() for each in hardware], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _where(hardware: ChosenHardware) -> str:
    place = hardware.placement
    if place is None:
        return ""
    return f" in {place.region or place.multi_region or ', '.join(place.regions or ())}"


def _instead(spec: FireworksDeploymentSpec, fallback: Fallback) -> ChosenHardware:
    """Return what a fallback comes to: what it does not set is as in the spec, as far as that goes together."""
    kind, shape, count = spec.accelerator_type, spec.deployment_shape, spec.accelerator_count
    if fallback.accelerator_type is not None:
        kind, shape = fallback.accelerator_type, None
    elif fallback.deployment_shape is not None:
        kind, shape, count = None, fallback.deployment_shape, None
    count = count if fallback.accelerator_count is None else fallback.accelerator_count
    return _hardware(kind, count, fallback.placement or spec.placement, shape)


def _hardware(
    kind: str | None, count: int | None, place: Placement | FallbackPlacement | None, shape: str | None
) -> ChosenHardware:
    return ChosenHardware.model_validate(
        {
            "acceleratorType": kind,
            "acceleratorCount": count,
            "placement": None if place is None else place.model_dump(),
            "deploymentShape": shape,
        }
    )
