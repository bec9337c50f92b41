"""Request bodies of the admin API about an account's money, quotas and routers."""

from pydantic import Field

from fireworks_simulator.bodies import Body


class RouterBody(Body):
    """`POST /accounts/{account}/routers`: a router over deployments by id."""

    id: str = Field(min_length=1)
    deployments: list[str] = Field(min_length=1)
    auto_generated: bool = True
