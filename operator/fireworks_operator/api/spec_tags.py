"""The field of the spec that says what the deployment's cost is attributed to."""

from typing import Annotated

from .base import ApiModel, Rule, Schema
from .formats import MOST_TAGS, RESERVED_TAG_PREFIX, RESERVED_TAGS, TAG_KEY_PATTERN, TAG_VALUE_PATTERN, matches

_TagValue = Annotated[
    str,
    Schema(
        max_length=128,
        rules=(
            Rule(
                matches(TAG_VALUE_PATTERN),
                "spec.tags must have values of 1 to 128 characters without control characters and without blanks at "
                "either end",
            ),
        ),
    ),
]
_RESERVED = ", ".join(f"'{name}'" for name in RESERVED_TAGS)


class TagFields(ApiModel):
    """What the deployment's cost is attributed to."""

    tags: Annotated[
        dict[str, _TagValue] | None,
        Schema(
            "Tags of the deployment, at most 57. Fireworks groups its billing by the tags team, project and "
            "environment. A tag that is changed or removed at Fireworks is put back; tags that the spec never named "
            "are left as they are. Keys have 1 to 121 letters, digits, and the characters - _ . and /, values 1 to "
            "128 characters. The keys of the operator's own tags are reserved.",
            default="none.",
            change="updated in place. If removed from the spec, the tag is deleted.",
            wire="annotations custom/KEY",
            example="{team: search, environment: production}",
            max_properties=MOST_TAGS - len(RESERVED_TAGS),
            rules=(
                Rule(
                    f"self.all(key, {matches(TAG_KEY_PATTERN, 'key')})",
                    "spec.tags must have keys of 1 to 121 letters, digits, and the characters - _ . and /, with a "
                    'letter or digit at either end, such as "team"; omit the prefix custom/',
                ),
                Rule(
                    f"!self.exists(key, key in [{_RESERVED}] || key.startsWith('{RESERVED_TAG_PREFIX}'))",
                    f"spec.tags must not have the keys {', '.join(RESERVED_TAGS)}, or keys that begin with "
                    f"{RESERVED_TAG_PREFIX}, which are reserved for the operator; choose another key",
                ),
            ),
        ),
    ] = None
