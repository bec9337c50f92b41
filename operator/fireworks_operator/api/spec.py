"""What users write: the spec of a FireworksDeployment, each field beside its meaning, bounds and rules."""

from typing import Annotated, ClassVar

from .base import Change, Rule, Schema, reset_to
from .formats import (
    DEPLOYMENT_ID_PATTERN,
    QUANTIZED_PATTERN,
    UNQUANTIZED_ONLY_PATTERN,
    matches,
    model_rules,
    window_rules,
)
from .spec_connection import ConnectionFields
from .spec_direct_route import DirectRouteFields
from .spec_fallbacks import FALLBACK_RULES, FallbackFields
from .spec_hardware import HardwareFields
from .spec_inference import InferenceFields
from .spec_parts import (
    AdoptionPolicy,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    ReplacePolicy,
    SecretKeyReference,
)
from .spec_router import RouterFields
from .spec_scaling import ScalingFields
from .spec_tags import TagFields

_NGRAM = "(has(self.ngramSpeculationLength) && self.ngramSpeculationLength > 0)"
_QUANTIZED = f"(has(self.precision) && {matches(QUANTIZED_PATTERN, 'self.precision')})"
_SCHEDULES = "self.autoscalingPolicy.scalingSchedules"
_MAXIMUM = (
    "(has(self.maxReplicaCount) ? self.maxReplicaCount : "
    "has(self.minReplicaCount) && self.minReplicaCount > 1 ? self.minReplicaCount : 1)"
)
_MERGES = "(has(self.enableHotReloadLatestAddon) && self.enableHotReloadLatestAddon)"
_ADDONS = "(has(self.addons) && size(self.addons) > 0)"


class FireworksDeploymentSpec(
    TagFields,
    ConnectionFields,
    RouterFields,
    DirectRouteFields,
    FallbackFields,
    HardwareFields,
    ScalingFields,
    InferenceFields,
):
    """The deployment that you want. Fields have the names of the Fireworks REST API (deployments)."""

    base_model: Annotated[
        str,
        Schema(
            "The model to serve: its full name, or a bare id for a model of your own account. A LoRA model here is "
            "merged into its base.",
            change=Change.BY_REPLACEMENT,
            example="accounts/fireworks/models/llama-v3p3-70b-instruct",
            max_length=256,
            rules=model_rules("spec.baseModel"),
        ),
    ]
    display_name: Annotated[
        str | None,
        Schema(
            "Name shown in the Fireworks console, up to 63 characters.",
            default="none.",
            change=reset_to('""'),
            example="Chat, production",
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
    deployment_id: Annotated[
        str | None,
        Schema(
            "The id of the deployment at Fireworks, up to 63 lowercase letters, digits and hyphens. Set it to adopt "
            "an existing deployment (see adoptionPolicy).",
            default="derived from cluster, namespace and name, so that a restored backup finds its deployment again.",
            change=Change.IMMUTABLE,
            wire="query parameter deploymentId of the create request",
            example="chat-prod",
            max_length=63,
            rules=(
                Rule(
                    matches(DEPLOYMENT_ID_PATTERN),
                    "spec.deploymentId must be 1 to 63 lowercase letters, digits and hyphens, without a hyphen at "
                    'either end, such as "chat-prod"',
                ),
            ),
        ),
    ] = None
    adoption_policy: Annotated[
        AdoptionPolicy,
        Schema(
            "Whether an existing deployment with this id may be adopted. Never: no. Unowned: yes, if no other "
            "resource owns it; from then on it is updated and deleted with this resource.",
            default="Never.",
            change=Change.POLICY,
            stored_default=True,
        ),
    ] = AdoptionPolicy.NEVER
    deletion_policy: Annotated[
        DeletionPolicy,
        Schema(
            "What happens to the deployment when this resource is deleted. Delete: it is deleted at Fireworks, where "
            "it can be restored for 7 days. Retain: it keeps running and is still billed, without an owner.",
            default="Delete.",
            change=Change.POLICY,
            stored_default=True,
        ),
    ] = DeletionPolicy.DELETE
    external_deletion_policy: Annotated[
        ExternalDeletionPolicy,
        Schema(
            "What happens when the deployment is deleted outside Kubernetes, manually or by Fireworks after 7 days "
            "without a request. Recreate: it is restored or recreated, at most 3 times in 24 hours. Report: the "
            "condition Stalled reports DeploymentLost.",
            default="Recreate.",
            change=Change.POLICY,
            stored_default=True,
        ),
    ] = ExternalDeletionPolicy.RECREATE
    management_policy: Annotated[
        ManagementPolicy,
        Schema(
            "Manage: the deployment is created, updated and deleted with this resource. Observe: the status is kept "
            "up to date, nothing is ever written to Fireworks, and deleting this resource leaves the deployment "
            "alone.",
            default="Manage.",
            change="Manage to Observe releases the deployment; Observe to Manage adopts it (see adoptionPolicy).",
            stored_default=True,
        ),
    ] = ManagementPolicy.MANAGE
    replace_policy: Annotated[
        ReplacePolicy | None,
        Schema(
            "What happens when a field changes that Fireworks cannot change on an existing deployment: baseModel, "
            "acceleratorType, placement, preemptible.",
            default="{type: Never}.",
            change=Change.POLICY,
            example="{type: BlueGreen, drain: 30m}",
        ),
    ] = None
    paused: Annotated[
        bool,
        Schema(
            "true withholds all changes at Fireworks; the status is kept up to date and deletion still works. A "
            "paused deployment keeps running and is still billed.",
            default="false.",
            change=Change.POLICY,
        ),
    ] = False
    expires_after: Annotated[
        str | None,
        Schema(
            "How long the deployment is needed, counted from metadata.creationTimestamp: a duration with units ms, s, "
            "m or h, from 1m to 8760h. Then it is parked: minReplicaCount and maxReplicaCount are 0 at Fireworks, "
            "whatever the spec says, so that it is not billed; nothing is deleted.",
            default="it does not expire.",
            change=(
                "takes effect immediately. A longer duration, or none, puts minReplicaCount and maxReplicaCount back."
            ),
            example="8h",
            max_length=16,
            rules=window_rules("spec.expiresAfter", at_least="1m", at_most="8760h"),
        ),
    ] = None
    credentials_secret_ref: Annotated[
        SecretKeyReference | None,
        Schema(
            "The Secret with the Fireworks API key to use for this resource.",
            default="the operator's own API key, if its settings allow this namespace to use it.",
            change=(
                "takes effect immediately. A key of an account other than status.account is refused as AccountMismatch."
            ),
            example="{name: fireworks}",
        ),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.minReplicaCount) || !has(self.maxReplicaCount) || self.maxReplicaCount >= self.minReplicaCount",
            "spec.maxReplicaCount must not be less than spec.minReplicaCount; raise it, or omit it to get "
            "minReplicaCount, but at least 1",
            ".maxReplicaCount",
        ),
        Rule(
            f"!has(self.autoscalingPolicy) || !has({_SCHEDULES}) || "
            f"{_SCHEDULES}.all(name, {_SCHEDULES}[name].minReplicaCount <= {_MAXIMUM})",
            "spec.autoscalingPolicy.scalingSchedules must not have a minReplicaCount above spec.maxReplicaCount, which "
            "is spec.minReplicaCount, but at least 1, if omitted; set or raise it, or lower the minReplicaCount or "
            "remove the schedule",
            ".autoscalingPolicy.scalingSchedules",
        ),
        Rule(
            "!has(self.maxWithRevocableReplicaCount) || self.maxWithRevocableReplicaCount == 0 || "
            "!has(self.maxReplicaCount) || self.maxWithRevocableReplicaCount >= self.maxReplicaCount",
            "spec.maxWithRevocableReplicaCount must not be less than spec.maxReplicaCount; raise it, or set it to 0 to "
            "use no revocable replicas",
            ".maxWithRevocableReplicaCount",
        ),
        Rule(
            f"!has(self.draftModel) || !{_NGRAM}",
            "spec.draftModel and spec.ngramSpeculationLength are mutually exclusive; remove one of them",
            ".ngramSpeculationLength",
        ),
        Rule(
            f"!(has(self.draftModel) || {_NGRAM}) || has(self.draftTokenCount)",
            "spec.draftTokenCount is required with spec.draftModel and with spec.ngramSpeculationLength; start with "
            "3 for an EAGLE drafter and 4 for others",
            ".draftTokenCount",
        ),
        Rule(
            "!has(self.disableSpeculativeDecoding) || !self.disableSpeculativeDecoding || "
            f"!(has(self.draftModel) || {_NGRAM})",
            "spec.disableSpeculativeDecoding cannot be true together with spec.draftModel or "
            "spec.ngramSpeculationLength; remove it or them",
            ".disableSpeculativeDecoding",
        ),
        Rule(
            "!has(self.prepareModel) || !self.prepareModel || has(self.precision)",
            "spec.precision is required with spec.prepareModel; set it, for example to FP8, or remove "
            "spec.prepareModel",
            ".precision",
        ),
        Rule(
            "!has(self.prepareModel) || !self.prepareModel || !self.baseModel.startsWith('accounts/fireworks/')",
            "spec.prepareModel cannot be true for a model of the account fireworks, only for one of your own account; "
            "remove it",
            ".prepareModel",
        ),
        Rule(
            f"!{_QUANTIZED} || !has(self.acceleratorType) || "
            f"!{matches(UNQUANTIZED_ONLY_PATTERN, 'self.acceleratorType')}",
            "spec.precision must not be quantized (FP8, FP4, NF4) on NVIDIA_A100 and AMD_MI300X; use FP16 "
            "or BF16, or another spec.acceleratorType such as NVIDIA_H100_80GB",
            ".precision",
        ),
        Rule(
            f"!{_QUANTIZED} || !((has(self.enableAddons) && self.enableAddons) || {_ADDONS})",
            "spec.precision must not be quantized (FP8, FP4, NF4) with spec.enableAddons or spec.addons; "
            "use BF16 or FP16",
            ".precision",
        ),
        Rule(
            f"!{_ADDONS} || !has(self.enableAddons) || self.enableAddons || {_MERGES}",
            "spec.enableAddons cannot be false while spec.addons has entries; remove it or set it to true",
            ".enableAddons",
        ),
        Rule(
            f"!{_MERGES} || !has(self.addons) || size(self.addons) <= 1",
            "spec.addons must have at most one entry with spec.enableHotReloadLatestAddon, as one addon is merged into "
            "the base model; keep one, or remove spec.enableHotReloadLatestAddon",
            ".addons",
        ),
        Rule(
            "!has(self.longPrompt) || !self.longPrompt || !has(self.acceleratorCount) || self.acceleratorCount >= 2",
            "spec.acceleratorCount must be at least 2 with spec.longPrompt; raise it, or omit it to get twice the "
            "minimum number of GPUs that the model fits on",
            ".acceleratorCount",
        ),
        Rule(
            "!has(self.deploymentShape) || !has(self.acceleratorType)",
            "spec.acceleratorType must not be set together with spec.deploymentShape, which determines the accelerator",
            ".acceleratorType",
        ),
        Rule(
            "!has(self.directRoute) || (has(self.placement) && has(self.placement.region))",
            "spec.placement.region is required with spec.directRoute, which leads to one region; set it, for example "
            "to US_IOWA_1, or remove spec.directRoute",
            ".directRoute",
        ),
        *FALLBACK_RULES,
    )
