"""The fields of the spec that say what the replicas run on."""

from typing import Annotated

from .base import ApiModel, Change, Rule, Schema, reset_to
from .formats import SHAPE_PATTERN, constant_rules, matches
from .spec_parts import Placement


class HardwareFields(ApiModel):
    """What the replicas run on and how the model is laid out there."""

    deployment_shape: Annotated[
        str | None,
        Schema(
            "A bundle of hardware and serving settings that Fireworks has validated for the model: the full name of "
            "a shape or of one of its versions, or a word such as fast, throughput, minimal or default. Cannot be "
            "combined with acceleratorType. The version in use is in status.effective.deploymentShape.",
            default="Fireworks' default shape for the model if acceleratorType is not set either, else none. It is "
            "chosen at creation and not changed afterwards.",
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
    accelerator_type: Annotated[
        str | None,
        Schema(
            "GPU type. Fireworks defines the valid values, among them NVIDIA_A100_80GB, NVIDIA_H100_80GB, "
            "NVIDIA_H200_141GB, NVIDIA_B200_180GB and AMD_MI300X_192GB (the latter not for mixture-of-experts "
            "models). Cannot be combined with deploymentShape, which determines it.",
            default="that of the deploymentShape; without one, that of Fireworks' default shape for the model.",
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
            "than linearly. You pay for replicas times GPUs. Fireworks refuses a number that is not the default "
            "shape's: set acceleratorType, too.",
            default="decided by Fireworks: that of the shape, else the minimum that the model fits on.",
            change=Change.KEPT,
            example="2",
            minimum=1,
            maximum=1024,
        ),
    ] = None
    precision: Annotated[
        str | None,
        Schema(
            "Number format of the weights, such as FP16, BF16, FP8 or FP4. The quantized ones (FP8, FP4, NF4 and "
            "their variants) require a model prepared for them, do not run on NVIDIA_A100 and AMD_MI300X, and cannot "
            "be combined with addons. Fireworks refuses one that is not the default shape's: set "
            "acceleratorType, too.",
            default="decided by Fireworks: that of the shape, else the model's own.",
            change=Change.KEPT,
            example="FP8",
            max_length=64,
            rules=constant_rules("spec.precision", "FP16, BF16 or FP8", "omit it to use the model's own"),
        ),
    ] = None
    prepare_model: Annotated[
        bool | None,
        Schema(
            "true has Fireworks prepare the base model for spec.precision before the deployment is created, unless "
            "the model supports it already. Only for models of your own account; takes up to 30 minutes. Requires "
            "precision.",
            default="false.",
            change="takes effect when a deployment is created; an existing one is not affected.",
            wire="POST models/MODEL:prepare",
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
    placement: Annotated[
        Placement | None,
        Schema(
            "Where the replicas run: exactly one of region, multiRegion and regions.",
            default="decided by Fireworks: the multi-region GLOBAL.",
            change=Change.BY_REPLACEMENT,
            example="{multiRegion: US}",
        ),
    ] = None
    preemptible: Annotated[
        bool | None,
        Schema(
            "true accepts replicas that Fireworks may preempt at any time.",
            default="false.",
            change=Change.BY_REPLACEMENT,
        ),
    ] = None
