"""What a deployment costs by the hour, by the meter, and unknown where that would have to guess."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.core.prices import Prices
from fireworks_operator.core.status.cost import NOTHING, dollars_per_hour, rate_of

from .fireworks import names_hardware


@dataclass(frozen=True, slots=True)
class Bill:
    """GPUs and US dollars per hour, now and at most; None where that is not known, never 0."""

    gpus: int | None
    hourly: Decimal | None
    gpus_at_most: int | None
    ceiling: Decimal | None

    def plus(self, other: "Bill") -> "Bill":
        """Return the sum, which is not known where one of both is not."""
        return Bill(
            None if self.gpus is None or other.gpus is None else self.gpus + other.gpus,
            None if self.hourly is None or other.hourly is None else self.hourly + other.hourly,
            None if self.gpus_at_most is None or other.gpus_at_most is None else self.gpus_at_most + other.gpus_at_most,
            None if self.ceiling is None or other.ceiling is None else self.ceiling + other.ceiling,
        )


NO_BILL = Bill(0, NOTHING, 0, NOTHING)
UNKNOWN_BILL = Bill(None, None, None, None)


def metered(resource: FireworksDeployment | None) -> Bill:
    """Return what the meter says that a resource costs by the hour; nothing if it has no deployment."""
    if resource is None or resource.status.deployment_name is None:
        return NO_BILL
    cost = resource.status.cost
    if cost is None:
        return UNKNOWN_BILL
    hourly, ceiling = dollars_per_hour(cost)
    return Bill(cost.gpus, hourly, cost.gpu_ceiling, ceiling)


def bill_of(observed: Observed, prices: Prices, now: datetime) -> Bill:
    """Return what is billed for a deployment by the hour."""
    rate = rate_of(observed, prices, now)
    if rate is None:
        return UNKNOWN_BILL
    if not isinstance(observed, Present):
        return NO_BILL
    if names_hardware(observed.deployment):
        return Bill(rate.gpus, rate.hourly, rate.gpu_ceiling, rate.ceiling)
    # The meter takes one GPU for a replica of which Fireworks does not tell; beforehand that would be a guess.
    return Bill(
        0 if not rate.gpus else None,
        NOTHING if not rate.gpus else None,
        0 if not rate.gpu_ceiling else None,
        NOTHING if not rate.gpu_ceiling else None,
    )
