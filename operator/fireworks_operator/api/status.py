"""What users read: the status of a FireworksDeployment."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from .base import MESSAGE_LENGTH, SENTENCE_LENGTH, ApiModel, Schema, Time
from .formats import is_deployment_name

ConditionStatus = Literal["True", "False", "Unknown"]

CONDITION_TYPE_PATTERN = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
"""metav1.Condition, field type."""
CONDITION_REASON_PATTERN = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
"""metav1.Condition, field reason."""


class Condition(ApiModel):
    """One aspect of the resource's state, in the shape of metav1.Condition."""

    type: Annotated[
        str,
        Schema(
            "Ready, Available, Reconciling, Stalled, CapacityPending or AddonsReady.",
            max_length=316,
            pattern=CONDITION_TYPE_PATTERN,
        ),
    ]
    status: Annotated[ConditionStatus, Schema("True, False or Unknown.")]
    reason: Annotated[
        str,
        Schema(
            "Why, in one word for programs. All of them are listed in the reference of conditions.",
            min_length=1,
            max_length=1024,
            pattern=CONDITION_REASON_PATTERN,
        ),
    ]
    message: Annotated[
        str,
        Schema("Why, in a sentence that says what to do next.", max_length=MESSAGE_LENGTH, required=True),
    ] = ""
    observed_generation: Annotated[
        int | None, Schema("The metadata.generation that the condition is about.", minimum=0)
    ] = None
    last_transition_time: Annotated[Time, Schema("When status last changed.")]


class Replicas(ApiModel):
    """How many replicas there are, by stage."""

    desired: Annotated[int, Schema("Replicas that the autoscaler wants now.", minimum=0)] = 0
    ready: Annotated[int, Schema("Replicas that answer requests.", minimum=0)] = 0
    pending_scheduling: Annotated[int, Schema("Replicas waiting for free GPUs.", minimum=0)] = 0
    downloading_model: Annotated[int, Schema("Replicas downloading the model.", minimum=0)] = 0
    initializing: Annotated[int, Schema("Replicas loading the model onto their GPUs.", minimum=0)] = 0
    waiting_since: Annotated[
        Time | None,
        Schema(
            "Since when a deployment that served has no ready replica, or too few with some waiting for GPUs; absent "
            "while there are enough."
        ),
    ] = None


class Effective(ApiModel):
    """What is in force at Fireworks, also where the spec leaves it open."""

    accelerator_type: Annotated[str | None, Schema("The kind of GPU.", max_length=64)] = None
    accelerator_count: Annotated[int | None, Schema("GPUs per replica.", minimum=0)] = None
    precision: Annotated[str | None, Schema("Number format of the weights.", max_length=64)] = None
    min_replica_count: Annotated[int | None, Schema("The fewest replicas.", minimum=0)] = None
    max_replica_count: Annotated[int | None, Schema("The most replicas; 0 means parked.", minimum=0)] = None
    scale_up_window: Annotated[
        str | None, Schema("How long the load must stay high before a replica is added.", max_length=32)
    ] = None
    scale_down_window: Annotated[
        str | None, Schema("How long the load must stay low before a replica is removed.", max_length=32)
    ] = None
    scale_to_zero_window: Annotated[
        str | None, Schema("How long without a request before the last replica is removed.", max_length=32)
    ] = None
    draft_model: Annotated[
        str | None, Schema("The model that drafts tokens, perhaps the base model's own.", max_length=512)
    ] = None
    draft_token_count: Annotated[int | None, Schema("Tokens drafted per step.", minimum=0)] = None
    ngram_speculation_length: Annotated[
        int | None, Schema("Tokens of earlier input that n-gram speculation looks at; 0 is off.", minimum=0)
    ] = None
    deployment_shape: Annotated[str | None, Schema("The version of the deployment shape in use.", max_length=512)] = (
        None
    )
    region: Annotated[str | None, Schema("Where the replicas run now.", max_length=64)] = None


class LastAttempt(ApiModel):
    """The last try that failed or must not be repeated soon; by it, pauses survive a restart."""

    action: Annotated[str, Schema("What was tried.", max_length=64)]
    generation: Annotated[int, Schema("The metadata.generation it was tried for.", minimum=0)]
    count: Annotated[int, Schema("How often in a row.", minimum=0)]
    time: Annotated[Time, Schema("When.")]
    reason: Annotated[str, Schema("Why it failed.", max_length=1024)]
    message: Annotated[
        str | None, Schema("What was said to it, in the words of the condition.", max_length=SENTENCE_LENGTH)
    ] = None


class AddonStatus(ApiModel):
    """One LoRA addon that the operator has loaded, or is about to load."""

    model: Annotated[str, Schema("The LoRA model.", max_length=512)]
    deployed_model: Annotated[
        str | None, Schema("Its name on the deployment, accounts/ACCOUNT/deployedModels/ID.", max_length=512)
    ] = None
    state: Annotated[
        str | None,
        Schema("Its state in Fireworks' words: DEPLOYING, DEPLOYED, UPDATING or UNDEPLOYING.", max_length=64),
    ] = None
    model_identifier: Annotated[
        str | None, Schema("What to put as model into an inference request.", max_length=1024)
    ] = None
    message: Annotated[str | None, Schema("What is wrong with it, if anything.", max_length=SENTENCE_LENGTH)] = None


class FireworksDeploymentStatus(ApiModel):
    """What the operator last saw and did."""

    observed_generation: Annotated[
        int,
        Schema(
            "The metadata.generation that this status is about; -1 until the operator has seen the resource.",
            minimum=-1,
            stored_default=True,
        ),
    ] = -1
    deployment_name: Annotated[
        str | None,
        Schema(
            "The deployment of this resource, accounts/ACCOUNT/deployments/ID. Written before it is "
            "created; as long as it is set, the immutable fields of the spec cannot change.",
            max_length=256,
        ),
    ] = None
    account: Annotated[
        str | None,
        Schema(
            "Id of the Fireworks account that the deployment belongs to. An API key of another one is refused.",
            max_length=128,
        ),
    ] = None
    state: Annotated[
        str | None,
        Schema(
            "The deployment's state in Fireworks' words: CREATING, READY, UPDATING, FAILED, DELETING or "
            "DELETED. READY is no proof that a replica answers: see the condition Available.",
            max_length=64,
        ),
    ] = None
    model_identifier: Annotated[
        str | None,
        Schema(
            "What to put as model into an inference request to reach this deployment: MODEL_NAME#DEPLOYMENT_NAME.",
            example="accounts/fireworks/models/llama-v3p2-3b-instruct#accounts/acme/deployments/chat-prod",
            max_length=1024,
        ),
    ] = None
    endpoint: Annotated[str | None, Schema("Base URL of the OpenAI-compatible inference API.", max_length=1024)] = None
    replicas: Annotated[Replicas | None, Schema("How many replicas there are, by stage.")] = None
    effective: Annotated[
        Effective | None, Schema("What is in force at Fireworks, also where the spec leaves it open.")
    ] = None
    applied_fields: Annotated[
        list[Annotated[str, Schema(max_length=128)]] | None,
        Schema(
            "Paths of the spec that are in force at Fireworks. One that is here and no longer in the spec is "
            "reset, or stays with a notice where Fireworks has no default for it.",
            max_items=64,
            list_type="atomic",
        ),
    ] = None
    last_attempt: Annotated[
        LastAttempt | None, Schema("The last try that failed, or that must not be repeated soon.")
    ] = None
    recreations: Annotated[
        list[Annotated[Time, Schema()]] | None,
        Schema(
            "When the deployment was last brought back after it had been deleted outside Kubernetes.",
            max_items=3,
            list_type="atomic",
        ),
    ] = None
    addons: Annotated[
        list[AddonStatus] | None,
        Schema(
            "The LoRA addons that the operator has loaded, or is about to load.",
            max_items=256,
            list_type="atomic",
        ),
    ] = None
    notices: Annotated[
        list[Annotated[str, Schema(max_length=SENTENCE_LENGTH)]] | None,
        Schema(
            "Settings that are accepted but have no effect, or are known to go wrong.",
            max_items=64,
            list_type="atomic",
        ),
    ] = None
    create_time: Annotated[Time | None, Schema("When the deployment was created.")] = None
    purge_time: Annotated[
        Time | None, Schema("When a deleted deployment can no longer be restored, and its id is free again.")
    ] = None
    conditions: Annotated[
        list[Condition],
        Schema(
            "Ready sums up: the current spec is in force, and the deployment serves, or is scaled to zero "
            "or parked as asked. Available: a replica answers now. Reconciling: work goes on by itself. "
            "Stalled: a person must act. CapacityPending: replicas have been missing for long. AddonsReady: all "
            "addons are loaded.",
            max_items=16,
            list_type="map",
            list_map_keys=("type",),
        ),
    ] = Field(default_factory=list)

    @field_validator("deployment_name")
    @classmethod
    def _names_a_deployment(cls, name: str | None) -> str | None:
        if name is not None and not is_deployment_name(name):
            raise ValueError("is no name like accounts/ACCOUNT/deployments/ID")
        return name
