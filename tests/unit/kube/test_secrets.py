"""Secrets are read when they must be, and no more often."""

import asyncio
import base64
import gc
import sys
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

import pytest

from fireworks_operator.kube.client import KubernetesForbiddenError
from fireworks_operator.kube.secrets import AT_ONCE, KubernetesSecrets
from fireworks_operator.ports import (
    LONGEST_VALUE,
    KubernetesUnavailableError,
    ResourceGoneError,
    SecretExcerpt,
    SecretForbiddenError,
)
from testkit.virtual.loop import run
from tests.unit.kube.scripted_server import Call, FakeClient

WANTED = ("apiKey", "accountId")


class World:
    """A clock and an API server with one Secret, whose answer can be held back."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.value: bytes | Exception = b"fw_first"
        self.open = asyncio.Event()
        self.open.set()
        self.client = FakeClient(self._answer)
        self.secrets = KubernetesSecrets(self.client, lambda: self.now)

    @property
    def reads(self) -> int:
        return len(self.client.calls)

    async def read(self, *, fresh: bool = False) -> Mapping[str, bytes | None] | None:
        found = await self.secrets.read("team", "key", WANTED, fresh=fresh)
        return None if found is None else found.values

    async def _answer(self, call: Call) -> Mapping[str, Any]:
        value = self.value
        await self.open.wait()
        if isinstance(value, Exception):
            raise value
        return {"data": {"apiKey": base64.b64encode(value).decode()}}


async def test_a_secret_is_decoded() -> None:
    world = World()
    assert await world.read() == {"apiKey": b"fw_first"}
    assert world.client.calls[0].path == "/api/v1/namespaces/team/secrets/key"


async def test_an_empty_secret_exists() -> None:
    async def empty(call: Call) -> Mapping[str, Any]:
        return {"metadata": {"name": "key"}}

    found = await KubernetesSecrets(FakeClient(empty)).read("team", "key", WANTED)
    assert found == SecretExcerpt({}, "nothing")


async def test_a_secret_is_told_from_its_other_versions_and_from_a_later_one_of_its_name() -> None:
    async def answer(call: Call) -> Mapping[str, Any]:
        return {"metadata": {"name": "key", "uid": "uid-1", "resourceVersion": "17"}, "data": {}}

    found = await KubernetesSecrets(FakeClient(answer)).read("team", "key", WANTED)
    assert found == SecretExcerpt({}, "nothing", "uid-1", "17")


@pytest.mark.parametrize(
    ("value", "seconds", "reason"),
    [
        (b"fw_first", 60.0, "a key that is there is believed for a minute"),
        (ResourceGoneError("404"), 5.0, "somebody is about to create it"),
        (KubernetesForbiddenError("403"), 5.0, "somebody is about to grant it"),
        (KubernetesUnavailableError("503"), 1.0, "the API server may be back at once"),
    ],
)
async def test_an_answer_is_believed_for_a_time(value: bytes | Exception, seconds: float, reason: str) -> None:
    world = World()
    world.value = value
    for moment, reads in ((0.0, 1), (seconds - 0.1, 1), (seconds, 2)):
        world.now = 1000.0 + moment
        await asyncio.gather(world.read(), return_exceptions=True)
        assert world.reads == reads


async def test_a_missing_secret_is_none() -> None:
    world = World()
    world.value = ResourceGoneError("404")
    assert await world.read() is None


async def test_a_forbidden_secret_is_told_apart_from_an_outage() -> None:
    world = World()
    world.value = KubernetesForbiddenError("get secrets team/key: forbidden")
    with pytest.raises(SecretForbiddenError, match="get secrets team/key"):
        await world.read()
    world.now += 5
    world.value = KubernetesUnavailableError("503")
    with pytest.raises(KubernetesUnavailableError):
        await world.read()


async def test_fresh_goes_past_the_cache_and_renews_it() -> None:
    world = World()
    await world.read()
    world.now += 1
    world.value = b"fw_second"
    assert await world.read(fresh=True) == {"apiKey": b"fw_second"}
    assert await world.read() == {"apiKey": b"fw_second"}
    assert world.reads == 2


async def test_many_readers_of_one_secret_cost_one_get() -> None:
    world = World()
    world.open.clear()
    readers = [asyncio.create_task(world.read()) for _ in range(100)]
    await asyncio.sleep(0)
    world.open.set()
    assert set(map(str, await asyncio.gather(*readers))) == {str({"apiKey": b"fw_first"})}
    assert world.reads == 1


async def test_fresh_does_not_take_the_answer_to_an_earlier_question() -> None:
    world = World()
    world.open.clear()
    early = asyncio.create_task(world.read())
    await asyncio.sleep(0)
    world.now += 1
    world.value = b"fw_second"
    late = [asyncio.create_task(world.read(fresh=True)) for _ in range(100)]
    await asyncio.sleep(0)
    world.now += 1
    world.open.set()
    assert await early == {"apiKey": b"fw_first"}
    assert all(data == {"apiKey": b"fw_second"} for data in await asyncio.gather(*late))
    assert world.reads == 2


async def test_readers_that_wait_behind_a_failure_share_it() -> None:
    world = World()
    world.value = KubernetesUnavailableError("no answer within 10 s")
    world.open.clear()
    readers = [asyncio.create_task(world.read()) for _ in range(100)]
    await asyncio.sleep(0)
    world.open.set()
    results = await asyncio.gather(*readers, return_exceptions=True)
    assert all(isinstance(result, KubernetesUnavailableError) for result in results)
    assert world.reads == 1


async def test_a_cancelled_reader_does_not_take_the_others_with_it() -> None:
    world = World()
    world.open.clear()
    first, second = asyncio.create_task(world.read()), asyncio.create_task(world.read())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    world.open.set()
    assert await second == {"apiKey": b"fw_first"}


@pytest.mark.parametrize("name", ["", "..", "../other/secrets/key", "a/b", "A", "key\n", "k" * 254, "a?x=1"])
async def test_a_name_that_no_secret_can_have_is_never_sent(name: str) -> None:
    world = World()
    assert await world.secrets.read("team", name, WANTED) is None
    assert await world.secrets.read(name, "key", WANTED) is None
    assert world.reads == 0


def held(what: object, seen: set[int] | None = None) -> int:
    """Return how many bytes an object and all that it alone leads to take."""
    seen = set() if seen is None else seen
    if id(what) in seen or isinstance(what, type | FunctionType | ModuleType):
        return 0
    seen.add(id(what))
    return sys.getsizeof(what) + sum(held(each, seen) for each in gc.get_referents(what))


async def test_of_large_secrets_only_a_minutes_worth_of_short_values_is_held() -> None:
    megabyte = base64.b64encode(bytes(700_000)).decode()

    async def large(call: Call) -> Mapping[str, Any]:
        return {"data": {"apiKey": base64.b64encode(b"fw_key").decode(), "accountId": megabyte, "model": megabyte}}

    world = World()
    world.secrets = KubernetesSecrets(FakeClient(large), lambda: world.now)
    for number in range(200):
        world.now += 6
        assert await world.secrets.read("team", f"key-{number}", WANTED) == SecretExcerpt(
            {"apiKey": b"fw_key", "accountId": None}, "accountId, apiKey, model"
        )
    assert len(world.secrets._answers) <= 10
    assert not world.secrets._locks
    assert held(world.secrets._answers) < 20_000


def test_secrets_that_nobody_asks_for_any_more_are_forgotten() -> None:
    async def scenario() -> None:
        async def small(call: Call) -> Mapping[str, Any]:
            return {"data": {"apiKey": base64.b64encode(b"fw_key").decode()}}

        secrets = KubernetesSecrets(FakeClient(small), asyncio.get_running_loop().time)
        for number in range(100):
            await secrets.read("team", f"key-{number}", WANTED)
            await asyncio.sleep(0.1)
        assert len(secrets._answers) == 100
        await asyncio.sleep(120)
        assert not secrets._answers

    run(scenario())


async def test_two_keys_of_one_secret_are_both_found() -> None:
    async def two(call: Call) -> Mapping[str, Any]:
        return {"data": {name: base64.b64encode(f"fw_{name}".encode()).decode() for name in ("blue", "green")}}

    secrets = KubernetesSecrets(FakeClient(two))
    for _ in range(2):
        for name in ("blue", "green", "red"):
            found = await secrets.read("team", "key", (name, "accountId"))
            assert found is not None
            assert found.values == ({} if name == "red" else {name: f"fw_{name}".encode()})
            assert found.has == "blue, green"


async def test_no_more_than_a_few_large_secrets_are_in_memory_at_a_time() -> None:
    reading: list[Call] = []
    most: list[int] = []

    async def slowly(call: Call) -> Mapping[str, Any]:
        reading.append(call)
        most.append(len(reading))
        for _ in range(3):
            await asyncio.sleep(0)
        reading.remove(call)
        return {}

    secrets = KubernetesSecrets(FakeClient(slowly))
    await asyncio.gather(*(secrets.read("team", f"key-{number}", WANTED) for number in range(20)))
    assert max(most) == AT_ONCE
    assert len(most) == 20


@pytest.mark.parametrize("size", [LONGEST_VALUE - 1, LONGEST_VALUE, LONGEST_VALUE + 1, LONGEST_VALUE + 2, 900_000])
async def test_a_value_that_is_too_long_for_a_key_is_told_apart_from_none(size: int) -> None:
    world = World()
    world.value = b"x" * size
    assert await world.read() == {"apiKey": world.value if size <= LONGEST_VALUE else None}


async def test_what_is_kept_shows_no_secret() -> None:
    world = World()
    await world.read()
    assert "fw_first" not in repr(world.secrets._answers)
