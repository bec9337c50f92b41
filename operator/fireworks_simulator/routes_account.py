"""Handlers of an account's money, quotas, metrics and routers, by path below the account and by method."""

from collections.abc import Callable, Mapping

from fireworks_simulator import billing_costs, billing_usage, metrics, routers, shards
from fireworks_simulator.wire import Call, Reply
from fireworks_simulator.world import World

Handlers = Mapping[str, Callable[[World, Call], Reply]]

ACCOUNT_ROUTES: Mapping[str, Handlers] = {
    "/billingUsage": {"GET": billing_usage.get},
    "/billingUsage:query": {"POST": billing_usage.query},
    "/billing/summary": {"GET": billing_costs.summary},
    "/usageCosts:query": {"POST": billing_costs.query_costs},
    "/pricingPlans": {"GET": billing_costs.list_plans},
    "/pricingPlans/{plan}": {"GET": billing_costs.get_plan},
    "/metrics": {"GET": metrics.get},
    "/deployments/{deployment}/shards": {"GET": shards.list_shards},
    "/routers": {"GET": routers.list_routers, "POST": routers.create},
    "/routers/{router}": {"GET": routers.get, "PATCH": routers.update, "DELETE": routers.delete},
}
