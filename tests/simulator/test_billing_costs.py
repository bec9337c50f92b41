"""Dollars: published prices by day, placements, contracts, and the answers that show them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from fireworks_simulator.app import running
from fireworks_simulator.meter import Facts, Segment, pieces
from fireworks_simulator.prices import Prices, money
from fireworks_simulator.settings import Assumptions, Settings
from fireworks_simulator.testing import SimulatorClient, SimulatorError
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import API_KEY, H100, LLAMA, Api
from tests.simulator.money import DAY, rfc3339, rows

STARTUP = 60
A100 = "NVIDIA_A100_80GB"


def facts(accelerator: str, placement: str = "GLOBAL", plan: str = "") -> Facts:
    return Facts("accounts/acme/deployments/chat", accelerator, LLAMA, placement, False, plan, ())


@pytest.mark.parametrize(
    ("day", "accelerator", "placement", "price"),
    [
        ("2026-08-31", H100, "GLOBAL", "7.00"),
        ("2026-09-01", H100, "GLOBAL", "8.00"),
        ("2026-11-29", "NVIDIA_H200_141GB", "GLOBAL", "8.00"),
        ("2026-11-29", "NVIDIA_B200_180GB", "GLOBAL", "13.00"),
        ("2026-11-29", "NVIDIA_B300_288GB", "GLOBAL", "15.00"),
        ("2026-11-29", "NVIDIA_GB300", "GLOBAL", "20.00"),
        ("2026-11-29", H100, "US_IOWA_1", "12.00"),
        ("2026-11-29", H100, "US_IOWA_1,US_OHIO_1", "12.00"),
        ("2026-11-29", H100, "EUROPE", "8.00"),
        ("2026-11-29", A100, "GLOBAL", None),
        ("2026-11-29", "AMD_MI300X_192GB", "GLOBAL", None),
        ("2020-01-01", H100, "GLOBAL", None),
    ],
)
def test_published_prices(day: str, accelerator: str, placement: str, price: str | None) -> None:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
    found = Prices().hourly("acme", facts(accelerator, placement), moment, Assumptions())
    assert found == (None if price is None else Decimal(price))


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        ("0", {}),
        ("12.5", {"units": "12", "nanos": 500_000_000}),
        ("8", {"units": "8"}),
        ("0.0000000014", {"nanos": 1}),
    ],
)
def test_money(amount: str, printed: dict[str, object]) -> None:
    assert money(Decimal(amount)) == {"currencyCode": "USD", **printed}


def days(sim: SimulatorClient) -> dict[str, str]:
    """Yesterday, today and no more."""
    return {"startTime": rfc3339(sim.now() - DAY), "endTime": rfc3339(sim.now() + DAY)}


def at_noon(api: Api, sim: SimulatorClient, hours: int = 3) -> None:
    """Deployments that serve for some hours from a noon on."""
    sim.advance(1.5 * DAY - sim.now() % DAY - STARTUP)
    api.create("one", minReplicaCount=1, acceleratorCount=2)
    api.create("pinned", minReplicaCount=1, placement={"region": "US_IOWA_1"})
    api.create("old", minReplicaCount=1, acceleratorType=A100)
    sim.advance(STARTUP + hours * 3600)


def test_the_summary_has_a_line_for_each_price(api: Api, sim: SimulatorClient) -> None:
    at_noon(api, sim)
    answer = api.value("GET", "/billing/summary", **days(sim))
    line: JsonObject = {
        "category": "Dedicated deployments",
        "series": "DEDICATED_DEPLOYMENT",
        "groupingKey": "accelerator_type",
        "groupingValue": H100,
        "secondaryGroupingKey": "region",
    }
    assert answer == {
        "lineItems": [
            {**line, "groupingValue": A100, "secondaryGroupingValue": "GLOBAL", "quantity": 3.0},
            {
                **line,
                "secondaryGroupingValue": "GLOBAL",
                "quantity": 6.0,
                "unitAmount": {"currencyCode": "USD", "units": "8"},
                "totalCost": {"currencyCode": "USD", "units": "48"},
            },
            {
                **line,
                "secondaryGroupingValue": "US_IOWA_1",
                "quantity": 3.0,
                "unitAmount": {"currencyCode": "USD", "units": "12"},
                "totalCost": {"currencyCode": "USD", "units": "36"},
            },
        ]
    }


def test_dollars_do_not_show_how_inexact_a_clock_is() -> None:
    """The virtual clock counts in steps of a quarter of a microsecond; an hour is an hour nevertheless."""
    start = 1_795_913_000.7
    segments = [Segment(facts(H100), start + n * 0.1, start + n * 0.1 + 3600 + 3e-7, 8) for n in range(50)]
    assert {piece.gpu_seconds for piece in pieces(segments, 0, 2e9, zone=UTC, step=timedelta(days=1))} == {28_800.0}
    assert list(pieces([Segment(facts(H100), start, start + 1e-6, 8)], 0, 2e9, zone=UTC)) == []


def test_the_summary_by_days(api: Api, sim: SimulatorClient) -> None:
    at_noon(api, sim, hours=18)
    answer = api.value("GET", "/billing/summary", granularity="DAILY", **days(sim))
    quantities = [[item["quantity"] for item in rows(each, "lineItems")] for each in rows(answer, "usageBuckets")]
    assert quantities == [[12.0, 24.0, 12.0], [6.0, 12.0, 6.0]]
    assert all(str(bucket["startTime"]).endswith("T00:00:00Z") for bucket in rows(answer, "usageBuckets"))
    assert [item["quantity"] for item in rows(answer, "lineItems")] == [18.0, 36.0, 18.0]


def test_the_summary_knows_days_only_and_the_last_is_left_out(api: Api, sim: SimulatorClient) -> None:
    at_noon(api, sim)
    times = {"startTime": rfc3339(sim.now() - DAY), "endTime": rfc3339(sim.now())}
    assert api.value("GET", "/billing/summary", **times) == {"lineItems": []}


@pytest.mark.parametrize(
    "change",
    [{"endTime": "2026-11-02"}, {"startTime": ""}, {"granularity": "HOURLY"}, {"startTime": "2026-12-01T00:00:00Z"}],
)
def test_summaries_that_are_refused(api: Api, change: dict[str, str]) -> None:
    query = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-02T00:00:00Z", **change}
    assert api.send("GET", "/billing/summary", **query).json()["code"] == 3


def test_a_contract_has_prices_of_its_own(api: Api, sim: SimulatorClient) -> None:
    assert api.value("GET", "/pricingPlans") == {"pricingPlans": [], "nextPageToken": "", "totalSize": 0}
    sim.add_pricing_plan("gold", {H100: "5.25"})
    found = api.value("GET", "/pricingPlans/gold")
    assert (found["name"], found["billingType"]) == ("accounts/acme/pricingPlans/gold", "ACCELERATOR_HOURS")
    assert found["acceleratorHourConfig"] == [
        {
            "acceleratorType": H100,
            "acceleratorHourPrice": {"currencyCode": "USD", "units": "5", "nanos": 250_000_000},
        }
    ]
    assert api.value("GET", "/pricingPlans")["pricingPlans"] == [found]
    assert api.send("GET", "/pricingPlans/silver").json()["code"] == 5
    api.create(minReplicaCount=1, pricingPlanId="gold", placement={"region": "US_IOWA_1"})
    sim.advance(STARTUP + 3600)
    (item,) = rows(api.value("GET", "/billing/summary", **days(sim)), "lineItems")
    assert item["totalCost"] == {"currencyCode": "USD", "units": "5", "nanos": 250_000_000}


def test_prices_can_be_replaced(api: Api, sim: SimulatorClient) -> None:
    at_noon(api, sim, hours=1)
    sim.price(**{A100: "2.90", H100: None})
    items = rows(api.value("GET", "/billing/summary", **days(sim)), "lineItems")
    assert [item.get("unitAmount") for item in items] == [
        {"currencyCode": "USD", "units": "2", "nanos": 900_000_000},
        None,
        None,
    ]
    with pytest.raises(SimulatorError, match="400"):
        sim.price(**{H100: "-1"})


def test_prices_from_the_start() -> None:
    with running(Settings(stepped=True, prices={H100: Decimal("1.5")})) as client:
        assert client.call("GET", "/prices") == {"prices": {H100: "1.5"}}


def costs(api: Api, sim: SimulatorClient, *group_by: str, **fields: object) -> JsonObject:
    """Rated costs of the account."""
    body = {**days(sim), "scope": "ACCOUNT", "groupBy": list(group_by), **fields}
    return api.value("POST", "/usageCosts:query", body)


def test_costs_by_day_and_model(api: Api, sim: SimulatorClient) -> None:
    at_noon(api, sim)
    assert costs(api, sim, "MODEL")["rows"] == [], "serverless inference alone has costs here"
    sim.assume(usage_costs_of_deployments=True, usage_costs_lag_seconds=0)
    answer = costs(api, sim, "DAY", "MODEL")
    (row,) = rows(answer, "rows")
    usd = {"currencyCode": "USD", "units": "84"}
    assert row["dimensions"] == {"startTime": rfc3339(sim.now() - 15 * 3600).replace("+00:00", "Z"), "model": LLAMA}
    assert (row["subtotal"], answer["subtotal"], answer["attributionCompleteness"]) == (usd, usd, "COMPLETE")
    assert len(rows(costs(api, sim, "HOUR"), "rows")) == 3
    first = costs(api, sim, "HOUR", pageSize=2)
    second = costs(api, sim, "HOUR", pageSize=2, pageToken=first["nextPageToken"])
    assert [len(rows(page, "rows")) for page in (first, second)] == [2, 1]
    assert "nextPageToken" not in second
    assert rows(costs(api, sim, "USER"), "rows")[0]["dimensions"] == {"unattributedDimensions": ["USER"]}
    assert costs(api, sim, scope="SELF")["rows"] == []


def test_costs_of_the_account_are_for_administrators(api: Api, sim: SimulatorClient) -> None:
    sim.add_key("fw_user", "user")
    headers = {"Authorization": "Bearer fw_user"}
    statuses = [
        api.http.post(f"{api.prefix}/usageCosts:query", json={**days(sim), "scope": scope}, headers=headers).status_code
        for scope in ("ACCOUNT", "SELF")
    ]
    assert statuses == [403, 200]


@pytest.mark.parametrize(
    "change", [{"scope": None}, {"groupBy": ["DAY", "HOUR"]}, {"groupBy": ["DAY", "MODEL", "USER"]}, {"pageToken": "x"}]
)
def test_costs_that_are_refused(api: Api, sim: SimulatorClient, change: dict[str, object]) -> None:
    body = {**days(sim), "scope": "ACCOUNT", **change}
    assert api.send("POST", "/usageCosts:query", body).json()["code"] == 3


async def test_accounts_of_one_simulator_pay_for_themselves(sim: SimulatorClient, api: Api) -> None:
    sim.add_account("globex", "fw_globex")
    at_noon(api, sim)
    async with httpx.AsyncClient(base_url=sim.url, headers={"Authorization": "Bearer fw_globex"}) as other:
        answer = await other.get("/v1/accounts/globex/billing/summary", params=days(sim))
        assert answer.json() == {"lineItems": []}
        foreign = await other.get("/v1/accounts/acme/billing/summary", params=days(sim))
        assert foreign.status_code == 403
    assert API_KEY not in str(sim.state())
