"""`make chaos` in short: the operator is killed 50 times, and what must never happen has not happened."""

from pathlib import Path
from typing import cast

import pytest

from benchmarks.chaos.__main__ import play, say
from benchmarks.chaos.operators import ForkedOperator
from benchmarks.chaos.pair import LEASE_SECONDS, judge_take_over, see_it_end
from benchmarks.chaos.stage import set_up
from benchmarks.chaos.tally import LEADER, Tally
from benchmarks.chaos.verdict import BrokenPromiseError

pytestmark = pytest.mark.proof

KILLS = 50
SEED = "short"


@pytest.mark.timeout(600)
def test_killed_fifty_times_under_churn_nothing_is_doubled_lost_stuck_or_touched(tmp_path: Path) -> None:
    tally = Tally()
    with set_up(tmp_path, seed=SEED, shards=4, pairs=0, tally=tally, say=say) as stage:
        failed = play(stage, tally, KILLS, first_round=0)
    assert not failed, "\n".join(failed)
    assert tally.kills >= KILLS
    assert tally.rounds >= 2
    assert tally.requests["POST /v1/accounts/{account}/deployments"] > 0, "nothing was ever created"
    assert tally.distinct_faults() >= 10, tally.faults


@pytest.mark.timeout(600)
def test_of_two_operators_either_is_killed_or_stands_still_beyond_its_lease_and_all_is_as_it_must_be(
    tmp_path: Path,
) -> None:
    tally = Tally()
    with set_up(tmp_path, seed=SEED, shards=0, pairs=1, tally=tally, say=say) as stage:
        stage.shards[0].round(0)
    assert tally.rounds == 1
    assert tally.kills_of[LEADER] >= 2
    assert tally.ends["the standby killed"] == 1, tally.ends
    assert tally.take_overs, "nobody has taken over from one that was killed"
    assert tally.take_overs_from_stopped, "nobody has taken over from one that stood still"


class _GoesOn:
    running = True


def test_one_that_goes_on_after_its_lease_was_over_is_seen() -> None:
    with pytest.raises(BrokenPromiseError, match="goes on"):
        see_it_end(cast("ForkedOperator", _GoesOn()), 0.0)


def test_one_that_acts_while_the_lease_of_the_dead_one_lasts_is_seen() -> None:
    judge_take_over(LEASE_SECONDS)
    with pytest.raises(BrokenPromiseError, match="two have led at a time"):
        judge_take_over(0.0)
