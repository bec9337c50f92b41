"""Usage: accelerator-seconds of ready replicas, exact on the virtual clock, by day, deployment and tag."""

import itertools
import random

import httpx
import pytest

from fireworks_simulator.entities import Deployment, State
from fireworks_simulator.settings import Settings
from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject
from fireworks_simulator.world import World
from tests.simulator.api import H100, LLAMA, Api
from tests.simulator.money import DAY, midnight, rfc3339, rows, seconds, usage

STARTUP = 60
DEPLOYMENT = "accounts/acme/deployments/chat"


def test_a_replica_is_billed_from_the_moment_it_is_ready(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1, acceleratorCount=2)
    sim.advance(STARTUP)
    assert usage(api, sim) == []
    sim.advance(1)
    assert seconds(usage(api, sim)) == 2
    sim.advance(3599)
    assert seconds(usage(api, sim)) == 2 * 3600


def test_scaling_changes_what_is_billed_when_replicas_are_ready_or_gone(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1, maxReplicaCount=5)
    sim.advance(STARTUP + 100)
    api.patch({"minReplicaCount": 3}, "min_replica_count")
    sim.advance(STARTUP + 50)
    assert seconds(usage(api, sim)) == 100 + STARTUP + 3 * 50
    api.patch({"minReplicaCount": 1, "maxReplicaCount": 1}, "min_replica_count,max_replica_count")
    sim.advance(1000)
    assert seconds(usage(api, sim)) == 100 + STARTUP + 3 * 50 + 1000


@pytest.mark.parametrize("query", [{}, {"hard": "true"}], ids=["softly", "hard"])
def test_a_deleted_deployment_is_billed_up_to_its_deletion(
    api: Api, sim: SimulatorClient, query: dict[str, str]
) -> None:
    api.create(minReplicaCount=1)
    sim.advance(STARTUP + 500)
    api.delete(**query)
    sim.advance(8 * DAY)
    assert api.send("GET", "/deployments/chat").status_code == 404
    (row,) = usage(api, sim, groupBy="deployment_name")
    assert (row["group"], row["acceleratorSeconds"]) == ({"deployment_name": DEPLOYMENT}, "500")


def test_an_id_that_is_used_again_goes_on(api: Api, sim: SimulatorClient) -> None:
    for _ in range(2):
        api.create(minReplicaCount=1)
        sim.advance(STARTUP + 500)
        sim.vanish("chat")
        sim.advance(500)
    assert seconds(usage(api, sim)) == 1000


def test_what_serves_nothing_costs_nothing(api: Api, sim: SimulatorClient) -> None:
    sim.stage("waiting$", outcome="stockout")
    sim.stage("broken$", outcome="fail")
    api.create("waiting")
    api.create("broken")
    api.create("parked", maxReplicaCount=0)
    api.create("idle", autoscalingPolicy={"scaleToZeroWindow": "300s"})
    sim.advance(DAY)
    assert seconds(usage(api, sim)) == 300


def test_a_replica_that_lost_its_node_is_not_billed_until_it_is_ready_again(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=2)
    sim.advance(STARTUP + 100)
    sim.edit("chat", lostReplicas=1)
    sim.advance(STARTUP + 100)
    assert seconds(usage(api, sim)) == 2 * 100 + STARTUP + 2 * 100


def test_days_begin_at_midnight_of_the_time_zone(api: Api, sim: SimulatorClient) -> None:
    sim.advance(2 * DAY - sim.now() % DAY - STARTUP)
    api.create(minReplicaCount=1)
    sim.advance(STARTUP + 2 * DAY)
    found = usage(api, sim)
    today = midnight(sim.now())
    days = [(rfc3339(today - n * DAY), rfc3339(today - (n - 1) * DAY)) for n in (2, 1)]
    assert [(row["startTime"], row["endTime"]) for row in found] == [
        (start.replace("+00:00", "Z"), end.replace("+00:00", "Z")) for start, end in days
    ]
    assert [row["acceleratorSeconds"] for row in found] == [str(round(DAY))] * 2
    tokyo = usage(api, sim, timezone="Asia/Tokyo")
    assert [int(str(row["acceleratorSeconds"])) for row in tokyo] == [15 * 3600, 24 * 3600, 9 * 3600]
    assert str(tokyo[0]["endTime"]).endswith("T15:00:00Z")


def test_a_period_is_exact_to_the_second(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(STARTUP)
    start = sim.now()
    sim.advance(1000)
    times = {"startTime": rfc3339(start + 100), "endTime": rfc3339(start + 350)}
    assert seconds(rows(api.value("GET", "/billingUsage", **times))) == 250


def test_rows_say_what_was_deployed_where(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1, placement={"region": "US_IOWA_1"})
    sim.advance(STARTUP + 10)
    row = usage(api, sim)[0]
    assert {name: row[name] for name in row if not name.endswith("Time")} == {
        "deploymentId": DEPLOYMENT,
        "acceleratorType": H100,
        "acceleratorSeconds": "10",
        "baseModel": LLAMA,
        "placement": "US_IOWA_1",
        "usageType": "DEDICATED_DEPLOYMENT",
    }


def grouped(api: Api, sim: SimulatorClient, *names: str) -> dict[tuple[str, ...], int]:
    """Accelerator-seconds by the values of dimensions."""
    now = sim.now()
    query = httpx.QueryParams(
        [("startTime", rfc3339(now - DAY)), ("endTime", rfc3339(now)), *(("groupBy", name) for name in names)]
    )
    found = rows(api.http.get(f"{api.prefix}/billingUsage", params=query).raise_for_status().json())
    sums: dict[tuple[str, ...], int] = {}
    for row in found:
        group = row["group"]
        assert isinstance(group, dict)
        key = tuple(str(group[name]) for name in names)
        sums[key] = sums.get(key, 0) + seconds([row])
    return sums


def test_usage_is_grouped_by_hardware_and_by_the_tags_of_teams(api: Api, sim: SimulatorClient) -> None:
    api.create("one", minReplicaCount=1, annotations={"custom/team": "search", "custom/project": "x"})
    api.create("two", minReplicaCount=1, annotations={"custom/team": "search"}, acceleratorCount=2)
    api.create("three", minReplicaCount=1, acceleratorType="NVIDIA_H200_141GB")
    sim.advance(STARTUP + 10)
    assert grouped(api, sim, "team") == {("search",): 30, ("",): 10}
    assert grouped(api, sim, "team", "accelerator_type") == {
        ("search", H100): 30,
        ("", "NVIDIA_H200_141GB"): 10,
    }
    assert grouped(api, sim, "project", "deployment_name")[("x", "accounts/acme/deployments/one")] == 10
    assert grouped(api, sim, "environment") == {("",): 40}


def test_a_tag_counts_from_the_moment_it_is_set(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(STARTUP + 10)
    api.value("POST", "/deployments/chat:setTags", {"tags": {"custom/team": "search"}})
    sim.advance(20)
    assert grouped(api, sim, "team") == {("",): 10, ("search",): 20}


def test_a_query_can_be_about_some_deployments(api: Api, sim: SimulatorClient) -> None:
    for number, name in enumerate(("one", "two", "three"), start=1):
        api.create(name, minReplicaCount=1, acceleratorCount=number)
    sim.advance(STARTUP + 10)
    body: dict[str, object] = {"startTime": rfc3339(sim.now() - DAY), "endTime": rfc3339(sim.now())}
    names = {"values": ["accounts/acme/deployments/one", "accounts/acme/deployments/three"]}
    found = rows(api.value("POST", "/billingUsage:query", {**body, "filter": {"deployment_name": names}}))
    assert seconds(found) == 10 + 30
    found = rows(api.value("POST", "/billingUsage:query", {**body, "groupBy": ["deployment_name"]}))
    assert seconds(found) == 60
    no_effect = usage(api, sim, filter='deployment_name="accounts/acme/deployments/one"')
    assert seconds(no_effect) == 60, "the query string of a GET filters nothing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"startTime": ""}, "start_time is required"),
        ({"endTime": "2026-11-01"}, 'parsing field "end_time"'),
        ({"endTime": "2026-11-01T00:00:00"}, 'parsing field "end_time"'),
        ({"startTime": "2026-11-02T00:00:00Z"}, "start_time must be before end_time"),
        ({"startTime": "2026-09-30T23:59:59Z"}, "end_time must not be more than 31 days after start_time"),
        ({"usageType": "OOPS"}, 'parsing field "usage_type"'),
        ({"groupBy": "colour"}, 'unsupported dimension "colour"'),
        ({"timezone": "Mars/Olympus"}, 'invalid timezone "Mars/Olympus"'),
    ],
)
def test_questions_that_are_refused(api: Api, change: dict[str, str], message: str) -> None:
    query = {"startTime": "2026-10-01T00:00:00Z", "endTime": "2026-11-01T00:00:00Z"}
    assert api.value("GET", "/billingUsage", **query) == {}
    answer = api.send("GET", "/billingUsage", **{**query, **change})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert str(answer.json()["message"]).startswith(message)


def test_other_kinds_of_usage_are_empty(api: Api, sim: SimulatorClient) -> None:
    api.create(minReplicaCount=1)
    sim.advance(STARTUP + 10)
    assert usage(api, sim, usageType="SERVERLESS") == []
    assert seconds(usage(api, sim, usageType="DEDICATED_DEPLOYMENT")) == 10


@pytest.mark.parametrize("seed", range(20))
def test_the_meter_is_the_sum_of_what_every_moment_shows(seed: int) -> None:
    """Whatever happens to a deployment: ready replicas times GPUs, added up over the seconds."""
    world = World(Settings(stepped=True))
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    account = world.accounts["acme"]
    start = now = float(round(world.clock.now()))
    config: JsonObject = {"minReplicaCount": 1, "maxReplicaCount": 4, "acceleratorCount": 2, "acceleratorType": H100}
    d = world.new_deployment("acme", "chat", config, now)
    world.lifecycle.start(d, State.CREATING, now)
    world.add(d, now)
    expected = 0
    for _ in range(400):
        if dice.random() < 0.05:
            happen(world, d, now, dice)
        expected += d.ready(now) * d.gpus_per_replica
        now += 1.0
        if dice.random() < 0.5:
            world.settle(now)
    segments = world.meter.segments(account, now)
    assert round(sum((s.end - s.start) * s.gpus for s in segments), 3) == expected
    assert all(start <= s.start < s.end <= now for s in segments)
    assert all(before.end <= after.start for before, after in itertools.pairwise(segments))


def happen(world: World, d: Deployment, now: float, dice: random.Random) -> None:
    """Something that users, the service or its hardware do."""
    world.settle(now)
    world.remember(d, now)
    kind = dice.choice(["bounds", "gpus", "scale", "load", "delete", "fail"])
    if kind == "bounds":
        low = dice.randint(0, 3)
        d.config = {**d.config, "minReplicaCount": low, "maxReplicaCount": dice.randint(low, 5)}
        world.lifecycle.bounds_changed(d, now)
    elif kind == "gpus":
        d.config = {**d.config, "acceleratorCount": dice.randint(1, 8)}
    elif kind == "scale":
        world.lifecycle.set_desired(d, dice.randint(d.minimum, d.maximum), now)
    elif kind == "load":
        d.load = dice.uniform(0, 5)
        world.lifecycle.load_changed(d, now)
    elif kind == "fail":
        world.lifecycle.fail(d, now, "broken", "")
    elif d.gone or d.state is State.FAILED:
        world.lifecycle.start(d, State.CREATING, now)
    else:
        world.lifecycle.delete(d, now, hard=False)
    world.changed(d, now)
