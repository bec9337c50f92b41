"""Every setting of the simulator: accounts, timing and the assumptions about the real service."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from fireworks_simulator.assumptions import AccountAssumptions


class Assumptions(AccountAssumptions):
    """One switch for each thing that is not known for sure about the real service.

    The defaults are the likeliest reading of the public documentation and of third-party observations. Tests
    flip a switch to prove that a client lives with the other reading too.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    accelerator_required: bool = Field(
        default=True,
        description="Refuse a create that names neither an accelerator nor a shape (embedding models excepted). "
        "Off: NVIDIA_A100_80GB is used, as older documentation says.",
    )
    shapeless_risk_required: bool = Field(
        default=True,
        description="Refuse a create without a shape unless acceptShapelessRisk=true (embedding models excepted).",
    )
    shape_overrides: Literal["accept", "refuse"] = Field(
        default="accept",
        description="A field that differs from a shape given by name overrides it, or 400 code 3 as with a word.",
    )
    multi_lora_drops_shape: bool = Field(
        default=False,
        description="A create with enableAddons=true loses its deploymentShape without a word, and keeps the hardware.",
    )
    leading_digit_ids: bool = Field(default=True, description="Accept ids that begin with a digit.")
    create_parked: bool = Field(
        default=True,
        description="maxReplicaCount 0 at create means parked. Off: it counts as unset, hence max(min, 1).",
    )
    zero_is_absent_on_create: bool = Field(
        default=True,
        description="A zero, false or empty field of a create counts as unset, as in proto3 without presence "
        "(maxReplicaCount is what create-parked says). Off: it counts as given.",
    )
    emit_zero_values: bool = Field(
        default=False,
        description="Print zero, false and empty fields in answers (four replica and addon fields always are).",
    )
    materialise_autoscaling_defaults: bool = Field(
        default=False,
        description="Print the default windows and load target in autoscalingPolicy where the user set none.",
    )
    immutable_patch: Literal["refuse", "ignore"] = Field(
        default="refuse",
        description="PATCH that changes an immutable field: 400 code 3, or 200 without effect.",
    )
    accelerator_type_updatable: bool = Field(default=False, description="PATCH may change acceleratorType.")
    bound_changes_roll_out: bool = Field(
        default=False,
        description="A PATCH of replica bounds alone passes through UPDATING.",
    )
    scale_out_of_bounds: Literal["clamp", "refuse"] = Field(
        default="clamp",
        description=":scale outside the replica bounds: clamp, or 400 code 3.",
    )
    default_deployment_check: bool = Field(
        default=True,
        description="Refuse DELETE of the default deployment of a model that has other deployments.",
    )
    ignore_checks_covers_default: bool = Field(
        default=True,
        description="ignoreChecks=true also skips the default-deployment check.",
    )
    delete_with_addons: Literal["refuse", "unload"] = Field(
        default="refuse",
        description="DELETE of a deployment with loaded addons: 400 code 9, or the addons go with it.",
    )
    delete_of_deleted: Literal["not-found", "ok"] = Field(
        default="not-found",
        description="Soft DELETE of a deployment in DELETING or DELETED: 404 code 5, or 200 without effect.",
    )
    undelete_state: Literal["CREATING", "UPDATING"] = Field(
        default="CREATING",
        description="State that :undelete answers with; READY follows when the replicas are up.",
    )
    auto_delete: Literal["soft", "hard"] = Field(
        default="soft",
        description="How a deployment with minReplicaCount 0 goes after 7 days without requests.",
    )
    addons_while_deleting: Literal["undeploying", "gone"] = Field(
        default="undeploying",
        description="Addons of a deployment in DELETING: UNDEPLOYING as long as that lasts, or gone at once.",
    )
    schedule_below_minimum: Literal["override", "ignore"] = Field(
        default="override",
        description="An active scaling schedule with fewer replicas than minReplicaCount lowers the floor, or not.",
    )
    schedules_of_parked: Literal["accept", "refuse"] = Field(
        default="accept",
        description="Scaling schedules with replicas while maxReplicaCount is 0: kept without effect, or 400 code 3.",
    )
    direct_route_needs_region: bool = Field(
        default=True,
        description="Refuse directRouteType without placement.region.",
    )
    direct_route_api_keys_readable: bool = Field(
        default=False,
        description="Print directRouteApiKeys in answers.",
    )
    quota_status: Literal["429", "403", "400"] = Field(
        default="429",
        description="HTTP status of a quota refusal (codes 8, 7 and 9).",
    )
    quota_before_exists: bool = Field(
        default=False,
        description="Check the quota before the id: a create repeated after a lost answer may see the quota.",
    )
    validate_only_checks_quota: bool = Field(default=True, description="validateOnly=true checks the quota.")
    missing_model_status: Literal["404", "400"] = Field(
        default="404",
        description="HTTP status of a create for a model that does not exist or is not readable.",
    )
    missing_shape_status: Literal["404", "400"] = Field(
        default="404",
        description="HTTP status of a create with a deployment shape that does not exist.",
    )
    unprepared_precision: Literal["refuse", "fail"] = Field(
        default="refuse",
        description="A precision that the model was not prepared for: 400 code 3, or the deployment ends FAILED.",
    )
    state_while_preparing: Literal["READY", "PREPARING"] = Field(
        default="READY",
        description="State of a model that is being prepared for a precision; it can be deployed meanwhile.",
    )
    foreign_account_status: Literal["403", "404"] = Field(
        default="403",
        description="HTTP status for a path of an account that the key does not belong to.",
    )
    inference_only_key_status: Literal["401", "403"] = Field(
        default="401",
        description="HTTP status when an inference-only key calls the control plane.",
    )
    suspension_blocks_control_plane: bool = Field(
        default=True,
        description="A suspended account gets 412 from the control plane too, not from inference alone.",
    )
    parked_inference_status: Literal["404", "503"] = Field(
        default="404",
        description="Inference to a deployment with maxReplicaCount 0.",
    )
    creating_inference_status: Literal["404", "503"] = Field(
        default="404",
        description="Inference to a deployment that is still CREATING.",
    )
    routing_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Virtual seconds for which inference answers 404 after the first replica or addon is ready.",
    )
    load_while_not_ready: Literal["accept", "refuse"] = Field(
        default="accept",
        description="Loading an addon without a ready replica: it stays DEPLOYING until there is one, or 400.",
    )
    list_lag_seconds: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Virtual seconds by which every LIST of deployments lags behind.",
    )
    retry_after: bool = Field(
        default=False,
        description="Send Retry-After with 429 and with 503 DEPLOYMENT_SCALING_UP.",
    )
    rate_limit_per_minute: int = Field(
        default=0,
        ge=0,
        description="Requests per real minute and account, control plane and inference together; 0 = no limit.",
    )


class Timing(BaseModel):
    """How long things take, in virtual seconds."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    pending: float = Field(default=5.0, ge=0, allow_inf_nan=False, description="A replica waits for its node.")
    downloading: float = Field(default=35.0, ge=0, allow_inf_nan=False, description="It downloads the model.")
    initializing: float = Field(default=20.0, ge=0, allow_inf_nan=False, description="It starts the server.")
    updating: float = Field(
        default=30.0, ge=0, allow_inf_nan=False, description="A changed serving configuration rolls out."
    )
    deleting: float = Field(
        default=10.0, ge=0, allow_inf_nan=False, description="A deployment passes through DELETING."
    )
    addon: float = Field(
        default=15.0, ge=0, allow_inf_nan=False, description="An addon is loaded into, or unloaded from, a deployment."
    )
    preparing: float = Field(
        default=60.0, ge=0, allow_inf_nan=False, description="A model is prepared for a precision."
    )
    router: float = Field(default=5.0, ge=0, allow_inf_nan=False, description="A router is created or changed.")

    @property
    def startup(self) -> float:
        """Virtual seconds from the start of a replica until it serves."""
        return self.pending + self.downloading + self.initializing


ACCOUNT_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
"""Ids that an account may have here; older ones of Fireworks have capital letters."""


class AccountSettings(BaseModel):
    """An account that exists from the start, with one API key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(default="acme", pattern=ACCOUNT_ID)
    api_key: str = Field(default="fw_simulator", repr=False)


class Settings(BaseModel):
    """Everything that a simulator is started with."""

    model_config = ConfigDict(extra="forbid")

    accounts: tuple[AccountSettings, ...] = (AccountSettings(),)
    seed: int = Field(default=0, description="Seed of generated ids and of probabilities.")
    speed: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="Virtual seconds per real second.")
    stepped: bool = Field(default=False, description="The virtual clock moves only when told to.")
    admin: bool = Field(default=True, description="Serve the admin API under /_simulator.")
    journal_size: int = Field(default=100_000, ge=1, description="Requests that the journal remembers.")
    gpu_quota: int | None = Field(
        default=None, ge=0, description="GPUs of each type that an account may use; absent: any number."
    )
    prices: dict[str, Annotated[Decimal, Field(ge=0)]] = Field(
        default_factory=dict, description="US dollars per GPU-hour by accelerator type, instead of published ones."
    )
    timing: Timing = Field(default_factory=Timing)
    assumptions: Assumptions = Field(default_factory=Assumptions)
