"""Formats of the values in the spec: patterns, and the CEL rules that check them with a helpful message."""

import re

from .base import Rule

MODEL_PATTERN = r"^(accounts/[A-Za-z0-9][A-Za-z0-9-]*/models/)?[A-Za-z0-9][A-Za-z0-9._-]*$"
"""A model's full name, or its bare id. RE2 and Python read it alike, as all patterns here."""
CONSTANT_PATTERN = r"^[A-Z0-9_]+$"
"""An enum constant of Fireworks: accelerator types, precisions, regions."""
SHAPE_PATTERN = r"^(accounts/[A-Za-z0-9][A-Za-z0-9-]*/deploymentShapes/)?[A-Za-z0-9][A-Za-z0-9._/-]*$"
"""A deployment shape: full name with or without version, or a bare word such as `fast`."""
DURATION_PATTERN = r"^([0-9]{1,6}(\.[0-9]+)?h|[0-9]{1,7}(\.[0-9]+)?(m|s|ms))+$"
"""Go time.ParseDuration text without sign; so few digits that what fits 16 characters never overflows."""
DEPLOYMENT_ID_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""A deployment id. Fireworks' own ids may begin with a digit."""
ROUTER_ID_PATTERN = DEPLOYMENT_ID_PATTERN
"""A router id (Fireworks REST reference, routers)."""
OBJECT_NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
"""Name of a Secret (Kubernetes, object names)."""
DATA_KEY_PATTERN = r"^[A-Za-z0-9._-]+$"
"""Key in a Secret's data (Kubernetes, ConfigMap and Secret)."""
LOAD_TARGET_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
"""A measure of load."""
SCHEDULE_NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$"
"""Name of a scaling schedule."""
CRON_PATTERN = r"^[0-9A-Za-z*,/?#-]+( +[0-9A-Za-z*,/?#-]+){4}$"
"""A cron expression of five fields; what may stand in each, Fireworks decides."""
TIMEZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"
"""A time zone of the IANA database; which ones exist, Fireworks decides."""
TAG_KEY_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,119}[A-Za-z0-9])?$"
"""Key of a tag without the prefix `custom/` (Fireworks documentation, deployment tags)."""
TAG_VALUE_PATTERN = r"^[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$"
"""Value of a tag: no blanks at the ends and no control characters, as far as ASCII goes."""
RESERVED_TAGS = ("managed-by", "cluster", "cluster-uid", "namespace", "name", "adopted", "released")
"""Keys of the tags by which operators recognise their deployments."""
RESERVED_TAG_PREFIX = "fireworks.ai/"
"""Begins the keys of tags that operators may come to set."""
MOST_TAGS = 64
"""Tags of a deployment, those of the operator included (Fireworks documentation, deployment tags)."""
QUANTIZED_PATTERN = r"^(FP8|FP4|NF4)"
"""Precisions below 16 bits."""
UNQUANTIZED_ONLY_PATTERN = r"^(NVIDIA_A100|AMD_MI300X)"
"""Accelerators that cannot serve them (Fireworks documentation, on-demand deployments, quantization)."""


_DEPLOYMENT_NAME = re.compile(r"accounts/(?!\.{1,2}/)[^\s/\\:%?#]+/deployments/(?!\.{1,2}\Z)[^\s/\\:%?#]+")


def is_deployment_name(name: str) -> bool:
    """Tell whether this is `accounts/A/deployments/D`, with ids of which each can stand in a URL's path."""
    return name.isprintable() and _DEPLOYMENT_NAME.fullmatch(name) is not None


def matches(pattern: str, value: str = "self") -> str:
    """Return the CEL expression that `value` has this format; in CEL a backslash is written twice."""
    return f"{value}.matches('" + pattern.replace("\\", "\\\\") + "')"


def model_rules(path: str) -> tuple[Rule, ...]:
    """Return the rules of a field that names a model."""
    return (
        Rule(
            matches(MODEL_PATTERN),
            f"{path} must be the full name of a model such as "
            '"accounts/fireworks/models/llama-v3p3-70b-instruct", or the bare id of a model of your own '
            'account such as "my-model"; nothing may follow it, in particular no "#" part',
        ),
    )


def constant_rules(path: str, examples: str, advice: str) -> tuple[Rule, ...]:
    """Return the rules of a field with an enum constant of Fireworks; which ones exist, Fireworks decides."""
    return (
        Rule(
            f"{matches(CONSTANT_PATTERN)} && !self.endsWith('_UNSPECIFIED')",
            f"{path} must be a Fireworks constant in uppercase such as {examples}; {advice}",
        ),
    )


def window_rules(
    path: str, *, at_least: str = "0s", at_most: str | None = None, whole_seconds: bool = False
) -> tuple[Rule, ...]:
    """Return the rules of a duration; format first, so that a malformed one gets the message too."""
    bounds = [f"duration(self) >= duration('{at_least}')"]
    if at_most is not None:
        bounds.append(f"duration(self) <= duration('{at_most}')")
    words = f"of at least {at_least}" if at_most is None else f"between {at_least} and {at_most}"
    if whole_seconds:
        bounds.append("duration(self).getMilliseconds() % 1000 == 0")
        words += ", in whole seconds"
    return (
        Rule(
            " && ".join([matches(DURATION_PATTERN), *bounds]),
            f'{path} must be a duration such as "90s", "10m" or "1h30m" {words} (units ms, s, m, h; no sign)',
        ),
    )
