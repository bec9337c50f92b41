"""The part of the admin API that is about an account's money, quotas and routers."""

from collections.abc import Callable, Mapping

from fireworks_simulator.admin_request import Admin
from fireworks_simulator.bodies import QuotaBody
from fireworks_simulator.bodies_account import PricesBody, PricingPlanBody, RouterBody
from fireworks_simulator.prices import PricingPlan
from fireworks_simulator.routers import add
from fireworks_simulator.wire import JsonObject


def _add_router(a: Admin) -> JsonObject:
    """A router, e.g. one that the service makes by itself."""
    body = a.body(RouterBody)
    account = a.account().id
    config: JsonObject = {"deployments": [f"accounts/{account}/deployments/{each}" for each in body.deployments]}
    router = add(a.world, account, body.id, config, a.now, created_by="", auto_generated=body.auto_generated)
    return router.to_wire(a.now)


def _set_quota(a: Admin) -> JsonObject:
    a.account().quotas[a.params["quota"]] = a.body(QuotaBody).value
    return {}


def _prices(a: Admin) -> JsonObject:
    overrides = a.world.prices.overrides
    return {"prices": {name: None if price is None else str(price) for name, price in overrides.items()}}


def _set_prices(a: Admin) -> JsonObject:
    """Prices in the place of the published ones, for the past too."""
    a.world.prices.overrides = dict(a.body(PricesBody).prices)
    return _prices(a)


def _add_plan(a: Admin) -> JsonObject:
    """A contract: the prices of deployments with this pricingPlanId."""
    body = a.body(PricingPlanBody)
    account = a.account().id
    plan = PricingPlan(f"accounts/{account}/pricingPlans/{body.id}", a.now, body.prices)
    a.world.prices.plans.setdefault(account, {})[body.id] = plan
    return plan.to_wire()


ACCOUNT_ACTIONS: Mapping[str, Mapping[str, Callable[[Admin], JsonObject]]] = {
    "/accounts/{account}/quotas/{quota}": {"PUT": _set_quota},
    "/prices": {"GET": _prices, "PUT": _set_prices},
    "/accounts/{account}/pricingPlans": {"POST": _add_plan},
    "/accounts/{account}/routers": {"POST": _add_router},
}
