"""What users read of money: `status.cost`."""

from typing import Annotated

from pydantic import Field

from .base import ApiModel, Schema, Time

_AMOUNT = 32
"""Most characters of an amount of money."""


class MonthCost(ApiModel):
    """What the deployment has cost in one month."""

    name: Annotated[str, Schema("The month in UTC, as YEAR-MONTH.", example='"2026-11"', max_length=7)]
    gpu_seconds: Annotated[int, Schema("GPU-seconds in this month until asOf.", minimum=0)] = 0
    total: Annotated[str | None, Schema("US dollars for those of them whose price was known.", max_length=_AMOUNT)] = (
        None
    )


class Cost(ApiModel):
    """What the deployment costs by the price list. The invoice of Fireworks is what counts."""

    gpus: Annotated[int, Schema("GPUs that are billed now: those of the ready replicas.", minimum=0)] = 0
    hourly: Annotated[
        str | None, Schema("US dollars per hour now; absent if the price is not known.", max_length=_AMOUNT)
    ] = None
    gpu_ceiling: Annotated[int, Schema("GPUs of as many replicas as hourlyCeiling is for.", minimum=0)] = 0
    hourly_ceiling: Annotated[
        str | None,
        Schema(
            "US dollars per hour at most: with maxReplicaCount replicas, or maxWithRevocableReplicaCount where that is "
            "more; absent if the price is not known.",
            max_length=_AMOUNT,
        ),
    ] = None
    gpu_seconds: Annotated[
        int, Schema("GPU-seconds that were billed until asOf; since then, gpus are added every second.", minimum=0)
    ] = 0
    unpriced_gpu_seconds: Annotated[
        int | None, Schema("Those of gpuSeconds whose price was not known; they are not part of total.", minimum=0)
    ] = None
    total: Annotated[
        str | None,
        Schema(
            "US dollars until asOf, for all deployments of this resource. Until now it is total + hourly * hours since "
            "asOf.",
            max_length=_AMOUNT,
        ),
    ] = None
    month: Annotated[MonthCost, Schema("What of it falls into the current month.")] = Field(
        default_factory=lambda: MonthCost(name="")
    )
    as_of: Annotated[Time, Schema("When the cost per hour last changed, or the month began.")]
    estimated: Annotated[
        bool | None,
        Schema(
            "True if replicas may have come or gone while the operator could not see them, so that sums may be off."
        ),
    ] = None
