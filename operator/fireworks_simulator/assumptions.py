"""Switches for what is not known for sure about money, quotas, metrics and routers of the real service."""

from typing import Literal

from pydantic import BaseModel, Field


class AccountAssumptions(BaseModel):
    """The part of the assumptions that concerns an account rather than a deployment."""

    billing_tags: Literal["custom", "bare"] = Field(
        default="custom",
        description="Usage is grouped by team, project and environment of annotations custom/KEY, or of bare ones.",
    )
    billing_deployment_id: Literal["name", "id"] = Field(
        default="name",
        description="deploymentId of a usage row: the full name of the deployment, or its last part.",
    )
    billing_grouped_rows: Literal["bare", "full"] = Field(
        default="bare",
        description="Usage rows of a query with groupBy: only their group and sum, or all fields as without groupBy.",
    )
    billing_group_by_limit: int = Field(
        default=0, ge=0, description="How many groupBy a usage query may have; 0 = any number."
    )
    billing_whole_days: bool = Field(
        default=False, description="Usage queries count whole days, not from startTime to endTime exactly."
    )
    billing_lag_seconds: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Virtual seconds after which usage appears in bills."
    )
    grouped_usage_admin_only: bool = Field(
        default=False, description="A usage query with groupBy needs an administrator's key."
    )
    bill_preemptible: bool = Field(default=True, description="Ready replicas of preemptible deployments are billed.")
    router_multi_region_only: bool = Field(
        default=True, description="A router refuses deployments that are pinned to a single region."
    )
    router_one_model: bool = Field(default=True, description="A router refuses deployments of different base models.")
    delete_with_router: Literal["ok", "refuse"] = Field(
        default="ok",
        description="DELETE of a deployment that a router names: it goes and the router keeps its name, or 400 code 9.",
    )
