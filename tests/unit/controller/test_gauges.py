"""What the gauges say of the accounts in use."""

import logging
from types import SimpleNamespace
from typing import cast

import pytest

from fireworks_operator.controller.accounts.accounts import Accounts
from fireworks_operator.controller.accounts.observer import Listing, Observer
from fireworks_operator.controller.measure.budgets import BudgetGauges
from fireworks_operator.controller.measure.gauges import Gauges
from fireworks_operator.controller.measure.inventory import Inventory
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.identity import Owner
from fireworks_operator.fireworks.request_budget import RequestBudget
from fireworks_operator.observability.metrics import Metrics
from testkit.builders import CLUSTER, CREATED, NAME, NOW, a_deployment, a_resource
from tests.unit.controller.fakes import Changes, no_budgets

LOST = f"{NAME}-lost"
RUNNING = {
    **CREATED,
    "replicas": {"ready": 2},
    "effective": {"acceleratorType": "NVIDIA_H100_80GB", "acceleratorCount": 4},
    "replacement": {"phase": "Draining", "startTime": "2026-03-01T12:00:00Z", "revision": 2},
    "conditions": [
        {
            "type": "AddonsReady",
            "status": "False",
            "reason": "AddonsLoading",
            "message": "Waiting for one.",
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        }
    ],
}


class Scene:
    """One account with a resource whose deployment runs, and perhaps others that nobody looks after."""

    def __init__(self) -> None:
        self.observer = Observer("acme", Changes(), lambda: 100.0)
        self.account = SimpleNamespace(
            name="acme",
            in_use=True,
            proven=True,
            observer=self.observer,
            budget=RequestBudget(burst=50, clock=lambda: 100.0),
            observed_for=lambda: 7.0,
            credentials=tuple,
        )
        accounts, store = cast("Accounts", [self.account]), DeploymentStore()
        store.put(a_resource(status=RUNNING))
        self.metrics = Metrics()
        inventory = Inventory(store, accounts, {CLUSTER}, lambda _: True)
        self.gauges = Gauges(self.metrics, inventory, accounts, BudgetGauges(self.metrics, no_budgets(), lambda: NOW))

    def listed(self, *others: str) -> None:
        """List the account, with deployments of this cluster that no resource has."""
        marker = Owner(CLUSTER, "team-b", "gone").marker()
        found = [a_deployment(), *(a_deployment(name=name, annotations={**marker}) for name in others)]
        self.observer.listed(Listing(0.0, {each.name: each for each in found}, frozenset()))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"fireworks_operator_{name}", labels)

    def shown(self) -> set[str]:
        """The gauges that tell of the account."""
        gauges = (family for family in self.metrics.registry.collect() if family.type == "gauge")
        told = (family for family in gauges if any("account" in sample.labels for sample in family.samples))
        return {family.name.removeprefix("fireworks_operator_") for family in told}


def test_an_account_in_use_is_measured_and_its_gpus_are_counted_by_the_second() -> None:
    scene = Scene()
    scene.listed()
    scene.gauges.measure(10.0)
    scene.gauges.measure(5.0)
    assert scene.value("observation_age_seconds", account="acme") == 7.0
    assert scene.value("ready_replicas", account="acme") == 2.0
    assert scene.value("resources_addons_pending", account="acme") == 1.0
    assert scene.value("replacements", account="acme", phase="Draining") == 1.0
    assert scene.value("replacements_blocked", account="acme") == 0.0
    assert scene.value("gpu_seconds_total", account="acme", accelerator="NVIDIA_H100_80GB") == 120.0


def test_an_account_that_nobody_uses_any_more_is_measured_no_longer() -> None:
    scene = Scene()
    scene.listed()
    scene.gauges.measure(10.0)
    assert scene.shown() >= {"observation_age_seconds", "resources_addons_pending"}
    scene.account.in_use = False
    scene.gauges.measure(10.0)
    assert scene.shown() == set(), "what is added to the gauges of an account is dropped with it"


def test_an_orphan_is_warned_of_once_and_again_when_it_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    for others, warnings in (((LOST,), 1), ((LOST,), 1), ((), 1), ((LOST,), 2)):
        scene.listed(*others)
        scene.gauges.measure(1.0)
        told = [each for each in caplog.records if each.levelno == logging.WARNING and LOST in each.getMessage()]
        assert len(told) == warnings
        assert scene.value("orphaned_deployments", account="acme") == len(others)
