"""The fields of the spec that say what the model is served with."""

from typing import Annotated

from .base import ApiModel, Change, Schema, reset_to
from .formats import model_rules
from .spec_parts import Addon, DeployedModelSettings


class InferenceFields(ApiModel):
    """What the model is served with: drafters, LoRA addons, context."""

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
    disable_auto_deploy: Annotated[
        bool | None,
        Schema(
            "true creates the deployment without routing requests for the bare model name to it.",
            default="the operator's setting disableAutoDeploy, false unless changed.",
            change=Change.IMMUTABLE,
            wire="query parameter disableAutoDeploy of the create request",
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
    enable_hot_reload_latest_addon: Annotated[
        bool | None,
        Schema(
            "true merges the addon into the base model, and exchanges it for another one while the deployment goes on "
            "serving. spec.addons then has at most one entry, which takes the place of whichever addon is merged; it "
            "is called by the name of the deployment alone (status.addons[].modelIdentifier).",
            default="false.",
            change=reset_to("false"),
        ),
    ] = None
    num_peft_device_cached: Annotated[
        int | None,
        Schema(
            "Number of LoRA addons that each replica keeps in GPU memory, 0 to 1000. Others are loaded when a request "
            "needs them. 0 means the platform's default.",
            default="decided by Fireworks: 0.",
            change=Change.KEPT,
            example="8",
            minimum=0,
            maximum=1000,
        ),
    ] = None
    deployed_model: Annotated[
        DeployedModelSettings | None,
        Schema(
            "How the base model's own name reaches this deployment: as its default deployment, and from other "
            "accounts. What is changed at Fireworks is put back.",
            default="decided by Fireworks.",
            change="updated in place. If removed from the spec, the values stay at Fireworks.",
            wire="deployedModels",
            example="{default: true}",
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
