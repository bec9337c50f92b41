"""What the switches for money, quotas, metrics and routers change; see test_assumptions."""

from collections.abc import Callable

from fireworks_simulator.testing import SimulatorClient
from tests.simulator.api import Api
from tests.simulator.money import DAY, rfc3339, seconds, usage

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
    router_multi_region_only: (400, False, 200),
    router_one_model: (400, False, 200),
    delete_with_router: (200, "refuse", 400),
}
