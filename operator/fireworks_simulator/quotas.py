"""Quotas: what is in use, what is allowed, and refusing what goes beyond."""

import re
from typing import Final

from fireworks_simulator import schema_account
from fireworks_simulator.clock import timestamp
from fireworks_simulator.entities import Account, Deployment, State
from fireworks_simulator.masks import update_paths
from fireworks_simulator.protojson import parse
from fireworks_simulator.rules import quota_id
from fireworks_simulator.schema import ACCELERATORS, REGIONS
from fireworks_simulator.spending import this_month
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, Reply, invalid, not_found, ok
from fireworks_simulator.world import World

_CODE = {"429": Code.RESOURCE_EXHAUSTED, "403": Code.PERMISSION_DENIED, "400": Code.FAILED_PRECONDITION}
_UNLIMITED: Final = 1_000_000
MONTHLY_SPEND: Final = "monthly-spend-usd"
OVER_LIMIT: Final = "MONTHLY_SPEND_LIMIT_EXCEEDED"
_ALWAYS: Final = {"serverless-inference-rpm": 6000, "job-submission-count": 16, "deployed-lora-count": 100}
"""Quotas that every account has besides those of GPUs and of spending."""
_GPUS = tuple(sorted({name.split("_")[1].lower() for name in ACCELERATORS}))
_GROUPS = ("global", "us", "europe", "apac", "canada")
_REGIONS = tuple(region.lower().replace("_", "-") for region in REGIONS)
_GPU_QUOTA = re.compile(
    rf"(?:{'|'.join(_GROUPS)})--(?:{'|'.join(_GPUS)})-count|(?:{'|'.join(_GPUS)})-(?:{'|'.join(_REGIONS)})"
)


def most(world: World, account: Account, quota: str) -> int | None:
    """What Fireworks allows an account of one quota, None for any number."""
    if quota in account.quotas:
        return account.quotas[quota]
    if quota in _ALWAYS:
        return _ALWAYS[quota]
    assumptions = world.assumptions
    new = assumptions.quota_preset == "new-account"
    if quota == MONTHLY_SPEND:
        return assumptions.new_account_spend_limit if new else None
    if world.settings.gpu_quota is not None:
        return world.settings.gpu_quota
    if not new:
        return None
    return assumptions.new_account_gpus if quota.startswith("global--") else 0


def limit(world: World, account: Account, quota: str) -> int | None:
    """What an account may use of one quota: what Fireworks allows, or less if the customer wants so."""
    allowed, lowered = most(world, account, quota), account.lowered_quotas.get(quota)
    if allowed is None or lowered is None:
        return allowed if lowered is None else lowered
    return min(allowed, lowered)


def counted(world: World, d: Deployment, replicas: int) -> int:
    """The GPUs that a deployment takes from a quota when it wants so many replicas."""
    most_replicas = max(replicas, d.maximum) if world.assumptions.quota_counts == "maximum" else replicas
    return most_replicas * d.gpus_per_replica


def in_use(world: World, account: Account, quota: str, *, besides: str = "") -> int:
    """GPUs that the account's deployments take from a quota now, one deployment left out."""
    return sum(
        counted(world, d, d.desired)
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
    requesting = counted(world, d, replicas)
    used = in_use(world, account, quota, besides=d.id)
    if requesting and requesting + used > allowed:
        code = _CODE[world.assumptions.quota_status]
        message = f"{quota} for account {account.id}, in use: {used}, quota: {allowed}, requesting: {requesting}"
        raise ApiError(code, message)


def suspend_state(world: World, account: Account, now: float) -> str:
    """Whether an account may do anything: as the administrator decided, or by what it spent this month."""
    if account.suspend_state != "UNSUSPENDED" or not world.assumptions.spend_limit_suspends:
        return account.suspend_state
    allowed = limit(world, account, MONTHLY_SPEND)
    over = allowed is not None and this_month(world, account.id, now) >= allowed
    return OVER_LIMIT if over else account.suspend_state


def list_quotas(world: World, call: Call) -> Reply:
    """GET /quotas."""
    account = world.accounts[call.account]
    groups = _GROUPS if world.assumptions.quota_preset == "new-account" else _GROUPS[:1]
    ids = {f"{group}--{gpu}-count" for group in groups for gpu in _GPUS} | {*_ALWAYS, MONTHLY_SPEND, *account.quotas}
    return ok(
        {
            "quotas": [_to_wire(world, account, quota, call.now) for quota in sorted(ids)],
            "nextPageToken": "",
            "totalSize": len(ids),
        }
    )


def get_quota(world: World, call: Call) -> Reply:
    """GET /quotas/{quota}."""
    account = world.accounts[call.account]
    return ok(_to_wire(world, account, _known(account, call), call.now))


def update_quota(world: World, call: Call) -> Reply:
    """PATCH /quotas/{quota}: the customer wants less than Fireworks allows, or all of it again."""
    account = world.accounts[call.account]
    quota = _known(account, call)
    if call.identity.role != "admin":
        raise ApiError(Code.PERMISSION_DENIED, "permission denied")
    parsed = parse(schema_account.QUOTA, call.body)
    if ("value",) in update_paths(call, schema_account.QUOTA, parsed):
        value = int(str(parsed.value.get("value", "0")))
        allowed = most(world, account, quota)
        if value < 0 or value > (_UNLIMITED if allowed is None else allowed):
            raise invalid(f"value must be between 0 and max_value {_UNLIMITED if allowed is None else allowed}")
        account.lowered_quotas[quota] = value
        account.update_time = call.now
    return ok(_to_wire(world, account, quota, call.now))


def _known(account: Account, call: Call) -> str:
    quota = call.params["quota"]
    if quota in account.quotas or quota in _ALWAYS or quota == MONTHLY_SPEND or _GPU_QUOTA.fullmatch(quota):
        return quota
    raise not_found(f"quota accounts/{call.account}/quotas/{quota} not found")


def _to_wire(world: World, account: Account, quota: str, now: float) -> JsonObject:
    """A quota; its zeros are left out like all others."""
    value, allowed = limit(world, account, quota), most(world, account, quota)
    usage = 0.0
    if quota == MONTHLY_SPEND:
        usage = float(round(this_month(world, account.id, now), 2))
    elif _GPU_QUOTA.fullmatch(quota):
        usage = float(in_use(world, account, quota))
    result: JsonObject = {
        "name": f"accounts/{account.id}/quotas/{quota}",
        "value": str(_UNLIMITED if value is None else value),
        "maxValue": str(_UNLIMITED if allowed is None else allowed),
        "usage": usage,
        "updateTime": timestamp(account.update_time),
    }
    if world.assumptions.emit_zero_values:
        return result
    return {key: field for key, field in result.items() if field not in ("0", 0.0)}
