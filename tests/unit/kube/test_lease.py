"""One leader at a time, by every candidate's own clock."""

import asyncio
import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from fireworks_operator.core.pauses import POST_SETTLES
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.request import WRITE_DEADLINE
from fireworks_operator.kube.credentials import CredentialsError
from fireworks_operator.kube.lease import (
    DEFAULT_TIMINGS,
    MUTATION_MARGIN,
    LeaseElector,
    LeaseFence,
    LeaseLostError,
    LeaseTimings,
    NoLease,
    default_identity,
)
from fireworks_operator.kube.lease_record import LeaseRecord
from fireworks_operator.ports import KubernetesUnavailableError, ResourceChangedError, ResourceGoneError
from tests.unit.kube.scripted_server import (
    Call,
    FakeClient,
    ScriptedServer,
    eventually,
    status_object,
    write_kubeconfig,
)

QUICK = LeaseTimings(duration=1.0, renew_deadline=0.7, retry_period=0.05, max_heartbeat_age=1.0)


class Store:
    """The API server's side of one Lease, with the rules of resourceVersion."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.writes = 0

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        spec: dict[str, Any] = self.lease["spec"]
        return spec

    @property
    def holder(self) -> str | None:
        return None if self.lease is None else self.spec["holderIdentity"]

    def get(self) -> Mapping[str, Any]:
        if self.lease is None:
            raise ResourceGoneError("404")
        return self.lease

    def create(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.lease is not None:
            raise ResourceChangedError("AlreadyExists")
        return self._store(body)

    def update(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.lease is None:
            raise ResourceGoneError("404")
        if body["metadata"].get("resourceVersion") != str(self.version):
            raise ResourceChangedError("409")
        return self._store(body)

    def _store(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.version += 1
        self.writes += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        return self.lease


class World:
    """A clock, a store, and candidates that can lose the answers to their writes."""

    def __init__(self) -> None:
        self.now = 100.0
        self.store = Store()
        self.lose_answers = False

    def candidate(self, identity: str) -> LeaseRecord:
        return LeaseRecord(FakeClient(self._answer), "ops", "leader", identity, duration=15, clock=lambda: self.now)

    async def _answer(self, call: Call) -> Mapping[str, Any]:
        await asyncio.sleep(0)  # lets the other candidates ask in between
        act = {"GET": lambda _: self.store.get(), "POST": self.store.create, "PUT": self.store.update}
        answer = act[call.method](call.body)
        if self.lose_answers and call.method != "GET":
            raise KubernetesUnavailableError("no answer within 10 s")
        return answer


async def test_the_first_candidate_creates_the_lease_and_holds_it() -> None:
    world = World()
    assert await world.candidate("a").hold()
    assert world.store.holder == "a"
    assert world.store.spec["leaseDurationSeconds"] == 15
    assert world.store.spec["leaseTransitions"] == 0
    assert world.store.spec["acquireTime"] == world.store.spec["renewTime"]


async def test_a_candidate_waits_until_it_has_seen_no_change_for_the_duration() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.hold()
    assert not await b.hold()
    world.now += 14.9
    assert not await b.hold()
    world.now += 0.2
    assert await b.hold()
    assert world.store.holder == "b"
    assert world.store.spec["leaseTransitions"] == 1


async def test_each_renewal_starts_the_wait_of_the_others_anew() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    for _ in range(20):
        assert await a.hold()
        assert not await b.hold()
        world.now += 10
    assert world.store.spec["leaseTransitions"] == 0


async def test_a_candidate_that_comes_late_trusts_no_time_stamp_of_others() -> None:
    world = World()
    await world.candidate("a").hold()
    world.store.spec["renewTime"] = "2001-01-01T00:00:00.000000Z"
    assert not await world.candidate("b").hold()


async def test_an_edit_that_is_no_renewal_does_not_prolong_the_lease() -> None:
    world = World()
    b = world.candidate("b")
    await world.candidate("a").hold()
    await b.hold()
    world.now += 15
    world.store.update({**world.store.get(), "metadata": {"resourceVersion": "1", "labels": {"x": "y"}}})
    assert await b.hold()


async def test_the_duration_that_the_holder_wrote_counts() -> None:
    world = World()
    b = world.candidate("b")
    await world.candidate("a").hold()
    world.store.spec["leaseDurationSeconds"] = 60
    await b.hold()
    world.now += 59
    assert not await b.hold()
    world.now += 1
    assert await b.hold()


async def test_two_candidates_at_once_are_one_holder() -> None:
    world = World()
    a, b, c = (world.candidate(name) for name in "abc")
    await a.hold()
    await asyncio.gather(b.hold(), c.hold())
    world.now += 15
    results = await asyncio.gather(b.hold(), c.hold(), return_exceptions=True)
    assert [result is True for result in results].count(True) == 1
    assert any(isinstance(result, ResourceChangedError) for result in results)


async def test_renewing_costs_one_request() -> None:
    world = World()
    a = world.candidate("a")
    await a.hold()
    client = a._client
    assert isinstance(client, FakeClient)
    client.calls.clear()
    await a.hold()
    assert [call.method for call in client.calls] == ["PUT"]


async def test_a_lost_answer_is_no_lost_lease() -> None:
    world = World()
    a = world.candidate("a")
    await a.hold()
    world.lose_answers = True
    world.now += 2
    with pytest.raises(KubernetesUnavailableError):
        await a.hold()
    assert a.renewed_at == 100.0
    world.lose_answers = False
    world.now += 2
    assert await a.hold()
    assert a.renewed_at == 104.0


async def test_a_lost_answer_to_the_first_write_is_found_again() -> None:
    world = World()
    a = world.candidate("a")
    world.lose_answers = True
    with pytest.raises(KubernetesUnavailableError):
        await a.hold()
    assert a.renewed_at is None
    world.lose_answers = False
    assert await a.hold()
    assert world.store.spec["leaseTransitions"] == 0


async def test_a_label_of_somebody_else_does_not_cost_the_lease_and_stays() -> None:
    world = World()
    a = world.candidate("a")
    await a.hold()
    world.store.update({**world.store.get(), "metadata": {"resourceVersion": "1", "labels": {"x": "y"}}})
    assert await a.hold()
    assert world.store.get()["metadata"]["labels"] == {"x": "y"}


async def test_a_holder_sees_that_somebody_else_took_it() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.hold()
    await b.hold()
    world.now += 15
    await b.hold()
    assert not await a.hold()
    assert a.is_held_by_another
    assert a.holder == "b"


async def test_a_deleted_lease_is_created_again() -> None:
    world = World()
    a = world.candidate("a")
    await a.hold()
    world.store.lease = None
    assert await a.hold()
    assert world.store.holder == "a"


async def test_the_lease_counts_from_before_the_write_began() -> None:
    world = World()
    a = world.candidate("a")
    put = world.store.create

    def slow(body: Mapping[str, Any]) -> Mapping[str, Any]:
        world.now += 5
        return put(body)

    world.store.create = slow  # type: ignore[method-assign]
    await a.hold()
    assert a.renewed_at == 100.0


async def test_a_released_lease_is_taken_at_once() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.hold()
    assert not await b.hold()
    assert await a.release()
    assert a.renewed_at is None
    assert await b.hold()


async def test_who_does_not_hold_it_releases_nothing() -> None:
    world = World()
    a, b = world.candidate("a"), world.candidate("b")
    await a.hold()
    await b.hold()
    assert not await b.release()
    assert world.store.holder == "a"


class Lost:
    """What an elector's `on_lost` was told, and how much of the Lease was left then."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.threads: list[str] = []

    def __call__(self, sentence: str) -> None:
        self.sentences.append(sentence)
        self.threads.append(threading.current_thread().name)


class Api:
    """A Lease behind HTTP; `reachable` off means that no request is answered, `swallow` that so many are not."""

    def __init__(self) -> None:
        self.store = Store()
        self.reachable = asyncio.Event()
        self.reachable.set()
        self.swallow = 0
        self.over = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.swallow:
            self.swallow -= 1
            await self.over.wait()
        await self.reachable.wait()
        body = await request.json() if request.can_read_body else {}
        try:
            match request.method:
                case "GET":
                    return web.json_response(self.store.get())
                case "POST":
                    return web.json_response(self.store.create(body))
                case _:
                    return web.json_response(self.store.update(body))
        except ResourceGoneError:
            return status_object(404, "not found")
        except ResourceChangedError:
            return status_object(409, "conflict")


class Election:
    """Electors with short durations on one API server."""

    def __init__(self, api: Api, kubeconfig: Path) -> None:
        self.api = api
        self.heartbeat_age = 0.0
        self._kubeconfig = kubeconfig

    def elector(self, identity: str, on_lost: Lost | None = None) -> LeaseElector:
        return LeaseElector(
            namespace="ops",
            name="leader",
            identity=identity,
            heartbeat_age=lambda: self.heartbeat_age,
            on_lost=on_lost or Lost(),
            kubeconfig=self._kubeconfig,
            timings=QUICK,
        )


@asynccontextmanager
async def election(folder: Path) -> AsyncIterator[Election]:
    api = Api()
    async with ScriptedServer(api.handle) as server:
        yield Election(api, write_kubeconfig(folder / "config", server.url, token="t"))
        api.reachable.set()
        api.over.set()


async def test_of_two_electors_one_leads_and_the_other_follows_when_it_stops(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        a, b = world.elector("a"), world.elector("b")
        a.start()
        await a.acquired()
        b.start()
        until = time.monotonic() + 1.5 * QUICK.duration
        while time.monotonic() < until:
            assert a.held_for() > 0
            assert b.held_for() == 0
            await asyncio.sleep(0.02)
        await a.stop()
        assert a.held_for() == 0
        began = time.monotonic()
        await b.acquired()
        assert time.monotonic() - began < QUICK.duration / 2
        await b.stop()
    assert world.api.store.holder == ""


async def test_an_elector_that_nobody_stops_early_calls_on_lost_never(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        lost = Lost()
        elector = world.elector("a", lost)
        elector.start()
        await elector.acquired()
        await eventually(lambda: world.api.store.writes > 20)
        await elector.stop()
    assert lost.sentences == []


async def test_a_hung_main_loop_loses_the_lease(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        lost = Lost()
        elector = world.elector("a", lost)
        elector.start()
        await elector.acquired()
        world.heartbeat_age = 1.1
        before = world.api.store.writes
        await eventually(lambda: lost.sentences)
        assert elector.held_for() == 0
        assert world.api.store.writes <= before + 1
        await elector.stop()
    assert lost.threads == ["lease"]
    assert "could not be renewed for 0.7 s" in lost.sentences[0]


async def test_an_api_server_that_does_not_answer_costs_the_lease_before_it_expires(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        lost = Lost()
        elector = world.elector("a", lost)
        elector.start()
        await elector.acquired()
        world.api.reachable.clear()
        cut = time.monotonic()
        left = [elector.held_for()]
        while not lost.sentences:
            left.append(elector.held_for())
            await asyncio.sleep(0.005)
        took = time.monotonic() - cut
        await elector.stop()
    assert took < QUICK.renew_deadline + 0.2
    assert left[-1] == 0 or left[-1] > 0.1  # given up by its own decision, not by the clock


class Unanswered(LeaseElector):
    """Holds a Lease that was renewed at 0 in a time of its own, and gets no answer; `tried` is when it asked."""

    def __init__(self, heartbeat_age: float) -> None:
        self.now = 0.0
        self.tried: list[float] = []
        super().__init__(
            namespace="ops",
            name="leader",
            identity="a",
            heartbeat_age=lambda: heartbeat_age,
            on_lost=Lost(),
            clock=lambda: self.now,
        )

    async def lose(self) -> None:
        """Return once it is given up."""
        record = SimpleNamespace(renewed_at=0.0, hold=None, is_held_by_another=False)
        with pytest.raises(LeaseLostError):
            await self._hold(cast("LeaseRecord", record))

    async def _stopped_within(self, seconds: float) -> bool:
        self.now += seconds
        return False

    async def _in_time(self, action: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        self.tried.append(self.now)
        self.now += seconds
        return False


@pytest.mark.parametrize(("heartbeat_age", "tries"), [(0.0, 2), (10.0, 2), (10.1, 0)])
async def test_a_holder_gives_up_at_the_deadline_however_late_it_asked_for_the_last_time(
    heartbeat_age: float, tries: int
) -> None:
    elector = Unanswered(heartbeat_age)
    await elector.lose()
    assert elector.now == pytest.approx(DEFAULT_TIMINGS.renew_deadline)
    assert len(elector.tried) == tries


async def test_a_short_outage_does_not_cost_the_lease(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        lost = Lost()
        elector = world.elector("a", lost)
        elector.start()
        await elector.acquired()
        world.api.reachable.clear()
        await eventually(lambda: elector.held_for() < QUICK.duration - QUICK.renew_deadline / 2)
        world.api.reachable.set()
        await eventually(lambda: elector.held_for() > QUICK.duration - 0.2)
        await elector.stop()
    assert lost.sentences == []


async def test_a_connection_that_went_dead_does_not_cost_the_lease(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        lost = Lost()
        elector = world.elector("a", lost)
        elector.start()
        await elector.acquired()
        world.api.swallow = 1
        await eventually(lambda: elector.held_for() < QUICK.duration - QUICK.renew_deadline / 2)
        await eventually(lambda: lost.sentences or elector.held_for() > QUICK.duration - 0.2)
        await elector.stop()
    assert lost.sentences == []


async def test_a_lease_that_somebody_else_took_is_lost_at_once(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        lost = Lost()
        elector = world.elector("a", lost)
        elector.start()
        await elector.acquired()
        stored = world.api.store.get()
        world.api.store.update({**stored, "spec": {**stored["spec"], "holderIdentity": "thief"}})
        await eventually(lambda: lost.sentences)
        await elector.stop()
    assert "is held by thief" in lost.sentences[0]
    assert world.api.store.holder == "thief"


async def test_a_candidate_can_be_stopped(tmp_path: Path) -> None:
    async with election(tmp_path) as world:
        a, b = world.elector("a"), world.elector("b")
        a.start()
        await a.acquired()
        b.start()
        waiting = asyncio.ensure_future(b.acquired())
        await b.stop()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert world.api.store.holder == "a"
        await a.stop()


async def test_without_credentials_the_election_fails_with_the_reason(tmp_path: Path) -> None:
    elector = LeaseElector(
        namespace="ops",
        name="leader",
        identity="a",
        heartbeat_age=lambda: 0.0,
        on_lost=Lost(),
        kubeconfig=tmp_path / "absent",
    )
    elector.start()
    with pytest.raises(CredentialsError, match="absent"):
        await elector.acquired()
    await elector.stop()


class Held(LeaseElector):
    """An elector with so many seconds left."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def held_for(self) -> float:
        return self._seconds


@pytest.mark.parametrize(
    ("seconds", "open_", "reason"),
    [
        (15.0, True, "just renewed"),
        (9.0, True, "a change of 8 s ends in time"),
        (8.9, False, "a change of 8 s might end after somebody else has taken over"),
        (0.0, False, "not held"),
    ],
)
def test_changes_begin_only_with_enough_of_the_lease_left(seconds: float, open_: bool, reason: str) -> None:
    assert LeaseFence(Held(seconds)).may_mutate() is open_


def test_without_a_lease_changes_may_always_begin() -> None:
    assert NoLease().may_mutate()


def test_no_two_processes_have_one_identity() -> None:
    assert default_identity() != default_identity()


def test_the_lease_must_last_longer_than_a_change_can_take() -> None:
    assert MUTATION_MARGIN > WRITE_DEADLINE
    deadline = inspect.signature(FireworksClient).parameters["timeout_write"].default
    assert deadline == WRITE_DEADLINE
    assert LeaseTimings().duration - LeaseTimings().retry_period > MUTATION_MARGIN, "or nothing could ever be changed"
    assert timedelta(seconds=WRITE_DEADLINE) < POST_SETTLES
