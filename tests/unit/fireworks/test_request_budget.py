"""The request budget of an account, in virtual time: hours pass at once, and always the same way."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.fireworks.request_budget import LIST_SHARE, Lane, RequestBudget, WithdrawnError
from testkit.properties import examples
from testkit.virtual.loop import VirtualLoop, run


def now() -> float:
    return asyncio.get_running_loop().time()


def budget(rate_per_minute: float = 600.0, burst: int = 100) -> RequestBudget:
    return RequestBudget(rate_per_minute=rate_per_minute, burst=burst, clock=asyncio.get_running_loop().time)


async def grants(
    account: RequestBudget, requests: Sequence[tuple[Lane, str]], order: list[tuple[Lane, str]]
) -> list[float]:
    """Ask for all of them at once; append to `order` as they are let through, and return the seconds that took."""
    started = now()

    async def one(lane: Lane, tenant: str) -> float:
        await account.acquire(lane=lane, ref=tenant)
        order.append((lane, tenant))
        return now() - started

    return await asyncio.gather(*(one(lane, tenant) for lane, tenant in requests))


def test_after_a_quiet_time_a_burst_passes_at_once_and_then_the_steady_rate() -> None:
    async def scenario() -> list[float]:
        return await grants(budget(rate_per_minute=600, burst=5), [(Lane.OTHER, "a")] * 8, [])

    assert run(scenario()) == pytest.approx([0, 0, 0, 0, 0, 0.1, 0.2, 0.3])


def test_what_is_unused_is_saved_up_to_the_burst_only() -> None:
    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=3)
        await grants(account, [(Lane.OTHER, "a")] * 3, [])
        await asyncio.sleep(3600)
        assert account.available() == pytest.approx(3.0)
        return await grants(account, [(Lane.OTHER, "a")] * 4, [])

    assert run(scenario()) == pytest.approx([0, 0, 0, 1.0])


def test_lists_come_first_then_deletes_then_the_rest_by_tenant_in_turn() -> None:
    order: list[tuple[Lane, str]] = []

    async def scenario() -> None:
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire(ref="warm-up")
        await grants(
            account,
            [
                (Lane.OTHER, "big"),
                (Lane.OTHER, "big"),
                (Lane.OTHER, "big"),
                (Lane.OTHER, "small"),
                (Lane.DELETE, "big"),
                (Lane.DELETE, "big"),
                (Lane.DELETE, "small"),
                (Lane.LIST, ""),
            ],
            order,
        )

    run(scenario())

    assert order == [
        (Lane.LIST, ""),
        (Lane.DELETE, "big"),
        (Lane.DELETE, "small"),
        (Lane.DELETE, "big"),
        (Lane.OTHER, "big"),
        (Lane.OTHER, "small"),
        (Lane.OTHER, "big"),
        (Lane.OTHER, "big"),
    ]


def test_what_is_begun_is_finished_before_anything_else_begins() -> None:
    order: list[tuple[Lane, str]] = []

    async def scenario() -> None:
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire(ref="warm-up")
        await grants(account, [(Lane.OTHER, "a"), (Lane.DELETE, "a"), (Lane.FINISH, "b"), (Lane.FINISH, "a")], order)

    run(scenario())

    assert order == [(Lane.FINISH, "b"), (Lane.FINISH, "a"), (Lane.DELETE, "a"), (Lane.OTHER, "a")]


def test_a_thousand_deletes_go_first_but_leave_every_fourth_turn_to_others() -> None:
    order: list[tuple[Lane, str]] = []

    async def scenario() -> None:
        account = budget(rate_per_minute=600, burst=1)
        await account.acquire(ref="warm-up")
        await grants(account, [(Lane.DELETE, "big")] * 1000 + [(Lane.OTHER, "small"), (Lane.OTHER, "tiny")], order)

    run(scenario())

    assert [index for index, (lane, _) in enumerate(order) if lane is Lane.OTHER] == [3, 7]


def test_deletes_that_had_their_turns_while_nobody_waited_cost_them_one_turn_at_most() -> None:
    order: list[tuple[Lane, str]] = []

    async def scenario() -> None:
        account = budget(rate_per_minute=600, burst=1)
        await grants(account, [(Lane.DELETE, "a")] * 50, [])
        await grants(account, [(Lane.OTHER, "a"), (Lane.OTHER, "a"), (Lane.DELETE, "a")], order)

    run(scenario())

    assert order == [(Lane.OTHER, "a"), (Lane.DELETE, "a"), (Lane.OTHER, "a")]


def test_lists_alone_take_no_more_than_their_share() -> None:
    async def scenario() -> tuple[list[float], float]:
        account = budget(rate_per_minute=600, burst=100)
        times = await grants(account, [(Lane.LIST, "")] * 60, [])
        return times, account.available()

    times, left = run(scenario())

    assert times[19] == 0
    assert times[59] == pytest.approx(40 / (10 * LIST_SHARE)), "two a second of the ten"
    assert left == pytest.approx(99.0), "the others' part is untouched but for the last one"


def test_a_flood_of_lists_does_not_hold_up_a_delete() -> None:
    async def scenario() -> float:
        account = budget(rate_per_minute=60, burst=1)
        flood = [asyncio.create_task(account.acquire(lane=Lane.LIST)) for _ in range(100)]
        await asyncio.sleep(0)
        started = now()
        await account.acquire(lane=Lane.DELETE)
        waited = now() - started
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        return waited

    assert run(scenario()) == pytest.approx(1.0)


def test_a_flood_of_changes_does_not_hold_up_a_list() -> None:
    async def scenario() -> float:
        account = budget(rate_per_minute=60, burst=1)
        flood = [asyncio.create_task(account.acquire(ref=str(n % 7))) for n in range(100)]
        await asyncio.sleep(0)
        started = now()
        await account.acquire(lane=Lane.LIST)
        waited = now() - started
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        return waited

    assert run(scenario()) == pytest.approx(1.0)


def test_a_cancelled_waiter_costs_nothing_and_holds_nobody_up() -> None:
    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire()
        impatient = [asyncio.create_task(account.acquire(lane=Lane.DELETE, ref="x")) for _ in range(5)]
        await asyncio.sleep(0.5)
        assert account.waiting() == 5
        for task in impatient:
            task.cancel()
        times = await grants(account, [(Lane.OTHER, "a")] * 2, [])
        assert all(task.cancelled() for task in impatient)
        assert account.waiting() == 0
        return times

    assert run(scenario()) == pytest.approx([0.5, 1.5])


@pytest.mark.parametrize("lane", Lane)
def test_a_waiter_that_is_cancelled_as_its_turn_comes_gives_the_turn_back(lane: Lane) -> None:
    async def scenario() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire(lane=lane)
        first = asyncio.create_task(account.acquire(lane=lane))
        await asyncio.sleep(0)
        loop.advance(5.0)
        # In this order: the second asks, which lets the first through; the first is cancelled; the first wakes up.
        second = asyncio.create_task(account.acquire(lane=lane))
        loop.call_soon(first.cancel)
        started = now()
        await second
        assert first.cancelled()
        return now() - started

    assert run(scenario()) == 0


def test_a_pause_stops_every_lane_and_ends_without_a_burst() -> None:
    order: list[tuple[Lane, str]] = []

    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=50)
        account.pause(30)
        end = account.paused_until
        assert end == now() + 30
        assert account.available() == 0
        times = await grants(account, [(Lane.OTHER, "a"), (Lane.DELETE, "a"), (Lane.OTHER, "b")], order)
        assert account.paused_until is None
        return times

    assert sorted(run(scenario())) == pytest.approx([31, 32, 33])
    assert order[0] == (Lane.DELETE, "a")


@pytest.mark.parametrize(
    ("pauses", "first", "reason"),
    [
        ([10.0, 5.0], 11.0, "a shorter pause does not end a longer one"),
        ([5.0, 10.0], 11.0, "a longer one extends it"),
        ([0.0], 0.0, "no pause"),
        ([-1.0], 0.0, "no pause"),
        ([float("nan")], 0.0, "no pause"),
        ([float("inf")], 3601.0, "nobody is silenced for ever"),
    ],
)
def test_pauses_add_up_sensibly(pauses: list[float], first: float, reason: str) -> None:
    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=5)
        for seconds in pauses:
            account.pause(seconds)
        return await grants(account, [(Lane.OTHER, "a")], [])

    assert run(scenario()) == pytest.approx([first]), reason


def test_lists_do_not_come_in_a_burst_after_a_pause_either() -> None:
    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=50)
        account.pause(30)
        asyncio.get_running_loop().call_later(29.0, account._all.drain, 30.0)
        account._all.tokens = account._all.capacity
        account._all._at = 30.0
        return await grants(account, [(Lane.LIST, "a"), (Lane.LIST, "a")], [])

    assert run(scenario()) == pytest.approx([35, 40]), "a fifth of one a second, from an empty bucket"


def test_a_pause_that_comes_while_others_wait_holds_for_them_too() -> None:
    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire()
        asyncio.get_running_loop().call_later(0.5, account.pause, 10.0)
        return await grants(account, [(Lane.OTHER, "a")], [])

    assert run(scenario()) == pytest.approx([11.5])


@pytest.mark.parametrize(("rate", "burst"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (60.0, 0)])
def test_a_budget_that_would_never_let_anything_through_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="a rate above 0 and a burst of at least 1"):
        RequestBudget(rate_per_minute=rate, burst=burst)


def test_by_default_a_burst_of_a_hundred_and_ten_a_second() -> None:
    async def scenario() -> list[float]:
        account = RequestBudget(clock=asyncio.get_running_loop().time)
        return await grants(account, [(Lane.OTHER, "a")] * 110, [])

    times = run(scenario())

    assert times[99] == 0
    assert times[109] == pytest.approx(1.0)


def test_a_very_slow_budget_is_a_budget() -> None:
    async def scenario() -> list[float]:
        return await grants(budget(rate_per_minute=0.5, burst=1), [(Lane.OTHER, "a")] * 2, [])

    assert run(scenario()) == pytest.approx([0, 120])


def test_a_withdrawn_waiter_costs_nothing_and_holds_nobody_up() -> None:
    async def scenario() -> list[float]:
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire()
        changed = asyncio.create_task(account.acquire(lane=Lane.DELETE, ref="x/changed"))
        neighbour = asyncio.create_task(account.acquire(lane=Lane.DELETE, ref="x/neighbour"))
        await asyncio.sleep(0.5)
        account.withdraw("x/changed")
        account.withdraw("x/nobody")
        with pytest.raises(WithdrawnError):
            await changed
        assert account.waiting() == 1
        times = await grants(account, [(Lane.OTHER, "a")], [])
        assert neighbour.done()
        account.withdraw("x/neighbour")  # too late
        return times

    assert run(scenario()) == pytest.approx([1.5])


def test_who_waits_is_withdrawn_also_when_another_wait_of_the_same_resource_has_ended() -> None:
    async def scenario() -> None:
        account = budget(rate_per_minute=60, burst=1)
        await account.acquire()
        first = asyncio.create_task(account.acquire(ref="x/chat"))
        await asyncio.sleep(0)
        second = asyncio.create_task(account.acquire(ref="x/chat"))
        await first
        assert not second.done()
        account.withdraw("x/chat")
        with pytest.raises(WithdrawnError):
            await second

    run(scenario())


@dataclass(frozen=True)
class Step:
    at: float  # seconds after the start
    lane: Lane
    tenant: str
    patience: float | None  # seconds until the caller gives up


steps = st.builds(
    Step,
    at=st.floats(0, 30),
    lane=st.sampled_from(Lane),
    tenant=st.sampled_from("abc"),
    patience=st.none() | st.floats(0, 5),
)


@examples(60)
@given(
    plan=st.lists(steps, max_size=60),
    rate=st.sampled_from([30.0, 60.0, 600.0]),
    burst=st.integers(1, 12),
    pauses=st.lists(st.tuples(st.floats(0, 30), st.floats(0, 10)), max_size=3),
)
def test_no_window_ever_sees_more_than_burst_plus_rate(
    plan: list[Step], rate: float, burst: int, pauses: list[tuple[float, float]]
) -> None:
    sent: list[tuple[float, Lane]] = []
    gave_up: list[Step] = []
    silence: list[tuple[float, float]] = []

    async def one(account: RequestBudget, step: Step) -> None:
        await asyncio.sleep(step.at)
        try:
            async with asyncio.timeout(step.patience):
                await account.acquire(lane=step.lane, ref=step.tenant)
        except TimeoutError:
            gave_up.append(step)
        else:
            sent.append((now(), step.lane))

    async def pause(account: RequestBudget, at: float, seconds: float) -> None:
        await asyncio.sleep(at)
        silence.append((now(), now() + seconds))
        account.pause(seconds)

    async def scenario() -> float:
        account = budget(rate_per_minute=rate, burst=burst)
        await asyncio.gather(
            *(one(account, step) for step in plan), *(pause(account, at, seconds) for at, seconds in pauses)
        )
        assert account.waiting() == 0
        assert account.available() <= burst
        return now()

    run(scenario())

    assert len(sent) + len(gave_up) == len(plan), "everybody is served or gave up"
    assert all(step.patience is not None for step in gave_up)
    assert not [at for at, _ in sent for start, end in silence if start + 1e-6 < at < end - 1e-6], "a pause is silent"
    per_second = rate / 60
    every = [at for at, _ in sent]
    lists = [at for at, lane in sent if lane is Lane.LIST]
    for times, most, speed in (
        (every, float(burst), per_second),
        (lists, max(1.0, burst * LIST_SHARE), per_second * LIST_SHARE),
    ):
        for first, start in enumerate(times):
            for last in range(first, len(times)):
                allowed = most + speed * (times[last] - start)
                assert last - first + 1 <= allowed + 1e-6


@examples(40)
@given(counts=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 15), min_size=2))
def test_no_tenant_waits_for_more_than_one_request_of_each_other(counts: dict[str, int]) -> None:
    order: list[tuple[Lane, str]] = []

    async def scenario() -> None:
        account = budget(rate_per_minute=600, burst=1)
        await account.acquire()
        await grants(account, [(Lane.OTHER, tenant) for tenant, n in counts.items() for _ in range(n)], order)

    run(scenario())

    for tenant in counts:
        turns = [index for index, (_, who) in enumerate(order) if who == tenant]
        gaps = [later - earlier for earlier, later in zip([-1, *turns], turns, strict=False)]
        assert max(gaps) <= len(counts)
