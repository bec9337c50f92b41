"""Cron expressions with five fields: minute, hour, day of the month, month, day of the week.

Lists, ranges, steps and three-letter names are understood; Sunday is 0 and 7. A day matches by both of its fields,
or by either one if both are restricted (crontab(5)).
"""

import functools
from dataclasses import dataclass
from datetime import date

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SEVEN = 7


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression.

    Attributes:
        times: (hour, minute) of each start in a day that matches, in order.
        days: days of the month.
        months: months, from 1.
        weekdays: days of the week, Sunday is 0.
        either: both kinds of days are restricted, and one of them suffices.
    """

    times: tuple[tuple[int, int], ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def matches(self, day: date) -> bool:
        """Whether there are starts on a day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % _SEVEN in self.weekdays
        return of_month or of_week if self.either else of_month and of_week


@functools.lru_cache(maxsize=256)
def parse_cron(text: str) -> Cron:
    """Parse an expression.

    Raises:
        ValueError: it is none; the text says which part is wrong.
    """
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"expected 5 fields, found {len(fields)}")
    minute, hour, day, month, weekday = fields
    minutes, hours = _field(minute, 0, 59), _field(hour, 0, 23)
    return Cron(
        tuple((each, start) for each in sorted(hours) for start in sorted(minutes)),
        _field(day, 1, 31),
        _field(month, 1, 12, _MONTHS),
        frozenset(each % _SEVEN for each in _field(weekday, 0, _SEVEN, _WEEKDAYS)),
        either=not day.startswith("*") and not weekday.startswith("*"),
    )


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The values that one field stands for."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, 1, high) if slash else 1
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first = _value(first_text, low, high, names)
            last = _value(last_text, low, high, names) if dash else high if slash else first
        if first > last:
            raise ValueError(f"{part} ends before it begins")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _value(text: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + low
    return _number(text, low, high)


def _number(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise ValueError(f"{text!r} is not a number from {low} to {high}")
    return int(text)
