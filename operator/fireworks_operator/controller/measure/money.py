"""The gauges of money: what is spent per hour, and the sum of it."""

from collections.abc import Collection

from fireworks_operator.observability.metrics import Metrics

from .inventory import Inventory

_SECONDS_PER_HOUR = 3600.0


class CostGauges:
    """Keeps the metrics of cost; a series goes with the last resource of its namespace and account."""

    def __init__(self, metrics: Metrics, inventory: Inventory, *, per_resource: bool) -> None:
        """Connect the parts; `per_resource` has the cost of every resource told, too."""
        self._metrics = metrics
        self._inventory = inventory
        self._per_resource = per_resource
        self._shown: set[tuple[str, str]] = set()
        self._resources: set[tuple[str, str, str]] = set()
        self._deployments: set[tuple[str, str, str, str]] = set()

    def measure(self, accounts: Collection[str], seconds: float) -> None:
        """Set all gauges, and count what so many seconds have cost, for these accounts."""
        metrics, spending = self._metrics, self._inventory.spending()
        shown = {each for each in spending if each[1] in accounts}
        for labels in shown:
            metrics.hourly_cost.labels(*labels).set(spending[labels].hourly)
            metrics.hourly_cost_ceiling.labels(*labels).set(spending[labels].ceiling)
            metrics.cost.labels(*labels).inc(spending[labels].hourly * seconds / _SECONDS_PER_HOUR)
        for labels in self._shown - shown:
            metrics.hourly_cost.remove(*labels)
            metrics.hourly_cost_ceiling.remove(*labels)
        self._shown = shown
        unpriced = self._inventory.unpriced_gpus()
        for account in accounts:
            metrics.unpriced_gpus.labels(account).set(unpriced[account])
        if self._per_resource:
            self._measure_resources(accounts)

    def _measure_resources(self, accounts: Collection[str]) -> None:
        costs = {labels: cost for labels, cost in self._inventory.hourly_costs().items() if labels[2] in accounts}
        for labels, cost in costs.items():
            self._metrics.resource_hourly_cost.labels(*labels).set(cost)
        for labels in self._resources - costs.keys():
            self._metrics.resource_hourly_cost.remove(*labels)
        self._resources = set(costs)
        gpus = {labels: count for labels, count in self._inventory.billed_gpus().items() if labels[2] in accounts}
        for billed, count in gpus.items():
            self._metrics.resource_gpus.labels(*billed).set(count)
        for gone in self._deployments - gpus.keys():
            self._metrics.resource_gpus.remove(*gone)
        self._deployments = set(gpus)
