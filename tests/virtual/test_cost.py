"""The meter against Fireworks' own: what status says a deployment has cost is what Fireworks bills, to a poll interval.

Each change of the rate is seen by a LIST at most one interval late: 3 s after a change, 66 s at rest.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fireworks_operator.core.prices import Price, PriceList, Prices, PriceScope
from tests.virtual.stage import Stage
from tests.virtual.team import Json, Team

HOUR, DAY = 3600.0, 86400.0
LATE = 66.0
"""Seconds until the next poll of an account at rest, at most."""
NO_PRICE = Prices(PriceList({}))


def at(price: str, **factors: str) -> Prices:
    """Return a list with one price for H100, and factors."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    scopes = {PriceScope(name): Decimal(factor) for name, factor in factors.items()}
    return Prices(PriceList({"NVIDIA_H100_80GB": (Price(Decimal(price), since),)}, scopes))


def cost(team: Team) -> Json:
    """Return status.cost."""
    return dict(team.status()["cost"])


def metered(team: Team) -> float:
    """Return GPU-seconds until now by the status: what it says, and the rate since."""
    found = cost(team)
    return float(found["gpuSeconds"] + found["gpus"] * since(team, found))


def dollars(team: Team) -> Decimal:
    """Return dollars until now by the status."""
    found = cost(team)
    return Decimal(found["total"]) + Decimal(found["hourly"]) * Decimal(since(team, found)) / 3600


def since(team: Team, found: Json) -> float:
    return team.stage.now() - datetime.fromisoformat(found["asOf"]).timestamp()


def billed(team: Team) -> float:
    """Return GPU-seconds until now as Fireworks bills them."""
    now = datetime.fromtimestamp(team.stage.now(), UTC)
    period = {"startTime": f"{now - timedelta(days=20):%Y-%m-%dT00:00:00Z}", "endTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    path = f"/v1/accounts/{team.account}/billingUsage"
    status, answer = team.ask(path, None, "GET", **period, usageType="DEDICATED_DEPLOYMENT")
    assert status == 200, answer
    return sum(float(each["acceleratorSeconds"]) for each in answer.get("dedicatedCosts", []))


def serve(team: Team, **spec: object) -> None:
    team.create(spec={"acceleratorCount": 2, "maxReplicaCount": 4, **spec})
    team.until_ready()


def until_gpus(team: Team, gpus: int) -> None:
    team.eventually(lambda: cost(team)["gpus"] == gpus, f"{gpus} GPUs are billed", within=2 * HOUR)


def test_a_new_deployment_is_billed_from_its_first_ready_replica(team: Team) -> None:
    serve(team)
    team.wait(HOUR)
    found = cost(team)
    assert (found["gpus"], found["hourly"], found["hourlyCeiling"]) == (2, "16.00", "64.00")
    assert metered(team) == pytest.approx(billed(team), abs=2 * 3.3)
    assert dollars(team) == pytest.approx(Decimal(billed(team)) * 8 / 3600, abs=Decimal("0.03"))
    assert "estimated" not in found


def test_every_replica_more_or_less_counts(team: Team) -> None:
    serve(team)
    for count in (3, 1, 2):
        team.wait(2 * HOUR)
        team.change(minReplicaCount=count, maxReplicaCount=count)
        until_gpus(team, 2 * count)
    team.wait(HOUR)
    assert billed(team) > 2 * 6 * HOUR
    assert metered(team) == pytest.approx(billed(team), abs=4 * 3.3 * 6)


def test_a_deployment_that_is_scaled_to_zero_costs_nothing(team: Team) -> None:
    serve(team, minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.eventually(lambda: cost(team)["gpus"] == 0, "it sleeps", within=HOUR)
    asleep = cost(team)
    assert (asleep["hourly"], asleep["hourlyCeiling"]) == ("0.00", "64.00")
    team.wait(3 * HOUR)
    assert cost(team) == asleep
    assert metered(team) == pytest.approx(billed(team), abs=2 * LATE)


def test_at_rest_nothing_is_written_while_the_bill_grows(team: Team) -> None:
    serve(team)
    team.wait(HOUR)
    version = team.get()["metadata"]["resourceVersion"]
    before = dollars(team)
    team.wait(10 * HOUR)
    if cost(team)["month"]["name"] == datetime.fromtimestamp(team.stage.now(), UTC).strftime("%Y-%m"):
        assert team.get()["metadata"]["resourceVersion"] == version
    assert dollars(team) - before == pytest.approx(Decimal(160), abs=Decimal("0.02"))


def test_a_new_month_begins_at_midnight_utc(team: Team) -> None:
    serve(team)
    now = datetime.fromtimestamp(team.stage.now(), UTC)
    midnight = (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    team.wait((midnight - now).total_seconds() + 60)
    found = cost(team)
    assert found["month"] == {"name": f"{midnight:%Y-%m}", "gpuSeconds": 0, "total": "0.00"}
    total = found["gpuSeconds"]
    assert datetime.fromisoformat(found["asOf"]) - midnight < timedelta(seconds=3)
    team.wait(2 * HOUR)
    team.change(minReplicaCount=2)
    team.eventually(lambda: cost(team)["gpus"] == 4, "two replicas")
    after = cost(team)
    assert after["month"]["name"] == f"{midnight:%Y-%m}"
    assert after["month"]["gpuSeconds"] == after["gpuSeconds"] - total


def test_an_operator_that_was_away_counts_on_at_the_last_rate_and_says_so(team: Team, stage: Stage) -> None:
    serve(team)
    team.wait(HOUR)
    stage.stop()
    team.wait(HOUR)
    stage.start()
    team.wait(HOUR)
    assert "estimated" not in cost(team), "what it finds is what it left"
    assert metered(team) == pytest.approx(billed(team), abs=LATE)
    stage.stop()
    team.simulator.edit(team.deployment_id(), {"minReplicaCount": 2})
    team.wait(HOUR)
    stage.start()
    team.eventually(lambda: cost(team).get("estimated"), "it says that it has not seen when the second replica came")


def test_an_unknown_price_gives_seconds_and_no_dollars(team: Team, stage: Stage) -> None:
    stage.reprice(NO_PRICE)
    serve(team)
    team.wait(HOUR)
    found = cost(team)
    assert found["gpus"] == 2
    assert found.keys().isdisjoint({"hourly", "hourlyCeiling"})
    assert any("price of NVIDIA_H100_80GB is not known" in each for each in team.status()["notices"])
    stage.reprice(at("5.50"))
    team.eventually(lambda: cost(team).get("hourly") == "11.00", "it has a price")
    found = cost(team)
    assert found["unpricedGpuSeconds"] == found["gpuSeconds"] > 2 * 3500
    assert found["total"] == "0.00"
    assert "notices" not in team.status()


def test_another_price_holds_from_then_on(team: Team, stage: Stage) -> None:
    serve(team)
    team.wait(HOUR)
    stage.reprice(at("4"))
    team.eventually(lambda: cost(team)["hourly"] == "8.00", "the new price")
    team.wait(HOUR)
    assert dollars(team) == pytest.approx(Decimal(16 + 8), abs=Decimal("0.1"))


def test_an_announced_price_comes_into_force_by_itself(team: Team, stage: Stage) -> None:
    serve(team)
    soon = datetime.fromtimestamp(stage.now(), UTC).replace(microsecond=0) + timedelta(hours=2)
    (now,) = at("4").everybody.accelerators.values()
    stage.reprice(Prices(PriceList({"NVIDIA_H100_80GB": (*now, Price(Decimal(6), soon))})))
    team.wait(HOUR)
    assert cost(team)["hourly"] == "8.00"
    team.wait(HOUR + 5)
    assert cost(team)["hourly"] == "12.00"


@pytest.mark.parametrize(
    ("placement", "hourly"),
    [({"region": "US_IOWA_1"}, "24.00"), ({"multiRegion": "EUROPE"}, "16.00"), ({"multiRegion": "GLOBAL"}, "16.00")],
    ids=["a region", "a group", "anywhere"],
)
def test_a_restricted_region_has_its_factor(team: Team, placement: Json, hourly: str) -> None:
    serve(team, placement=placement)
    assert cost(team)["hourly"] == hourly


def test_an_account_with_a_contract_pays_its_price(new_team: Callable[[], Team], stage: Stage) -> None:
    one, other = new_team(), new_team()
    contract = at("6", region="1").everybody
    stage.reprice(Prices(stage.prices.everybody, {one.account: contract}))
    for team in (one, other):
        serve(team, placement={"region": "US_IOWA_1"})
    assert [cost(each)["hourly"] for each in (one, other)] == ["12.00", "24.00"]


def test_a_deployment_that_somebody_deletes_is_not_billed_any_more(team: Team) -> None:
    serve(team, externalDeletionPolicy="Report")
    team.wait(HOUR)
    team.simulator.vanish(team.deployment_id(), soft=True)
    team.eventually(lambda: cost(team)["gpus"] == 0, "it is gone", within=LATE)
    ended = cost(team)
    assert ended["hourly"] == "0.00"
    team.wait(HOUR)
    assert cost(team) == ended
    assert metered(team) == pytest.approx(billed(team), abs=2 * LATE)
