"""The objects and policies that the spec of a FireworksDeployment consists of."""

from enum import StrEnum
from typing import Annotated, ClassVar

from .base import ApiModel, Change, Rule, Schema, reset_to
from .formats import (
    DATA_KEY_PATTERN,
    LOAD_TARGET_PATTERN,
    OBJECT_NAME_PATTERN,
    SCHEDULE_NAME_PATTERN,
    constant_rules,
    matches,
    model_rules,
    window_rules,
)
from .spec_schedules import ScalingSchedule

REGION_ADVICE = "Fireworks defines the valid values"
COLD_START = "The next request wakes a replica, which takes minutes; until it is ready, Fireworks responds with 503."
"""What happens at zero replicas (Fireworks documentation, autoscaling); requests are not queued."""


class DeletionPolicy(StrEnum):
    """What becomes of the deployment when the resource is deleted."""

    DELETE = "Delete"
    RETAIN = "Retain"


class ManagementPolicy(StrEnum):
    """Whether the operator may write to Fireworks for this resource."""

    MANAGE = "Manage"
    OBSERVE = "Observe"


class AdoptionPolicy(StrEnum):
    """Whether an existing deployment may be taken over."""

    NEVER = "Never"
    UNOWNED = "Unowned"


class ExternalDeletionPolicy(StrEnum):
    """What to do when the deployment was deleted outside Kubernetes."""

    RECREATE = "Recreate"
    REPORT = "Report"


class ReplaceType(StrEnum):
    """What to do about a change that Fireworks cannot make on an existing deployment."""

    NEVER = "Never"
    RECREATE = "Recreate"
    BLUE_GREEN = "BlueGreen"


DEFAULT_DRAIN = "10m"
"""How long a former deployment answers beside its successor where the spec does not say."""


class ReplacePolicy(ApiModel):
    """How a deployment becomes what Fireworks cannot change it to."""

    type: Annotated[
        ReplaceType,
        Schema(
            "Never: the deployment keeps serving unchanged, and the condition Stalled reports ReplaceRequired. "
            "Recreate: it is deleted and created anew with the new spec; nothing serves until the new one is ready. "
            "Before that, Fireworks validates the new spec, and budgets must have room for it. BlueGreen: a second "
            "deployment is created with the new spec while the present one serves; once it serves, addons included, "
            "status names it, and the former one is deleted after drain. Quota and budgets must have room for both. A "
            "deployment that was adopted is never replaced.",
            default="Never.",
            change=Change.POLICY,
        ),
    ] = ReplaceType.NEVER
    drain: Annotated[
        str | None,
        Schema(
            "With BlueGreen: how long the former deployment goes on serving once its successor does, for clients that "
            "still use its identifier. A duration with units ms, s, m or h, at most 24h; 0s deletes it at once.",
            default=f"{DEFAULT_DRAIN}.",
            change=Change.POLICY,
            example="30m",
            max_length=16,
            rules=window_rules("spec.replacePolicy.drain", at_least="0s", at_most="24h"),
        ),
    ] = None
    ignore_checks: Annotated[
        bool,
        Schema(
            "true deletes the deployment also if it has received requests in the last hour, is the default of its "
            "model, or has addons loaded, which Fireworks otherwise refuses.",
            default="false.",
            change=Change.POLICY,
            wire="query parameter ignoreChecks of the delete request",
        ),
    ] = False


class AutoscalingPolicy(ApiModel):
    """When Fireworks adds and removes replicas (Fireworks documentation, autoscaling)."""

    scale_up_window: Annotated[
        str | None,
        Schema(
            "How long the load must stay high before a replica is added. A duration with units ms, s, m or "
            "h, from 0s to 1h.",
            default="decided by Fireworks: 30s.",
            change=reset_to("30s"),
            example="1m30s",
            max_length=16,
            rules=window_rules("spec.autoscalingPolicy.scaleUpWindow", at_most="1h"),
        ),
    ] = None
    scale_down_window: Annotated[
        str | None,
        Schema(
            "How long the load must stay low before a replica is removed. A duration with units ms, s, m or "
            "h, from 0s to 1h.",
            default="decided by Fireworks: 10m.",
            change=reset_to("10m"),
            example="15m",
            max_length=16,
            rules=window_rules("spec.autoscalingPolicy.scaleDownWindow", at_most="1h"),
        ),
    ] = None
    scale_to_zero_window: Annotated[
        str | None,
        Schema(
            "How long the deployment must receive no requests before the last replica is removed. A duration with "
            f"units ms, s, m or h, at least 5m. No effect while minReplicaCount is above 0. {COLD_START}",
            default="decided by Fireworks: 1h.",
            change=reset_to("1h"),
            example="30m",
            max_length=16,
            rules=window_rules("spec.autoscalingPolicy.scaleToZeroWindow", at_least="5m"),
        ),
    ] = None
    load_targets: Annotated[
        dict[str, Annotated[float, Schema(minimum=0, exclusive_minimum=True)]] | None,
        Schema(
            "Target load of the autoscaler, by metric; with several, the one that requires the most replicas wins. "
            "`default` is a fraction of the replica's capacity, 0 to 1. The others are per replica: "
            "tokens_generated_per_second, prompt_tokens_per_second, requests_per_second, concurrent_requests. At "
            "most 16 entries, each above 0.",
            default="decided by Fireworks: {default: 0.8}.",
            change=reset_to("{default: 0.8}"),
            example="{default: 0.6}",
            max_properties=16,
            rules=(
                Rule(
                    f"self.all(key, {matches(LOAD_TARGET_PATTERN, 'key')})",
                    "spec.autoscalingPolicy.loadTargets must have keys in lowercase letters, digits and underscores "
                    'such as "default" or "requests_per_second"',
                ),
            ),
        ),
    ] = None
    scaling_schedules: Annotated[
        dict[str, ScalingSchedule] | None,
        Schema(
            "Times with a higher minimum of replicas, by a name of your choice, at most 5; outside of them, "
            "minReplicaCount applies. Schedules at Fireworks that the spec never named are left as they are.",
            default="none.",
            change="updated in place. If removed from the spec, the schedule is deleted.",
            example='{office-hours: {minReplicaCount: 2, schedule: "0 8 * * 1-5", duration: 10h, timezone: UTC}}',
            max_properties=5,
            rules=(
                Rule(
                    f"self.all(name, {matches(SCHEDULE_NAME_PATTERN, 'name')})",
                    "spec.autoscalingPolicy.scalingSchedules must have names of 1 to 63 letters, digits, hyphens and "
                    'underscores, with a letter or digit at either end, such as "office-hours"',
                ),
            ),
        ),
    ] = None


class Addon(ApiModel):
    """A LoRA addon to load onto the deployment (Fireworks REST reference, deployedModels)."""

    model: Annotated[
        str,
        Schema(
            "The LoRA model: its full name, or a bare id for a model of your own account. It must have been trained "
            "on the base model of the deployment; one whose record names another is not loaded.",
            change="the addon that is no longer named is unloaded, the new one loaded.",
            example="accounts/acme/models/support-lora",
            max_length=256,
            rules=model_rules("spec.addons[].model"),
        ),
    ]
    display_name: Annotated[
        str | None,
        Schema(
            "Name shown in the Fireworks console, up to 63 characters.",
            default="none.",
            change=reset_to('""'),
            max_length=63,
        ),
    ] = None
    description: Annotated[
        str | None,
        Schema(
            "Free text shown in the Fireworks console, up to 999 characters.",
            default="none.",
            change=reset_to('""'),
            max_length=999,
        ),
    ] = None
    default: Annotated[
        bool | None,
        Schema(
            "Whether requests for the addon's model that name no deployment are routed to this one.",
            default="decided by Fireworks: true for the first deployment that the model is loaded on.",
            change=Change.UPDATE,
        ),
    ] = None
    public: Annotated[
        bool | None,
        Schema("Whether other Fireworks accounts may call the addon.", default="false.", change=Change.UPDATE),
    ] = None


class DeployedModelSettings(ApiModel):
    """How the base model's own name reaches the deployment (Fireworks REST reference, deployedModels)."""

    default: Annotated[
        bool | None,
        Schema(
            "Whether requests for the base model that name no deployment are routed to this one. Only one resource "
            "may set true for a model.",
            default="decided by Fireworks: true for the first deployment of the model.",
            change=Change.UPDATE,
        ),
    ] = None
    public: Annotated[
        bool | None,
        Schema("Whether other Fireworks accounts may call the deployment.", default="false.", change=Change.UPDATE),
    ] = None


Region = Annotated[
    str, Schema(max_length=64, rules=constant_rules("spec.placement.regions[]", "US_IOWA_1", REGION_ADVICE))
]


class Placement(ApiModel):
    """Where the replicas run: exactly one of the three (Fireworks documentation, regions)."""

    region: Annotated[
        str | None,
        Schema(
            "One region. Needs a GPU quota in that region.",
            change=Change.IMMUTABLE,
            example="US_ILLINOIS_2",
            max_length=64,
            rules=constant_rules("spec.placement.region", "US_IOWA_1", REGION_ADVICE),
        ),
    ] = None
    multi_region: Annotated[
        str | None,
        Schema(
            "A group of regions from which Fireworks chooses: GLOBAL, US, EUROPE, APAC.",
            change=Change.IMMUTABLE,
            example="EUROPE",
            max_length=64,
            rules=constant_rules("spec.placement.multiRegion", "GLOBAL, US or EUROPE", REGION_ADVICE),
        ),
    ] = None
    regions: Annotated[
        list[Region] | None,
        Schema(
            "Several regions, 1 to 32, from which Fireworks chooses.",
            change=Change.IMMUTABLE,
            example="[US_IOWA_1, US_TEXAS_2]",
            min_items=1,
            max_items=32,
            list_type="set",
        ),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "[has(self.region), has(self.multiRegion), has(self.regions)].exists_one(given, given)",
            "spec.placement must have exactly one of region, multiRegion and regions; keep the one that you mean",
        ),
    )


class SecretKeyReference(ApiModel):
    """Where an API key lies: a key of a Secret in the resource's own namespace."""

    name: Annotated[
        str,
        Schema(
            "Name of the Secret, in the namespace of this resource. An optional key accountId in it names "
            "the Fireworks account; without it the operator asks Fireworks.",
            change=Change.POLICY,
            example="fireworks",
            max_length=253,
            rules=(
                Rule(
                    matches(OBJECT_NAME_PATTERN),
                    "spec.credentialsSecretRef.name must be the name of a Secret in the same namespace: lowercase "
                    'letters, digits, "-" and "."',
                ),
            ),
        ),
    ]
    key: Annotated[
        str,
        Schema(
            "The key of the Secret that holds the API key.",
            default="apiKey.",
            change=Change.POLICY,
            max_length=253,
            stored_default=True,
            rules=(
                Rule(
                    matches(DATA_KEY_PATTERN),
                    'spec.credentialsSecretRef.key must be a key of the Secret: letters, digits, "-", "_" '
                    'and ".", such as "apiKey"',
                ),
            ),
        ),
    ] = "apiKey"
