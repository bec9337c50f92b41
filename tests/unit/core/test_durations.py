"""Durations: what users may write, and what the REST API gets."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fireworks_operator.core.desired.durations import parse_duration, wire_duration
from testkit.properties import examples


@pytest.mark.parametrize(
    ("text", "seconds", "wire"),
    [
        ("90s", "90", "90s"),
        ("10m", "600", "600s"),
        ("1h30m", "5400", "5400s"),
        ("0.5h", "1800", "1800s"),
        (".5m", "30", "30s"),
        ("1.s", "1", "1s"),
        ("500ms", "0.5", "0.5s"),
        ("1s500ms", "1.5", "1.5s"),
        ("0s", "0", "0s"),
        ("0", "0", "0s"),
        ("600s", "600", "600s"),
        ("999999h", "3599996400", "3599996400s"),
    ],
)
def test_a_duration_is_understood_and_sent_in_seconds(text: str, seconds: str, wire: str) -> None:
    assert parse_duration(text) == Decimal(seconds)
    assert wire_duration(text) == wire


@pytest.mark.parametrize(
    "text", ["", "10", "10 m", " 10m", "10m ", "1d", "-5m", "+5m", "m", "1h 30m", "1e3s", "5µs", "٣s", "10M", "."]
)
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        parse_duration(text)


@examples(100)
@given(st.lists(st.tuples(st.decimals(0, 9999, places=2), st.sampled_from(["ms", "s", "m", "h"])), min_size=1))
def test_what_is_sent_means_what_was_written(parts: list[tuple[Decimal, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    wire = wire_duration(text)
    assert parse_duration(wire) == parse_duration(text)
    assert wire_duration(wire) == wire
