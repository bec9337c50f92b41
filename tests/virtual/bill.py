"""Two bills for the same time: what `status.cost` says by its formula, and what Fireworks says over HTTP.

The operator sees a change of the replicas at the next LIST. So the two differ by one interval between polls for each
GPU that came or went, and by the second to which each of them rounds: that is the bound, and it is asserted.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from fireworks_operator.controller.accounts.poller import Pace
from tests.virtual.team import Json, Team

HOUR, DAY = 3600.0, 86400.0
LATE = Pace().idle * (1 + Pace().jitter)
"""Seconds until the next poll of an account at rest, at most."""
BEGAN = datetime(2026, 11, 10, 9, 0, tzinfo=UTC)
"""When stories begin whose day does not matter: months are long, and prices known."""
_DAYS = 25
"""How far back bills are asked for; Fireworks answers at most 31 days."""
_ROUNDED = 2.0
"""GPU-seconds for each GPU, or row of a bill, that rounding to whole seconds takes or gives."""


@dataclass(frozen=True, slots=True)
class Bill:
    """GPU-seconds, and US dollars for those whose price is known."""

    gpu_seconds: float
    dollars: Decimal


def cost(team: Team, name: str = "chat") -> Json:
    """Return status.cost."""
    return dict(team.status(name)["cost"])


def metered(team: Team, *names: str) -> Bill:
    """Return the bill until now by the statuses of resources: what each says, and its rate since."""
    found = [cost(team, name) for name in names or ("chat",)]
    seconds = sum(float(each["gpuSeconds"] + each["gpus"] * _since(team, each)) for each in found)
    dollars = sum((Decimal(each["total"]) + _growth(team, each) for each in found), Decimal(0))
    return Bill(seconds, dollars)


def metered_month(team: Team, name: str = "chat") -> Bill:
    """Return the bill of this month until now by a status."""
    found = cost(team, name)
    month = found["month"]
    assert month["name"] == f"{_now(team):%Y-%m}", "the month is that of UTC"
    seconds = float(month["gpuSeconds"] + found["gpus"] * _since(team, found))
    return Bill(seconds, Decimal(month["total"]) + _growth(team, found))


def billed(team: Team, *names: str, since: datetime | None = None, zone: str = "UTC") -> Bill:
    """Return the bill until now as Fireworks has it: GPU-seconds by billingUsage, dollars by usageCosts.

    Without names it is that of the whole account; dollars always are, for they cannot be had by deployment.
    """
    now = _now(team)
    start = since or max(now - timedelta(days=_DAYS), datetime(1970, 1, 2, tzinfo=UTC))
    period = {"startTime": _rfc3339(start), "endTime": _rfc3339(now)}
    rows = _ask(team, "billingUsage", None, **period, timezone=zone, usageType="DEDICATED_DEPLOYMENT")
    mine = {str(team.status(name)["deploymentName"]) for name in names}
    found = [each for each in rows.get("dedicatedCosts", []) if not mine or each["deploymentId"] in mine]
    team.simulator.assume(usage_costs_of_deployments=True, usage_costs_lag_seconds=0.0)
    costs = _ask(team, "usageCosts:query", {"scope": "ACCOUNT", **period})
    return Bill(sum(float(each["acceleratorSeconds"]) for each in found), _money(costs["subtotal"]))


def assert_same(mine: Bill, theirs: Bill, *, moved: float, hourly: str = "8", days: int = 2) -> None:
    """Assert that two bills agree to the interval between polls.

    Args:
        mine: by the operator.
        theirs: by Fireworks.
        moved: GPUs that came or went, one after the other: 2 that came and went are 4.
        hourly: the highest price of a GPU-hour.
        days: rows that the bill of Fireworks has.
    """
    bound = moved * LATE + _ROUNDED * (moved + days)
    assert abs(mine.gpu_seconds - theirs.gpu_seconds) <= bound, f"{mine} is not {theirs}, by more than {bound}"
    dollars = Decimal(bound) * Decimal(hourly) / 3600 + Decimal("0.01")
    assert abs(mine.dollars - theirs.dollars) <= dollars, f"{mine} is not {theirs}, by more than {dollars} dollars"


def assert_agreed(team: Team, *names: str, moved: float, hourly: str = "8", days: int = 2) -> None:
    """Assert that the bills of an account until now agree; see `assert_same`."""
    theirs = billed(team)
    assert theirs.gpu_seconds > HOUR, "there is something to compare"
    assert_same(metered(team, *names), theirs, moved=moved, hourly=hourly, days=days)


def until_gpus(team: Team, gpus: int, name: str = "chat", within: float = 2 * HOUR) -> None:
    """Wait until so many GPUs are billed by the status."""
    team.eventually(lambda: cost(team, name)["gpus"] == gpus, f"{gpus} GPUs are billed", name=name, within=within)


def gpus_over_time(versions: Iterable[Json]) -> list[int]:
    """Return the numbers of GPUs that a status has said, one after the other."""
    said = [each["status"]["cost"]["gpus"] for each in versions if "cost" in each["status"]]
    return [each for number, each in enumerate(said) if number == 0 or said[number - 1] != each]


def _ask(team: Team, what: str, body: Json | None, **query: str) -> Json:
    path = f"/v1/accounts/{team.account}/{what}"
    status, answer = team.ask(path, body, "GET" if body is None else "POST", **query)
    assert status == 200, answer
    return answer


def _growth(team: Team, found: Json) -> Decimal:
    return Decimal(found.get("hourly", "0")) * Decimal(_since(team, found)) / 3600


def _since(team: Team, found: Json) -> float:
    return team.stage.now() - datetime.fromisoformat(found["asOf"]).timestamp()


def _now(team: Team) -> datetime:
    return datetime.fromtimestamp(team.stage.now(), UTC)


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _money(value: Json) -> Decimal:
    return Decimal(value.get("units", 0)) + Decimal(value.get("nanos", 0)) / 1_000_000_000
