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
    billing_summary_unit: Literal["hour", "second"] = Field(
        default="hour", description="Unit of quantity and unitAmount of deployments in billing/summary."
    )
    usage_costs_of_deployments: bool = Field(
        default=False,
        description="usageCosts:query counts deployments too, not serverless inference alone.",
    )
    usage_costs_lag_seconds: float = Field(
        default=86_400.0,
        ge=0,
        allow_inf_nan=False,
        description="Virtual seconds after which usage appears in usageCosts:query.",
    )
    pricing_plans_without_contract: Literal["empty", "403"] = Field(
        default="empty", description="pricingPlans of an account without a contract: an empty list, or 403."
    )
    router_multi_region_only: bool = Field(
        default=True, description="A router refuses deployments that are pinned to a single region."
    )
    router_one_model: bool = Field(default=True, description="A router refuses deployments of different base models.")
    delete_with_router: Literal["ok", "refuse"] = Field(
        default="ok",
        description="DELETE of a deployment that a router names: it goes and the router keeps its name, or 400 code 9.",
    )
    region_price_factor: float = Field(
        default=1.5, ge=0, allow_inf_nan=False, description="What region and regions do to the price of a GPU-hour."
    )
    region_group_price_factor: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="What a multiRegion other than GLOBAL does to the price of a GPU-hour.",
    )
    quota_preset: Literal["unlimited", "new-account"] = Field(
        default="unlimited",
        description="Quotas that nobody has set: any number, or those of a new account, with GPUs in GLOBAL alone.",
    )
    new_account_gpus: int = Field(
        default=8, ge=0, description="GPUs of each type that a new account may use in GLOBAL; 16 was seen too."
    )
    new_account_spend_limit: int = Field(
        default=50, ge=0, description="Dollars that a new account may spend a month, its monthly-spend-usd."
    )
    quota_counts: Literal["desired", "maximum"] = Field(
        default="desired",
        description="A quota counts the replicas that a deployment wants now, or maxReplicaCount.",
    )
    spend_limit_suspends: bool = Field(
        default=True,
        description="An account that spent its monthly-spend-usd is suspended until the month ends.",
    )
    depleted_status: Literal["412", "402"] = Field(
        default="412", description="HTTP status of all requests of an account in CREDIT_DEPLETED."
    )
    metrics_rate_limit_per_minute: int = Field(
        default=6, ge=0, description="Scrapes of metrics per virtual minute and account; 0 = no limit."
    )
    metrics_refresh_seconds: float = Field(
        default=30.0, ge=0, allow_inf_nan=False, description="Virtual seconds between refreshes of metrics."
    )
    metrics_series: Literal["serving", "all"] = Field(
        default="serving", description="Metrics have series of deployments with a ready replica, or of all."
    )
    shards_per_group: int = Field(
        default=1, ge=1, description="In how many regions of a multiRegion a deployment has its replicas."
    )
