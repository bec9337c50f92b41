"""What a GPU-hour costs: the published on-demand prices with their dates, and contracts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from fireworks_simulator.clock import timestamp
from fireworks_simulator.meter import Facts
from fireworks_simulator.settings import Assumptions
from fireworks_simulator.wire import JsonObject, JsonValue

_GROUPS = frozenset({"US", "EUROPE", "APAC", "CANADA"})
_NANO = Decimal(1_000_000_000)
SECONDS_PER_HOUR = Decimal(3600)

PUBLISHED: tuple[tuple[date, Mapping[str, str]], ...] = (
    (
        date(2026, 5, 1),
        {
            "NVIDIA_H100_80GB": "7.00",
            "NVIDIA_H200_141GB": "7.00",
            "NVIDIA_B200_180GB": "10.00",
            "NVIDIA_B300_288GB": "12.00",
            "NVIDIA_GB300": "18.00",
        },
    ),
    (
        date(2026, 9, 1),
        {
            "NVIDIA_H100_80GB": "8.00",
            "NVIDIA_H200_141GB": "8.00",
            "NVIDIA_B200_180GB": "13.00",
            "NVIDIA_B300_288GB": "15.00",
            "NVIDIA_GB300": "20.00",
        },
    ),
)
"""US dollars per GPU-hour since a day in UTC, oldest first. What is not listed has no published price."""


@dataclass(frozen=True, slots=True)
class PricingPlan:
    """A contract: what an account pays for deployments with this `pricingPlanId`, in dollars per GPU-hour."""

    name: str
    start_time: float
    prices: Mapping[str, Decimal]

    def to_wire(self) -> JsonObject:
        """The resource as an answer has it."""
        hours: list[JsonValue] = [
            {"acceleratorType": accelerator, "acceleratorHourPrice": money(price)}
            for accelerator, price in sorted(self.prices.items())
        ]
        return {
            "name": self.name,
            "billingType": "ACCELERATOR_HOURS",
            "startTime": timestamp(self.start_time),
            "createTime": timestamp(self.start_time),
            "updateTime": timestamp(self.start_time),
            "state": "READY",
            "acceleratorHourConfig": hours,
        }


@dataclass(slots=True)
class Prices:
    """The prices of a world.

    `overrides` replace published ones, whatever the day; None: there is no price. `plans` are contracts by account
    and id.
    """

    overrides: dict[str, Decimal | None] = field(default_factory=dict)
    plans: dict[str, dict[str, PricingPlan]] = field(default_factory=dict)

    def listed(self, accelerator: str, moment: float) -> Decimal | None:
        """Dollars per GPU-hour without regard to the placement, None for an unknown price."""
        if accelerator in self.overrides:
            return self.overrides[accelerator]
        day = datetime.fromtimestamp(moment, UTC).date()
        known = [prices for since, prices in PUBLISHED if since <= day]
        price = known[-1].get(accelerator) if known else None
        return None if price is None else Decimal(price)

    def hourly(self, account: str, facts: Facts, moment: float, assumptions: Assumptions) -> Decimal | None:
        """Dollars per GPU-hour of a deployment at a moment, None for an unknown price."""
        plan = self.plans.get(account, {}).get(facts.pricing_plan)
        if plan is not None and facts.accelerator in plan.prices:
            return plan.prices[facts.accelerator]
        price = self.listed(facts.accelerator, moment)
        return None if price is None else price * factor(facts.placement, assumptions)


def factor(placement: str, assumptions: Assumptions) -> Decimal:
    """What a placement does to the price."""
    if placement == "GLOBAL":
        return Decimal(1)
    chosen = assumptions.region_group_price_factor if placement in _GROUPS else assumptions.region_price_factor
    return Decimal(str(chosen))


def money(amount: Decimal) -> JsonObject:
    """A google.type.Money in US dollars; zero parts are left out, as protojson does."""
    nanos = int((amount * _NANO).to_integral_value())
    units, rest = divmod(nanos, int(_NANO))
    result: JsonObject = {"currencyCode": "USD"}
    if units:
        result["units"] = str(units)
    if rest:
        result["nanos"] = rest
    return result
