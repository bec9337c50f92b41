"""What users write: the spec of a FireworksDeployment, each field beside its meaning, bounds and rules."""

from typing import Annotated, ClassVar

from .base import ApiModel, Change, Rule, Schema, reset_to
from .formats import (
    DEPLOYMENT_ID_PATTERN,
    QUANTIZED_PATTERN,
    SHAPE_PATTERN,
    UNQUANTIZED_ONLY_PATTERN,
    constant_rules,
    matches,
    model_rules,
)
from .spec_parts import (
    Addon,
    AdoptionPolicy,
    AutoscalingPolicy,
    DeletionPolicy,
    ExternalDeletionPolicy,
    ManagementPolicy,
    Placement,
    SecretKeyReference,
)

_NGRAM = "(has(self.ngramSpeculationLength) && self.ngramSpeculationLength > 0)"
_QUANTIZED = f"(has(self.precision) && {matches(QUANTIZED_PATTERN, 'self.precision')})"
_ADDONS = "(has(self.addons) && size(self.addons) > 0)"


class FireworksDeploymentSpec(ApiModel):
    """The deployment that you want. Fields have the names of the Fireworks REST API (deployments)."""

    base_model: Annotated[
        str,
        Schema(
            "The model to serve: its full name, or a bare id for a model of your own account. A LoRA model here is "
            "merged into its base.",
            change=Change.IMMUTABLE,
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
    accelerator_type: Annotated[
        str | None,
        Schema(
            "GPU type. Fireworks defines the valid values, among them NVIDIA_A100_80GB, NVIDIA_H100_80GB, "
            "NVIDIA_H200_141GB, NVIDIA_B200_180GB and AMD_MI300X_192GB (the latter not for mixture-of-experts "
            "models). Cannot be combined with deploymentShape, which determines it.",
            default="none. Without a deploymentShape, Fireworks rejects the deployment and the conditions report it.",
            change=Change.REPLACE,
            example="NVIDIA_H100_80GB",
            max_length=64,
            rules=constant_rules("spec.acceleratorType", "NVIDIA_H100_80GB", "omit it where deploymentShape decides"),
        ),
    ] = None
    accelerator_count: Annotated[
        int | None,
        Schema(
            "GPUs per replica, 1 to 1024. More GPUs reduce the time to first token and increase throughput, less "
            "than linearly. You pay for replicas times GPUs.",
            default="decided by Fireworks: the minimum that the model fits on.",
            change=Change.KEPT,
            example="2",
            minimum=1,
            maximum=1024,
        ),
    ] = None
    min_replica_count: Annotated[
        int | None,
        Schema(
            "Minimum number of replicas, 0 to 1000. With 0, the deployment scales to zero after "
            "autoscalingPolicy.scaleToZeroWindow without a request; it is then not billed, the next request has to "
            "wait for a cold start, and Fireworks deletes the deployment after 7 days without requests (see "
            "externalDeletionPolicy).",
            default="decided by Fireworks: 0.",
            change=reset_to("0"),
            example="1",
            minimum=0,
            maximum=1000,
        ),
    ] = None
    max_replica_count: Annotated[
        int | None,
        Schema(
            "Maximum number of replicas, 0 to 1000, at least minReplicaCount. If both are 0, the deployment is "
            "parked: switched off, not billed, and not woken by requests.",
            default="decided by Fireworks: minReplicaCount, but at least 1.",
            change=reset_to("minReplicaCount, but at least 1"),
            example="4",
            minimum=0,
            maximum=1000,
        ),
    ] = None
    autoscaling_policy: Annotated[
        AutoscalingPolicy | None,
        Schema(
            "When Fireworks adds and removes replicas between minReplicaCount and maxReplicaCount. Settings "
            "of the policy that are not modelled here, such as scaling schedules, are left as they are.",
            default="decided by Fireworks, field by field.",
            change=Change.UPDATE,
        ),
    ] = None
    draft_model: Annotated[
        str | None,
        Schema(
            "A small model that drafts tokens for speculative decoding: its full name, or a bare id for a model of "
            "your own account. It should belong to the base model's family. Requires draftTokenCount; cannot be "
            "combined with ngramSpeculationLength.",
            default="decided by Fireworks: the base model's own drafter, if it has one.",
            change=reset_to("no draft model"),
            example="accounts/fireworks/models/llama-v3p2-1b-instruct",
            max_length=256,
            rules=model_rules("spec.draftModel"),
        ),
    ] = None
    draft_token_count: Annotated[
        int | None,
        Schema(
            "Tokens to draft per step, 0 to 1024. Required with draftModel or ngramSpeculationLength. About "
            "3 for EAGLE drafters, 4 for others; too many slow the deployment down. 0 turns draft "
            "speculation off.",
            default="decided by Fireworks: the value for the base model's own drafter.",
            change=reset_to("0"),
            example="4",
            minimum=0,
            maximum=1024,
        ),
    ] = None
    ngram_speculation_length: Annotated[
        int | None,
        Schema(
            "Number of preceding tokens that n-gram speculation uses, 0 to 1024; 0 turns it off. Requires "
            "draftTokenCount; cannot be combined with draftModel.",
            default="decided by Fireworks: 0.",
            change=reset_to("0"),
            example="8",
            minimum=0,
            maximum=1024,
        ),
    ] = None
    disable_speculative_decoding: Annotated[
        bool | None,
        Schema(
            "true creates the deployment without the base model's own drafter. Cannot be combined with draftModel or "
            "ngramSpeculationLength.",
            default="false.",
            change=Change.IMMUTABLE,
            wire="query parameter disableSpeculativeDecoding of the create request",
        ),
    ] = None
    precision: Annotated[
        str | None,
        Schema(
            "Number format of the weights, such as FP16, BF16, FP8 or FP4. The quantized ones (FP8, FP4, NF4 and "
            "their variants) require a model prepared for them, do not run on NVIDIA_A100 and AMD_MI300X, and cannot "
            "be combined with addons.",
            default="decided by Fireworks: the model's own.",
            change=Change.KEPT,
            example="FP8",
            max_length=64,
            rules=constant_rules("spec.precision", "FP16, BF16 or FP8", "omit it to use the model's own"),
        ),
    ] = None
    long_prompt: Annotated[
        bool | None,
        Schema(
            "true tunes the deployment for prompts above about 3000 tokens. Requires about twice the GPU memory and "
            "at least 2 GPUs per replica.",
            default="false.",
            change=reset_to("false"),
            wire="autoTune.longPrompt",
        ),
    ] = None
    enable_addons: Annotated[
        bool | None,
        Schema(
            "Whether LoRA addons can be loaded. Cannot be combined with a quantized precision.",
            default="true if spec.addons has entries, else false.",
            change=reset_to("false"),
        ),
    ] = None
    addons: Annotated[
        list[Addon] | None,
        Schema(
            "LoRA addons to keep loaded, at most 100, each model once. Addons that someone else loaded are left alone.",
            default="none.",
            change="missing ones are loaded, those no longer named are unloaded, if the operator loaded them.",
            wire="deployedModels",
            max_items=100,
            list_type="map",
            list_map_keys=("model",),
        ),
    ] = None
    placement: Annotated[
        Placement | None,
        Schema(
            "Where the replicas run: exactly one of region, multiRegion and regions.",
            default="decided by Fireworks: the multi-region GLOBAL.",
            change=Change.IMMUTABLE,
            example="{multiRegion: US}",
        ),
    ] = None
    deployment_shape: Annotated[
        str | None,
        Schema(
            "A bundle of hardware and serving settings that Fireworks has validated for the model: the full name of "
            "a shape or of one of its versions, or a word such as fast, throughput, minimal or default. Cannot be "
            "combined with acceleratorType. The version in use is in status.effective.deploymentShape.",
            default="none.",
            change=Change.KEPT,
            example="accounts/fireworks/deploymentShapes/llama-v3p3-70b-instruct-fast",
            max_length=256,
            rules=(
                Rule(
                    matches(SHAPE_PATTERN),
                    "spec.deploymentShape must be the name of a shape such as "
                    '"accounts/fireworks/deploymentShapes/my-shape", of one of its versions, or a word such '
                    'as "fast"',
                ),
            ),
        ),
    ] = None
    max_context_length: Annotated[
        int | None,
        Schema(
            "Maximum context length, in tokens, 0 to 100000000. 0 means the model's own.",
            default="decided by Fireworks: 0.",
            change=Change.KEPT,
            example="32768",
            minimum=0,
            maximum=100_000_000,
        ),
    ] = None
    max_concurrency_per_replica: Annotated[
        int | None,
        Schema(
            "Maximum number of concurrent requests per replica, 0 to 1000000; further requests are answered with "
            "429. 0 means the platform's default.",
            default="decided by Fireworks: 0.",
            change=Change.KEPT,
            example="64",
            minimum=0,
            maximum=1_000_000,
        ),
    ] = None
    enable_session_affinity: Annotated[
        bool | None,
        Schema(
            "Whether requests of the same user go to the same replica.",
            default="false.",
            change=reset_to("false"),
        ),
    ] = None
    preemptible: Annotated[
        bool | None,
        Schema(
            "true accepts replicas that Fireworks may preempt at any time.",
            default="false.",
            change=Change.IMMUTABLE,
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
    paused: Annotated[
        bool,
        Schema(
            "true withholds all changes at Fireworks; the status is kept up to date and deletion still works. A "
            "paused deployment keeps running and is still billed.",
            default="false.",
            change=Change.POLICY,
        ),
    ] = False
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
            f"!{_ADDONS} || !has(self.enableAddons) || self.enableAddons",
            "spec.enableAddons cannot be false while spec.addons has entries; remove it or set it to true",
            ".enableAddons",
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
    )
