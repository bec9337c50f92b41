"""GPU quotas: what is in use, and refusing what goes beyond."""

from fireworks_simulator.clock import timestamp
from fireworks_simulator.entities import Account, Deployment, State
from fireworks_simulator.rules import quota_id
from fireworks_simulator.schema import ACCELERATORS
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, Reply, not_found, ok
from fireworks_simulator.world import World

_CODE = {"429": Code.RESOURCE_EXHAUSTED, "403": Code.PERMISSION_DENIED, "400": Code.FAILED_PRECONDITION}


_UNLIMITED = 1_000_000


def limit(world: World, account: Account, quota: str) -> int | None:
    """The GPUs that an account may use of one quota, None for any number."""
    return account.quotas.get(quota, world.settings.gpu_quota)


def in_use(account: Account, quota: str, *, besides: str = "") -> int:
    """GPUs of the replicas that the account's deployments want now, one deployment left out."""
    return sum(
        d.desired * d.gpus_per_replica
        for d in account.deployments.values()
        if d.id != besides and not d.gone and d.state is not State.FAILED and quota_id(d.config) == quota
    )


def check_quota(world: World, account: Account, d: Deployment, replicas: int) -> None:
    """Refuse when `replicas` of a deployment go beyond the account's quota.

    Raises:
        ApiError: the text names what is in use, the quota and what is requested.
    """
    quota = quota_id(d.config)
    allowed = limit(world, account, quota)
    if allowed is None:
        return
    requesting = replicas * d.gpus_per_replica
    used = in_use(account, quota, besides=d.id)
    if requesting + used > allowed:
        code = _CODE[world.assumptions.quota_status]
        message = f"{quota} for account {account.id}, in use: {used}, quota: {allowed}, requesting: {requesting}"
        raise ApiError(code, message)


def list_quotas(world: World, call: Call) -> Reply:
    """GET /quotas."""
    account = world.accounts[call.account]
    ids = {f"global--{name.split('_')[1].lower()}-count" for name in ACCELERATORS} | set(account.quotas)
    return ok(
        {
            "quotas": [_to_wire(world, account, quota) for quota in sorted(ids)],
            "nextPageToken": "",
            "totalSize": len(ids),
        }
    )


def get_quota(world: World, call: Call) -> Reply:
    """GET /quotas/{quota}."""
    account = world.accounts[call.account]
    quota = call.params["quota"]
    if "-" not in quota:
        raise not_found(f"quota accounts/{call.account}/quotas/{quota} not found")
    return ok(_to_wire(world, account, quota))


def _to_wire(world: World, account: Account, quota: str) -> JsonObject:
    limited = limit(world, account, quota)
    allowed = str(_UNLIMITED if limited is None else limited)
    return {
        "name": f"accounts/{account.id}/quotas/{quota}",
        "value": allowed,
        "maxValue": allowed,
        "usage": float(in_use(account, quota)),
        "updateTime": timestamp(account.update_time),
    }
