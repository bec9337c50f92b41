"""The meter: what a resource's deployment costs now, and what it has cost, as `status.cost` says it.

Billed are ready replicas times their GPUs (Fireworks: on-demand deployments, pricing). What it has cost until now is
`total + hourly * (now - asOf)`, so nothing needs to be written while the rate stays the same.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from fireworks_operator.api.v1alpha1 import Cost, MonthCost
from fireworks_operator.core.ceiling import bounded, gpus_at_most, hourly_of
from fireworks_operator.core.observed.observation import Absent, Observed, Present
from fireworks_operator.core.pauses import CLOCK_TOLERANCE
from fireworks_operator.core.prices import Prices
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

NOTHING = Decimal(0)
SECONDS_PER_HOUR = 3600
RESUMED_FOR = timedelta(minutes=2)
"""How long after the first LIST that followed a silence a change of the rate may have come about unseen."""
_CENT, _MICRO = Decimal("0.01"), Decimal("0.000001")
_MOST = Decimal(10) ** 15
"""No sum is as large as that: what a status says beyond it was not written here."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What is billed now: GPUs, US dollars per hour for them, and at most; None where the price is not known."""

    gpus: int
    hourly: Decimal | None
    gpu_ceiling: int
    ceiling: Decimal | None

    def plus(self, other: "Rate") -> "Rate":
        """Return what is billed for both."""
        hourly, ceiling = _sum(self.hourly, other.hourly), _sum(self.ceiling, other.ceiling)
        return Rate(self.gpus + other.gpus, hourly, self.gpu_ceiling + other.gpu_ceiling, ceiling)


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


_NO_RATE = Rate(0, NOTHING, 0, NOTHING)


def cost_of(situation: Situation) -> Cost | None:
    """Return what the deployment costs and has cost; the same object for as long as the rate stays the same."""
    before = situation.status.cost
    rate = _whole_rate(situation)
    if rate is None:
        return before
    now = situation.now.replace(microsecond=0)
    if before is None:
        return _cost(rate, _Sum(), _Sum(), now, estimated=False)
    if _rate_in(before) == rate and before.month.name == month_name(now):
        return before
    return _accrue(before, rate, now, estimated=_may_be_late(situation, before))


def stopped(cost: Cost | None, now: datetime) -> Cost | None:
    """Return a cost that no longer grows: the deployment is another's now, or gone."""
    if cost is None or _rate_in(cost) == _NO_RATE:
        return cost
    return _accrue(cost, _NO_RATE, now.replace(microsecond=0), estimated=False)


def rate_ends(situation: Situation) -> datetime | None:
    """Return when something is to be written although nothing changes at Fireworks: a month or a price ends."""
    cost, now = situation.subject.status.cost, situation.now
    found = [each.deployment for each in (situation.observed, situation.other) if isinstance(each, Present)]
    if cost is None or not cost.gpus or not found:
        return None
    prices = situation.context.prices
    changes = (prices.of(each.account).next_change(each.accelerator_type, now) for each in found)
    return min([next_month(now), *(each for each in changes if each is not None)])


def dollars_per_hour(cost: Cost) -> tuple[Decimal | None, Decimal | None]:
    """Return US dollars per hour now and at most; None where the price is not known."""
    return _decimal(cost.hourly), _decimal(cost.hourly_ceiling)


def month_until(cost: Cost, now: datetime) -> Decimal:
    """Return US dollars from the beginning of this month until now, as far as prices are known."""
    this_month = cost.month.name == month_name(now)
    known = (_decimal(cost.month.total) if this_month else None) or NOTHING
    since = cost.as_of if this_month else max(cost.as_of, _month_of(now))
    return known + (_decimal(cost.hourly) or NOTHING) * _seconds(since, now) / SECONDS_PER_HOUR


def gpus_per_replica(deployment: Deployment) -> int:
    """Return the GPUs of one replica; a deployment whose answer does not tell has one."""
    return deployment.accelerator_count or 1


def month_name(now: datetime) -> str:
    """Return the month as YEAR-MONTH."""
    return f"{now:%Y-%m}"


def next_month(now: datetime) -> datetime:
    """Return when the next month begins."""
    return _month_of(_month_of(now) + timedelta(days=32))


def dollars(value: Decimal | None) -> str | None:
    """Return an amount with cents, and with more digits only where there are any."""
    if value is None:
        return None
    cents = value.quantize(_CENT)
    return f"{cents}" if cents == value else f"{value.normalize():f}"


def month_gpu_seconds_until(cost: Cost, now: datetime) -> int:
    """Return GPU-seconds from the beginning of this month until now, of any price."""
    known = cost.month.gpu_seconds if _month_of(cost.as_of) == _month_of(now) else 0
    return known + cost.gpus * _seconds(max(cost.as_of, _month_of(now)), now)


def rate_of(observed: Observed, prices: Prices, now: datetime) -> Rate | None:
    """Return what is billed now; None if nothing is known of it."""
    if isinstance(observed, Absent):
        return _NO_RATE if observed.confirmed else None
    if not isinstance(observed, Present):
        return None
    deployment = observed.deployment
    if deployment.state == "DELETED":
        return _NO_RATE
    paid = prices.of(deployment.account)
    gpus = bounded(deployment.replica_stats.ready * gpus_per_replica(deployment))
    most = gpus_at_most(deployment)
    return Rate(gpus, hourly_of(paid, deployment, gpus, now), most, hourly_of(paid, deployment, most, now))


def _whole_rate(situation: Situation) -> Rate | None:
    """Return what is billed now for a resource, which has two deployments while it is being replaced."""
    prices, now = situation.context.prices, situation.now
    rate = rate_of(situation.observed, prices, now)
    # What no LIST has is not billed; that of the deployment itself may be a lost one, of which more has to be known.
    second = situation.other
    other = _NO_RATE if second is None or isinstance(second, Absent) else rate_of(second, prices, now)
    return None if rate is None or other is None else rate.plus(other)


def _may_be_late(situation: Situation, before: Cost) -> bool:
    """Tell whether a rate may have changed some time ago, while nobody looked."""
    resumed = situation.context.resumed_at
    if resumed is None or situation.now - resumed >= RESUMED_FOR:
        return False
    return before.as_of < resumed.replace(microsecond=0)  # what is written has whole seconds


@dataclass(frozen=True, slots=True)
class _Sum:
    """GPU-seconds, those of them without a known price, and the dollars of the others."""

    gpu_seconds: int = 0
    unpriced: int = 0
    dollars: Decimal = NOTHING

    def plus(self, gpus: int, hourly: Decimal | None, seconds: int) -> "_Sum":
        """Return the sum after so many seconds at a rate."""
        used = gpus * seconds
        if hourly is None:
            return _Sum(self.gpu_seconds + used, self.unpriced + used, self.dollars)
        dollars = (self.dollars + hourly * seconds / SECONDS_PER_HOUR).quantize(_MICRO, ROUND_HALF_EVEN)
        return _Sum(self.gpu_seconds + used, self.unpriced, dollars)


def _accrue(before: Cost, rate: Rate, now: datetime, *, estimated: bool) -> Cost:
    """Count what was billed since the last change of the rate."""
    gpus, hourly = before.gpus, _decimal(before.hourly)
    total = _Sum(before.gpu_seconds, before.unpriced_gpu_seconds or 0, _decimal(before.total) or NOTHING)
    total = total.plus(gpus, hourly, _seconds(before.as_of, now))
    month, since = _Sum(), max(before.as_of, _month_of(now))
    if before.month.name == month_name(now):
        kept = before.month
        month = _Sum(kept.gpu_seconds, 0, _decimal(kept.total) or NOTHING)
    month = month.plus(gpus, hourly, _seconds(since, now))
    ahead = before.as_of > now + CLOCK_TOLERANCE  # a clock was wrong: how long the rate lasted is not known
    return _cost(rate, total, month, now, estimated=bool(before.estimated) or estimated or ahead)


def _cost(rate: Rate, total: _Sum, month: _Sum, now: datetime, *, estimated: bool) -> Cost:
    return Cost(
        gpus=rate.gpus,
        hourly=dollars(rate.hourly),
        gpu_ceiling=rate.gpu_ceiling,
        hourly_ceiling=dollars(rate.ceiling),
        gpu_seconds=total.gpu_seconds,
        unpriced_gpu_seconds=total.unpriced or None,
        total=dollars(total.dollars),
        month=MonthCost(name=month_name(now), gpu_seconds=month.gpu_seconds, total=dollars(month.dollars)),
        as_of=now,
        estimated=estimated or None,
    )


def _rate_in(cost: Cost) -> Rate:
    """Return the rate that a status says; one that is no number is not known."""
    return Rate(cost.gpus, _decimal(cost.hourly), cost.gpu_ceiling, _decimal(cost.hourly_ceiling))


def _seconds(start: datetime, end: datetime) -> int:
    """Return whole seconds, none if a clock was set back."""
    return max(int((end - start).total_seconds()), 0)


def _decimal(text: str | None) -> Decimal | None:
    """Return a number; None for what is not one."""
    try:
        value = None if text is None else Decimal(text)
    except InvalidOperation:
        return None
    return value if value is not None and value.is_finite() and NOTHING <= value < _MOST else None


def _month_of(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
