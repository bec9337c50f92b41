"""What is accepted and refused: tags and scaling schedules."""

from typing import Any

from tests.crd.row import Row

_DAY = {"minReplicaCount": 2, "schedule": "0 8 * * 1-5", "duration": "10h", "timezone": "Europe/Berlin"}


def _day(**changes: object) -> dict[str, Any]:
    """Return a policy with one schedule; None leaves a field of it out."""
    schedule = {name: value for name, value in {**_DAY, **changes}.items() if value is not None}
    return {"maxReplicaCount": 1000, "autoscalingPolicy": {"scalingSchedules": {"day": schedule}}}


def _named(*names: str) -> dict[str, Any]:
    return {"maxReplicaCount": 2, "autoscalingPolicy": {"scalingSchedules": dict.fromkeys(names, _DAY)}}


_KEYS = "spec.tags must have keys of 1 to 121 letters, digits, and the characters - _ . and /"
_VALUES = "spec.tags must have values of 1 to 128 characters without control characters and without blanks"
_RESERVED = (
    "spec.tags must not have the keys managed-by, cluster, cluster-uid, namespace, name, adopted, released, or keys "
    "that begin with fireworks.ai/, which are reserved for the operator"
)
_SCHEDULE = "spec.autoscalingPolicy.scalingSchedules[]"
_BOUND = "spec.autoscalingPolicy.scalingSchedules must not have a minReplicaCount above spec.maxReplicaCount"
_CRON = f"{_SCHEDULE}.schedule must be a cron expression of five fields"
_DURATION = (
    f'{_SCHEDULE}.duration must be a duration such as "90s", "10m" or "1h30m" between 5m and 168h, in whole seconds'
)

ROWS = [
    Row(
        "tags, keys",
        {"tags": {"team": "search", "example.com/cost_center": "42", "A-1": "x", "k" * 121: "v"}},
        {"tags": {"k" * 122: "v"}},
        _KEYS,
        reason="Fireworks takes 128 characters with the prefix custom/",
    ),
    Row("tags, key with a prefix", {}, {"tags": {"a b": "v"}}, _KEYS, reason="no blanks"),
    Row("tags, ends of a key", {}, {"tags": {"team-": "v"}}, _KEYS, reason="letters and digits are at either end"),
    Row("tags, empty key", {}, {"tags": {"": "v"}}, _KEYS, reason="a tag has a name"),
    Row(
        "tags, values",
        {"tags": {"team": "Suche & Recherche: é 😀"}},
        {"tags": {"team": ""}},
        _VALUES,
        reason="a tag without a value does not exist",
    ),
    Row("tags, blank at the end", {}, {"tags": {"team": "search "}}, _VALUES, reason="Fireworks refuses it"),
    Row("tags, blank at the beginning", {}, {"tags": {"team": " search"}}, _VALUES, reason="Fireworks refuses it"),
    Row("tags, line break", {}, {"tags": {"team": "a\nb"}}, _VALUES, reason="it is a control character"),
    Row(
        "tags, length of a value",
        {"tags": {"team": "é" * 128}},
        {"tags": {"team": "x" * 129}},
        "spec.tags.team: Too long: may not be more than 128",
        reason="Fireworks counts characters, not bytes",
    ),
    Row(
        "tags, reserved",
        {"tags": {"names": "x", "my/name": "x", "Cluster": "x"}},
        {"tags": {"managed-by": "me"}},
        _RESERVED,
        reason="the operator recognises its deployments by them",
    ),
    *(
        Row(f"tags, reserved {key}", {}, {"tags": {key: "true"}}, _RESERVED, reason="so with each of them")
        for key in ("cluster", "cluster-uid", "namespace", "name", "adopted", "released", "fireworks.ai/released")
    ),
    Row(
        "tags, entries",
        {"tags": {f"t{number}": "x" * 128 for number in range(57)}},
        {"tags": {f"t{number}": "x" for number in range(58)}},
        "spec.tags: Too many: 58: must have at most 57 items",
        reason="Fireworks takes 64, and seven are the operator's own",
    ),
    Row(
        "scalingSchedules",
        _day(description="Office hours", disabled=True),
        {"autoscalingPolicy": {"scalingSchedules": {"day": "office hours"}}},
        'spec.autoscalingPolicy.scalingSchedules.day: Invalid value: "string"',
        reason="a schedule has fields",
    ),
    Row(
        "scalingSchedules, entries",
        _named(*"abcde"),
        _named(*"abcdef"),
        "spec.autoscalingPolicy.scalingSchedules: Too many: 6: must have at most 5 items",
        reason="Fireworks takes five",
    ),
    Row(
        "scalingSchedules, names",
        _named("office-hours", "Office_Hours", "x" * 63),
        _named("office hours"),
        "spec.autoscalingPolicy.scalingSchedules must have names of 1 to 63 letters, digits, hyphens and underscores",
        reason="they are part of paths in the status",
    ),
    Row(
        "scalingSchedules, minReplicaCount",
        _day(minReplicaCount=1000),
        _day(minReplicaCount=1001),
        f"{_SCHEDULE.removesuffix('[]')}.day.minReplicaCount in body should be less than or equal to 1000",
        reason="Fireworks takes at most 1000",
    ),
    Row(
        "scalingSchedules, no minReplicaCount",
        _day(minReplicaCount=0),
        _day(minReplicaCount=None),
        f"{_SCHEDULE.removesuffix('[]')}.day.minReplicaCount: Required value",
        reason="0 and absent are different, and a schedule without it says nothing",
    ),
    Row(
        "scalingSchedules, within maxReplicaCount",
        {**_day(), "maxReplicaCount": 2},
        {**_day(), "maxReplicaCount": 1},
        "spec.autoscalingPolicy.scalingSchedules must not have a minReplicaCount above spec.maxReplicaCount, which is "
        "spec.minReplicaCount, but at least 1, if omitted; set or raise it, or lower the minReplicaCount or remove the "
        "schedule",
        reason="the bounds may touch but not cross",
    ),
    Row(
        "scalingSchedules, maxReplicaCount left open",
        {"autoscalingPolicy": _day(minReplicaCount=1)["autoscalingPolicy"]},
        {"autoscalingPolicy": _day()["autoscalingPolicy"]},
        _BOUND,
        reason="Fireworks' own maximum would be 1",
    ),
    Row(
        "scalingSchedules, no higher than minReplicaCount",
        {"autoscalingPolicy": _day()["autoscalingPolicy"], "minReplicaCount": 2},
        {"autoscalingPolicy": _day()["autoscalingPolicy"], "minReplicaCount": 1},
        _BOUND,
        reason="Fireworks' own maximum is the minimum",
    ),
    Row(
        "scalingSchedules, parked",
        {**_day(minReplicaCount=0), "minReplicaCount": 0, "maxReplicaCount": 0},
        {**_day(disabled=True), "minReplicaCount": 0, "maxReplicaCount": 0},
        _BOUND,
        reason="one that is disabled can be enabled again",
    ),
    Row(
        "scalingSchedules, schedule",
        _day(schedule="*/15  8-18 1,15 * MON-FRI"),
        _day(schedule="0 8 * *"),
        _CRON,
        reason="four fields are one too few",
    ),
    Row("scalingSchedules, six fields", {}, _day(schedule="0 0 8 * * 1-5"), _CRON, reason="there are no seconds"),
    Row("scalingSchedules, a word", {}, _day(schedule="@daily"), _CRON, reason="it has to be said when"),
    Row(
        "scalingSchedules, length of schedule",
        {},
        _day(schedule="0 8 * * 1" + "1" * 120),
        "schedule: Too long: may not be more than 128",
        reason="every text is bounded",
    ),
    Row("scalingSchedules, least duration", _day(duration="5m"), _day(duration="4m59s"), _DURATION, reason="as it is"),
    Row("scalingSchedules, most duration", _day(duration="168h"), _day(duration="168h1s"), _DURATION, reason="a week"),
    Row(
        "scalingSchedules, whole seconds",
        _day(duration="0.5h"),
        _day(duration="5m500ms"),
        _DURATION,
        reason="Fireworks takes whole seconds here, other than in the windows",
    ),
    Row("scalingSchedules, days", _day(duration="300000ms"), _day(duration="1d"), _DURATION, reason="no such unit"),
    Row(
        "scalingSchedules, timezone",
        _day(timezone="America/Argentina/Buenos_Aires"),
        _day(timezone="Europe / Berlin"),
        f"{_SCHEDULE}.timezone must be the IANA name of a time zone",
        reason="which ones there are, Fireworks knows",
    ),
    Row(
        "scalingSchedules, an offset",
        _day(timezone="Etc/GMT+2"),
        _day(timezone="+02:00"),
        f"{_SCHEDULE}.timezone must be the IANA name of a time zone",
        reason="an offset knows no daylight saving time",
    ),
    Row(
        "scalingSchedules, no timezone",
        _day(timezone="UTC"),
        _day(timezone=None),
        "day.timezone: Required value",
        reason="Fireworks asks for it, and a guess would be wrong for most",
    ),
    Row(
        "scalingSchedules, description",
        _day(description="x" * 256),
        _day(description="x" * 257),
        "day.description: Too long: may not be more than 256",
        reason="every text is bounded",
    ),
]
