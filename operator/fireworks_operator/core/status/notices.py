"""Sentences about settings that are accepted but have no effect, or are known to go wrong."""

from collections.abc import Collection

from pydantic import JsonValue

from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec, ManagementPolicy
from fireworks_operator.core.desired.drift import Drift, find_drift
from fireworks_operator.core.desired.fields import FIELD_BY_PATH, STATIC_DEFAULTS, get, schedules_of
from fireworks_operator.core.desired.parking import BOUNDS, expires_at
from fireworks_operator.core.desired.shapes import BY_SHAPE
from fireworks_operator.core.observed.history import created_here, history
from fireworks_operator.core.observed.shortage import ENDED
from fireworks_operator.core.prices import PriceScope
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

from .dropped_fields import misspelt_fields
from .model_notices import model_notices

_ANYWHERE: JsonValue = {"multiRegion": "GLOBAL"}
"""The placement of a deployment that was created without one."""


def notices(situation: Situation, deployment: Deployment) -> list[str]:
    """Return the notices for a resource and its observed deployment, in a fixed order."""
    resource, spec = situation.resource, situation.spec
    found = [*misspelt_fields(resource), *_scaling(spec, deployment), *_speculation(spec)]
    observing = spec.management_policy is ManagementPolicy.OBSERVE
    # What is only observed was never set by us, whatever the status says.
    drift = _drift(situation, deployment, ()) if observing else situation.drift
    found += _kept(spec, deployment, drift)
    found += _of_unknown_origin(situation, deployment, drift)
    found += _without_shape(situation, deployment)
    found += _without_price(situation, deployment)
    found += model_notices(resource, deployment, situation.context.models)
    if observing:
        found += _not_parked(situation)
        found += [
            f"spec.{change.path} is {change.wanted}, the deployment has {_shown(change.observed)}: not changed while "
            "managementPolicy is Observe."
            for change in (*drift.replacements, *drift.changes, *drift.tags)
        ]
    return found


def _drift(situation: Situation, deployment: Deployment, applied: Collection[str]) -> Drift:
    return find_drift(situation.wanted.values, deployment.raw, applied, deleted=deployment.state == "DELETED")


def _not_parked(situation: Situation) -> list[str]:
    """Say that what is only observed has expired."""
    end = expires_at(situation.resource)
    if end is None or situation.now < end or situation.is_deleting:
        return []
    return ["spec.expiresAfter has passed: the deployment is not parked while managementPolicy is Observe."]


def _kept(spec: FireworksDeploymentSpec, deployment: Deployment, drift: Drift) -> list[str]:
    """Say what the deployment still has of a former spec."""
    shaped = spec.deployment_shape is not None or deployment.deployment_shape
    decided = BY_SHAPE - {"deploymentShape"} if shaped else frozenset()
    kept = {path: get(deployment.raw, FIELD_BY_PATH[path].wire) for path in drift.kept if path not in decided}
    return [
        f"spec.{path} is not set, and Fireworks has no default for it: the deployment keeps its previous value, "
        f"{_shown(value)}."
        for path, value in kept.items()
        if value and value != _ANYWHERE
    ]


def _without_shape(situation: Situation, deployment: Deployment) -> list[str]:
    """Say that no shape is in force though one was asked for: Fireworks drops it without an error.

    It does so where addons are enabled and the shape is not validated for the model's version (Fireworks
    documentation, deploying LoRAs).
    """
    if deployment.deployment_shape or deployment.state in ENDED:
        return []
    if situation.spec.deployment_shape is not None:
        return [
            f"spec.deploymentShape is {situation.spec.deployment_shape}, but the deployment has no shape: Fireworks "
            "drops one that is not validated for the model and its addons. Set another spec.deploymentShape, or "
            "remove it."
        ]
    kept = situation.wanted.names_hardware or "acceleratorType" in (situation.status.applied_fields or ())
    managed = situation.spec.management_policy is ManagementPolicy.MANAGE and created_here(
        situation.resource, deployment
    )
    if kept or not situation.context.default_shape or not managed:
        return []
    return [
        "The spec names no hardware, and the deployment has no shape: Fireworks chose "
        f"{deployment.accelerator_type or 'the hardware'} itself. Set spec.deploymentShape to decide it."
    ]


def _without_price(situation: Situation, deployment: Deployment) -> list[str]:
    """Say that no dollars are shown, and how to get them."""
    kind = deployment.accelerator_type
    prices = situation.context.prices.of(deployment.account)
    if not kind or deployment.state in ENDED or prices.hourly(kind, PriceScope.GLOBAL, situation.now) is not None:
        return []
    return [
        f"The price of {kind} is not known, so status.cost shows GPU-seconds but no dollars. A platform administrator "
        "can add it to the operator's price list (chart value prices, or FIREWORKS_OPERATOR_PRICE_FILE)."
    ]


_UNKNOWN = "The status does not record which settings were applied to Fireworks before: "
_UNKNOWN_FORMERLY = "It is not known what was set at Fireworks before, as the status does not tell: "
"""The same notice as earlier versions worded it, which a status may still hold."""


def _of_unknown_origin(situation: Situation, deployment: Deployment, drift: Drift) -> list[str]:
    """Say what would be reset if it was known to be ours; said once, it stands for as long as that is so."""
    observing = situation.spec.management_policy is ManagementPolicy.OBSERVE
    known = observing or history(situation.resource, deployment) is not None
    if known and not any(each.startswith((_UNKNOWN, _UNKNOWN_FORMERLY)) for each in situation.status.notices or ()):
        return []
    resets = _drift(situation, deployment, STATIC_DEFAULTS.union(schedules_of(deployment.raw)))
    changes = {change.path for change in drift.changes}.union(situation.wanted.values)
    if situation.parking is not None or situation.status.parked is not None:
        changes.update(BOUNDS)  # it gets back what it had
    kept = [f"spec.{each.path} (is {_shown(each.observed)})" for each in resets.changes if each.path not in changes]
    if not kept:
        return []
    return [
        f"{_UNKNOWN}{', '.join(kept)} {'are' if len(kept) > 1 else 'is'} not in the spec and not reset. To change a "
        "field, set it in the spec."
    ]


def _shown(value: JsonValue) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return "no value" if value is None or value == "" else str(value)


def _scaling(spec: FireworksDeploymentSpec, deployment: Deployment) -> list[str]:
    found = []
    policy = spec.autoscaling_policy
    if policy is not None and policy.scale_to_zero_window is not None and deployment.min_replica_count > 0:
        found.append(
            "spec.autoscalingPolicy.scaleToZeroWindow has no effect while minReplicaCount is above 0: the "
            "deployment never scales to zero."
        )
    if deployment.min_replica_count == 0 and deployment.max_replica_count > 0:
        found.append(
            "With minReplicaCount 0 Fireworks deletes the deployment after 7 days without requests; set "
            "minReplicaCount to 1 to keep it."
        )
    if spec.long_prompt and deployment.accelerator_count == 1:
        found.append(
            "spec.longPrompt needs at least two GPUs per replica to have an effect: set spec.acceleratorCount "
            "to 2 or more."
        )
    return found


def _speculation(spec: FireworksDeploymentSpec) -> list[str]:
    if spec.draft_model is None or not spec.draft_token_count:
        return []
    advised = 3 if "eagle" in spec.draft_model.lower() else 4
    if spec.draft_token_count == advised:
        return []
    return [
        f"spec.draftTokenCount is {spec.draft_token_count}; Fireworks advises {advised} for this kind of draft "
        "model. Measure before you keep it."
    ]
