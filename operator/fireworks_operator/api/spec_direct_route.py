"""The fields of the spec about a direct route: an endpoint of the deployment's own, with API keys of its own."""

from typing import Annotated, ClassVar

from pydantic import Field

from .base import ApiModel, Change, Rule, Schema
from .formats import DATA_KEY_PATTERN, OBJECT_NAME_PATTERN, constant_rules, matches

MOST_KEYS = 16
"""API keys that a direct route may have here."""

_NAME = "spec.directRoute.apiKeysSecretRef.name"
_KEYS = "spec.directRoute.apiKeysSecretRef.keys"

DataKey = Annotated[
    str,
    Schema(
        max_length=253,
        rules=(
            Rule(
                matches(DATA_KEY_PATTERN),
                f'{_KEYS}[] must be a key of the Secret: letters, digits, "-", "_" and ".", such as "apiKey"',
            ),
        ),
    ),
]


class ApiKeysReference(ApiModel):
    """Where the API keys of a direct route are: keys of a Secret in the resource's own namespace."""

    name: Annotated[
        str,
        Schema(
            "Name of the Secret, in the namespace of this resource.",
            change="the API keys in the new Secret are sent to Fireworks.",
            example="chat-route",
            max_length=253,
            rules=(
                Rule(
                    matches(OBJECT_NAME_PATTERN),
                    f'{_NAME} must be the name of a Secret in the same namespace: lowercase letters, digits, "-" '
                    'and "."',
                ),
            ),
        ),
    ]
    keys: Annotated[
        list[DataKey],
        Schema(
            f"The keys of the Secret that hold one API key each, 1 to {MOST_KEYS}. An API key consists of 8 to 512 "
            "letters, digits and the characters - . _ ~ + / and =. All of them are valid at the same time.",
            default="[apiKey].",
            change="all API keys are sent to Fireworks again.",
            example="[current, next]",
            min_items=1,
            max_items=MOST_KEYS,
            list_type="set",
            stored_default=True,
        ),
    ] = Field(default_factory=lambda: ["apiKey"])


class DirectRoute(ApiModel):
    """An endpoint that bypasses Fireworks' API gateway (Fireworks documentation, direct routing)."""

    type: Annotated[
        str,
        Schema(
            "How the deployment is reached. Fireworks defines the valid values: INTERNET, GCP_PRIVATE_SERVICE_CONNECT "
            "and AWS_PRIVATELINK. The latter two have to be arranged with Fireworks.",
            change=Change.UPDATE,
            wire="directRouteType",
            example="INTERNET",
            max_length=64,
            rules=constant_rules("spec.directRoute.type", "INTERNET", "omit spec.directRoute for no direct route"),
        ),
    ]
    api_keys_secret_ref: Annotated[
        ApiKeysReference | None,
        Schema(
            "The Secret with the API keys that requests by the direct route must carry. They are a concept of their "
            "own: API keys of the account are not accepted there. Required with type INTERNET.",
            default="none.",
            change="updated in place, and whenever the Secret changes. If removed from the spec, all API keys that "
            "were set from here are removed.",
            wire="directRouteApiKeys",
            example="{name: chat-route}",
        ),
    ] = None

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.type != 'INTERNET' || has(self.apiKeysSecretRef)",
            "spec.directRoute.apiKeysSecretRef is required with the type INTERNET, which anybody can reach; name a "
            "Secret with API keys",
            ".apiKeysSecretRef",
        ),
    )


class DirectRouteFields(ApiModel):
    """Whether the deployment has a direct route."""

    direct_route: Annotated[
        DirectRoute | None,
        Schema(
            "An endpoint of the deployment's own, which bypasses Fireworks' API gateway; its address is in "
            "status.directRouteHandle. Requires an enterprise account and placement.region. Fireworks has deprecated "
            "direct routing: its gateway is as fast by now.",
            default="no direct route.",
            change="updated in place. If removed from the spec, the direct route and its API keys are removed.",
            example="{type: INTERNET, apiKeysSecretRef: {name: chat-route}}",
        ),
    ] = None
