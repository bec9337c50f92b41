"""What the switches for money, quotas, metrics and routers change; see test_assumptions."""

from collections.abc import Callable

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import H100, LLAMA, SHAPELESS, Api
from tests.simulator.money import DAY, rfc3339, rows, seconds, usage

STARTUP = 60
DEPLOYMENT = "accounts/acme/deployments/chat"


def serving(api: Api, sim: SimulatorClient, hours: float = 1.0, fields: dict[str, object] | None = None) -> None:
    """A deployment that has served for some hours."""
    api.create("chat", None, **{"minReplicaCount": 1, **(fields or {})})
    sim.advance(STARTUP + hours * 3600)


def billing_tags(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim, fields={"annotations": {"custom/team": "search"}})
    return usage(api, sim, groupBy="team")[0]["group"]


def billing_deployment_id(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim)
    return usage(api, sim)[0]["deploymentId"]


def billing_grouped_rows(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim)
    return usage(api, sim, groupBy="team")[0].get("deploymentId")


def billing_group_by_limit(api: Api, sim: SimulatorClient) -> object:
    body = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-02T00:00:00Z", "groupBy": ["team", "project"]}
    return api.send("POST", "/billingUsage:query", body).status_code


def billing_whole_days(api: Api, sim: SimulatorClient) -> object:
    sim.advance(DAY - sim.now() % DAY)
    serving(api, sim, hours=2)
    times = {"startTime": rfc3339(sim.now() - 3600), "endTime": rfc3339(sim.now() - 1800)}
    found = api.value("GET", "/billingUsage", **times)["dedicatedCosts"]
    return seconds([row for row in found if isinstance(row, dict)]) if isinstance(found, list) else None


def billing_lag_seconds(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim)
    return seconds(usage(api, sim))


def grouped_usage_admin_only(api: Api, sim: SimulatorClient) -> object:
    sim.add_key("fw_user", "user")
    times = {"startTime": "2026-11-01T00:00:00Z", "endTime": "2026-11-02T00:00:00Z"}
    headers = {"Authorization": "Bearer fw_user"}
    path = f"{api.prefix}/billingUsage"
    return [
        api.http.get(path, params={**times, **group}, headers=headers).status_code
        for group in ({}, {"groupBy": "team"})
    ]


def bill_preemptible(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim, fields={"preemptible": True})
    return seconds(usage(api, sim))


def routed(api: Api, *deployments: str) -> int:
    """Status of the creation of a router."""
    body = {"deployments": [f"accounts/acme/deployments/{each}" for each in deployments]}
    return api.send("POST", "/routers", body, routerId="front").status_code


def router_multi_region_only(api: Api, sim: SimulatorClient) -> object:
    api.create(placement={"region": "US_IOWA_1"})
    return routed(api, "chat")


def router_one_model(api: Api, sim: SimulatorClient) -> object:
    api.create()
    api.create("other", baseModel="accounts/fireworks/models/llama-v3p2-3b-instruct")
    return routed(api, "chat", "other")


def delete_with_router(api: Api, sim: SimulatorClient) -> object:
    api.create()
    routed(api, "chat")
    return api.delete().status_code


def summary(api: Api, sim: SimulatorClient) -> JsonObject:
    """The first line of the summary."""
    times = {"startTime": rfc3339(sim.now() - DAY), "endTime": rfc3339(sim.now() + DAY)}
    return rows(api.value("GET", "/billing/summary", **times), "lineItems")[0]


def billing_summary_unit(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim)
    line = summary(api, sim)
    return line["quantity"], line["totalCost"]


def region_price_factor(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim, fields={"placement": {"region": "US_IOWA_1"}})
    return summary(api, sim)["totalCost"]


def region_group_price_factor(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim, fields={"placement": {"multiRegion": "US"}})
    return summary(api, sim)["totalCost"]


def costs(api: Api, sim: SimulatorClient) -> object:
    """All that was spent, as usageCosts:query has it."""
    body = {"startTime": rfc3339(sim.now() - DAY), "endTime": rfc3339(sim.now()), "scope": "ACCOUNT"}
    return api.value("POST", "/usageCosts:query", body)["subtotal"]


def usage_costs_of_deployments(api: Api, sim: SimulatorClient) -> object:
    sim.assume(usage_costs_lag_seconds=0)
    serving(api, sim)
    return costs(api, sim)


def usage_costs_lag_seconds(api: Api, sim: SimulatorClient) -> object:
    sim.assume(usage_costs_of_deployments=True)
    serving(api, sim)
    return costs(api, sim)


def pricing_plans_without_contract(api: Api, sim: SimulatorClient) -> object:
    return api.send("GET", "/pricingPlans").status_code


def created(api: Api, fields: dict[str, object]) -> int:
    """Status of a creation."""
    body = {"baseModel": LLAMA, "acceleratorType": H100, **fields}
    return api.send("POST", "/deployments", body, **SHAPELESS).status_code


def quota_preset(api: Api, sim: SimulatorClient) -> object:
    return created(api, {"placement": {"multiRegion": "US"}})


def new_account_gpus(api: Api, sim: SimulatorClient) -> object:
    sim.assume(quota_preset="new-account")
    return created(api, {"acceleratorCount": 16})


def new_account_spend_limit(api: Api, sim: SimulatorClient) -> object:
    sim.assume(quota_preset="new-account")
    return api.value("GET", "/quotas/monthly-spend-usd")["value"]


def quota_counts(api: Api, sim: SimulatorClient) -> object:
    sim.quota("global--h100-count", 2)
    return created(api, {"maxReplicaCount": 3})


def spend_limit_suspends(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim)
    sim.quota("monthly-spend-usd", 0)
    return api.send("GET", "/deployments").status_code


def depleted_status(api: Api, sim: SimulatorClient) -> object:
    sim.suspend("CREDIT_DEPLETED")
    return api.send("GET", "/deployments").status_code


def dollars(amount: int) -> JsonObject:
    """Whole dollars as Money."""
    return {"currencyCode": "USD", "units": str(amount)} if amount else {"currencyCode": "USD"}


def scraped(api: Api) -> int:
    """Status of a request for metrics."""
    return api.send("GET", "/metrics").status_code


def metrics_rate_limit_per_minute(api: Api, sim: SimulatorClient) -> object:
    return [scraped(api) for _ in range(3)]


def metrics_refresh_seconds(api: Api, sim: SimulatorClient) -> object:
    serving(api, sim)
    sim.advance(30 - sim.now() % 30 + 1)
    sim.traffic("chat")
    return f'{{base_model="{LLAMA}"' in api.send("GET", "/metrics").text, " 0.01666" in api.send("GET", "/metrics").text


def metrics_series(api: Api, sim: SimulatorClient) -> object:
    api.create()
    return "request_counter_total" in api.send("GET", "/metrics").text


def shards_per_group(api: Api, sim: SimulatorClient) -> object:
    api.create()
    return api.value("GET", "/deployments/chat/shards")["totalSize"]


Probe = Callable[[Api, SimulatorClient], object]
ACCOUNT_SWITCHES: dict[Probe, tuple[object, object, object]] = {
    billing_tags: ({"team": "search"}, "bare", {"team": ""}),
    billing_deployment_id: (DEPLOYMENT, "id", "chat"),
    billing_grouped_rows: (None, "full", DEPLOYMENT),
    billing_group_by_limit: (200, 1, 400),
    billing_whole_days: (1800, True, 7200),
    billing_lag_seconds: (3600, 600, 3000),
    grouped_usage_admin_only: ([200, 200], True, [200, 403]),
    bill_preemptible: (3600, False, 0),
    billing_summary_unit: ((1.0, dollars(8)), "second", (3600.0, dollars(8))),
    region_price_factor: (dollars(12), 2, dollars(16)),
    region_group_price_factor: (dollars(8), 1.5, dollars(12)),
    usage_costs_of_deployments: (dollars(0), True, dollars(8)),
    usage_costs_lag_seconds: (dollars(0), 0, dollars(8)),
    pricing_plans_without_contract: (200, "403", 403),
    quota_preset: (200, "new-account", 429),
    new_account_gpus: (429, 16, 200),
    new_account_spend_limit: ("50", 500, "500"),
    quota_counts: (200, "maximum", 429),
    spend_limit_suspends: (412, False, 200),
    depleted_status: (412, "402", 402),
    router_multi_region_only: (400, False, 200),
    router_one_model: (400, False, 200),
    delete_with_router: (200, "refuse", 400),
    metrics_rate_limit_per_minute: ([200, 200, 200], 2, [200, 200, 429]),
    metrics_refresh_seconds: ((True, False), 0, (True, True)),
    metrics_series: (False, "all", True),
    shards_per_group: (1, 3, 3),
}
