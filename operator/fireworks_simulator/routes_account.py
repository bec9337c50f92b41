"""Handlers of an account's money, quotas, metrics and routers, by path below the account and by method."""

from collections.abc import Callable, Mapping

from fireworks_simulator import billing_usage, routers
from fireworks_simulator.wire import Call, Reply
from fireworks_simulator.world import World

Handlers = Mapping[str, Callable[[World, Call], Reply]]

ACCOUNT_ROUTES: Mapping[str, Handlers] = {
    "/billingUsage": {"GET": billing_usage.get},
    "/billingUsage:query": {"POST": billing_usage.query},
    "/routers": {"GET": routers.list_routers, "POST": routers.create},
    "/routers/{router}": {"GET": routers.get, "PATCH": routers.update, "DELETE": routers.delete},
}
