"""Which key is handed out next, to whom, and when again; in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.controller.queue import PAUSES, STALE_DATES, Priority, WorkQueue
from testkit.properties import examples
from testkit.virtual.loop import run

USER, POLL, PROGRESS = Priority


def now() -> float:
    return asyncio.get_running_loop().time()


async def take(queue: WorkQueue) -> str:
    """Take the next key, and fail rather than wait where none is due within a day."""
    ref, _ = await asyncio.wait_for(queue.get(), 86_400)
    return ref


async def drain(queue: WorkQueue) -> list[str]:
    """Take and give back all that waits now."""
    taken = []
    while len(queue):
        taken.append(await take(queue))
        queue.done(taken[-1])
    return taken


def test_a_key_waits_at_most_once() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue()
        for _ in range(5):
            queue.add("a/1")
        return await drain(queue)

    assert run(scenario()) == ["a/1"]


def test_a_key_is_held_by_one_worker_and_comes_once_more_if_it_was_added_meanwhile() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        queue.add("a/1")
        ref = await take(queue)
        queue.add(ref)
        queue.add(ref)
        assert len(queue) == 0
        queue.done(ref)
        assert await drain(queue) == ["a/1"]
        assert len(queue) == 0

    run(scenario())


def test_a_worker_that_waits_gets_the_key_at_once() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        worker = asyncio.create_task(take(queue))
        await asyncio.sleep(1)
        queue.add("a/1")
        assert await worker == "a/1"
        assert now() == pytest.approx(1001)

    run(scenario())


def test_user_changes_go_first_also_for_a_key_that_waits_already() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue()
        for ref in ("a/1", "a/2", "b/1"):
            queue.add(ref, POLL)
        queue.add("a/2", USER)
        queue.add("a/2", POLL)
        return await drain(queue)

    assert run(scenario()) == ["a/2", "a/1", "b/1"]


def test_what_polls_find_is_not_hidden_by_a_flood_of_changes() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue()
        for number in range(9):
            queue.add(f"a/change-{number}", USER)
        for number in range(9):
            queue.add(f"a/ready-{number}", POLL)
        return await drain(queue)

    order = run(scenario())
    assert [each.startswith("a/ready") for each in order[:12]] == [False, True, True, True] * 3
    assert len(order) == 18


def test_progress_waits_until_nothing_else_does() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue()
        for ref in ("a/late", "a/early"):
            queue.add(ref, PROGRESS)
        for number in range(9):
            queue.add(f"a/change-{number}", USER)
        queue.add("a/ready", POLL)
        queue.add("a/late", POLL)
        return await drain(queue)

    order = run(scenario())
    assert order[-1] == "a/early"
    assert order.index("a/late") < 9, "it is no longer mere progress"


def test_a_user_change_of_a_held_key_is_not_demoted_by_a_poll() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue()
        queue.add("a/1")
        ref = await take(queue)
        queue.add(ref, USER)
        queue.add(ref, POLL)
        queue.add("b/1", POLL)
        queue.done(ref)
        return await drain(queue)

    assert run(scenario()) == ["a/1", "b/1"]


def test_a_namespace_with_a_thousand_keys_delays_no_single_one_of_another() -> None:
    async def scenario() -> list[str]:
        queue = WorkQueue()
        for number in range(1000):
            queue.add(f"big/{number}")
        queue.add("small/1")
        queue.add("tiny/1")
        return await drain(queue)

    order = run(scenario())
    assert order[:3] == ["big/0", "small/1", "tiny/1"]
    assert order[3:] == [f"big/{number}" for number in range(1, 1000)]


def test_a_delayed_key_comes_when_it_is_due_and_the_earlier_date_counts() -> None:
    async def scenario() -> list[tuple[str, float]]:
        queue = WorkQueue()
        queue.add_after("a/late", 60)
        queue.add_after("a/1", 30)
        queue.add_after("a/1", 10)
        queue.add_after("a/1", 20)
        seen = []
        for _ in range(2):
            ref = await take(queue)
            seen.append((ref, round(now() - 1000, 1)))
            queue.done(ref)
        with pytest.raises(TimeoutError):
            await take(queue)
        return seen

    assert run(scenario()) == [("a/1", 10.0), ("a/late", 60.0)]


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_date_in_the_past_is_now(seconds: float) -> None:
    async def scenario() -> float:
        queue = WorkQueue()
        queue.add_after("a/1", seconds)
        await take(queue)
        return now() - 1000

    assert run(scenario()) == pytest.approx(0, abs=0.01)


def test_a_look_in_between_cancels_what_was_planned() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        queue.add_after("a/1", 30)
        queue.add("a/1")
        assert await drain(queue) == ["a/1"]
        with pytest.raises(TimeoutError):
            await take(queue)

    run(scenario())


def test_a_key_that_comes_due_while_it_is_held_comes_afterwards() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        queue.add("a/1")
        ref = await take(queue)
        queue.add_after(ref, 5)
        await asyncio.sleep(10)
        assert len(queue) == 0
        queue.done(ref)
        assert len(queue) == 1

    run(scenario())


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (0.999999, 1.0)])
def test_pauses_after_failures_double_up_to_five_minutes(jitter: float, share: float) -> None:
    async def scenario() -> list[float]:
        queue = WorkQueue(jitter=lambda: jitter)
        return [queue.add_failed("a/1") for _ in range(40)]

    pauses = run(scenario())
    expected = [min(2.0**step, PAUSES.last) * share for step in range(40)]
    assert pauses == pytest.approx(expected, rel=1e-5)


def test_success_and_disappearance_start_the_pauses_anew() -> None:
    async def scenario() -> list[float]:
        queue = WorkQueue(jitter=lambda: 0.999999)
        pauses = [queue.add_failed("a/1"), queue.add_failed("a/1")]
        queue.forget("a/1")
        pauses.append(queue.add_failed("a/1"))
        queue.drop("a/1")
        with pytest.raises(TimeoutError):
            await take(queue)
        pauses.append(queue.add_failed("a/1"))
        assert await take(queue) == "a/1"
        return pauses

    assert run(scenario()) == pytest.approx([1, 2, 1, 1], rel=1e-5)


def test_the_time_that_a_key_has_waited_is_told() -> None:
    async def scenario() -> float:
        queue = WorkQueue()
        queue.add("a/1")
        await asyncio.sleep(3)
        queue.add("a/1", USER)
        await asyncio.sleep(4)
        _, waited = await queue.get()
        return waited

    assert run(scenario()) == pytest.approx(7)


def test_a_cancelled_worker_loses_no_key() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        first, second = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(1)
        queue.add("a/1")  # wakes the first, which is cancelled before it runs
        first.cancel()
        ref, _ = await second
        assert (ref, first.cancelled()) == ("a/1", True)

    run(scenario())


def test_a_worker_cancelled_while_it_waits_is_passed_over() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        first, second = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await asyncio.sleep(1)
        queue.add("a/1")
        ref, _ = await second
        assert ref == "a/1"

    run(scenario())


def test_memory_does_not_grow_while_a_resource_that_waits_for_days_is_looked_at() -> None:
    """A deleted deployment is looked at again at its purge, and meanwhile as often as somebody changes something."""

    async def scenario() -> None:
        queue = WorkQueue()
        purge = now() + 6 * 86_400
        queue.add_after("b/1", 7 * 86_400)
        for number in range(2_000):
            queue.add("a/1", USER)
            queue.done(await take(queue))
            queue.add_after("a/1", purge - now() - (number % 2))
            assert len(queue._delayed) <= 2 * 2 + STALE_DATES + 1
        assert await queue.get() == ("a/1", 0.0)
        assert now() == pytest.approx(purge - 1, abs=0.1), "the date still holds"
        queue.done("a/1")
        assert (await queue.get())[0] == "b/1"

    run(scenario())


def test_a_thousand_resources_that_are_gone_leave_no_dates_behind() -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        for number in range(1_000):
            queue.add_after(f"a/{number}", 3_600)
        queue.add_after("b/1", 7_200)
        for number in range(1_000):
            queue.drop(f"a/{number}")
        assert len(queue._delayed) <= 2 + STALE_DATES
        assert await take(queue) == "b/1", "who is left keeps its date"

    run(scenario())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "user", "later", "fail", "get", "done", "sleep"]),
        st.sampled_from(["a/1", "a/2", "b/1"]),
    ),
    max_size=60,
)


@examples(60)
@given(STEPS)
def test_whatever_happens_every_added_key_is_handed_out_to_one_worker_at_a_time(steps: list[tuple[str, str]]) -> None:
    async def scenario() -> None:
        queue = WorkQueue()
        held: set[str] = set()
        owed: set[str] = set()

        async def get() -> None:
            if len(queue):
                ref = await take(queue)
                assert ref not in held
                held.add(ref)
                owed.discard(ref)

        async def act(step: str, ref: str) -> None:
            plain: dict[str, Callable[[], object]] = {
                "add": lambda: queue.add(ref),
                "user": lambda: queue.add(ref, USER),
                "later": lambda: queue.add_after(ref, 30),
                "fail": lambda: queue.add_failed(ref),
            }
            if step in plain:
                plain[step]()
                owed.add(ref)
            elif step == "done" and ref in held:
                held.discard(ref)
                queue.done(ref)
            else:
                waits: dict[str, Callable[[], Awaitable[None]]] = {"get": get, "sleep": lambda: asyncio.sleep(7)}
                await waits.get(step, lambda: asyncio.sleep(0))()

        for step, ref in steps:
            await act(step, ref)
        for ref in tuple(held):
            held.discard(ref)
            queue.done(ref)
        await asyncio.sleep(PAUSES.last + 1)
        assert set(await drain(queue)) >= owed

    run(scenario())
