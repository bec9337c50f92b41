"""The metrics endpoint, fed by simulated inference, and the shards of deployments."""

import re

import pytest

from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from tests.simulator.api import LLAMA, Api

STARTUP = 60
DEPLOYMENT = "accounts/acme/deployments/chat"
LABELS = f'{{base_model="{LLAMA}",deployment="{DEPLOYMENT}",deployment_account="acme",deployment_id="chat"'
REQUESTS = "request_counter_total:sum_by_deployment"
ERRORS = "requests_error_total:sum_by_deployment"
DOCUMENTED = {
    "request_counter_total:sum_by_deployment",
    "requests_error_total:sum_by_deployment",
    "tokens_cached_prompt_total:sum_by_deployment",
    "tokens_prompt_total:sum_by_deployment",
    "latency_generation_per_token_ms_bucket:sum_by_deployment",
    "latency_generation_queue_ms_bucket:sum_by_deployment",
    "latency_overall_ms_bucket:sum_by_deployment",
    "latency_to_first_token_ms_bucket:sum_by_deployment",
    "latency_prefill_ms_bucket:sum_by_deployment",
    "latency_prefill_queue_ms_bucket:sum_by_deployment",
    "tokens_generated_per_request_bucket:sum_by_deployment",
    "tokens_prompt_per_request_bucket:sum_by_deployment",
    "generator_kv_blocks_fraction:avg_by_deployment",
    "generator_kv_slots_fraction:avg_by_deployment",
    "generator_model_forward_time:avg_by_deployment",
    "requests_coordinator_concurrent_count:avg_by_deployment",
    "prefiller_prompt_cache_ttl:avg_by_deployment",
}


def scrape(api: Api) -> dict[str, float]:
    """Samples by name and labels."""
    answer = api.send("GET", "/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples: dict[str, float] = {}
    for line in answer.text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r"([a-z_:]+\{.*\}) ([0-9.e+-]+)", line)
            assert match is not None, line
            samples[match[1]] = float(match[2])
    return samples


def refresh(sim: SimulatorClient) -> None:
    """Go on to the moment of the next refresh."""
    sim.advance(30 - sim.now() % 30 + 0.001)


def serving(api: Api, sim: SimulatorClient) -> None:
    """A deployment that serves, at the moment of a refresh."""
    api.create(minReplicaCount=1)
    sim.advance(STARTUP)
    refresh(sim)


def test_requests_are_rates_over_a_minute(api: Api, sim: SimulatorClient) -> None:
    serving(api, sim)
    assert scrape(api)[f"{REQUESTS}{LABELS}}}"] == 0
    for _ in range(12):
        assert api.chat(DEPLOYMENT).status_code == 200
    assert scrape(api)[f"{REQUESTS}{LABELS}}}"] == 0, "until the next refresh"
    refresh(sim)
    found = scrape(api)
    assert found[f"{REQUESTS}{LABELS}}}"] == 0.2
    assert found[f'latency_to_first_token_ms_bucket:sum_by_deployment{LABELS},le="50"}}'] == 0.2
    assert found[f'latency_to_first_token_ms_bucket:sum_by_deployment{LABELS},le="10"}}'] == 0
    assert found[f'latency_to_first_token_ms_bucket:sum_by_deployment{LABELS},le="+Inf"}}'] == 0.2
    sim.advance(60)
    assert scrape(api)[f"{REQUESTS}{LABELS}}}"] == 0, "a minute later"


def test_all_series_of_the_documentation_are_there(api: Api, sim: SimulatorClient) -> None:
    sim.add_model("accounts/acme/models/tone", kind="HF_PEFT_ADDON", baseModel=LLAMA)
    api.create(minReplicaCount=1, enableAddons=True)
    sim.advance(STARTUP)
    api.value("POST", "/deployedModels", {"model": "accounts/acme/models/tone", "deployment": DEPLOYMENT})
    assert api.chat(f"accounts/acme/models/tone#{DEPLOYMENT}").status_code == 404
    refresh(sim)
    found = scrape(api)
    assert {each.partition("{")[0] for each in found} == DOCUMENTED
    assert found[f'{ERRORS}{LABELS},http_code="404"}}'] == pytest.approx(1 / 60)


def test_load_shows_in_the_gauges(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=2, maxReplicaCount=2)
    sim.advance(STARTUP)
    sim.load("chat", 1.5)
    refresh(sim)
    found = scrape(api)
    assert found[f"requests_coordinator_concurrent_count:avg_by_deployment{LABELS}}}"] == 1.5
    assert found[f"generator_kv_blocks_fraction:avg_by_deployment{LABELS}}}"] == 0.75
    assert found[f"{REQUESTS}{LABELS}}}"] == 1.5


def test_traffic_that_an_administrator_plays_counts(api: Api, sim: SimulatorClient) -> None:
    serving(api, sim)
    sim.traffic("chat", seconds_ago=120)
    sim.traffic("chat", seconds_ago=0)
    refresh(sim)
    assert scrape(api)[f"{REQUESTS}{LABELS}}}"] == pytest.approx(1 / 60)


def test_what_serves_nothing_has_no_series(api: Api, sim: SimulatorClient) -> None:
    api.create(autoscalingPolicy={"scaleToZeroWindow": "300s"})
    refresh(sim)
    assert scrape(api) == {}
    sim.advance(STARTUP + 30)
    assert scrape(api) != {}
    sim.advance(300)
    assert scrape(api) == {}


def test_six_scrapes_a_minute_are_enough(api: Api, sim: SimulatorClient) -> None:
    statuses = [api.send("GET", "/metrics").status_code for _ in range(7)]
    assert statuses == [200] * 6 + [429]
    sim.advance(30)
    assert api.send("GET", "/metrics").status_code == 429
    sim.advance(30)
    assert api.send("GET", "/metrics").status_code == 200
    assert api.send("GET", "/deployments").status_code == 200


def shards(api: Api, deployment_id: str = "chat") -> list[JsonObject]:
    found = api.value("GET", f"/deployments/{deployment_id}/shards")["deploymentShards"]
    assert isinstance(found, list)
    return [each for each in found if isinstance(each, dict)]


def ready(found: list[JsonObject]) -> dict[str, object]:
    """Ready replicas by region."""
    return {
        str(each["name"]).rsplit("/", 1)[-1]: stats.get("readyReplicaCount", 0)
        for each in found
        if isinstance(stats := each["replicaStats"], dict)
    }


def test_a_shard_is_a_region_of_the_deployment(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=3, placement={"regions": ["US_IOWA_1", "EU_FRANKFURT_1"]})
    assert [(each["state"], each["replicaStats"]) for each in shards(api)] == [
        ("CREATING", {"pendingSchedulingReplicaCount": 1}),
        ("CREATING", {"pendingSchedulingReplicaCount": 2}),
    ]
    sim.advance(STARTUP)
    found = shards(api)
    assert ready(found) == {"us-iowa-1": 2, "eu-frankfurt-1": 1}
    assert found[0]["name"] == f"{DEPLOYMENT}/shards/eu-frankfurt-1"
    assert {each["state"] for each in found} == {"READY"}
    api.delete()
    sim.advance(10)
    assert shards(api) == []
    assert api.send("GET", "/deployments/nothing/shards").json()["code"] == 5


@pytest.mark.parametrize(
    ("placement", "begins"),
    [
        ({"multiRegion": "EUROPE"}, "eu-"),
        ({"multiRegion": "US"}, "us-"),
        ({"multiRegion": "APAC"}, "ap-"),
        ({"multiRegion": "CANADA"}, "na-"),
        ({"multiRegion": "GLOBAL"}, ""),
        (None, ""),
    ],
)
def test_groups_of_regions(api: Api, sim: SimulatorClient, placement: dict[str, str] | None, begins: str) -> None:
    sim.assume(shards_per_group=2)
    fields: dict[str, object] = {"minReplicaCount": 2, "maxReplicaCount": 2}
    api.create("chat", None, **fields, **({} if placement is None else {"placement": placement}))
    sim.advance(STARTUP)
    found = ready(shards(api))
    assert list(found.values()) == [1, 1]
    assert all(region.startswith(begins) for region in found)
    if not begins:
        assert str(api.get()["region"]).lower().replace("_", "-") in found, "the region that the deployment names"
