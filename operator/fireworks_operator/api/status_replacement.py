"""What users read of a deployment that is being replaced: `status.replacement`."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from .base import SENTENCE_LENGTH, ApiModel, Schema, Time
from .formats import is_deployment_name
from .status_condition import Condition
from .status_parts import AddonStatus, DirectRouteSecret, LastAttempt, Replicas


class ReplacementPhase(StrEnum):
    """How far a replacement has come, and so which of the two deployments `status.replacement` is about."""

    PREPARING = "Preparing"
    """The successor is created and loads its addons; the present deployment serves."""
    DRAINING = "Draining"
    """The successor serves; its former deployment still answers those who know it by name."""
    DISCARDING = "Discarding"
    """The successor is no longer wanted and is deleted; the present deployment serves."""


class Replacement(ApiModel):
    """The second deployment of a resource while it is being replaced: the successor, later the former one."""

    phase: Annotated[
        ReplacementPhase,
        Schema(
            "Preparing: the successor is created while the present deployment serves. Draining: the successor serves, "
            "and this is the former deployment, which is deleted after until. Discarding: the successor is no longer "
            "wanted and is deleted.",
            max_length=64,
        ),
    ]
    start_time: Annotated[Time, Schema("When the phase began.")]
    until: Annotated[
        Time | None, Schema("When the former deployment is deleted at the earliest; only while Draining.")
    ] = None
    revision: Annotated[
        int, Schema("What the id of the successor was derived from, beside the resource's own name.", minimum=0)
    ]
    fields: Annotated[
        list[Annotated[str, Schema(max_length=128)]],
        Schema("The fields of the spec for whose sake it is replaced.", max_items=32, list_type="atomic"),
    ] = Field(default_factory=list)
    hand_backs: Annotated[
        int | None,
        Schema(
            "How often the successor has failed after it had taken over, so that the former deployment took over "
            "again. The pauses before the next try grow with it.",
            minimum=1,
        ),
    ] = None
    message: Annotated[str | None, Schema("What it waits for.", max_length=SENTENCE_LENGTH)] = None
    deployment_name: Annotated[
        str | None,
        Schema("The second deployment, accounts/ACCOUNT/deployments/ID; absent until it is claimed.", max_length=256),
    ] = None
    state: Annotated[str | None, Schema("Its state as reported by Fireworks.", max_length=64)] = None
    replicas: Annotated[Replicas | None, Schema("How many replicas it has, by stage.")] = None
    create_time: Annotated[Time | None, Schema("When it was created.")] = None
    created_from: Annotated[str | None, Schema("As status.createdFrom.", max_length=64)] = None
    applied_fields: Annotated[
        list[Annotated[str, Schema(max_length=128)]] | None,
        Schema("As status.appliedFields.", max_items=128, list_type="atomic"),
    ] = None
    addons: Annotated[list[AddonStatus] | None, Schema("The LoRA addons on it.", max_items=256, list_type="atomic")] = (
        None
    )
    direct_route_secret: Annotated[DirectRouteSecret | None, Schema("As status.directRouteSecret.")] = None
    last_attempt: Annotated[LastAttempt | None, Schema("As status.lastAttempt.")] = None
    recreations: Annotated[
        list[Annotated[Time, Schema()]] | None, Schema("As status.recreations.", max_items=3, list_type="atomic")
    ] = None
    observed_generation: Annotated[int, Schema("As status.observedGeneration.", minimum=-1)] = -1
    conditions: Annotated[
        list[Condition],
        Schema("Its conditions, as status.conditions.", max_items=16, list_type="map", list_map_keys=("type",)),
    ] = Field(default_factory=list)

    @field_validator("deployment_name")
    @classmethod
    def _names_a_deployment(cls, name: str | None) -> str | None:
        if name is not None and not is_deployment_name(name):
            raise ValueError("is not a name like accounts/ACCOUNT/deployments/ID")
        return name
