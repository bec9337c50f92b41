"""What the budgets of the cluster leave to each resource, those counted that come before it in the plan."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from fireworks_operator.api.budget import FireworksBudget
from fireworks_operator.api.kinds import BUDGETS
from fireworks_operator.api.v1alpha1 import FireworksDeployment, InvalidResourceError, ManagementPolicy
from fireworks_operator.core.budgets import ZERO, Ceiling, Committed, Limits, Room, amount, selects, stored_ceiling
from fireworks_operator.core.status.cost import month_name, month_until, next_month
from fireworks_operator.kube.client import Json, KubernetesClient, KubernetesForbiddenError
from fireworks_operator.kube.resources import CrdMissingError, list_resources

Model = TypeVar("Model", FireworksBudget, FireworksDeployment)


@dataclass(slots=True)
class Namespace:
    """The budgets and the resources of one namespace, as they are, and as they would be."""

    budgets: list[FireworksBudget]
    resources: dict[str, FireworksDeployment]
    planned: dict[str, tuple[FireworksDeployment, Ceiling]] = field(default_factory=dict)

    def rooms(self, resource: FireworksDeployment, now: datetime) -> tuple[Room, ...]:
        """Return what each budget that selects a resource leaves to it."""
        return tuple(self._room(each, resource, now) for each in self.budgets if _takes(each, resource))

    def plan(self, resource: FireworksDeployment, ceiling: Ceiling) -> None:
        """Count with what a resource would have from now on."""
        self.planned[resource.metadata.name] = (resource, ceiling)

    def _room(self, budget: FireworksBudget, resource: FireworksDeployment, now: datetime) -> Room:
        others = Committed()
        for name, (each, ceiling) in self._counted().items():
            if name != resource.metadata.name and _takes(budget, each):
                others = others.plus(ceiling)
        limits, parks = Limits.of(budget), budget.spec.on_monthly_limit == "Park"
        return Room(budget.metadata.name, limits, next_month(now), others, self._spent(budget, now), parks)

    def _counted(self) -> dict[str, tuple[FireworksDeployment, Ceiling]]:
        return {name: (each, stored_ceiling(each)) for name, each in self.resources.items()} | self.planned

    def _spent(self, budget: FireworksBudget, now: datetime) -> Decimal:
        """Return US dollars of this month."""
        costs = [each.status.cost for each in self.resources.values() if _takes(budget, each)]
        known = budget.status.month
        this_month = known is not None and known.name == month_name(now)
        gone = (amount(known.of_deleted) if known is not None and this_month else None) or ZERO
        return sum((month_until(each, now) for each in costs if each is not None), gone)


async def read_namespace(client: KubernetesClient, name: str) -> tuple[Namespace, str]:
    """Read the budgets and resources of a namespace; what may not be read is said as a note, else empty.

    Raises:
        KubernetesUnavailableError: no answer.
    """
    try:
        budgets, _ = await list_resources(client, name, kind=BUDGETS)
    except CrdMissingError:
        return Namespace([], {}), ""
    except KubernetesForbiddenError:
        return Namespace([], {}), (
            f"You may not list the FireworksBudgets of namespace {name}: whether they have room is not known."
        )
    if not budgets:
        return Namespace([], {}), ""
    try:
        objects, _ = await list_resources(client, name)
    except KubernetesForbiddenError:
        return Namespace([], {}), (
            f"You may not list the FireworksDeployments of namespace {name}: whether budgets have room is not known."
        )
    found = _read(FireworksBudget, budgets)
    return Namespace(
        sorted(found, key=lambda each: each.metadata.name),
        {each.metadata.name: each for each in _read(FireworksDeployment, objects)},
    ), ""


def _read(model: type[Model], objects: Iterable[Json]) -> list[Model]:
    """Return what can be understood; the operator enforces no other budget either."""
    found: list[Model] = []
    for each in objects:
        try:
            found.append(model.parse(each))
        except InvalidResourceError:
            continue
    return found


def _takes(budget: FireworksBudget, resource: FireworksDeployment) -> bool:
    """Tell whether a budget counts a resource: one that it selects and that is managed."""
    managed = resource.spec.management_policy is ManagementPolicy.MANAGE
    return managed and selects(budget.spec.selector, resource.metadata.labels)
