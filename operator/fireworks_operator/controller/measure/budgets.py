"""The gauges of budgets: what is committed, spent and allowed."""

from collections.abc import Callable
from datetime import datetime

from fireworks_operator.controller.budgets.ledger import Ledger
from fireworks_operator.controller.budgets.tally import Tally
from fireworks_operator.observability.metrics import Metrics


class BudgetGauges:
    """Keeps the metrics of budgets."""

    def __init__(self, metrics: Metrics, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        """Connect the parts; `clock` gives wall time, UTC."""
        self._metrics = metrics
        self._ledger = ledger
        self._clock = clock

    def measure(self) -> None:
        """Set all gauges."""
        tallies = {(each.budget.metadata.namespace, each.budget.metadata.name): each for each in self._ledger}
        self._metrics.set_budgets({labels: self._values(each) for labels, each in tallies.items()})

    def _values(self, tally: Tally) -> dict[str, float]:
        """Return the values by the names of `Metrics.set_budgets`; none for a limit that is not set."""
        limits, entries = tally.limits, self._ledger.entries(tally)
        values = {
            "gpus": tally.committed.gpus,
            "gpus_limit": limits.gpus,
            "hourly_cost_dollars": tally.committed.hourly,
            "hourly_cost_limit_dollars": limits.hourly,
            "month_dollars": tally.spent(entries, self._clock()),
            "month_limit_dollars": limits.monthly,
            "waiting_resources": sum(each.waiting is not None for each in entries.values()),
        }
        return {name: float(value) for name, value in values.items() if value is not None}
