"""Request bodies of the admin API."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from fireworks_simulator.entities import INTERNAL_ERROR
from fireworks_simulator.settings import ACCOUNT_ID

Role = Literal["admin", "user", "contributor", "inference-user", "inference-only"]


class Body(BaseModel):
    """Camel-case names on the wire; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class ClockBody(Body):
    """`PATCH /clock`."""

    speed: float | None = Field(default=None, gt=0)
    stepped: bool | None = None


class AdvanceBody(Body):
    """`POST /clock/advance`: virtual seconds."""

    seconds: float = Field(ge=0)


class AccountEdit(Body):
    """`PATCH /accounts/{account}`."""

    suspend_state: Literal[
        "UNSUSPENDED", "FAILED_PAYMENTS", "CREDIT_DEPLETED", "MONTHLY_SPEND_LIMIT_EXCEEDED", "BLOCKED_BY_ABUSE_RULE"
    ]


class AccountBody(Body):
    """`POST /accounts`: an account with a key."""

    id: str = Field(pattern=ACCOUNT_ID)
    api_key: str = Field(min_length=1, repr=False)
    role: Role = "admin"


class WorldBody(Body):
    """`POST /worlds`: an account with a key and a world of its own."""

    id: str = Field(pattern=ACCOUNT_ID)
    api_key: str = Field(min_length=1, repr=False)


class KeyBody(Body):
    """`POST /accounts/{account}/keys`: one more key."""

    api_key: str = Field(min_length=1, repr=False)
    role: Role = "admin"


class QuotaBody(Body):
    """`PUT /accounts/{account}/quotas/{quota}`: GPUs."""

    value: int = Field(ge=0)


class BulkBody(Body):
    """`POST /accounts/{account}/deployments`: deployments that someone else has, READY at once."""

    count: int = Field(default=1, ge=1, le=100_000)
    prefix: str = Field(default="foreign", pattern=r"^[a-z][a-z0-9-]*$")
    fields: dict[str, JsonValue] = Field(default_factory=dict, description="Fields of each, on the wire's terms.")


class DeploymentEdit(Body):
    """`PATCH /accounts/{account}/deployments/{deployment}`: configuration and state, unchecked."""

    fields: dict[str, JsonValue] = Field(default_factory=dict)
    clear: list[str] = Field(default_factory=list, description="Fields to remove.")
    state: str | None = None
    status_code: str | None = None
    status_message: str | None = None
    termination_message: str | None = None
    ready_replicas: int | None = Field(default=None, ge=0)
    stocked_out: bool | None = None
    lost_replicas: int = Field(default=0, ge=0, description="As many that serve lose their nodes and begin anew.")
    shown_state: str | int | None = Field(
        default=None, description="What answers say its state is, known or not, until `state` is forced."
    )


class TrafficBody(Body):
    """`POST …/traffic`: when the last request was."""

    seconds_ago: float = Field(default=0.0, ge=0)


class LoadBody(Body):
    """`PUT …/load`: steady load, counted in replicas."""

    replicas: float = Field(ge=0)


class FailBody(Body):
    """`POST …/fail`."""

    message: str = INTERNAL_ERROR
    termination_message: str = ""
