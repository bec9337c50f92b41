"""The kinds that the operator serves: a table, from which CRDs, schemas and reference are made and paths are known."""

from dataclasses import dataclass
from typing import Final, Literal

from .base import ApiModel
from .budget import FireworksBudget, FireworksBudgetSpec, FireworksBudgetStatus
from .resource import GROUP
from .v1alpha1 import KIND, PLURAL, FireworksDeployment, FireworksDeploymentSpec, FireworksDeploymentStatus

_READY = '.status.conditions[?(@.type=="Ready")]'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`.

    Attributes:
        name: its head.
        source: JSONPath of what it shows.
        type: of what it shows.
        wide: whether only `-o wide` shows it.
    """

    name: str
    source: str
    type: Literal["string", "integer", "date"] = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale subresource, by JSONPaths: what `kubectl scale`, a HorizontalPodAutoscaler and KEDA read and write.

    Attributes:
        spec_replicas: how many there shall be.
        status_replicas: how many there are.
        selector: a label selector as text, without which a HorizontalPodAutoscaler does nothing.
    """

    spec_replicas: str
    status_replicas: str
    selector: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource.

    Attributes:
        name: as in a manifest's `kind`.
        plural: as in the paths of the API.
        short_name: what kubectl takes for it.
        model, spec, status: what its objects are read with.
        columns: of `kubectl get`.
        scale: its scale subresource, if it has one.
    """

    name: str
    plural: str
    short_name: str
    model: type[FireworksDeployment | FireworksBudget]
    spec: type[ApiModel]
    status: type[FireworksDeploymentStatus | FireworksBudgetStatus]
    columns: tuple[Column, ...]
    scale: Scale | None = None

    @property
    def singular(self) -> str:
        """Its name in lower case."""
        return self.name.lower()

    @property
    def crd(self) -> str:
        """Name of its CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"

    @property
    def crd_file(self) -> str:
        """File of its CustomResourceDefinition, in crds/ and in the chart."""
        return f"{GROUP}_{self.plural}.yaml"


DEPLOYMENTS: Final = Kind(
    KIND,
    PLURAL,
    "fwd",
    FireworksDeployment,
    FireworksDeploymentSpec,
    FireworksDeploymentStatus,
    (
        Column("READY", f"{_READY}.status"),
        Column("STATE", ".status.state"),
        Column("REPLICAS", ".status.replicas.ready", "integer"),
        Column("MODEL", ".spec.baseModel"),
        Column("AGE", ".metadata.creationTimestamp", "date"),
        Column("ACCELERATOR", ".status.effective.acceleratorType", wide=True),
        Column("GPUS", ".status.effective.acceleratorCount", "integer", wide=True),
        Column("MIN", ".status.effective.minReplicaCount", "integer", wide=True),
        Column("MAX", ".status.effective.maxReplicaCount", "integer", wide=True),
        Column("$/H", ".status.cost.hourly", wide=True),
        Column("REASON", f"{_READY}.reason", wide=True),
        Column("DEPLOYMENT", ".status.deploymentName", wide=True),
    ),
    Scale(".spec.minReplicaCount", ".status.replicas.ready", ".status.selector"),
)
BUDGETS: Final = Kind(
    "FireworksBudget",
    "fireworksbudgets",
    "fwb",
    FireworksBudget,
    FireworksBudgetSpec,
    FireworksBudgetStatus,
    (
        Column("READY", f"{_READY}.status"),
        Column("GPUS", ".status.committed.gpus", "integer"),
        Column("MAX-GPUS", ".spec.limits.gpus", "integer"),
        Column("$/H", ".status.committed.hourlyCost"),
        Column("MAX-$/H", ".spec.limits.hourlyCost"),
        Column("MONTH", ".status.month.total"),
        Column("MAX-MONTH", ".spec.limits.monthlyCost"),
        Column("WAITING", ".status.waiting", "integer"),
        Column("AGE", ".metadata.creationTimestamp", "date"),
        Column("REASON", f"{_READY}.reason", wide=True),
    ),
)
KINDS: Final = (DEPLOYMENTS, BUDGETS)


def kind_of(resource: FireworksDeployment | FireworksBudget) -> Kind:
    """Return the kind of a resource."""
    return next(each for each in KINDS if each.model is type(resource))
