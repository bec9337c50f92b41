"""The part of the status about the ConfigMap that applications read."""

from typing import Annotated

from .base import SENTENCE_LENGTH, ApiModel, Schema


class ConnectionStatus(ApiModel):
    """The ConfigMap that the operator has written for applications."""

    config_map_name: Annotated[
        str | None, Schema("Name of the ConfigMap that was written; absent until one is.", max_length=253)
    ] = None
    pending_config_map_name: Annotated[
        str | None,
        Schema(
            "Name of a ConfigMap that is about to be written, or was written and the answer lost. Written down before, "
            "so that it is deleted if the spec names another one by then.",
            max_length=253,
        ),
    ] = None
    hash: Annotated[
        str | None,
        Schema("A hash of what was written, so that it is written again only if it changes.", max_length=64),
    ] = None
    message: Annotated[
        str | None, Schema("Why the ConfigMap of the spec is not written, if so.", max_length=SENTENCE_LENGTH)
    ] = None
