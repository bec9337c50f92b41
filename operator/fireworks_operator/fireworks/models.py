"""What Fireworks says about accounts, models, deployments and loaded addons, read leniently.

Unknown fields are ignored and unknown enum values kept, since the API grows; missing numbers are 0 and
missing texts empty, since proto3 JSON leaves zero values out. What is not of the promised type is a PROTOCOL
error. Source of all fields: Fireworks REST reference (deployments, deployedModels, accounts, models).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, TypeVar

from pydantic import JsonValue

from .errors import FireworksError
from .fields import (
    boolean,
    child,
    children,
    count,
    enum,
    integer,
    json_object,
    line,
    message,
    protocol_error,
    string_map,
    text,
    texts,
    time,
)
from .names import is_account_id, is_resource_name

# Enterprise routing keys stand in plain text in a deployment: never kept, so that they can never be shown.
_SECRET_FIELDS = frozenset({"directRouteApiKeys"})

# Most characters of what goes into a resource's status, which the CRD bounds.
_LONGEST_NAME = 256
_LONGEST_DURATION = 32


@dataclass(frozen=True, slots=True)
class ReplicaStats:
    """How many replicas are in which stage on their way to serving."""

    pending_scheduling: int = 0
    downloading_model: int = 0
    initializing: int = 0
    ready: int = 0

    @classmethod
    def parse(cls, obj: Mapping[str, JsonValue]) -> Self:
        """Read `replicaStats`; absent while a deployment is being created."""
        return cls(
            pending_scheduling=count(obj, "pendingSchedulingReplicaCount"),
            downloading_model=count(obj, "downloadingModelReplicaCount"),
            initializing=count(obj, "initializingReplicaCount"),
            ready=count(obj, "readyReplicaCount"),
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as Fireworks describes it.

    `state` and all other enum values are the server's own text (`READY`, `NVIDIA_H100_80GB`). `status_code`
    is the name of a gRPC code (`OK`, `INTERNAL`) about the latest operation. Windows are protobuf durations
    (`600s`), empty where the server does not tell. `raw` is the whole JSON object, without fields that hold
    secrets.
    """

    name: str
    base_model: str = ""
    display_name: str = ""
    description: str = ""
    state: str = ""
    status_code: str = ""
    status_message: str = ""
    create_time: datetime | None = None
    update_time: datetime | None = None
    delete_time: datetime | None = None
    purge_time: datetime | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    min_replica_count: int = 0
    max_replica_count: int = 0
    desired_replica_count: int = 0
    replica_count: int = 0
    replica_stats: ReplicaStats = ReplicaStats()
    accelerator_type: str = ""
    accelerator_count: int = 0
    precision: str = ""
    region: str = ""
    deployment_shape: str = ""
    enable_addons: bool = False
    draft_model: str = ""
    draft_token_count: int = 0
    ngram_speculation_length: int = 0
    scale_up_window: str = ""
    scale_down_window: str = ""
    scale_to_zero_window: str = ""
    raw: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)

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
        status, policy = child(obj, "status"), child(obj, "autoscalingPolicy")
        return cls(
            name=_name(obj, "deployments"),
            base_model=_base_model(obj),
            display_name=text(obj, "displayName"),
            description=text(obj, "description"),
            state=enum(obj, "state"),
            status_code=enum(status, "code"),
            status_message=message(status, "message"),
            create_time=time(obj, "createTime"),
            update_time=time(obj, "updateTime"),
            delete_time=time(obj, "deleteTime"),
            purge_time=time(obj, "purgeTime"),
            annotations=string_map(obj, "annotations"),
            min_replica_count=count(obj, "minReplicaCount"),
            max_replica_count=count(obj, "maxReplicaCount"),
            desired_replica_count=count(obj, "desiredReplicaCount"),
            replica_count=count(obj, "replicaCount"),
            replica_stats=ReplicaStats.parse(child(obj, "replicaStats")),
            accelerator_type=enum(obj, "acceleratorType"),
            accelerator_count=count(obj, "acceleratorCount"),
            precision=enum(obj, "precision"),
            region=enum(obj, "region"),
            deployment_shape=line(obj, "deploymentShape", _LONGEST_NAME),
            enable_addons=boolean(obj, "enableAddons"),
            draft_model=line(obj, "draftModel", _LONGEST_NAME),
            draft_token_count=count(obj, "draftTokenCount"),
            ngram_speculation_length=count(obj, "ngramSpeculationLength"),
            scale_up_window=line(policy, "scaleUpWindow", _LONGEST_DURATION),
            scale_down_window=line(policy, "scaleDownWindow", _LONGEST_DURATION),
            scale_to_zero_window=line(policy, "scaleToZeroWindow", _LONGEST_DURATION),
            raw=obj,
        )


@dataclass(frozen=True, slots=True)
class DeployedModel:
    """An addon (LoRA) that is loaded into a deployment, or a model's link to the deployment that serves it.

    States: `DEPLOYING`, `DEPLOYED`, `UPDATING`, `UNDEPLOYING`. There is no failed state; `status` tells.
    """

    name: str
    model: str = ""
    deployment: str = ""
    state: str = ""
    status_code: str = ""
    status_message: str = ""
    default: bool = False
    public: bool = False
    display_name: str = ""
    description: str = ""
    create_time: datetime | None = None
    update_time: datetime | None = None
    raw: Mapping[str, JsonValue] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a deployed model.

        Raises:
            FireworksError: PROTOCOL, if it has no name of a deployed model or a field is not of its type.
        """
        obj = json_object(value, "a deployed model")
        status = child(obj, "status")
        return cls(
            name=_name(obj, "deployedModels"),
            model=line(obj, "model", _LONGEST_NAME),
            deployment=line(obj, "deployment", _LONGEST_NAME),
            state=enum(obj, "state"),
            status_code=enum(status, "code"),
            status_message=message(status, "message"),
            default=boolean(obj, "default"),
            public=boolean(obj, "public"),
            display_name=text(obj, "displayName"),
            description=text(obj, "description"),
            create_time=time(obj, "createTime"),
            update_time=time(obj, "updateTime"),
            raw=obj,
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `suspend_state` is empty or `UNSUSPENDED` while it may work."""

    name: str
    state: str = ""
    suspend_state: str = ""

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
        name = text(obj, "name")
        prefix, _, account = name.partition("/")
        if prefix != "accounts" or not is_account_id(account):
            raise protocol_error("an account without a name")
        return cls(name=name, state=enum(obj, "state"), suspend_state=enum(obj, "suspendState"))


@dataclass(frozen=True, slots=True)
class BaseModelDetails:
    """What is known of a base model: `parameter_count` in parameters, `world_size` in GPUs by default."""

    model_type: str = ""
    moe: bool = False
    world_size: int = 0
    parameter_count: int = 0
    default_precision: str = ""


@dataclass(frozen=True, slots=True)
class PeftDetails:
    """What is known of a LoRA addon: the base model that it was trained on and its rank."""

    base_model: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the catalogue or of an account; only one in state `READY` can be deployed."""

    name: str
    kind: str = ""
    state: str = ""
    context_length: int = 0
    supports_lora: bool = False
    default_draft_model: str = ""
    default_draft_token_count: int = 0
    supported_precisions: tuple[str, ...] = ()
    supported_precisions_with_calibration: tuple[str, ...] = ()
    calibrated: bool = False
    base_model_details: BaseModelDetails = BaseModelDetails()
    peft_details: PeftDetails = PeftDetails()

    @classmethod
    def parse(cls, value: JsonValue) -> Self:
        """Read a model.

        Raises:
            FireworksError: PROTOCOL, if it has no name of a model or a field is not of its type.
        """
        obj = json_object(value, "a model")
        base, peft = child(obj, "baseModelDetails"), child(obj, "peftDetails")
        return cls(
            name=_name(obj, "models"),
            kind=enum(obj, "kind"),
            state=enum(obj, "state"),
            context_length=integer(obj, "contextLength"),
            supports_lora=boolean(obj, "supportsLora"),
            default_draft_model=text(obj, "defaultDraftModel"),
            default_draft_token_count=integer(obj, "defaultDraftTokenCount"),
            supported_precisions=texts(obj, "supportedPrecisions"),
            supported_precisions_with_calibration=texts(obj, "supportedPrecisionsWithCalibration"),
            calibrated=boolean(obj, "calibrated"),
            base_model_details=BaseModelDetails(
                model_type=text(base, "modelType"),
                moe=boolean(base, "moe"),
                world_size=integer(base, "worldSize"),
                parameter_count=integer(base, "parameterCount"),
                default_precision=enum(base, "defaultPrecision"),
            ),
            peft_details=PeftDetails(base_model=text(peft, "baseModel"), rank=integer(peft, "r")),
        )


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

        def read(name: str, entry: JsonValue) -> Deployment:
            same = before.get(name)
            if same is not None and same.raw == _without_secrets(json_object(entry, "a deployment")):
                return same
            return Deployment.parse(entry)

        obj = _page(value, "deployments")
        entries, unreadable = _entries(obj, "deployments", read)
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
        obj = _page(value, "deployedModels")
        entries, unreadable = _entries(obj, "deployedModels", lambda _, entry: DeployedModel.parse(entry))
        return cls(entries, unreadable, text(obj, "nextPageToken"))


def parse_accounts(value: JsonValue) -> tuple[Account, ...]:
    """Read one page of accounts.

    Raises:
        FireworksError: PROTOCOL, if it is no page of accounts.
    """
    return tuple(Account.parse(entry) for entry in children(_page(value, "accounts"), "accounts"))


Entry = TypeVar("Entry", Deployment, DeployedModel)


def _entries(
    obj: Mapping[str, JsonValue], collection: str, parse: Callable[[str, JsonValue], Entry]
) -> tuple[tuple[Entry, ...], frozenset[str]]:
    entries: list[Entry] = []
    unreadable: set[str] = set()
    for item in children(obj, collection):
        name = _name(json_object(item, "an entry of the list"), collection)
        try:
            entries.append(parse(name, item))
        except FireworksError:
            unreadable.add(name)
    return tuple(entries), frozenset(unreadable)


def _page(value: JsonValue, collection: str) -> Mapping[str, JsonValue]:
    """Return the object if it is a page of that collection.

    An empty list may be left out, so `{}` is an empty page; but some other JSON object must not be read as
    "nothing exists".
    """
    obj = json_object(value, "a list")
    if collection not in obj and not obj.keys() <= {"nextPageToken", "totalSize"}:
        raise protocol_error(f"a list without {collection}")
    return obj


def _without_secrets(obj: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    return {key: item for key, item in obj.items() if key not in _SECRET_FIELDS}


def _base_model(obj: Mapping[str, JsonValue]) -> str:
    """Return what every deployment has; one without it would be compared, and named to users, as another one."""
    name = line(obj, "baseModel", _LONGEST_NAME)
    if not name:
        raise protocol_error("a deployment without baseModel")
    return name


def _name(obj: Mapping[str, JsonValue], collection: str) -> str:
    name = obj.get("name")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not is_resource_name(name, collection):
        raise protocol_error(f"an entry without a name like accounts/A/{collection}/ID")
    return name
