"""What Fireworks says about accounts, models, deployments and loaded addons, read leniently.

Unknown fields are ignored and unknown enum values kept, since the API grows; missing numbers are 0 and
missing texts empty, since proto3 JSON leaves zero values out. What is not of the promised type is a PROTOCOL
error. Source of all fields: Fireworks REST reference (deployments, deployedModels, accounts, models).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, JsonValue, SkipValidation
from pydantic.alias_generators import to_camel

from .fields import (
    NULL_IS_EMPTY,
    Boolean,
    Count,
    Duration,
    Enum,
    Enums,
    Integer,
    Message,
    Name,
    StringMap,
    Text,
    Time,
    ToldCount,
    ToldFlag,
    ToldNumber,
    ToldNumbers,
    ToldWord,
    ToldWords,
    children,
    json_object,
    protocol_error,
    read,
    text,
    within,
)
from .names import is_account_id
from .pages import entries_of, name_of, page_of
from .request import ROUTE_KEYS_FIELD
from .wire import JsonObject

# Enterprise routing keys stand in plain text in a deployment: never kept, so that they can never be shown.
_SECRET_FIELDS = frozenset({ROUTE_KEYS_FIELD})

_CAMEL_CASE = ConfigDict(alias_generator=to_camel)


@dataclass(frozen=True, slots=True)
class ReplicaStats:
    """How many replicas are in which stage on their way to serving; absent while a deployment is being created."""

    pending_scheduling: Annotated[Count, Field(alias="pendingSchedulingReplicaCount")] = 0
    downloading_model: Annotated[Count, Field(alias="downloadingModelReplicaCount")] = 0
    initializing: Annotated[Count, Field(alias="initializingReplicaCount")] = 0
    ready: Annotated[Count, Field(alias="readyReplicaCount")] = 0
    revocable: Annotated[ToldCount, Field(alias="revocableReplicaCount")] = None
    effective: Annotated[ToldNumber, Field(alias="effectiveReplicaCount")] = None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as Fireworks describes it.

    `state` and all other enum values are the server's own text (`READY`, `NVIDIA_H100_80GB`). `status_code`
    is the name of a gRPC code (`OK`, `INTERNAL`) about the latest operation. Windows are protobuf durations
    (`600s`), empty where the server does not tell. `raw` is the whole JSON object, without fields that hold
    secrets.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    name: str
    base_model: Name = ""
    display_name: Text = ""
    description: Text = ""
    state: Enum = ""
    status_code: Annotated[Enum, within("status", "code")] = ""
    status_message: Annotated[Message, within("status", "message")] = ""
    create_time: Time = None
    update_time: Time = None
    delete_time: Time = None
    purge_time: Time = None
    annotations: StringMap = field(default_factory=dict)
    min_replica_count: Count = 0
    max_replica_count: Count = 0
    desired_replica_count: Count = 0
    replica_count: Count = 0
    replica_stats: Annotated[ReplicaStats, NULL_IS_EMPTY] = ReplicaStats()
    accelerator_type: Enum = ""
    accelerator_count: Count = 0
    precision: Enum = ""
    region: Enum = ""
    deployment_shape: Name = ""
    enable_addons: Boolean = False
    draft_model: Name = ""
    draft_token_count: Count = 0
    ngram_speculation_length: Count = 0
    scale_up_window: Annotated[Duration, within("autoscalingPolicy", "scaleUpWindow")] = ""
    scale_down_window: Annotated[Duration, within("autoscalingPolicy", "scaleDownWindow")] = ""
    scale_to_zero_window: Annotated[Duration, within("autoscalingPolicy", "scaleToZeroWindow")] = ""
    max_context_length: ToldCount = None
    max_concurrency_per_replica: ToldCount = None
    preemptible: ToldFlag = None
    long_prompt: Annotated[ToldFlag, within("autoTune", "longPrompt")] = None
    load_targets: Annotated[ToldNumbers, within("autoscalingPolicy", "loadTargets")] = field(default_factory=dict)
    placement_region: Annotated[ToldWord, within("placement", "region")] = ""
    placement_multi_region: Annotated[ToldWord, within("placement", "multiRegion")] = ""
    placement_regions: Annotated[ToldWords, within("placement", "regions")] = ()
    active_model_version: ToldWord = ""
    target_model_version: ToldWord = ""
    deployment_template: ToldWord = ""
    direct_route_handle: ToldWord = ""
    raw: SkipValidation[Mapping[str, JsonValue]] = field(default_factory=dict, repr=False)

    @property
    def deployment_id(self) -> str:
        """The last segment of the name."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def account(self) -> str:
        """The account id in the name."""
        return self.name.split("/")[1]

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a deployment.

        Raises:
            FireworksError: PROTOCOL, if it has no name of a deployment or no base model, or a field is not of its type.
        """
        obj = _without_secrets(json_object(value, "a deployment"))
        name_of(obj, "deployments")
        deployment = read(cls, {**obj, "raw": obj}, "status", "autoscalingPolicy")
        if not deployment.base_model:
            # It would be compared, and named to users, as another one.
            raise protocol_error("a deployment without baseModel")
        return deployment


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """An addon (LoRA) that is loaded into a deployment, or a model's link to the deployment that serves it.

    States: `DEPLOYING`, `DEPLOYED`, `UPDATING`, `UNDEPLOYING`. There is no failed state; `status` tells.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    name: str
    model: Name = ""
    deployment: Name = ""
    state: Enum = ""
    status_code: Annotated[Enum, within("status", "code")] = ""
    status_message: Annotated[Message, within("status", "message")] = ""
    default: Boolean = False
    public: Boolean = False
    display_name: Text = ""
    description: Text = ""
    create_time: Time = None
    update_time: Time = None
    raw: SkipValidation[Mapping[str, JsonValue]] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a deployed model.

        Raises:
            FireworksError: PROTOCOL, if it has no name of a deployed model or a field is not of its type.
        """
        obj = json_object(value, "a deployed model")
        name_of(obj, "deployedModels")
        return read(cls, {**obj, "raw": obj}, "status")


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `suspend_state` is empty or `UNSUSPENDED` while it may work."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    name: str
    state: Enum = ""
    suspend_state: Enum = ""

    @property
    def id(self) -> str:
        """The account id, without `accounts/`."""
        return self.name.removeprefix("accounts/")

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read an account.

        Raises:
            FireworksError: PROTOCOL, if it has no name of an account or a field is not of its type.
        """
        obj = json_object(value, "an account")
        prefix, _, account = text(obj, "name").partition("/")
        if prefix != "accounts" or not is_account_id(account):
            raise protocol_error("an account without a name")
        return read(cls, obj)


@dataclass(frozen=True, slots=True)
class BaseModelDetails:
    """What is known of a base model: `parameter_count` in parameters, `world_size` in GPUs by default."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    model_type: Text = ""
    moe: Boolean = False
    world_size: Integer = 0
    parameter_count: Integer = 0
    default_precision: Enum = ""


@dataclass(frozen=True, slots=True)
class PeftDetails:
    """What is known of a LoRA addon: the base model that it was trained on and its rank."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    base_model: Text = ""
    rank: Annotated[Integer, Field(alias="r")] = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue or of an account; only one in state `READY` can be deployed."""

    __pydantic_config__: ClassVar[ConfigDict] = _CAMEL_CASE

    name: str
    kind: Enum = ""
    state: Enum = ""
    context_length: Integer = 0
    supports_lora: Boolean = False
    default_draft_model: Text = ""
    default_draft_token_count: Integer = 0
    supported_precisions: Enums = ()
    supported_precisions_with_calibration: Enums = ()
    calibrated: Boolean = False
    base_model_details: Annotated[BaseModelDetails, NULL_IS_EMPTY] = BaseModelDetails()
    peft_details: Annotated[PeftDetails, NULL_IS_EMPTY] = PeftDetails()

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a model.

        Raises:
            FireworksError: PROTOCOL, if it has no name of a model or a field is not of its type.
        """
        obj = json_object(value, "a model")
        name_of(obj, "models")
        return read(cls, obj)

    def supports(self, precision: str) -> bool:
        """Tell whether it can be deployed with a precision, as far as its record says."""
        return precision in (*self.supported_precisions, *self.supported_precisions_with_calibration)


@dataclass(frozen=True, slots=True)
class DeploymentPage:
    """One page of a LIST of deployments; `next_page_token` is empty on the last one.

    `unreadable` holds the names of entries that exist but cannot be understood: nothing is known of them,
    least of all that they are gone.
    """

    deployments: tuple[Deployment, ...]
    unreadable: frozenset[str] = frozenset()
    next_page_token: str = ""

    @classmethod
    def parse(cls, value: JsonValue, known: Mapping[str, Deployment] | None = None) -> Self:
        """Read a page; of what is the same in `known`, its objects are taken: most of a large account never changes.

        Raises:
            FireworksError: PROTOCOL, if it is no page of deployments or an entry has no readable name.
        """
        before = known or {}

        def parse(entry: JsonObject) -> Deployment:
            name = entry.get("name")
            same = before.get(name) if isinstance(name, str) else None
            return same if same is not None and same.raw == _without_secrets(entry) else Deployment.parse(entry)

        obj = page_of(value, "deployments")
        entries, unreadable = entries_of(obj, "deployments", parse)
        return cls(entries, unreadable, text(obj, "nextPageToken"))


@dataclass(frozen=True, slots=True)
class DeployedModelPage:
    """One page of a LIST of deployed models, like `DeploymentPage`."""

    deployed_models: tuple[DeployedModel, ...]
    unreadable: frozenset[str] = frozenset()
    next_page_token: str = ""

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a page.

        Raises:
            FireworksError: PROTOCOL, if it is no page of deployed models or an entry has no readable name.
        """
        obj = page_of(value, "deployedModels")
        entries, unreadable = entries_of(obj, "deployedModels", DeployedModel.parse)
        return cls(entries, unreadable, text(obj, "nextPageToken"))


def parse_accounts(value: JsonValue) -> tuple[Account, ...]:
    """Read one page of accounts.

    Raises:
        FireworksError: PROTOCOL, if it is no page of accounts.
    """
    return tuple(Account.parse(entry) for entry in children(page_of(value, "accounts"), "accounts"))


def _without_secrets(obj: JsonObject) -> JsonObject:
    kept = {**obj}
    for key in _SECRET_FIELDS & kept.keys():
        del kept[key]
    return kept
