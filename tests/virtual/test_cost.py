"""What status says of money, and when it is written; `test_bill.py` compares it with the bill of Fireworks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from fireworks_operator.core.prices import Price, PriceList, Prices, PriceScope
from testkit.chart.helm import CHART
from tests.virtual.bill import BEGAN, HOUR, LATE, billed, cost, metered, until_gpus
from tests.virtual.stage import Stage
from tests.virtual.team import Json, Team

EXPORTED = "request_counter_total:sum_by_deployment"
ALERTS = yaml.safe_load((CHART / "files/alerts.yaml").read_text())
NO_PRICE = Prices(PriceList({}))


@pytest.fixture
def began() -> datetime:
    """When a story begins."""
    return BEGAN


def at(price: str, **factors: str) -> Prices:
    """Return a list with one price for H100, and factors."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    scopes = {PriceScope(name): Decimal(factor) for name, factor in factors.items()}
    return Prices(PriceList({"NVIDIA_H100_80GB": (Price(Decimal(price), since),)}, scopes))


def serve(team: Team, **spec: object) -> None:
    team.create(spec={"acceleratorCount": 2, "maxReplicaCount": 4, **spec})
    team.until_ready()


def test_a_new_deployment_is_billed_from_its_first_ready_replica(team: Team) -> None:
    serve(team)
    team.wait(HOUR)
    found = cost(team)
    assert (found["gpus"], found["hourly"], found["hourlyCeiling"]) == (2, "16.00", "64.00")
    assert metered(team).gpu_seconds == pytest.approx(billed(team).gpu_seconds, abs=2 * 3.3)
    assert metered(team).dollars == pytest.approx(Decimal(billed(team).gpu_seconds) * 8 / 3600, abs=Decimal("0.03"))
    assert "estimated" not in found


def test_every_replica_more_or_less_counts(team: Team) -> None:
    serve(team)
    for count in (3, 1, 2):
        team.wait(2 * HOUR)
        team.change(minReplicaCount=count, maxReplicaCount=count)
        until_gpus(team, 2 * count)
    team.wait(HOUR)
    assert billed(team).gpu_seconds > 2 * 6 * HOUR
    assert metered(team).gpu_seconds == pytest.approx(billed(team).gpu_seconds, abs=4 * 3.3 * 6)


def test_a_deployment_that_is_scaled_to_zero_costs_nothing(team: Team) -> None:
    serve(team, minReplicaCount=0, autoscalingPolicy={"scaleToZeroWindow": "5m"})
    team.eventually(lambda: cost(team)["gpus"] == 0, "it sleeps", within=HOUR)
    asleep = cost(team)
    assert (asleep["hourly"], asleep["hourlyCeiling"]) == ("0.00", "64.00")
    team.wait(3 * HOUR)
    assert cost(team) == asleep
    assert metered(team).gpu_seconds == pytest.approx(billed(team).gpu_seconds, abs=2 * LATE)


def test_at_rest_nothing_is_written_while_the_bill_grows(team: Team) -> None:
    serve(team)
    team.wait(HOUR)
    version = team.get()["metadata"]["resourceVersion"]
    before = metered(team).dollars
    team.wait(10 * HOUR)
    assert team.get()["metadata"]["resourceVersion"] == version
    assert metered(team).dollars - before == pytest.approx(Decimal(160), abs=Decimal("0.02"))


@pytest.mark.parametrize("began", [datetime(2026, 11, 30, 20, tzinfo=UTC)])
def test_a_new_month_begins_at_midnight_utc(team: Team, began: datetime) -> None:
    serve(team)
    midnight = began + timedelta(hours=4)
    team.wait(midnight.timestamp() - team.stage.now() + 60)
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
    assert metered(team).gpu_seconds == pytest.approx(billed(team).gpu_seconds, abs=LATE)
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
    assert metered(team).dollars == pytest.approx(Decimal(16 + 8), abs=Decimal("0.1"))


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
    assert metered(team).gpu_seconds == pytest.approx(billed(team).gpu_seconds, abs=2 * LATE)


def test_requests_that_fireworks_exports_have_the_labels_by_which_an_alert_joins_them(team: Team) -> None:
    serve(team)
    team.wait(60)
    _, text = team.simulator.exchange("GET", f"/v1/accounts/{team.account}/metrics", api_key=team.api_key)
    families = text_string_to_metric_families(text.decode())
    (sample,) = (each for found in families for each in found.samples if each.name == EXPORTED)
    assert sample.labels["deployment_account"] == team.account
    assert sample.labels["deployment_id"] == team.deployment_id()
    (alert,) = (each for each in ALERTS if each["alert"] == "FireworksBilledWithoutTraffic")
    assert f'"{EXPORTED}"' in alert["expr"]
