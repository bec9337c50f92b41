"""The gauges that describe what there is: kept up to date beside the work."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from logging import getLogger

from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.accounts import Accounts
from fireworks_operator.observability.metrics import Metrics

from .budgets import BudgetGauges
from .inventory import Holdings, Inventory
from .money import CostGauges

log = getLogger(__name__)

_INTERVAL = 5.0
_SHARE = 0.002
"""Seconds between two looks at what there is, and the part of a core that they may take: with 5,000 they are rarer."""


class Gauges:
    """Counts what there is, now and then, and says which deployments are orphans."""

    def __init__(
        self,
        metrics: Metrics,
        inventory: Inventory,
        accounts: Accounts,
        budgets: BudgetGauges,
        *,
        cost_per_resource: bool = False,
    ) -> None:
        """Connect the parts; `cost_per_resource` has the cost of every resource told, too."""
        self._metrics = metrics
        self._inventory = inventory
        self._accounts = accounts
        self._money = CostGauges(metrics, inventory, per_resource=cost_per_resource)
        self._budgets = budgets
        self._orphans: frozenset[str] = frozenset()
        self._fingerprints: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Keep the gauges up to date until cancelled."""
        measured = time.monotonic()
        while True:
            before, measured, began = measured, time.monotonic(), time.perf_counter()
            await self._accounts.free_unused()
            self.measure(measured - before)
            await asyncio.sleep(max(_INTERVAL, (time.perf_counter() - began) / _SHARE))

    def measure(self, seconds: float) -> None:
        """Set all gauges, and count the GPUs of so many seconds since the last time."""
        self._metrics.set_resources(self._inventory.states())
        held = self._inventory.holdings()
        used = [account for account in self._accounts if account.in_use and account.proven]
        self._metrics.keep_accounts({each.name for each in self._accounts}, in_use={each.name for each in used})
        for account in used:
            self._set_account(account, held[account.name], seconds)
        self._money.measure({each.name for each in used}, seconds)
        self._budgets.measure()
        refused = self._inventory.refused_keys()
        replaced, self._fingerprints = self._fingerprints - refused.keys(), frozenset(refused)
        self._metrics.set_circuits(refused, replaced)
        self._tell_orphans(used, held)

    def _set_account(self, account: Account, held: Holdings, seconds: float) -> None:
        metrics = self._metrics
        metrics.observation_age.labels(account.name).set(account.observed_for())
        metrics.budget_tokens.labels(account.name).set(account.budget.available())
        metrics.budget_waiting.labels(account.name).set(account.budget.waiting())
        metrics.ready_replicas.labels(account.name).set(held.ready_replicas)
        metrics.orphaned_deployments.labels(account.name).set(len(held.orphans))
        metrics.without_replicas.labels(account.name).set(held.without_replicas)
        metrics.capacity_pending.labels(account.name).set(held.capacity_pending)
        metrics.addons_pending.labels(account.name).set(held.addons_pending)
        metrics.set_replacements(account.name, held.replacements, held.replacements_blocked)
        for kind, gpus in held.gpus.items():
            metrics.gpu_seconds.labels(account.name, kind).inc(gpus * seconds)

    def _tell_orphans(self, used: Iterable[Account], held: Mapping[str, Holdings]) -> None:
        known, self._orphans = self._orphans, frozenset(name for each in used for name in held[each.name].orphans)
        for name in sorted(self._orphans - known):
            log.warning("%s carries this cluster's owner marker but has no matching resource; it keeps running", name)
