"""Scaling schedules: when they are active, and the floor of replicas that they set."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from fireworks_simulator.cron import Cron, parse_cron
from fireworks_simulator.protojson import seconds
from fireworks_simulator.wire import JsonObject, JsonValue

MINIMUM_SECONDS = 300
MAXIMUM_SECONDS = 604_800
MAXIMUM_COUNT = 5
_FARTHEST_DAYS = 366 * 8
"""How far ahead a start is looked for: 29 February can be eight years away."""
_NOT_PLACES = frozenset({"", "localtime", "posixrules", "Factory"})


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that is in force: a floor of replicas, from each start for `duration` seconds."""

    minimum: int
    cron: Cron
    duration: float
    zone: ZoneInfo

    def at(self, now: float) -> tuple[bool, float]:
        """Whether it is active at a moment, and the moment at which that may change (inf: never).

        Windows that touch or overlap are one.
        """
        today = datetime.fromtimestamp(now, self.zone).date()
        first = -math.ceil(self.duration / 86_400) - 1
        starts = sorted(start for ahead in range(first, 2) for start in self._starts(today + timedelta(days=ahead)))
        end = max((start + self.duration for start in starts if start <= now), default=-math.inf)
        if end <= now:
            return False, self._next(today, now)
        for start in starts:
            if now < start <= end:
                end = start + self.duration
        return True, end

    def _next(self, today: date, now: float) -> float:
        for ahead in range(-1, _FARTHEST_DAYS):
            start = min((each for each in self._starts(today + timedelta(days=ahead)) if each > now), default=None)
            if start is not None:
                return start
        return math.inf

    def _starts(self, day: date) -> Iterator[float]:
        """The starts of a day by the local clock; of an hour that comes twice, in the first one."""
        if self.cron.matches(day):
            for hour, minute in self.cron.times:
                yield datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).timestamp()


def time_zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name.

    Raises:
        ValueError: there is none of that name.
    """
    if name in _NOT_PLACES:
        raise ValueError(f"unknown time zone {name}")
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError(f"unknown time zone {name}") from None


def scheduled_floor(policy: JsonValue, now: float) -> tuple[int | None, float]:
    """The floor of replicas that an autoscaling policy's schedules set, and when it may change (inf: never).

    Args:
        policy: the field autoscalingPolicy, checked or not; schedules that make no sense count as disabled.
        now: virtual time.

    Returns:
        The highest floor of the schedules that are active, None if none is.
    """
    floor: int | None = None
    change = math.inf
    schedules = policy.get("scalingSchedules") if isinstance(policy, dict) else None
    for value in schedules.values() if isinstance(schedules, dict) else ():
        schedule = _read(value) if isinstance(value, dict) else None
        if schedule is None:
            continue
        active, moment = schedule.at(now)
        change = min(change, moment)
        if active:
            floor = max(schedule.minimum, floor or 0)
    return floor, change


def _read(value: JsonObject) -> Schedule | None:
    minimum = value.get("minReplicaCount", 0)
    if value.get("disabled") is True or not isinstance(minimum, int):
        return None
    try:
        cron, zone = parse_cron(str(value.get("schedule", ""))), time_zone(str(value.get("timezone", "")))
        return Schedule(minimum, cron, seconds(str(value.get("duration", "0s"))), zone)
    except ValueError:
        return None
