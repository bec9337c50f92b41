"""Events reach the API server once, soon, and at no cost to the caller."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.kube.client import KubernetesForbiddenError, KubernetesRefusedError
from fireworks_operator.kube.events import QUEUE_LIMIT, KubernetesEvents
from fireworks_operator.ports import (
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)
from tests.unit.kube.resource_factory import resource
from tests.unit.kube.scripted_server import Call, FakeClient, eventually


class World:
    """A clock that moves only by the recorder's own pauses, and an API server that answers with `failures` first."""

    def __init__(self, *failures: Exception) -> None:
        self.seconds = 0.0
        self.failures = list(failures)
        self.gate = asyncio.Event()
        self.gate.set()
        self.client = FakeClient(self._answer)
        self.results: list[tuple[str, str]] = []
        self.events = KubernetesEvents(
            self.client,
            lambda kind, result: self.results.append((kind, result)),
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds),
            clock=lambda: self.seconds,
            sleep=self._sleep,
        )

    @property
    def calls(self) -> list[Call]:
        return self.client.calls

    def record(self, message: str = "It is being created.", name: str = "llama", namespace: str = "team") -> None:
        self.events.record(resource(name, namespace=namespace), "Normal", Reason.CREATING, message)

    async def written(self, count: int) -> None:
        await eventually(lambda: len(self.results) >= count)

    async def _answer(self, call: Call) -> Mapping[str, Any]:
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return {}

    async def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@asynccontextmanager
async def running(*failures: Exception) -> AsyncIterator[World]:
    world = World(*failures)
    world.events.start()
    yield world
    world.gate.set()
    await world.events.stop()


async def test_an_event_says_what_kubectl_describe_shows() -> None:
    async with running() as world:
        world.record()
        await world.written(1)
    [call] = world.calls
    assert (call.method, call.path) == ("POST", "/api/v1/namespaces/team/events")
    body = dict(call.body)
    name = body.pop("metadata")["name"]
    assert name.startswith("llama.")
    assert body.pop("reportingInstance")
    assert body == {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": {
            "apiVersion": "fireworks.ai/v1alpha1",
            "kind": "FireworksDeployment",
            "namespace": "team",
            "name": "llama",
            "uid": "u-1",
            "resourceVersion": "41",
        },
        "type": "Normal",
        "reason": "Creating",
        "message": "It is being created.",
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
        "source": {"component": "fireworks-operator"},
        "reportingComponent": "fireworks-operator",
    }


async def test_the_same_event_again_raises_the_count_of_the_first() -> None:
    async with running() as world:
        for count in (1, 2, 3):
            world.record()
            await world.written(count)
            world.seconds += 599
    created, second, third = world.calls
    assert [call.method for call in world.calls] == ["POST", "PATCH", "PATCH"]
    assert second.path == third.path == f"/api/v1/namespaces/team/events/{created.body['metadata']['name']}"
    assert second.body == {"count": 2, "lastTimestamp": "2026-01-01T00:09:59Z"}
    assert third.body == {"count": 3, "lastTimestamp": "2026-01-01T00:19:58Z"}


async def test_after_ten_minutes_it_is_a_new_event() -> None:
    async with running() as world:
        world.record()
        await world.written(1)
        world.seconds += 600
        world.record()
        await world.written(2)
    first, second = world.calls
    assert first.method == second.method == "POST"
    assert first.body["metadata"]["name"] != second.body["metadata"]["name"]


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        ({"message": "a"}, {"message": "b"}, "another message is another event"),
        ({"name": "a"}, {"name": "b"}, "another resource is another event"),
    ],
)
async def test_different_events_stay_apart(one: dict[str, str], other: dict[str, str], reason: str) -> None:
    async with running() as world:
        world.record(**one)
        world.record(**other)
        await world.written(2)
    assert [call.method for call in world.calls] == ["POST", "POST"]
    assert len({call.body["metadata"]["name"] for call in world.calls}) == 2


async def test_the_same_event_while_it_waits_is_counted_into_it() -> None:
    async with running() as world:
        for _ in range(5):
            world.record()
        await world.written(1)
    [call] = world.calls
    assert call.body["count"] == 5


async def test_an_event_that_has_expired_begins_anew() -> None:
    async with running() as world:
        world.record()
        await world.written(1)
        world.failures.append(ResourceGoneError("404"))
        world.record()
        await world.written(2)
    assert [call.method for call in world.calls] == ["POST", "PATCH", "POST"]
    assert world.calls[2].body["count"] == 1


async def test_a_repeated_post_finds_its_own_event_and_is_content(caplog: pytest.LogCaptureFixture) -> None:
    lost, taken = KubernetesUnavailableError("no answer within 10 s"), ResourceChangedError("AlreadyExists")
    async with running(lost, taken) as world:
        world.record()
        await world.written(2)
        world.record()
        await world.written(3)
    first, repeated, bumped = world.calls
    assert first.body["metadata"]["name"] == repeated.body["metadata"]["name"]
    assert bumped.method == "PATCH"
    assert caplog.records == []


async def test_an_outage_costs_the_event_after_four_tries_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async with running(*[KubernetesUnavailableError("503")] * 4) as world:
        world.record("lost")
        world.record("kept")
        await world.written(5)
    assert world.results == [("event", "unavailable")] * 4 + [("event", "ok")]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "Creating of team/llama was lost" in record.message


@pytest.mark.parametrize(
    ("failure", "label", "reason"),
    [
        (KubernetesForbiddenError("team is being terminated"), "forbidden", "nothing can be created there"),
        (ResourceGoneError("namespace not found"), "gone", "the namespace is gone"),
        (KubernetesRefusedError("invalid", status=422), "refused", "it will not get better"),
    ],
)
async def test_a_refused_event_is_one_warning(
    failure: Exception, label: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(failure) as world:
        world.record("lost")
        world.record("kept")
        await world.written(2)
    assert world.results == [("event", label), ("event", "ok")]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_an_unforeseen_error_does_not_end_the_recorder(caplog: pytest.LogCaptureFixture) -> None:
    async with running(RuntimeError("Session is closed")) as world:
        world.record("lost")
        world.record("kept")
        await world.written(1)
    assert world.results == [("event", "ok")]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_fifty_go_at_once_and_then_ten_per_second() -> None:
    async with running() as world:
        for number in range(80):
            world.record(str(number))
        await world.written(80)
    assert world.seconds == pytest.approx(3.0, abs=0.1)


async def test_a_full_queue_drops_and_says_how_many_in_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as world:
        for number in range(QUEUE_LIMIT + 361):
            world.record(str(number))
        assert caplog.records == [], "the caller does not wait, and says nothing either"
        await world.written(QUEUE_LIMIT)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "361 were dropped" in record.message


async def test_while_the_queue_stays_full_drops_are_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as world:
        for number in range(QUEUE_LIMIT + 5):
            world.record(str(number))
        until, number = 300.0, 10_000
        while world.seconds < until:
            for _ in range(2):  # more than is written meanwhile
                world.record(str(number := number + 1))
            await asyncio.sleep(0)
    told = [record for record in caplog.records if "were dropped" in record.message]
    assert 4 <= len(told) <= 7, "five minutes, and the rest at the end"


async def test_drops_are_told_at_the_end_at_the_latest(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fireworks_operator.kube.events.DRAIN", 0.05)
    world = World()
    world.gate.clear()
    world.events.start()
    for number in range(QUEUE_LIMIT + 7):
        world.record(str(number))
    await eventually(lambda: world.calls)
    await world.events.stop()
    assert "7 were dropped" in caplog.text


@pytest.mark.parametrize("message", ["x" * 1025, "ü" * 600, "😀" * 300])
async def test_a_long_message_is_cut_to_the_limit_of_the_api(message: str) -> None:
    async with running() as world:
        world.record(message)
        await world.written(1)
    sent = world.calls[0].body["message"]
    assert 1020 <= len(sent.encode()) <= 1024
    assert sent.endswith("…")
    assert message.startswith(sent[:-1])


async def test_a_message_at_the_limit_stays_whole() -> None:
    async with running() as world:
        world.record("x" * 1024)
        await world.written(1)
    assert world.calls[0].body["message"] == "x" * 1024


async def test_stopping_writes_what_waits() -> None:
    async with running() as world:
        for number in range(20):
            world.record(str(number))
    assert len(world.results) == 20


async def test_stopping_gives_up_on_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("fireworks_operator.kube.events.DRAIN", 0.05)
    world = World()
    world.gate.clear()
    world.events.start()
    for number in range(3):
        world.record(str(number))
    await eventually(lambda: world.calls)
    await world.events.stop()
    assert "2 events were not written" in caplog.text


async def test_a_namespace_that_floods_drops_its_own_events_and_keeps_no_others_waiting() -> None:
    async with running() as world:
        world.gate.clear()
        for number in range(2 * QUEUE_LIMIT):
            world.record(f"Flood {number}.", namespace="mallory")
        for number in range(50):
            world.record(f"News {number}.", namespace=f"team-{number % 5}")
        assert len(world.events._waiting) <= QUEUE_LIMIT + 1
        world.gate.set()
        await world.written(200)
    namespaces = [call.path.split("/")[4] for call in world.calls[:60]]
    assert sorted(namespaces) == sorted([f"team-{number % 5}" for number in range(50)] + 10 * ["mallory"]), "by turns"
    flood = [int(call.body["message"].split()[1][:-1]) for call in world.calls if call.path.split("/")[4] == "mallory"]
    assert flood == sorted(flood), "in the order in which they happened"


async def test_of_two_namespaces_that_fill_the_queue_both_keep_half() -> None:
    world = World()
    for namespace in ("one", "two"):
        for number in range(QUEUE_LIMIT):
            world.record(f"Flood {number}.", namespace=namespace)
    waiting = [world.events._waiting.pop().subject for _ in range(len(world.events._waiting))]
    assert [sum(each.namespace == name for each in waiting) for name in ("one", "two")] == [QUEUE_LIMIT // 2] * 2
    assert {each.message for each in waiting} == {f"Flood {number}." for number in range(QUEUE_LIMIT // 2)}
