"""The FireworksDeployment resource, version v1alpha1; with spec and status the single source of the CRD."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import ApiModel, Rule, Schema, Time
from .resource import GROUP, VERSION, InvalidResourceError, ObjectMeta, Resource
from .spec import FireworksDeploymentSpec
from .spec_connection import Connection
from .spec_direct_route import ApiKeysReference, DirectRoute
from .spec_fallbacks import Fallback
from .spec_parts import (
    Addon,
    AdoptionPolicy,
    AutoscalingPolicy,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    Placement,
    ReplacePolicy,
    ReplaceType,
    SecretKeyReference,
)
from .spec_router import Router
from .spec_schedules import ScalingSchedule
from .status import Effective, EffectivePlacement, FireworksDeploymentStatus, Identifier, Parked
from .status_choice import Choice, ChosenHardware, GivenUp
from .status_condition import Condition, ConditionStatus
from .status_connection import ConnectionStatus
from .status_cost import Cost, MonthCost
from .status_parts import AddonStatus, DirectRouteSecret, LastAttempt, Replicas
from .status_replacement import Replacement, ReplacementPhase
from .status_router import RouterStatus

__all__ = [
    "ANNOTATION_ABANDON",
    "ANNOTATION_IGNORE_CHECKS",
    "ANNOTATION_RECONCILE_AT",
    "FINALIZER",
    "GROUP",
    "IMMUTABLE_FIELDS",
    "KIND",
    "PLURAL",
    "REPLACEABLE_FIELDS",
    "VERSION",
    "Addon",
    "AddonStatus",
    "AdoptionPolicy",
    "ApiKeysReference",
    "ApiModel",
    "AutoscalingPolicy",
    "Choice",
    "ChosenHardware",
    "Condition",
    "ConditionStatus",
    "Connection",
    "ConnectionStatus",
    "Cost",
    "DeletionPolicy",
    "DirectRoute",
    "DirectRouteSecret",
    "Effective",
    "EffectivePlacement",
    "ExternalDeletionPolicy",
    "Fallback",
    "FireworksDeployment",
    "FireworksDeploymentSpec",
    "FireworksDeploymentStatus",
    "GivenUp",
    "Identifier",
    "InvalidResourceError",
    "LastAttempt",
    "ManagementPolicy",
    "MonthCost",
    "ObjectMeta",
    "Parked",
    "Placement",
    "ReplacePolicy",
    "ReplaceType",
    "Replacement",
    "ReplacementPhase",
    "Replicas",
    "Router",
    "RouterStatus",
    "ScalingSchedule",
    "SecretKeyReference",
    "Time",
]

KIND = "FireworksDeployment"
PLURAL = "fireworksdeployments"
FINALIZER = f"{GROUP}/deployment"

ANNOTATION_ABANDON = f"{GROUP}/abandon"
ANNOTATION_IGNORE_CHECKS = f"{GROUP}/ignore-checks"
ANNOTATION_RECONCILE_AT = f"{GROUP}/reconcile-at"

IMMUTABLE_FIELDS = (
    "baseModel",
    "disableSpeculativeDecoding",
    "disableAutoDeploy",
    "placement",
    "preemptible",
    "deploymentId",
)
"""Fields of the spec that Fireworks takes at creation only (Fireworks REST reference, deployments)."""
REPLACEABLE_FIELDS = ("baseModel", "placement", "preemptible")
"""Those of them that can change where spec.replacePolicy lets the deployment be replaced.

Of the others, the id is the deployment's name, and what speculation and the first addon were at creation nobody tells.
"""


def _immutable(name: str) -> Rule:
    # While no deployment is claimed, typos can be corrected. Equal presence holds against removing the field
    # and against adding it later.
    unclaimed = "!has(oldSelf.status) || !has(oldSelf.status.deploymentName)"
    new, old = f"self.spec.{name}", f"oldSelf.spec.{name}"
    same = f"(has({new}) == has({old}) && (!has({new}) || {new} == {old}))"
    way_out = "create a FireworksDeployment with another name for the new one"
    if name in REPLACEABLE_FIELDS:
        policy = "self.spec.replacePolicy"
        same = f"(has({policy}) && has({policy}.type) && {policy}.type != 'Never') || {same}"
        way_out += ", or set spec.replacePolicy.type to BlueGreen or Recreate to have the deployment replaced"
    return Rule(
        f"{unclaimed} || {same}",
        f"spec.{name} cannot be changed, removed or added once status.deploymentName is set; put the old "
        f"value back, and {way_out}",
        f".spec.{name}",
    )


class FireworksDeployment(Resource):
    """A dedicated deployment of a large language model on Fireworks AI.

    It is created, kept as the spec says, and deleted with this resource. GPUs are billed by the second while
    replicas run.
    """

    spec: Annotated[FireworksDeploymentSpec, Schema("The deployment that you want.")]
    status: Annotated[FireworksDeploymentStatus, Schema("What the operator last observed and did.")] = Field(
        default_factory=FireworksDeploymentStatus
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        # No field_path: the API server refuses one that leads into metadata.
        Rule(
            "size(self.metadata.name) <= 63",
            "metadata.name must not be longer than 63 characters; choose a shorter name",
        ),
        *map(_immutable, IMMUTABLE_FIELDS),
    )
