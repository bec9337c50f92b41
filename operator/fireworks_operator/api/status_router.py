"""The part of the status about the router of spec.router."""

from typing import Annotated

from .base import ApiModel, Schema, Time


class RouterStatus(ApiModel):
    """The router that the operator has created, or is about to create."""

    name: Annotated[
        str,
        Schema(
            "Its name, accounts/ACCOUNT/routers/ID, which is also the value of model in an inference request. Written "
            "before it is created.",
            max_length=256,
        ),
    ]
    state: Annotated[
        str | None,
        Schema(
            "Its state as reported by Fireworks: CREATING, READY, UPDATING or DELETING; absent until it is known to "
            "exist.",
            max_length=64,
        ),
    ] = None
    deployment: Annotated[
        str | None,
        Schema("The deployment of this resource that it sends requests to.", max_length=256),
    ] = None
    create_time: Annotated[Time | None, Schema("When it was created; absent until it is known to exist.")] = None
    request_time: Annotated[
        Time | None,
        Schema("When its creation was last requested; absent once it is known to exist."),
    ] = None
