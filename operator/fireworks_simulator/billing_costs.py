"""Handlers that answer dollars: `billing/summary`, `usageCosts:query` and `pricingPlans`."""

from collections.abc import Iterable, Sequence
from datetime import UTC, timedelta
from decimal import Decimal

from fireworks_simulator import schema_account as schema
from fireworks_simulator.billing_usage import DEDICATED, billed
from fireworks_simulator.clock import timestamp
from fireworks_simulator.meter import DAY, Piece, bucket
from fireworks_simulator.periods import period, printed
from fireworks_simulator.prices import SECONDS_PER_HOUR, PricingPlan, money
from fireworks_simulator.protojson import parse
from fireworks_simulator.query import list_resources
from fireworks_simulator.spending import cost, price_of
from fireworks_simulator.wire import ApiError, Call, Code, JsonObject, JsonValue, Reply, invalid, not_found, ok
from fireworks_simulator.world import World

_GRANULARITIES = ("", "UNSPECIFIED", "GRANULARITY_UNSPECIFIED", "DAILY")
_CATEGORY = "Dedicated deployments"
_PLAN_FIELDS = dict.fromkeys(("name", "billingType", "startTime", "endTime", "state", "createTime", "updateTime"))
_PAGE_SIZE, _MOST_ROWS = 50, 1000


def summary(world: World, call: Call) -> Reply:
    """GET /billing/summary: line items of whole days in UTC, the day of `endTime` not included."""
    start, end = period(call.query.get("startTime", ""), call.query.get("endTime", ""), max_days=None)
    granularity = call.query.get("granularity", "")
    if granularity not in _GRANULARITIES:
        raise invalid(f'parsing field "granularity": {granularity} is not valid')
    first, last = bucket(start, UTC, DAY)[0], bucket(end, UTC, DAY)[0]
    used = billed(world, call, first, last, zone=UTC)
    answer: JsonObject = {"lineItems": _line_items(world, call, used)}
    if granularity == "DAILY":
        days = sorted({(piece.start, piece.end) for piece in used})
        answer["usageBuckets"] = [
            {
                "startTime": printed(begin),
                "endTime": printed(until),
                "lineItems": _line_items(world, call, [piece for piece in used if piece.start == begin]),
            }
            for begin, until in days
        ]
    return ok(answer)


def _line_items(world: World, call: Call, used: Iterable[Piece]) -> list[JsonValue]:
    """One line for each accelerator type, placement and price; without dollars where no price is known."""
    sums: dict[tuple[str, str, Decimal | None], Decimal] = {}
    for piece in used:
        hourly = world.prices.hourly(call.account, piece.facts, piece.start, world.assumptions)
        key = (piece.facts.accelerator, piece.facts.placement, hourly)
        sums[key] = sums.get(key, Decimal(0)) + Decimal(repr(piece.gpu_seconds))
    items: list[JsonValue] = []
    in_hours = world.assumptions.billing_summary_unit == "hour"
    for (accelerator, placement, hourly), seconds in sorted(sums.items(), key=lambda item: str(item[0])):
        hours = seconds / SECONDS_PER_HOUR
        item: JsonObject = {
            "category": _CATEGORY,
            "series": DEDICATED,
            "groupingKey": "accelerator_type",
            "groupingValue": accelerator,
            "secondaryGroupingKey": "region",
            "secondaryGroupingValue": placement,
            "quantity": round(float(hours if in_hours else seconds), 6),
        }
        if hourly is not None:
            item["unitAmount"] = money(hourly if in_hours else hourly / SECONDS_PER_HOUR)
            item["totalCost"] = money(hourly * hours)
        items.append(item)
    return items


def query_costs(world: World, call: Call) -> Reply:
    """POST /usageCosts:query: rated subtotals by hour or day and by model; there is no dimension for deployments."""
    value = parse(schema.USAGE_COSTS_QUERY, call.body).value
    start, end = period(str(value.get("startTime", "")), str(value.get("endTime", "")), max_days=None)
    given = value.get("groupBy")
    group_by = [str(name) for name in given] if isinstance(given, list) else []
    if len(group_by) > 2 or {"HOUR", "DAY"} <= set(group_by):
        raise invalid("group_by takes at most two dimensions, and either HOUR or DAY")
    used = _rated(world, call, str(value.get("scope", "")), start, end, hourly="HOUR" in group_by)
    rows = _cost_rows(world, call, used, group_by)
    size = min(int(str(value.get("pageSize", 0))) or _PAGE_SIZE, _MOST_ROWS)
    token = str(value.get("pageToken", ""))
    if size < 0 or (token and not token.isdecimal()):
        raise invalid("invalid page_size or page_token")
    first = int(token or 0)
    answer: JsonObject = {
        "rows": rows[first : first + size],
        "subtotal": money(cost(world, call.account, used)),
        "evaluationTime": timestamp(call.now),
        "attributionCompleteness": "COMPLETE",
    }
    if first + size < len(rows):
        answer["nextPageToken"] = str(first + size)
    return ok(answer)


def _rated(world: World, call: Call, scope: str, start: float, end: float, *, hourly: bool) -> list[Piece]:
    """The usage that has dollars by now, as far as the caller may see it.

    Raises:
        ApiError: 400 without a scope; 403 if somebody else than an administrator asks for the account.
    """
    if scope not in ("ACCOUNT", "SELF"):
        raise invalid("scope is required")
    if scope == "ACCOUNT" and call.identity.role != "admin":
        raise ApiError(Code.PERMISSION_DENIED, "permission denied")
    assumptions = world.assumptions
    if scope == "SELF" or not assumptions.usage_costs_of_deployments:
        return []
    until = min(end, call.now - assumptions.usage_costs_lag_seconds)
    return billed(world, call, start, until, zone=UTC, step=timedelta(hours=1) if hourly else DAY)


def _cost_rows(world: World, call: Call, used: Iterable[Piece], group_by: Sequence[str]) -> list[JsonValue]:
    sums: dict[tuple[float, str], Decimal] = {}
    timed = bool({"HOUR", "DAY"} & set(group_by))
    for piece in used:
        key = (piece.start if timed else 0.0, piece.facts.base_model if "MODEL" in group_by else "")
        sums[key] = sums.get(key, Decimal(0)) + (price_of(world, call.account, piece) or Decimal(0))
    rows: list[JsonValue] = []
    for (begin, model), subtotal in sorted(sums.items()):
        dimensions: JsonObject = {}
        if timed:
            dimensions["startTime"] = printed(begin)
        if model:
            dimensions["model"] = model
        nobody: list[JsonValue] = [name for name in group_by if name in ("USER", "API_KEY")]
        if nobody:
            dimensions["unattributedDimensions"] = nobody
        rows.append({"dimensions": dimensions, "subtotal": money(subtotal)})
    return rows


def list_plans(world: World, call: Call) -> Reply:
    """GET /pricingPlans: an account without a contract has none."""
    resources = [plan.to_wire() for plan in _plans(world, call).values()]
    return ok(list_resources(call, "pricingPlans", resources, _PLAN_FIELDS))


def get_plan(world: World, call: Call) -> Reply:
    """GET one pricing plan."""
    plan = _plans(world, call).get(call.params["plan"])
    if plan is None:
        raise not_found(f"pricing plan accounts/{call.account}/pricingPlans/{call.params['plan']} not found")
    return ok(plan.to_wire())


def _plans(world: World, call: Call) -> dict[str, PricingPlan]:
    plans = world.prices.plans.get(call.account, {})
    if not plans and world.assumptions.pricing_plans_without_contract == "403":
        raise ApiError(Code.PERMISSION_DENIED, "permission denied")
    return plans
