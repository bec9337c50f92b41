"""The FireworksDeployment resource, version v1alpha1; with spec and status the single source of the CRD."""

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator, Field, ValidationError

from .base import ApiModel, Rule, Schema, Time
from .spec import FireworksDeploymentSpec
from .spec_direct_route import ApiKeysReference, DirectRoute
from .spec_parts import (
    Addon,
    AdoptionPolicy,
    AutoscalingPolicy,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    Placement,
    SecretKeyReference,
)
from .spec_schedules import ScalingSchedule
from .status import (
    AddonStatus,
    Condition,
    ConditionStatus,
    DirectRouteSecret,
    Effective,
    EffectivePlacement,
    FireworksDeploymentStatus,
    Identifier,
    LastAttempt,
    Parked,
    Replicas,
)
from .status_cost import Cost, MonthCost

__all__ = [
    "ANNOTATION_ABANDON",
    "ANNOTATION_IGNORE_CHECKS",
    "ANNOTATION_RECONCILE_AT",
    "FINALIZER",
    "GROUP",
    "IMMUTABLE_FIELDS",
    "KIND",
    "PLURAL",
    "VERSION",
    "Addon",
    "AddonStatus",
    "AdoptionPolicy",
    "ApiKeysReference",
    "ApiModel",
    "AutoscalingPolicy",
    "Condition",
    "ConditionStatus",
    "Cost",
    "DeletionPolicy",
    "DirectRoute",
    "DirectRouteSecret",
    "Effective",
    "EffectivePlacement",
    "ExternalDeletionPolicy",
    "FireworksDeployment",
    "FireworksDeploymentSpec",
    "FireworksDeploymentStatus",
    "Identifier",
    "InvalidResourceError",
    "LastAttempt",
    "ManagementPolicy",
    "MonthCost",
    "ObjectMeta",
    "Parked",
    "Placement",
    "Replicas",
    "ScalingSchedule",
    "SecretKeyReference",
    "Time",
]

GROUP = "fireworks.ai"
VERSION = "v1alpha1"
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


_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_ANNOTATIONS = 32
_LONGEST_ANNOTATION = 256


def _read_annotations(value: object) -> object:
    """Keep what the operator reads of annotations: all together may have a quarter of a megabyte for each resource."""
    if not isinstance(value, dict):
        return value
    ours = [name for name in value if str(name).startswith(f"{GROUP}/")][:_MOST_ANNOTATIONS]
    kept = {name: each[:_LONGEST_ANNOTATION] for name in ours if isinstance(each := value[name], str)}
    return kept | {name: value[name] for name in (_LAST_APPLIED,) if name in value}


class ObjectMeta(ApiModel):
    """The part of Kubernetes' ObjectMeta that the operator reads."""

    name: str
    namespace: str
    uid: str
    resource_version: str
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    finalizers: list[str] = Field(default_factory=list)
    annotations: Annotated[dict[str, str], BeforeValidator(_read_annotations)] = Field(default_factory=dict)


class InvalidResourceError(ValueError):
    """The API server let a resource through that these models cannot read; the text names the field."""


def _immutable(name: str) -> Rule:
    # While no deployment is claimed, typos can be corrected. Equal presence holds against removing the field
    # and against adding it later.
    unclaimed = "!has(oldSelf.status) || !has(oldSelf.status.deploymentName)"
    new, old = f"self.spec.{name}", f"oldSelf.spec.{name}"
    return Rule(
        f"{unclaimed} || (has({new}) == has({old}) && (!has({new}) || {new} == {old}))",
        f"spec.{name} cannot be changed, removed or added once status.deploymentName is set; put the old "
        "value back, and create a FireworksDeployment with another name for the new one",
        f".spec.{name}",
    )


def _without(status: Any, places: Collection[tuple[int | str, ...]]) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a status without the fields that cannot be read, as they are in none that the operator writes."""
    unreadable = {place[1] for place in places if len(place) > 1}
    return {name: value for name, value in status.items() if name not in unreadable} if unreadable else {}


class FireworksDeployment(ApiModel):
    """A dedicated deployment of a large language model on Fireworks AI.

    It is created, kept as the spec says, and deleted with this resource. GPUs are billed by the second while
    replicas run.
    """

    metadata: ObjectMeta
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

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """Read an object of the API server; what cannot be read of its status counts as lost.

        Raises:
            InvalidResourceError: with the path of each other unreadable field and what is wrong there.
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            places = [item["loc"] for item in error.errors()]
            if all(place[0] == "status" for place in places):
                return cls.model_validate({**raw, "status": _without(raw["status"], places)})
            found = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise InvalidResourceError("; ".join(found)) from error

    @cached_property
    def ref(self) -> str:
        """`namespace/name`."""
        return f"{self.metadata.namespace}/{self.metadata.name}"
