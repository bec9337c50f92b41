"""The part of the admin API that is about an account's money, quotas and routers."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fireworks_simulator.bodies import QuotaBody
from fireworks_simulator.bodies_account import RouterBody
from fireworks_simulator.routers import add
from fireworks_simulator.wire import JsonObject

if TYPE_CHECKING:
    from fireworks_simulator.admin import Admin


def _add_router(a: "Admin") -> JsonObject:
    """A router, e.g. one that the service makes by itself."""
    body = a.body(RouterBody)
    account = a.account().id
    config: JsonObject = {"deployments": [f"accounts/{account}/deployments/{each}" for each in body.deployments]}
    router = add(a.world, account, body.id, config, a.now, created_by="", auto_generated=body.auto_generated)
    return router.to_wire(a.now)


def _set_quota(a: "Admin") -> JsonObject:
    a.account().quotas[a.params["quota"]] = a.body(QuotaBody).value
    return {}


ACCOUNT_ACTIONS: Mapping[str, Mapping[str, "Callable[[Admin], JsonObject]"]] = {
    "/accounts/{account}/quotas/{quota}": {"PUT": _set_quota},
    "/accounts/{account}/routers": {"POST": _add_router},
}
