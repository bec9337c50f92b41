"""How pauses grow, and what a bucket of tokens lets through."""

import itertools

import pytest

from fireworks_operator.timing import Backoff, Patience, TokenBucket


def test_pauses_double_to_the_longest_and_never_end() -> None:
    backoff = Backoff(1.0, 300.0)
    assert [backoff.pause(failures) for failures in (1, 2, 3, 9, 10, 10_000)] == [1, 2, 4, 256, 300, 300]
    assert list(itertools.islice(backoff, 4)) == [1, 2, 4, 8]


def test_pauses_grow_by_another_factor() -> None:
    assert list(itertools.islice(Backoff(2.0, 50.0, factor=5.0), 4)) == [2, 10, 50, 50]


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.6), (0.5, 0.8), (0.999999, 1.0)])
def test_a_part_of_a_pause_is_left_to_chance(chance: float, share: float) -> None:
    assert Backoff(10.0, 100.0, jitter=0.4).pause(2, lambda: chance) == pytest.approx(20 * share, abs=0.001)


def test_no_two_pauses_with_chance_are_alike() -> None:
    assert len(set(itertools.islice(Backoff(1.0, 1.0, jitter=0.1), 100))) == 100


def test_errors_one_after_the_other_are_waited_out_longer_and_longer_until_it_was_quiet() -> None:
    now = 0.0
    patience = Patience(Backoff(1.0, 30.0), quiet=60.0, free=1, clock=lambda: now)
    pauses = []
    for _ in range(7):
        pauses.append(patience.next_pause())
        now += pauses[-1] + 59.0
    assert pauses == [0, 1, 2, 4, 8, 16, 30]
    now += 2.0
    assert [patience.next_pause(), patience.next_pause()] == [0, 1]


def test_an_error_after_a_long_time_is_the_first_one() -> None:
    now = 0.0
    patience = Patience(Backoff(1.0, 30.0), quiet=60.0, clock=lambda: now)
    now = 1000.0
    assert [patience.next_pause(), patience.next_pause()] == [1, 2]


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    bucket = TokenBucket(per_second=2.0, capacity=3.0, now=100.0)

    def taken(now: float) -> int:
        """Take all that is there at a time, and return how much that was."""
        bucket.advance(now)
        count = 0
        while bucket.has_token:
            bucket.take()
            count += 1
        return count

    assert [taken(100.0), taken(100.4)] == [3, 0]
    assert bucket.ready_at == 100.5
    assert [taken(100.5), taken(101.5), taken(1000.0)] == [1, 2, 3], "no more than it holds"


def test_what_is_given_back_fills_a_bucket_no_further_than_to_its_brim() -> None:
    bucket = TokenBucket(per_second=2.0, capacity=3.0, now=100.0)
    bucket.take()
    for _ in range(2):
        bucket.give_back()
    assert bucket.tokens == 3.0


def test_an_emptied_bucket_fills_from_a_time_on() -> None:
    bucket = TokenBucket(per_second=2.0, capacity=3.0, now=100.0)
    bucket.drain(110.0)
    bucket.advance(109.0)
    assert bucket.tokens == 0.0
    assert bucket.ready_at == 110.5
    bucket.advance(110.5)
    assert bucket.has_token
