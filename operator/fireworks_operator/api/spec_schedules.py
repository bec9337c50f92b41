"""Scaling by the clock: the schedules of the autoscaling policy."""

from typing import Annotated

from .base import ApiModel, Change, Rule, Schema, reset_to
from .formats import CRON_PATTERN, TIMEZONE_PATTERN, matches, window_rules

_PATH = "spec.autoscalingPolicy.scalingSchedules[]"


class ScalingSchedule(ApiModel):
    """A recurring time with a higher minimum of replicas (Fireworks REST reference, deployments)."""

    min_replica_count: Annotated[
        int,
        Schema(
            "Minimum number of replicas while the schedule is in force, 0 to 1000, at most maxReplicaCount. The "
            "highest of overlapping schedules and of minReplicaCount of the spec applies.",
            change=Change.UPDATE,
            example="2",
            minimum=0,
            maximum=1000,
        ),
    ]
    schedule: Annotated[
        str,
        Schema(
            "When it begins: a cron expression of five fields (minute, hour, day of month, month, day of week).",
            change=Change.UPDATE,
            example="0 8 * * 1-5",
            max_length=128,
            rules=(
                Rule(
                    matches(CRON_PATTERN),
                    f'{_PATH}.schedule must be a cron expression of five fields such as "0 8 * * 1-5": minute, hour, '
                    "day of month, month, day of week",
                ),
            ),
        ),
    ]
    duration: Annotated[
        str,
        Schema(
            "How long it is in force each time. A duration in whole seconds with units ms, s, m or h, from 5m to 168h.",
            change=Change.UPDATE,
            example="10h",
            max_length=16,
            rules=window_rules(f"{_PATH}.duration", at_least="5m", at_most="168h", whole_seconds=True),
        ),
    ]
    timezone: Annotated[
        str,
        Schema(
            "The time zone of the schedule, by its IANA name; daylight saving time is taken into account.",
            change=Change.UPDATE,
            example="Europe/Berlin",
            max_length=64,
            rules=(
                Rule(
                    matches(TIMEZONE_PATTERN),
                    f'{_PATH}.timezone must be the IANA name of a time zone such as "Europe/Berlin" or "UTC"',
                ),
            ),
        ),
    ]
    description: Annotated[
        str | None,
        Schema("Free text, up to 256 characters.", default="none.", change=reset_to('""'), max_length=256),
    ] = None
    disabled: Annotated[
        bool | None,
        Schema("true suspends the schedule without removing it.", default="false.", change=reset_to("false")),
    ] = None
