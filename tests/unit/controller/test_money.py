"""Cost as metrics: by namespace and account, summed between observations, and per resource only if asked for."""

from typing import cast

import pytest
from prometheus_client import generate_latest

from fireworks_operator.controller.accounts.accounts import Accounts
from fireworks_operator.controller.measure.inventory import Inventory
from fireworks_operator.controller.measure.money import CostGauges
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.observability.metrics import Metrics
from testkit.builders import CLUSTER, CREATED, a_resource

SINCE = "2026-03-01T12:00:00Z"


class Scene:
    """Resources with a cost, and the metrics of them."""

    def __init__(self, *, per_resource: bool = False) -> None:
        self.metrics, self.store = Metrics(), DeploymentStore()
        inventory = Inventory(self.store, cast("Accounts", []), {CLUSTER}, lambda _: True)
        self.gauges = CostGauges(self.metrics, inventory, per_resource=per_resource)

    def put(self, name: str, hourly: str | None, ceiling: str | None, *, gpus: int = 1, account: str = "acme") -> None:
        cost = {"gpus": gpus, "hourly": hourly, "hourlyCeiling": ceiling, "month": {"name": "2026-03"}, "asOf": SINCE}
        status = {**CREATED, "account": account, "cost": {key: each for key, each in cost.items() if each is not None}}
        self.store.put(a_resource(status=status, name=name, uid=name))

    def shown(self) -> dict[str, float]:
        text = generate_latest(self.metrics.registry).decode()
        lines = [line for line in text.splitlines() if "dollars" in line or "gpus" in line]
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name.removeprefix("fireworks_operator_"): float(value) for name, value in pairs}


def test_cost_adds_up_by_namespace_and_account() -> None:
    scene = Scene()
    scene.put("one", "16.00", "64.00")
    scene.put("two", "8.50", "8.50")
    scene.put("three", "1.00", "1.00", account="other")
    scene.gauges.measure({"acme"}, 0.0)
    scene.gauges.measure({"acme"}, 1800.0)
    labels = '{account="acme",resource_namespace="team-a"}'
    assert scene.shown() == {
        f"hourly_cost_dollars{labels}": 24.5,
        f"hourly_cost_ceiling_dollars{labels}": 72.5,
        f"cost_dollars_total{labels}": pytest.approx(12.25),
        'unpriced_gpus{account="acme"}': 0.0,
    }, "an account that nobody has proven is a text of somebody's choice"


def test_what_has_no_price_is_counted_as_gpus() -> None:
    scene = Scene()
    scene.put("one", None, None, gpus=4)
    scene.gauges.measure({"acme"}, 60.0)
    assert scene.shown()['unpriced_gpus{account="acme"}'] == 4
    assert scene.shown()['hourly_cost_dollars{account="acme",resource_namespace="team-a"}'] == 0


def test_a_series_goes_with_the_last_resource() -> None:
    scene = Scene(per_resource=True)
    scene.put("one", "16.00", "64.00")
    scene.gauges.measure({"acme"}, 3600.0)
    assert (
        scene.shown()['resource_hourly_cost_dollars{account="acme",resource_name="one",resource_namespace="team-a"}']
        == 16
    )
    gpus = 'resource_gpus{account="acme",deployment_id="%s",resource_name="one",resource_namespace="team-a"}'
    assert scene.shown()[gpus % CREATED["deploymentName"].rsplit("/", 1)[-1]] == 1
    assert scene.store.remove("team-a/one", "one")
    scene.gauges.measure({"acme"}, 3600.0)
    assert scene.shown() == {
        'cost_dollars_total{account="acme",resource_namespace="team-a"}': 16.0,
        'unpriced_gpus{account="acme"}': 0.0,
    }
