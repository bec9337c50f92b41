"""The status of a budget: how much of it is committed, runs and is spent, and who waits."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from fireworks_operator.api.budget import BudgetAmounts, BudgetMonth, FireworksBudgetStatus
from fireworks_operator.api.conditions import BudgetConditionType, BudgetReason, set_condition
from fireworks_operator.api.v1alpha1 import Condition, Cost
from fireworks_operator.core.budgets import ZERO, Committed, amount, money
from fireworks_operator.core.status.cost import SECONDS_PER_HOUR, dollars, dollars_per_hour, month_name, next_month

from .tally import Entry, Tally, total

_CENT = Decimal("0.01")
_MICRO = Decimal("0.000001")


def status_of(tally: Tally, entries: dict[str, Entry], now: datetime) -> FireworksBudgetStatus:
    """Derive the status of a budget; the very one that it has while nothing else is to be said.

    The spend goes on growing at the rate that the status tells, so that nothing needs to be written meanwhile.
    """
    before, now = tally.budget.status, now.replace(microsecond=0)
    members = [entries[ref] for ref in sorted(tally.members)]
    costs = [each.resource.status.cost for each in members]
    granted = total(each.granted for each in members)
    spent = tally.spent(entries, now)
    status = before.model_copy(
        update={
            "observed_generation": tally.budget.metadata.generation,
            "committed": BudgetAmounts(gpus=granted.gpus, hourly_cost=dollars(granted.hourly)),
            "running": _running(costs),
            "month": BudgetMonth(
                name=month_name(now),
                total=dollars(spent.quantize(_MICRO)),
                of_deleted=dollars(tally.gone(now).quantize(_MICRO)) if tally.gone(now) else None,
                deleted=list(tally.deleted) or None,
            ),
            "as_of": now,
            "selected": len(members),
            "waiting": sum(each.waiting is not None for each in members),
            "unpriced": granted.unpriced or None,
            "conditions": _conditions(tally, granted, spent, now),
        }
    )
    return before if _says_the_same(before, status, spent, now) else status


def _says_the_same(before: FireworksBudgetStatus, status: FireworksBudgetStatus, spent: Decimal, now: datetime) -> bool:
    """Tell whether the status as it is still tells all, the spend by its rate."""
    month, running = before.month, before.running
    if month is None or running is None or before.as_of is None or status.month is None:
        return False
    rate, seconds = amount(running.hourly_cost) or ZERO, (now - before.as_of).total_seconds()
    expected = (amount(month.total) or ZERO) + rate * Decimal(max(seconds, 0)) / SECONDS_PER_HOUR
    if abs(expected - spent) > _CENT * max(1, status.selected):
        return False
    same = status.month.model_copy(update={"total": month.total})
    return status.model_copy(update={"as_of": before.as_of, "month": same}) == before


def _running(costs: Iterable[Cost | None]) -> BudgetAmounts:
    known = [each for each in costs if each is not None]
    hourly = sum((dollars_per_hour(each)[0] or ZERO for each in known), ZERO)
    return BudgetAmounts(gpus=sum(each.gpus for each in known), hourly_cost=dollars(hourly))


def _conditions(tally: Tally, granted: Committed, spent: Decimal, now: datetime) -> list[Condition]:
    conditions = list(tally.budget.status.conditions)
    generation = tally.budget.metadata.generation
    conditions = set_condition(
        conditions,
        BudgetConditionType.READY,
        "True",
        BudgetReason.ENFORCED,
        "The limits are enforced.",
        generation=generation,
        now=now,
    )
    value, reason, message = _exhausted(tally, granted, spent, now)
    return set_condition(
        conditions,
        BudgetConditionType.EXHAUSTED,
        "True" if value else "False",
        reason,
        message,
        generation=generation,
        now=now,
    )


def _exhausted(tally: Tally, granted: Committed, spent: Decimal, now: datetime) -> tuple[bool, BudgetReason, str]:
    limits = tally.limits
    if limits.monthly is not None and spent >= limits.monthly:
        what = "is parked" if tally.parks else "may not grow"
        return (
            True,
            BudgetReason.MONTHLY_LIMIT_REACHED,
            f"The ${money(limits.monthly)} of the month are spent: what it selects {what} until the next month begins, "
            f"at {next_month(now):%Y-%m-%d %H:%M} UTC, or until spec.limits.monthlyCost is raised.",
        )
    over_gpus = limits.gpus is not None and granted.gpus >= limits.gpus
    over_cost = limits.hourly is not None and granted.hourly >= limits.hourly
    if over_gpus or over_cost:
        which = "spec.limits.gpus" if over_gpus else "spec.limits.hourlyCost"
        return True, BudgetReason.FULLY_COMMITTED, f"All that {which} allows is committed: nothing else may grow."
    return False, BudgetReason.WITHIN_LIMITS, "There is room within the limits."
