"""Scaling schedules: what is refused, and how they move the floor of replicas on the virtual clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fireworks_simulator.schedules import scheduled_floor
from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.wire import JsonObject, JsonValue
from tests.simulator.api import Api
from tests.simulator.money import rfc3339, rows, seconds

WORK: JsonObject = {
    "minReplicaCount": 3,
    "schedule": "0 8 * * MON-FRI",
    "duration": "36000s",
    "timezone": "Europe/Berlin",
}
HOUR = 3600.0


def policy(**schedules: object) -> dict[str, object]:
    """An autoscaling policy that scales down at once."""
    return {"scaleUpWindow": "0s", "scaleDownWindow": "0s", "scalingSchedules": schedules}


@pytest.mark.parametrize(
    ("change", "message", "reason"),
    [
        ({"minReplicaCount": 5}, "min_replica_count must be between 0 and max_replica_count", "above the maximum of 4"),
        ({"minReplicaCount": -1}, "min_replica_count must be between 0 and max_replica_count", "below 0"),
        (
            {"schedule": "bad"},
            "schedule must be a cron expression with 5 fields: expected 5 fields, found 1",
            "no cron",
        ),
        ({"schedule": None}, "schedule must be a cron expression with 5 fields: expected 5 fields, found 0", "none"),
        ({"schedule": "0 25 * * *"}, "'25' is not a number from 0 to 23", "no hour"),
        ({"duration": "299s"}, "duration must be whole seconds between 300 and 604800", "below 5 minutes"),
        ({"duration": "604801s"}, "duration must be whole seconds between 300 and 604800", "above a week"),
        ({"duration": "300.500s"}, "duration must be whole seconds between 300 and 604800", "half a second"),
        ({"duration": None}, "duration must be whole seconds between 300 and 604800", "none"),
        ({"timezone": None}, "timezone is required", "none"),
        ({"timezone": "Berlin"}, "timezone must be an IANA name: unknown time zone Berlin", "no name"),
        ({"timezone": "../etc/passwd"}, "timezone must be an IANA name", "nor a path"),
    ],
)
def test_a_schedule_is_refused(api: Api, change: dict[str, object], message: str, reason: str) -> None:
    body = {"maxReplicaCount": 4, "autoscalingPolicy": policy(work={**WORK, **change})}
    api.create(maxReplicaCount=4, autoscalingPolicy=policy(work=WORK))
    refused = api.patch(body, "max_replica_count,autoscaling_policy")
    assert refused.status_code == 400, reason
    assert refused.json()["message"].startswith('scaling schedule "work": '), reason
    assert message in refused.json()["message"], reason


def test_five_schedules_are_the_most(api: Api) -> None:
    five = {f"work-{number}": WORK for number in range(5)}
    api.create(maxReplicaCount=4, autoscalingPolicy=policy(**five))
    refused = api.patch({"autoscalingPolicy": policy(**five, sixth=WORK)}, "autoscaling_policy")
    assert refused.json()["message"] == "at most 5 scaling schedules are allowed"


@pytest.mark.parametrize("duration", ["300s", "604800s"])
def test_the_bounds_of_a_duration_are_accepted_and_printed(api: Api, duration: str) -> None:
    schedule = {**WORK, "duration": duration, "description": "days at work", "disabled": True}
    created = api.create(maxReplicaCount=4, autoscalingPolicy=policy(work=schedule))
    found = created["autoscalingPolicy"]
    assert isinstance(found, dict)
    assert found["scalingSchedules"] == {"work": schedule}


def at(zone: ZoneInfo, *moment: int) -> float:
    """POSIX seconds of a moment on the local clock."""
    year, month, day, hour, minute = moment
    return datetime(year, month, day, hour, minute, tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("zone_name", "monday", "reason"),
    [
        ("Europe/Berlin", (2027, 3, 22), "clocks go forward on Sunday the 28th"),
        ("Europe/Berlin", (2027, 10, 25), "and back on Sunday the 31st"),
        ("America/New_York", (2027, 3, 8), "clocks go forward on Sunday the 14th"),
        ("America/New_York", (2027, 11, 1), "and back on Sunday the 7th"),
    ],
)
def test_working_hours_are_followed_to_the_minute(
    api: Api, sim: SimulatorClient, zone_name: str, monday: tuple[int, int, int], reason: str
) -> None:
    """Over the eight days from a Monday, with the change of the clocks in between."""
    zone = ZoneInfo(zone_name)
    year, month, day = monday
    sim.advance(at(zone, year, month, day, 0, 0) - sim.now())
    work = {**WORK, "timezone": zone_name}
    api.create(minReplicaCount=1, maxReplicaCount=4, autoscalingPolicy=policy(work=work))
    sim.advance(61)
    seen: list[int] = []
    expected: list[int] = []
    for ahead in range(8):
        today = datetime(year, month, day) + timedelta(days=ahead)  # noqa: DTZ001 - the local clock's
        working = 3 if today.weekday() < 5 else 1
        for hour, minute, wanted in ((7, 59, 1), (8, 0, working), (17, 59, working), (18, 0, 1)):
            local = today.replace(hour=hour, minute=minute, tzinfo=zone)
            sim.advance(local.timestamp() - sim.now())
            seen.append(int(str(api.get()["desiredReplicaCount"])))
            expected.append(wanted)
    assert seen == expected, reason


WEEKS_WITH_A_CHANGE_OF_CLOCKS = pytest.mark.parametrize(
    ("zone_name", "monday", "before", "after"),
    [
        pytest.param("Europe/Berlin", (2027, 3, 22), 7, 6, id="Berlin in spring"),
        pytest.param("Europe/Berlin", (2027, 10, 25), 6, 7, id="Berlin in autumn"),
        pytest.param("America/New_York", (2027, 3, 8), 13, 12, id="New York in spring"),
        pytest.param("America/New_York", (2027, 11, 1), 12, 13, id="New York in autumn"),
    ],
)
"""`before` and `after` the change on Sunday, 8 o'clock on the local clock is that hour of UTC."""


@WEEKS_WITH_A_CHANGE_OF_CLOCKS
def test_working_hours_begin_and_end_at_the_hours_of_utc_in_a_calendar(
    zone_name: str, monday: tuple[int, int, int], before: int, after: int
) -> None:
    """Of all days but Saturday; on Sunday clocks have changed since midnight."""
    value: JsonValue = {"scalingSchedules": {"work": {**WORK, "timezone": zone_name, "schedule": "0 8 * * SUN-FRI"}}}
    first = datetime(*monday, tzinfo=UTC)
    expected: list[tuple[datetime, int | None]] = []
    for day, hour in ((0, before), (1, before), (2, before), (3, before), (4, before), (6, after), (7, after)):
        opening = first + timedelta(days=day, hours=hour)
        expected += [(opening, 3), (opening + timedelta(hours=10), None)]
    seen: list[tuple[datetime, int | None]] = []
    _, change = scheduled_floor(value, first.timestamp())
    while len(seen) < len(expected):
        floor, following = scheduled_floor(value, change)
        seen.append((datetime.fromtimestamp(change, UTC), floor))
        change = following
    assert seen == expected


@WEEKS_WITH_A_CHANGE_OF_CLOCKS
def test_the_bill_of_a_week_has_the_hours_that_were_worked(
    api: Api, sim: SimulatorClient, zone_name: str, monday: tuple[int, int, int], before: int, after: int
) -> None:
    """One replica of 2 GPUs always, two more in working hours, one more in the 8 hours from 22:00 on Saturday.

    Replicas that are added are billed from a minute later, when they are ready.
    """
    start = (datetime(*monday, tzinfo=UTC) + timedelta(hours=before - 8)).timestamp()
    length_of_sunday = 24 + after - before
    sim.advance(start - HOUR - sim.now())
    work = {**WORK, "timezone": zone_name}
    night = {**WORK, "timezone": zone_name, "minReplicaCount": 2, "schedule": "0 22 * * SAT", "duration": "28800s"}
    api.create(
        acceleratorCount=2, minReplicaCount=1, maxReplicaCount=4, autoscalingPolicy=policy(work=work, night=night)
    )
    sim.advance(HOUR + (6 * 24 + length_of_sunday) * HOUR)
    times = {"startTime": rfc3339(start), "endTime": rfc3339(sim.now()), "timezone": zone_name}
    days = rows(api.value("GET", "/billingUsage", **times))
    working_day = 2 * (24 * 3600 + 2 * (10 * 3600 - 60))
    saturday = 2 * (24 * 3600 + 2 * 3600 - 60)
    sunday = 2 * (length_of_sunday * 3600 + 6 * 3600)
    assert [seconds([day]) for day in days] == [working_day] * 5 + [saturday, sunday]


def test_the_highest_of_the_active_schedules_counts_and_outside_of_them_the_minimum(
    api: Api, sim: SimulatorClient
) -> None:
    zone = ZoneInfo("UTC")
    sim.advance(at(zone, 2027, 6, 1, 0, 0) - sim.now())
    day = {"minReplicaCount": 2, "schedule": "0 8 * * *", "duration": "36000s", "timezone": "UTC"}
    noon = {"minReplicaCount": 4, "schedule": "0 12 * * *", "duration": "3600s", "timezone": "UTC"}
    off = {"minReplicaCount": 5, "schedule": "0 0 * * *", "duration": "86400s", "timezone": "UTC", "disabled": True}
    api.create(maxReplicaCount=5, minReplicaCount=1, autoscalingPolicy=policy(day=day, noon=noon, off=off))
    seen: dict[int, object] = {}
    for hour in (7, 8, 11, 12, 13, 17, 18):
        sim.advance(at(zone, 2027, 6, 1, hour, 0) - sim.now())
        seen[hour] = api.get()["desiredReplicaCount"]
    assert seen == {7: 1, 8: 2, 11: 2, 12: 4, 13: 2, 17: 2, 18: 1}


def test_a_schedule_wakes_what_is_scaled_to_zero_and_lets_it_sleep_again(api: Api, sim: SimulatorClient) -> None:
    zone = ZoneInfo("UTC")
    sim.advance(at(zone, 2027, 6, 1, 0, 0) - sim.now())
    work = {"minReplicaCount": 2, "schedule": "0 8 * * *", "duration": "36000s", "timezone": "UTC"}
    api.create(maxReplicaCount=2, autoscalingPolicy=policy(work=work))
    sim.advance(2 * HOUR)
    assert "desiredReplicaCount" not in api.get(), "nobody asked for an hour"
    sim.advance(6 * HOUR)
    assert api.get()["desiredReplicaCount"] == 2
    sim.advance(61)
    assert api.chat("accounts/acme/deployments/chat").status_code == 200
    sim.advance(10 * HOUR)
    assert "desiredReplicaCount" not in api.get()


def test_a_changed_schedule_takes_effect_at_once(api: Api, sim: SimulatorClient) -> None:
    always = {"minReplicaCount": 3, "schedule": "* * * * *", "duration": "300s", "timezone": "UTC"}
    api.create(minReplicaCount=1, maxReplicaCount=4)
    assert (
        api.patch({"autoscalingPolicy": policy(always=always)}, "autoscaling_policy").json()["desiredReplicaCount"] == 3
    )
    assert api.get()["minReplicaCount"] == 1, "the setting stays what it is"
    api.patch({"autoscalingPolicy": policy()}, "autoscaling_policy")
    sim.advance(1)
    assert api.get()["desiredReplicaCount"] == 1


@pytest.mark.parametrize(
    ("schedule", "moment", "active", "reason"),
    [
        ("30 2 * * *", (2027, 3, 28, 3, 29), False, "02:30 is left out in Berlin that day"),
        ("30 2 * * *", (2027, 3, 28, 3, 30), True, "and begins an hour later"),
        ("30 2 * * *", (2027, 10, 31, 2, 30), True, "02:30 comes twice: the first one counts"),
        ("0 0 29 2 *", (2028, 2, 29, 0, 0), True, "a day that comes every four years"),
        ("0 0 30 2 *", (2027, 3, 1, 0, 0), False, "and one that never comes"),
    ],
)
def test_moments_on_the_local_clock(
    schedule: str, moment: tuple[int, int, int, int, int], active: bool, reason: str
) -> None:
    value: JsonValue = {"scalingSchedules": {"one": {**WORK, "schedule": schedule, "duration": "300s"}}}
    floor, change = scheduled_floor(value, at(ZoneInfo("Europe/Berlin"), *moment))
    assert (floor == 3) is active, reason
    assert change > 0


def test_windows_that_overlap_are_one() -> None:
    every_minute: JsonValue = {"scalingSchedules": {"one": {**WORK, "schedule": "* 8-9 * * *", "duration": "300s"}}}
    zone = ZoneInfo("Europe/Berlin")
    floor, change = scheduled_floor(every_minute, at(zone, 2027, 6, 1, 8, 0))
    assert (floor, change) == (3, at(zone, 2027, 6, 1, 10, 4))
    assert scheduled_floor(every_minute, change) == (None, at(zone, 2027, 6, 2, 8, 0))


def test_what_makes_no_sense_is_never_active() -> None:
    broken: JsonValue = {"scalingSchedules": {"one": {"minReplicaCount": 1, "schedule": "* * * * *"}, "two": None}}
    assert scheduled_floor(broken, 0.0) == (None, float("inf"))
