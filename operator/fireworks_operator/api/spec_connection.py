"""The field of the spec that says where applications find how to reach the deployment."""

from typing import Annotated

from .base import ApiModel, Change, Rule, Schema
from .formats import OBJECT_NAME_PATTERN, matches


class Connection(ApiModel):
    """Where the operator writes what an application needs to send requests."""

    config_map_name: Annotated[
        str,
        Schema(
            "Name of a ConfigMap in the namespace of this resource, which the operator creates and keeps up to date: "
            "OPENAI_BASE_URL, OPENAI_MODEL, FIREWORKS_DEPLOYMENT, and FIREWORKS_ADDON_ID for each addon. It is deleted "
            "with this resource. One that exists already is left as it is, and a notice reports it. The API key is "
            "not in it.",
            change="the ConfigMap is written under the new name, and the one of the old name is deleted.",
            example="chat-connection",
            min_length=1,
            max_length=253,
            rules=(
                Rule(
                    matches(OBJECT_NAME_PATTERN),
                    "spec.connection.configMapName must be the name of a ConfigMap in the same namespace: lowercase "
                    'letters, digits, "-" and "."',
                ),
            ),
        ),
    ]


class ConnectionFields(ApiModel):
    """Where applications find how to reach the deployment."""

    connection: Annotated[
        Connection | None,
        Schema(
            "Where the operator writes what an application needs to send requests to the deployment. It needs the "
            "right to write ConfigMaps (chart value rbac.connectionConfigMaps).",
            default="nothing is written.",
            change=Change.POLICY,
        ),
    ] = None
