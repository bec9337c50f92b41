"""What budgets allow: ceilings, limits, and the room that one budget leaves to one resource.

A ceiling is what a deployment may run at most. Budgets limit the sum of ceilings, since Fireworks scales up to them
without asking anybody, and what has been spent in a month.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation

from fireworks_operator.api.budget import BudgetSelector, FireworksBudget, SelectorOperator, SelectorRequirement
from fireworks_operator.api.v1alpha1 import FireworksDeployment

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Ceiling:
    """GPUs that may run at most, and US dollars per hour for them; None where the price is not known."""

    gpus: int = 0
    hourly: Decimal | None = ZERO

    def exceeds(self, other: "Ceiling") -> bool:
        """Tell whether more may run, or it may cost more."""
        return self.gpus > other.gpus or (self.hourly or ZERO) > (other.hourly or ZERO)

    def plus(self, other: "Ceiling") -> "Ceiling":
        """Return the sum of two deployments that may run beside each other."""
        if self.hourly is None or other.hourly is None:
            return Ceiling(self.gpus + other.gpus, None if self.gpus or other.gpus else ZERO)
        return Ceiling(self.gpus + other.gpus, self.hourly + other.hourly)

    def grown_to(self, other: "Ceiling") -> "Ceiling":
        """Return the higher of both in GPUs and in dollars."""
        if self.hourly is None or other.hourly is None:
            return Ceiling(max(self.gpus, other.gpus), None if self.gpus or other.gpus else ZERO)
        return Ceiling(max(self.gpus, other.gpus), max(self.hourly, other.hourly))


NOTHING = Ceiling()


def stored_ceiling(resource: FireworksDeployment) -> Ceiling:
    """Return the ceiling that a resource's status tells of."""
    cost = resource.status.cost
    if cost is None or not cost.gpu_ceiling:
        return NOTHING
    return Ceiling(cost.gpu_ceiling, amount(cost.hourly_ceiling))


@dataclass(frozen=True, slots=True)
class Hardware:
    """What one replica runs on, as a deployment shape says."""

    accelerator_type: str
    accelerator_count: int


@dataclass(frozen=True, slots=True)
class Committed:
    """The sum of ceilings; `unpriced` of them have no known price, so that `hourly` lacks them."""

    gpus: int = 0
    hourly: Decimal = ZERO
    unpriced: int = 0

    def plus(self, ceiling: Ceiling) -> "Committed":
        """Return the sum with one ceiling more."""
        unpriced = self.unpriced + (ceiling.hourly is None)
        return Committed(self.gpus + ceiling.gpus, self.hourly + (ceiling.hourly or ZERO), unpriced)

    def minus(self, ceiling: Ceiling) -> "Committed":
        """Return the sum with one ceiling less."""
        unpriced = self.unpriced - (ceiling.hourly is None)
        return Committed(self.gpus - ceiling.gpus, self.hourly - (ceiling.hourly or ZERO), unpriced)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a budget allows at most: GPUs, US dollars per hour, US dollars per month; None where it does not say."""

    gpus: int | None = None
    hourly: Decimal | None = None
    monthly: Decimal | None = None

    @classmethod
    def of(cls, budget: FireworksBudget) -> "Limits":
        """Read the limits of a budget; an amount that is no number allows nothing."""
        limits = budget.spec.limits
        return cls(limits.gpus, amount(limits.hourly_cost), amount(limits.monthly_cost))

    def gpus_exceeded(self, others: int, asked: Ceiling, before: Ceiling) -> bool:
        """Tell whether a deployment would have more GPUs than there is room for beside those of others."""
        return self.gpus is not None and asked.gpus > before.gpus and others + asked.gpus > self.gpus

    def is_unpriced(self, asked: Ceiling) -> bool:
        """Tell whether money is limited and nobody knows what a deployment would cost."""
        return asked.hourly is None and not (self.hourly is None and self.monthly is None)

    def cost_exceeded(self, others: Decimal, asked: Ceiling, before: Ceiling) -> bool:
        """Tell whether a deployment would cost more per hour than there is room for beside what others do."""
        cost = asked.hourly or ZERO
        return self.hourly is not None and cost > (before.hourly or ZERO) and others + cost > self.hourly


def amount(text: str | None) -> Decimal | None:
    """Return US dollars; None for none, and nothing for a text that is no amount."""
    if text is None:
        return None
    try:
        dollars = Decimal(text)
    except InvalidOperation:
        return ZERO
    return dollars if dollars.is_finite() and dollars >= 0 else ZERO


@dataclass(frozen=True, slots=True)
class Room:
    """What one budget leaves to one resource.

    Attributes:
        budget: the budget's name.
        limits: what it allows.
        others: what is committed to other resources, and kept for those that have waited longer.
        spent: US dollars of this month by all that it selects.
        parks: at the limit of the month, what it selects is parked.
        month_ends: when the next month begins.
    """

    budget: str
    limits: Limits
    month_ends: datetime
    others: Committed = field(default_factory=Committed)
    spent: Decimal = ZERO
    parks: bool = False

    @property
    def month_is_spent(self) -> bool:
        """Whether the limit of the month is reached."""
        return self.limits.monthly is not None and self.spent >= self.limits.monthly

    def refusal(self, asked: Ceiling, before: Ceiling) -> str | None:
        """Say why the budget does not let a deployment grow; None if it does, or if it does not grow.

        Args:
            asked: its ceiling afterwards.
            before: its ceiling now, which nobody takes from it.
        """
        if not asked.exceeds(before):
            return None
        return self._month_refusal() or self._gpu_refusal(asked, before) or self._cost_refusal(asked, before)

    def _month_refusal(self) -> str | None:
        if not self.month_is_spent:
            return None
        return (
            f"Budget {self.budget} allows ${money(self.limits.monthly)} per month, and ${money(self.spent)} "
            f"are spent. It grows again when the next month begins, at {self.month_ends:%Y-%m-%d %H:%M} UTC, or when "
            f"spec.limits.monthlyCost of the budget is raised."
        )

    def _gpu_refusal(self, asked: Ceiling, before: Ceiling) -> str | None:
        if not self.limits.gpus_exceeded(self.others.gpus, asked, before):
            return None
        return (
            f"Budget {self.budget} allows {_gpus(self.limits.gpus or 0)}; {self.others.gpus} are committed to other "
            f"deployments, and this one asks for {asked.gpus} at its maximum. {_waits('gpus')}"
        )

    def _cost_refusal(self, asked: Ceiling, before: Ceiling) -> str | None:
        if self.limits.is_unpriced(asked):
            return (
                f"Budget {self.budget} limits the cost, and the price of these GPUs is not known. Add it to the price "
                "list (chart value prices), or choose another spec.acceleratorType."
            )
        if not self.limits.cost_exceeded(self.others.hourly, asked, before):
            return None
        return (
            f"Budget {self.budget} allows ${money(self.limits.hourly)} per hour; ${money(self.others.hourly)} are "
            f"committed to other deployments, and this one asks for ${money(asked.hourly)} at its maximum. "
            f"{_waits('hourlyCost')}"
        )


def _waits(limit: str) -> str:
    return (
        f"It continues automatically as soon as there is room, or when spec.limits.{limit} of the budget is raised. To "
        "use less, lower spec.maxReplicaCount or spec.acceleratorCount."
    )


def refusal(rooms: tuple[Room, ...], asked: Ceiling, before: Ceiling) -> str | None:
    """Say which budget does not let a deployment grow, and why; None if all do."""
    return next((why for room in rooms if (why := room.refusal(asked, before)) is not None), None)


def selects(selector: BudgetSelector | None, labels: Mapping[str, str]) -> bool:
    """Tell whether labels match a selector; one that is empty or absent matches all (metav1.LabelSelector)."""
    if selector is None:
        return True
    exact = all(labels.get(key) == value for key, value in (selector.match_labels or {}).items())
    return exact and all(_meets(each, labels) for each in selector.match_expressions or ())


def _meets(requirement: SelectorRequirement, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(requirement.key), requirement.values or ()
    match requirement.operator:
        case SelectorOperator.IN:
            return value in values
        case SelectorOperator.NOT_IN:
            return value not in values  # also without the label (Kubernetes, labels and selectors)
        case SelectorOperator.EXISTS:
            return value is not None
        case SelectorOperator.DOES_NOT_EXIST:
            return value is None


def money(amount: Decimal | None) -> str:
    """Return an amount with cents, for people."""
    return f"{amount or ZERO:,.2f}"


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
