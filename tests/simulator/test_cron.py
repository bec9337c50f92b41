"""Cron expressions with five fields."""

from datetime import date, timedelta

import pytest

from fireworks_simulator.cron import parse_cron

NOVEMBER = date(2026, 11, 1)
"""A Sunday."""


@pytest.mark.parametrize(
    ("text", "times", "reason"),
    [
        ("0 8 * * *", [(8, 0)], "one time a day"),
        ("30,0 8 * * *", [(8, 0), (8, 30)], "a list, in any order"),
        ("0 22-23 * * *", [(22, 0), (23, 0)], "a range"),
        ("*/20 8 * * *", [(8, 0), (8, 20), (8, 40)], "steps"),
        ("10-40/15 8 * * *", [(8, 10), (8, 25), (8, 40)], "steps in a range"),
        ("50/5 8 * * *", [(8, 50), (8, 55)], "steps from a number to the end"),
        ("0 8,20-21 * * *", [(8, 0), (20, 0), (21, 0)], "a list of numbers and ranges"),
        ("  0   8 * * * ", [(8, 0)], "blanks do not count"),
    ],
)
def test_times_of_a_day(text: str, times: list[tuple[int, int]], reason: str) -> None:
    assert list(parse_cron(text).times) == times, reason


@pytest.mark.parametrize(
    ("text", "days", "reason"),
    [
        ("0 8 * * MON-FRI", [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27, 30], "names"),
        ("0 8 * * 0", [1, 8, 15, 22, 29], "Sunday is 0"),
        ("0 8 * * 7", [1, 8, 15, 22, 29], "and 7"),
        ("0 8 * * 5-7/2", [1, 6, 8, 13, 15, 20, 22, 27, 29], "Friday and Sunday"),
        ("0 8 15 * *", [15], "a day of the month"),
        ("0 8 15 * mon", [2, 9, 15, 16, 23, 30], "either suffices if both are restricted"),
        ("0 8 */10 * sun", [1], "both must hold if one begins with a star"),
        ("0 8 31 nov *", [], "there is no such day"),
        ("0 8 1 1,nov *", [1], "months by number and name"),
        ("0 8 1 Dec *", [], "another month"),
    ],
)
def test_days_of_november(text: str, days: list[int], reason: str) -> None:
    month = [NOVEMBER + timedelta(days=number) for number in range(30)]
    assert [day.day for day in month if parse_cron(text).matches(day)] == days, reason


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bad",
        "0 8 * *",
        "0 8 * * * *",
        "@daily",
        "60 8 * * *",
        "0 24 * * *",
        "0 8 0 * *",
        "0 8 32 * *",
        "0 8 * 13 *",
        "0 8 * * 8",
        "0 8 * * MON-XYZ",
        "0 18-8 * * *",
        "*/0 8 * * *",
        "*/-1 8 * * *",
        "0,, 8 * * *",
        "0 8 ? * *",
        "0 8 L * *",
        "1.5 8 * * *",
        "² 8 * * *",
        "0 mon * * *",
    ],
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected 5 fields|is not a number|ends before"):
        parse_cron(text)
