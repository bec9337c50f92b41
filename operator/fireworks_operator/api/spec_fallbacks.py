"""The fields of the spec that say what to run on where the first choice is not to be had."""

from typing import Annotated, ClassVar

from .base import ApiModel, Rule, Schema
from .formats import (
    QUANTIZED_PATTERN,
    SHAPE_PATTERN,
    UNQUANTIZED_ONLY_PATTERN,
    constant_rules,
    matches,
    window_rules,
)
from .spec_parts import REGION_ADVICE

MOST_FALLBACKS = 5
"""Entries of spec.fallbacks."""
DEFAULT_FALLBACK_AFTER = "15m"


class FallbackPlacement(ApiModel):
    """Where the replicas run: exactly one of the three."""

    region: Annotated[
        str | None,
        Schema(
            "One region.",
            max_length=64,
            rules=constant_rules("spec.fallbacks.placement.region", "US_IOWA_1", REGION_ADVICE),
        ),
    ] = None
    multi_region: Annotated[
        str | None,
        Schema(
            "A group of regions.",
            max_length=64,
            rules=constant_rules("spec.fallbacks.placement.multiRegion", "GLOBAL, US or EUROPE", REGION_ADVICE),
        ),
    ] = None
    regions: Annotated[
        list[
            Annotated[
                str,
                Schema(
                    max_length=64,
                    rules=constant_rules("spec.fallbacks.placement.regions", "US_IOWA_1", REGION_ADVICE),
                ),
            ]
        ]
        | None,
        Schema("Several regions, 1 to 32.", min_items=1, max_items=32, list_type="set"),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.region), has(self.multiRegion), has(self.regions)].exists_one(given, given)",
            "spec.fallbacks.placement must have exactly one of region, multiRegion and regions; keep the one that you "
            "mean",
        ),
    )


class Fallback(ApiModel):
    """Other hardware, or another place, for the same deployment. What it does not set is as in the spec."""

    accelerator_type: Annotated[
        str | None,
        Schema(
            "GPU type instead of spec.acceleratorType, and of spec.deploymentShape.",
            default="that of the spec.",
            example="NVIDIA_H200_141GB",
            max_length=64,
            rules=constant_rules("spec.fallbacks.acceleratorType", "NVIDIA_H200_141GB", "omit it to keep the spec's"),
        ),
    ] = None
    accelerator_count: Annotated[
        int | None,
        Schema(
            "GPUs per replica instead of spec.acceleratorCount, 1 to 1024.",
            default="that of the spec; decided by the shape if the fallback sets deploymentShape.",
            example="2",
            minimum=1,
            maximum=1024,
        ),
    ] = None
    placement: Annotated[
        FallbackPlacement | None,
        Schema(
            "Where the replicas run instead of spec.placement.",
            default="that of the spec.",
            example="{multiRegion: US}",
        ),
    ] = None
    deployment_shape: Annotated[
        str | None,
        Schema(
            "A deployment shape instead of spec.deploymentShape, and of spec.acceleratorType and "
            "spec.acceleratorCount. Cannot be combined with acceleratorType.",
            default="that of the spec; none if the fallback sets acceleratorType.",
            example="throughput",
            max_length=256,
            rules=(
                Rule(
                    matches(SHAPE_PATTERN),
                    "spec.fallbacks.deploymentShape must be the name of a shape such as "
                    '"accounts/fireworks/deploymentShapes/my-shape", of one of its versions, or a word such as "fast"',
                ),
            ),
        ),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.deploymentShape) || !has(self.acceleratorType)",
            "spec.fallbacks must not set both acceleratorType and deploymentShape in one entry, as the shape "
            "determines the accelerator; remove one of them",
            ".acceleratorType",
        ),
    )


# CEL does not compare objects of two places in the schema, whose types it takes for different ones.
_SAME_PLACE = " && ".join(
    f"has(each.placement.{name}) == has(self.placement.{name}) && "
    f"(!has(each.placement.{name}) || each.placement.{name} == self.placement.{name})"
    for name in ("region", "multiRegion", "regions")
)
_DIFFERS = " || ".join(
    (
        *(
            f"(has(each.{name}) && (!has(self.{name}) || each.{name} != self.{name}))"
            for name in ("acceleratorType", "acceleratorCount", "deploymentShape")
        ),
        f"(has(each.placement) && !(has(self.placement) && {_SAME_PLACE}))",
    )
)
_QUANTIZED = f"(has(self.precision) && {matches(QUANTIZED_PATTERN, 'self.precision')})"

FALLBACK_RULES = (
    Rule(
        f"!has(self.fallbacks) || self.fallbacks.all(each, {_DIFFERS})",
        "spec.fallbacks must have only entries that set acceleratorType, acceleratorCount, placement or "
        "deploymentShape to another value than the spec; change or remove the others",
        ".fallbacks",
    ),
    Rule(
        "!has(self.fallbacks) || !has(self.directRoute) || "
        "self.fallbacks.all(each, !has(each.placement) || has(each.placement.region))",
        "spec.fallbacks must have no placement but a region with spec.directRoute, which leads to one region; set "
        "placement.region, or remove the placement",
        ".fallbacks",
    ),
    Rule(
        f"!has(self.fallbacks) || !{_QUANTIZED} || self.fallbacks.all(each, !has(each.acceleratorType) || "
        f"!{matches(UNQUANTIZED_ONLY_PATTERN, 'each.acceleratorType')})",
        "spec.fallbacks must not have NVIDIA_A100 or AMD_MI300X with a quantized spec.precision (FP8, FP4, NF4); use "
        "another acceleratorType, or FP16 or BF16",
        ".fallbacks",
    ),
    Rule(
        "!has(self.fallbacks) || !has(self.longPrompt) || !self.longPrompt || "
        "self.fallbacks.all(each, !has(each.acceleratorCount) || each.acceleratorCount >= 2)",
        "spec.fallbacks must have an acceleratorCount of at least 2 with spec.longPrompt; raise or omit it",
        ".fallbacks",
    ),
)
"""What the spec and its fallbacks must agree on."""


class FallbackFields(ApiModel):
    """What to run on where the spec's own choice is not to be had."""

    fallbacks: Annotated[
        list[Fallback] | None,
        Schema(
            "What to try instead, in this order, at most 5, while Fireworks has no GPUs for the deployment or refuses "
            "it for quota. Only a deployment that never served a request is replaced; the one in use is in "
            "status.choice.",
            default="none: the deployment waits.",
            change=(
                "before the deployment has served, the choice starts over; afterwards, it stays on the hardware that "
                "it has. Nothing is sent to Fireworks."
            ),
            example="[{acceleratorType: NVIDIA_H200_141GB}]",
            min_items=1,
            max_items=MOST_FALLBACKS,
            list_type="atomic",
        ),
    ] = None
    fallback_after: Annotated[
        str | None,
        Schema(
            "How long a new deployment may wait for GPUs before the next of the fallbacks is tried. A duration with "
            "units ms, s, m or h, from 1m to 24h. No effect without fallbacks.",
            default=f"{DEFAULT_FALLBACK_AFTER}.",
            change="takes effect immediately; nothing is sent to Fireworks.",
            example="30m",
            max_length=16,
            rules=window_rules("spec.fallbackAfter", at_least="1m", at_most="24h"),
        ),
    ] = None
