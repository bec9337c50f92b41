"""The field of the spec that asks for a router: a model identifier that survives the deployment."""

from typing import Annotated

from .base import ApiModel, Rule, Schema
from .formats import ROUTER_ID_PATTERN, matches


class Router(ApiModel):
    """A router at Fireworks that sends requests to the deployment of this resource."""

    id: Annotated[
        str,
        Schema(
            "The id of the router, up to 63 lowercase letters, digits and hyphens. Requests for the model "
            "accounts/ACCOUNT/routers/ID reach the deployment of this resource, also after it was replaced. A router "
            "that was not created for this resource is never changed, and the condition Stalled reports "
            "RouterConflict.",
            change="the router of the old id is deleted, and one of the new id is created.",
            wire="query parameter routerId of the request that creates the router",
            example="chat",
            min_length=1,
            max_length=63,
            rules=(
                Rule(
                    matches(ROUTER_ID_PATTERN),
                    "spec.router.id must be 1 to 63 lowercase letters, digits and hyphens, without a hyphen at either "
                    'end, such as "chat"',
                ),
            ),
        ),
    ]


class RouterFields(ApiModel):
    """The identifier of the deployment that survives it."""

    router: Annotated[
        Router | None,
        Schema(
            "A router that the operator keeps pointing at the deployment, so that applications need no other model "
            "identifier once the deployment is replaced. It is created when the deployment is first ready, and deleted "
            "with this resource unless the deployment stays.",
            default="no router.",
            change="takes effect immediately. If removed from the spec, the router is deleted.",
            wire="a router of its own, accounts/ACCOUNT/routers/ID",
            example="{id: chat}",
        ),
    ] = None
