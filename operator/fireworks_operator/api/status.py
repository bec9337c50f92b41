"""What users read: the status of a FireworksDeployment."""

from typing import Annotated

from pydantic import Field, field_validator

from .base import SENTENCE_LENGTH, ApiModel, Schema, Time
from .formats import is_deployment_name
from .status_choice import Choice
from .status_condition import Condition
from .status_connection import ConnectionStatus
from .status_cost import Cost
from .status_parts import AddonStatus, DirectRouteSecret, LastAttempt, Replicas
from .status_replacement import Replacement
from .status_router import RouterStatus


class EffectivePlacement(ApiModel):
    """Where Fireworks may run the replicas."""

    region: Annotated[str | None, Schema("One region.", max_length=64)] = None
    multi_region: Annotated[str | None, Schema("A group of regions.", max_length=64)] = None
    regions: Annotated[
        list[Annotated[str, Schema(max_length=64)]] | None,
        Schema("Several regions.", max_items=32, list_type="atomic"),
    ] = None


class Effective(ApiModel):
    """The settings in effect at Fireworks, including those that the spec leaves unset."""

    accelerator_type: Annotated[str | None, Schema("GPU type.", max_length=64)] = None
    accelerator_count: Annotated[int | None, Schema("GPUs per replica.", minimum=0)] = None
    precision: Annotated[str | None, Schema("Number format of the weights.", max_length=64)] = None
    min_replica_count: Annotated[int | None, Schema("Minimum number of replicas.", minimum=0)] = None
    max_replica_count: Annotated[int | None, Schema("Maximum number of replicas; 0 means parked.", minimum=0)] = None
    scale_up_window: Annotated[
        str | None, Schema("How long the load must stay high before a replica is added.", max_length=32)
    ] = None
    scale_down_window: Annotated[
        str | None, Schema("How long the load must stay low before a replica is removed.", max_length=32)
    ] = None
    scale_to_zero_window: Annotated[
        str | None,
        Schema("How long the deployment must receive no requests before the last replica is removed.", max_length=32),
    ] = None
    draft_model: Annotated[
        str | None, Schema("The draft model, which may be the base model's own.", max_length=512)
    ] = None
    draft_token_count: Annotated[int | None, Schema("Tokens drafted per step.", minimum=0)] = None
    ngram_speculation_length: Annotated[
        int | None, Schema("Number of preceding tokens that n-gram speculation uses; 0 means off.", minimum=0)
    ] = None
    deployment_shape: Annotated[str | None, Schema("The version of the deployment shape in use.", max_length=512)] = (
        None
    )
    region: Annotated[str | None, Schema("Where the replicas run now.", max_length=64)] = None
    scaling_schedules: Annotated[
        list[Annotated[str, Schema(max_length=128)]] | None,
        Schema(
            "Names of the scaling schedules that are enabled, including those that the spec does not name.",
            max_items=16,
            list_type="atomic",
        ),
    ] = None
    load_targets: Annotated[
        dict[str, Annotated[float, Schema(minimum=0)]] | None,
        Schema("Target load of the autoscaler, by metric.", max_properties=16),
    ] = None
    placement: Annotated[EffectivePlacement | None, Schema("Where Fireworks may run the replicas.")] = None
    max_context_length: Annotated[
        int | None, Schema("Maximum number of tokens per request; 0 means the model's default.", minimum=0)
    ] = None
    max_concurrency_per_replica: Annotated[
        int | None,
        Schema("Maximum number of concurrent requests per replica; 0 means the platform's default.", minimum=0),
    ] = None
    enable_addons: Annotated[bool | None, Schema("Whether the deployment takes LoRA addons.")] = None
    long_prompt: Annotated[bool | None, Schema("Whether the deployment is tuned for long prompts.")] = None
    preemptible: Annotated[bool | None, Schema("Whether the deployment may lose its GPUs to others at any time.")] = (
        None
    )
    deployment_template: Annotated[str | None, Schema("The deployment template in use.", max_length=256)] = None
    active_model_version: Annotated[str | None, Schema("The version of the model that is serving.", max_length=256)] = (
        None
    )
    target_model_version: Annotated[
        str | None,
        Schema(
            "The version of the model that is being rolled out; the same as activeModelVersion at rest.",
            max_length=256,
        ),
    ] = None


class Identifier(ApiModel):
    """A value of model in an inference request that reaches the deployment."""

    kind: Annotated[
        str,
        Schema(
            "ModelAndDeployment: MODEL_NAME#DEPLOYMENT_NAME. Deployment: the deployment's name. Model: the model's "
            "name alone, while this is its default deployment; only with addons or spec.deployedModel, since the "
            "operator does not ask otherwise. Router: the router of spec.router.",
            max_length=64,
        ),
    ]
    value: Annotated[str, Schema("The value of model in an inference request.", max_length=1024)]


class Parked(ApiModel):
    """What the deployment gets back once it is no longer parked; written before it is parked."""

    reason: Annotated[str, Schema("Why the operator parks it: Expired or BudgetExceeded.", max_length=1024)]
    since: Annotated[Time, Schema("When the operator began to park it.")]
    min_replica_count: Annotated[
        int | None,
        Schema("Its minReplicaCount before; absent if the spec, or the default, decides what it gets back.", minimum=0),
    ] = None
    max_replica_count: Annotated[
        int | None,
        Schema("Its maxReplicaCount before; absent if the spec, or the default, decides what it gets back.", minimum=0),
    ] = None
    max_with_revocable_replica_count: Annotated[
        int | None,
        Schema(
            "Its maxWithRevocableReplicaCount before; absent if the spec, or the default, decides what it gets back.",
            minimum=0,
        ),
    ] = None


class FireworksDeploymentStatus(ApiModel):
    """What the operator last observed and did."""

    observed_generation: Annotated[
        int,
        Schema(
            "The metadata.generation that this status reflects; -1 until the operator has seen the resource.",
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
            "Id of the Fireworks account that the deployment belongs to. An API key of a different account is refused.",
            max_length=128,
        ),
    ] = None
    state: Annotated[
        str | None,
        Schema(
            "The deployment's state as reported by Fireworks: CREATING, READY, UPDATING, FAILED, DELETING or "
            "DELETED. READY does not mean that a replica is serving: see the condition Available.",
            max_length=64,
        ),
    ] = None
    model_identifier: Annotated[
        str | None,
        Schema(
            "The value of model in an inference request that reaches this deployment: MODEL_NAME#DEPLOYMENT_NAME.",
            example="accounts/fireworks/models/llama-v3p2-3b-instruct#accounts/acme/deployments/chat-prod",
            max_length=1024,
        ),
    ] = None
    identifiers: Annotated[
        list[Identifier] | None,
        Schema(
            "Values of model in an inference request that reach this deployment now, modelIdentifier first.",
            max_items=8,
            list_type="atomic",
        ),
    ] = None
    endpoint: Annotated[str | None, Schema("Base URL of the OpenAI-compatible inference API.", max_length=1024)] = None
    direct_route_handle: Annotated[
        str | None,
        Schema(
            "How the direct route is reached: the host name for INTERNET, the service attachment for "
            "GCP_PRIVATE_SERVICE_CONNECT, the service name for AWS_PRIVATELINK.",
            example="acme-chat-prod.us-iowa-1.direct.fireworks.ai",
            max_length=256,
        ),
    ] = None
    connection: Annotated[ConnectionStatus | None, Schema("The ConfigMap of spec.connection.")] = None
    router: Annotated[RouterStatus | None, Schema("The router of spec.router.")] = None
    direct_route_secret: Annotated[
        DirectRouteSecret | None,
        Schema(
            "The version of the Secret whose API keys were sent to Fireworks last. When the Secret changes, they are "
            "sent again."
        ),
    ] = None
    replicas: Annotated[Replicas | None, Schema("How many replicas there are, by stage.")] = None
    selector: Annotated[
        str | None,
        Schema(
            "The label selector of the scale subresource. It selects no pod, since replicas run at Fireworks; a "
            "HorizontalPodAutoscaler refuses to work without one.",
            max_length=128,
        ),
    ] = None
    effective: Annotated[
        Effective | None, Schema("The settings in effect at Fireworks, including those that the spec leaves unset.")
    ] = None
    cost: Annotated[
        Cost | None, Schema("What the deployment costs now and has cost, by the operator's price list.")
    ] = None
    choice: Annotated[
        Choice | None,
        Schema(
            "Which of the spec and its fallbacks the deployment runs on, and what was given up before; absent as long "
            "as none was."
        ),
    ] = None
    applied_fields: Annotated[
        list[Annotated[str, Schema(max_length=128)]] | None,
        Schema(
            "Paths of the spec that have been applied at Fireworks. A path that is listed here and no longer set in "
            "the spec is reset, or keeps its value with a notice if Fireworks has no default for it.",
            max_items=128,
            list_type="atomic",
        ),
    ] = None
    expires_at: Annotated[
        Time | None,
        Schema("When the deployment is parked, as spec.expiresAfter asks; absent if it does not expire."),
    ] = None
    parked: Annotated[
        Parked | None,
        Schema("What the operator parks the deployment for, and what it gets back; absent while it is not parked."),
    ] = None
    replacement: Annotated[
        Replacement | None,
        Schema("The second deployment while spec.replacePolicy BlueGreen replaces the present one; absent else."),
    ] = None
    last_attempt: Annotated[
        LastAttempt | None, Schema("The last attempt that failed, or that must not be repeated soon.")
    ] = None
    recreations: Annotated[
        list[Annotated[Time, Schema()]] | None,
        Schema(
            "When the deployment was last restored or recreated after being deleted outside Kubernetes.",
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
            "Settings that are accepted but have no effect, or are known to cause problems.",
            max_items=64,
            list_type="atomic",
        ),
    ] = None
    create_time: Annotated[Time | None, Schema("When the deployment was created.")] = None
    created_from: Annotated[
        str | None,
        Schema(
            "Fingerprint of the fields that Fireworks cannot change in place, as the deployment has them by the spec; "
            "only with spec.replacePolicy. By it a change of the spec is told from one made outside Kubernetes.",
            max_length=64,
        ),
    ] = None
    purge_time: Annotated[
        Time | None, Schema("When a deleted deployment can no longer be restored, and its id is free again.")
    ] = None
    conditions: Annotated[
        list[Condition],
        Schema(
            "Ready is the summary: the current spec is applied, and the deployment is serving, or is scaled to zero "
            "or parked as requested. Available: a replica is serving now. Reconciling: work is in progress. Stalled: "
            "user action is required. CapacityPending: replicas have been missing for a long time. AddonsReady: all "
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
            raise ValueError("is not a name like accounts/ACCOUNT/deployments/ID")
        return name
