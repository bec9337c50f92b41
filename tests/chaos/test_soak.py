"""`make soak` in short, and how it tells growth from noise."""

from pathlib import Path

import pytest

from benchmarks.chaos.__main__ import say
from benchmarks.soak.run import set_up, soak
from benchmarks.soak.samples import QUANTITIES, Sample, trend

MINUTES = 1.0
_NOISE = (3.0, -3.0, -3.0, 3.0)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_minute_of_churn_does_not_make_the_operator_grow(tmp_path: Path) -> None:
    with set_up(tmp_path) as scene:
        outcome = soak(scene, minutes=MINUTES, rate=2.0, most=20, seed="short", say=say)
    assert outcome.steps["create"] >= 10
    for name in QUANTITIES:
        if name not in ("pass", "wait", "processor"):  # a minute on a busy machine says nothing of durations
            found = trend(name, outcome.samples)
            assert found.flat, f"{QUANTITIES[name].title} grows: {found}"


@pytest.mark.parametrize(("per_minute", "flat"), [(0.0, True), (-1.0, True), (0.05, True), (0.5, False)])
def test_memory_that_grows_in_the_second_half_is_no_noise(per_minute: float, flat: bool) -> None:
    samples: list[Sample] = [
        {"minute": float(minute), "memory": 80.0 + _NOISE[minute % 4] + per_minute * minute} for minute in range(60)
    ]
    found = trend("memory", samples)
    assert found.flat is flat
    assert found.per_hour == pytest.approx(per_minute * 60, abs=1.0)


def test_what_grows_only_at_first_is_warming_up() -> None:
    samples: list[Sample] = [{"minute": float(minute), "memory": min(60.0 + minute, 80.0)} for minute in range(60)]
    assert trend("memory", samples).flat


def test_a_few_samples_say_nothing() -> None:
    with pytest.raises(ValueError, match="say nothing"):
        trend("memory", [{"minute": 0.0, "memory": 80.0}])
