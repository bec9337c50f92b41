"""What the API server cannot check of tags and scaling schedules."""

import re
import unicodedata

from fireworks_operator.api.formats import MOST_TAGS, RESERVED_TAGS, TAG_KEY_PATTERN
from fireworks_operator.api.v1alpha1 import FireworksDeploymentSpec
from fireworks_operator.core.desired.durations import parse_duration
from fireworks_operator.core.identity import is_reserved_tag

_LONGEST_VALUE = 128
_LEAST, _MOST = 300, 604_800
"""Seconds that a schedule may be in force (Fireworks REST reference, deployments)."""


def contradiction_of_tags(spec: FireworksDeploymentSpec) -> str | None:
    """Return what is wrong with the tags, in words; None if nothing is."""
    tags = spec.tags or {}
    most = MOST_TAGS - len(RESERVED_TAGS)
    if len(tags) > most:
        return f"spec.tags has {len(tags)} entries: remove some, Fireworks takes {most} beside the operator's own."
    for key, value in sorted(tags.items()):
        if is_reserved_tag(key):
            return f'spec.tags has the key "{key}", which is reserved for the operator: choose another key.'
        if re.fullmatch(TAG_KEY_PATTERN, key) is None:
            return f'spec.tags has the key "{key}", which Fireworks does not take: use letters, digits and - _ . /.'
        if not 1 <= len(value) <= _LONGEST_VALUE or value.strip() != value or _has_control_character(value):
            return (
                f'spec.tags has a value for "{key}" that Fireworks does not take: use 1 to {_LONGEST_VALUE} '
                "characters, no control characters, and no blanks at either end."
            )
    return None


def contradiction_of_schedules(spec: FireworksDeploymentSpec) -> str | None:
    """Return what is wrong with the scaling schedules, in words; None if nothing is."""
    policy = spec.autoscaling_policy
    schedules = {} if policy is None else policy.scaling_schedules or {}
    for name, schedule in sorted(schedules.items()):
        path = f"spec.autoscalingPolicy.scalingSchedules.{name}.duration"
        try:
            seconds = parse_duration(schedule.duration)
        except ValueError as error:
            return f"{path}: {error}."
        if seconds % 1 or not _LEAST <= seconds <= _MOST:
            return f'{path} is "{schedule.duration}": set it to 5m to 168h, in whole seconds.'
    return None


def _has_control_character(text: str) -> bool:
    return any(unicodedata.category(each) == "Cc" for each in text)
