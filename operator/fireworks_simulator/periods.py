"""Periods of time in requests about usage and money."""

import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo

from fireworks_simulator.clock import timestamp
from fireworks_simulator.wire import invalid, snake

MAX_DAYS = 31


def moment(name: str, text: str) -> float:
    """POSIX seconds of an RFC 3339 timestamp with date, time and offset.

    Raises:
        ApiError: it is missing, or something else, e.g. a mere date.
    """
    if not text:
        raise invalid(f"{snake(name)} is required")
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None or "T" not in text.upper():
        raise invalid(f'parsing field "{snake(name)}": invalid google.protobuf.Timestamp value "{text}"')
    return parsed.timestamp()


def period(start: str, end: str, *, max_days: int | None = MAX_DAYS) -> tuple[float, float]:
    """Start (inclusive) and end (exclusive) of a request, in POSIX seconds.

    Raises:
        ApiError: one is missing or malformed, they are in the wrong order or too far from each other.
    """
    first, last = moment("startTime", start), moment("endTime", end)
    if first >= last:
        raise invalid("start_time must be before end_time")
    if max_days is not None and last - first > timedelta(days=max_days).total_seconds():
        raise invalid(f"end_time must not be more than {max_days} days after start_time")
    return first, last


def time_zone(name: str) -> tzinfo:
    """An IANA time zone, UTC for none.

    Raises:
        ApiError: there is no such zone.
    """
    if name in ("", "UTC"):
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise invalid(f'invalid timezone "{name}"') from None


def printed(seconds: float) -> str:
    """A moment as bills print it: whole seconds where it is one."""
    return timestamp(seconds).replace(".000000Z", "Z")
