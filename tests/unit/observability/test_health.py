"""Kubernetes is told the truth about the process, over real HTTP."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from fireworks_operator.observability.health import Health, HealthServer, keep_beating
from fireworks_operator.observability.metrics import Metrics
from testkit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health({"resources": "The resources have not been listed yet.", "lease": "Not the leader."}, clock=clock)


@pytest.fixture
async def url(health: Health) -> AsyncIterator[str]:
    server = HealthServer(health, Metrics(version="1.2.3").registry, host="127.0.0.1", port=0)
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


async def get(url: str, **headers: str) -> tuple[int, str, str]:
    limit = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=limit) as session, session.get(url, headers=headers) as response:
        return response.status, response.headers["Content-Type"], await response.text()


async def test_a_process_whose_loop_comes_round_is_alive(url: str) -> None:
    assert (await get(f"{url}/healthz"))[::2] == (200, "ok\n")


async def test_a_loop_that_is_stuck_for_half_a_minute_is_not_alive(url: str, health: Health, clock: Clock) -> None:
    clock.now += 29.9
    assert (await get(f"{url}/healthz"))[0] == 200
    clock.now += 0.1
    assert (await get(f"{url}/healthz"))[::2] == (503, "the event loop has not come round for 30 s\n")

    health.beat()

    assert (await get(f"{url}/healthz"))[0] == 200


async def test_readiness_lists_what_is_missing_until_nothing_is(url: str, health: Health) -> None:
    assert (await get(f"{url}/readyz"))[::2] == (
        503,
        "[-]resources: The resources have not been listed yet.\n[-]lease: Not the leader.\n",
    )

    health.satisfy("resources")
    assert (await get(f"{url}/readyz"))[::2] == (503, "[+]resources ok\n[-]lease: Not the leader.\n")

    health.satisfy("lease")
    assert (await get(f"{url}/readyz"))[::2] == (200, "[+]resources ok\n[+]lease ok\n")

    health.miss("lease", "The lease was lost.")
    assert (await get(f"{url}/readyz"))[::2] == (503, "[+]resources ok\n[-]lease: The lease was lost.\n")
    assert health.missing() == {"lease": "The lease was lost."}


def test_a_condition_that_was_not_declared_is_a_mistake(health: Health) -> None:
    with pytest.raises(KeyError):
        health.satisfy("leese")
    with pytest.raises(KeyError):
        health.miss("leese", "Typo.")


async def test_metrics_are_served_in_the_format_that_is_asked_for(url: str) -> None:
    status, plain_type, plain = await get(f"{url}/metrics")
    _, open_type, open_text = await get(f"{url}/metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert status == 200
    assert plain_type.startswith("text/plain; version=")
    assert 'version="1.2.3"' in plain
    assert open_type.startswith("application/openmetrics-text; version=1.0.0")
    assert open_text.endswith("# EOF\n")


async def test_nothing_else_is_served(url: str) -> None:
    assert (await get(f"{url}/"))[0] == 404
    async with aiohttp.ClientSession() as session, session.post(f"{url}/healthz") as response:
        assert response.status == 405


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(url: str, health: Health) -> None:
    port = int(url.rsplit(":", 1)[1])
    second = HealthServer(health, Metrics().registry, host="127.0.0.1", port=port)

    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    with pytest.raises(RuntimeError, match="not running"):
        second.port  # noqa: B018


async def test_a_stopped_server_can_be_stopped_again_and_frees_its_port(health: Health) -> None:
    first = HealthServer(health, Metrics().registry, host="127.0.0.1", port=0)
    await first.start()
    port = first.port
    await first.stop()
    await first.stop()

    second = HealthServer(health, Metrics().registry, host="127.0.0.1", port=port)
    await second.start()

    assert second.port == port
    await second.stop()


async def test_the_heart_beats_for_as_long_as_the_loop_comes_round() -> None:
    beats = asyncio.Event()

    class Watched(Health):
        def beat(self) -> None:
            super().beat()
            beats.set()

    task = asyncio.create_task(keep_beating(Watched({})))
    async with asyncio.timeout(10):
        await beats.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_age_of_the_heartbeat_is_told(health: Health, clock: Clock) -> None:
    clock.now += 12
    assert health.heartbeat_age == 12
    health.beat()
    assert health.heartbeat_age == 0
