"""Request bodies of the admin API about an account's money, quotas and routers."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from fireworks_simulator.bodies import Body


class RouterBody(Body):
    """`POST /accounts/{account}/routers`: a router over deployments by id."""

    id: str = Field(min_length=1)
    deployments: list[str] = Field(min_length=1)
    auto_generated: bool = True


Price = Annotated[Decimal, Field(ge=0)]


class PricesBody(Body):
    """`PUT /prices`: dollars per GPU-hour by accelerator type, null for an unknown price."""

    prices: dict[str, Price | None]


class PricingPlanBody(Body):
    """`POST /accounts/{account}/pricingPlans`: what a contract says."""

    id: str = Field(min_length=1)
    prices: dict[str, Price] = Field(min_length=1)
