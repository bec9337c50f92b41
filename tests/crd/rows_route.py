"""What is accepted and refused: direct routes."""

from typing import Any

from tests.crd.row import Row

_PLACE = {"placement": {"region": "US_IOWA_1"}}


def _route(kind: str = "INTERNET", **reference: object) -> dict[str, Any]:
    """Return a direct route with this reference to a Secret, or without any."""
    named = {"apiKeysSecretRef": reference} if reference else {}
    return {**_PLACE, "directRoute": {"type": kind, **named}}


_NAME = "spec.directRoute.apiKeysSecretRef.name must be the name of a Secret in the same namespace"
_KEYS = "spec.directRoute.apiKeysSecretRef.keys"
_REGION = (
    "spec.placement.region is required with spec.directRoute, which leads to one region; set it, for example to "
    "US_IOWA_1, or remove spec.directRoute"
)

ROWS = [
    Row(
        "directRoute",
        _route(name="chat-route", keys=["current", "next"]),
        {**_PLACE, "directRoute": "INTERNET"},
        'spec.directRoute: Invalid value: "string"',
        reason="a direct route has API keys beside its type",
    ),
    Row(
        "directRoute, no type",
        _route("AWS_PRIVATELINK"),
        {**_PLACE, "directRoute": {}},
        "spec.directRoute.type: Required value",
        reason="there is no default; over private networks, API keys are optional",
    ),
    Row(
        "directRoute, format of type",
        _route("OF_NEXT_YEAR"),
        _route("internet", name="chat-route"),
        "spec.directRoute.type must be a Fireworks constant in uppercase such as INTERNET; omit spec.directRoute for "
        "no direct route",
        reason="which ones exist, Fireworks decides",
    ),
    Row(
        "directRoute, unspecified",
        {},
        _route("DIRECT_ROUTE_TYPE_UNSPECIFIED"),
        "spec.directRoute.type must be a Fireworks constant",
        reason="leaving a field open is said by leaving it out",
    ),
    Row(
        "directRoute, length of type",
        _route("A" * 64),
        _route("A" * 65),
        "spec.directRoute.type: Too long: may not be more than 64",
        reason="every text is bounded",
    ),
    Row(
        "directRoute, INTERNET without API keys",
        _route(name="chat-route"),
        _route("INTERNET"),
        "spec.directRoute.apiKeysSecretRef is required with the type INTERNET, which anybody can reach; name a Secret "
        "with API keys",
        reason="nobody may find a model open to all that was meant for some",
    ),
    Row(
        "directRoute, group of regions",
        {},
        {**_route(name="chat-route"), "placement": {"multiRegion": "US"}},
        _REGION,
        reason="Fireworks asks for one region",
    ),
    Row("directRoute, anywhere", {}, {"directRoute": _route(name="r")["directRoute"]}, _REGION, reason="so it does"),
    Row("directRoute, name", _route(name="a.b-1"), _route(name="Chat"), _NAME, reason="no Secret has such a name"),
    Row("directRoute, empty name", {}, _route(name=""), _NAME, reason="a Secret has a name"),
    Row(
        "directRoute, length of name",
        _route(name="x" * 253),
        _route(name="x" * 254),
        "spec.directRoute.apiKeysSecretRef.name: Too long: may not be more than 253",
        reason="no Secret has a longer name",
    ),
    Row(
        "directRoute, no name",
        {},
        _route(keys=["apiKey"]),
        "spec.directRoute.apiKeysSecretRef.name: Required value",
        reason="there is no default",
    ),
    Row(
        "directRoute, keys",
        _route(name="chat-route", keys=["api.key_1-a"]),
        _route(name="chat-route", keys=["fw_key with blanks"]),
        f'{_KEYS}[] must be a key of the Secret: letters, digits, "-", "_" and ".", such as "apiKey"',
        reason="they name the entries of the Secret, and are no API keys",
    ),
    Row(
        "directRoute, most keys",
        _route(name="chat-route", keys=[f"k{number}" for number in range(16)]),
        _route(name="chat-route", keys=[f"k{number}" for number in range(17)]),
        f"{_KEYS}: Too many: 17: must have at most 16 items",
        reason="every list is bounded",
    ),
    Row(
        "directRoute, fewest keys",
        {},
        _route(name="chat-route", keys=[]),
        f"{_KEYS} in body should have at least 1 items",
        reason="a reference to no key says nothing",
    ),
    Row(
        "directRoute, same key twice",
        {},
        _route(name="chat-route", keys=["a", "a"]),
        f"{_KEYS}[1]: Duplicate value",
        reason="it is a set",
    ),
    Row(
        "directRoute, length of a key",
        _route(name="chat-route", keys=["k" * 253]),
        _route(name="chat-route", keys=["k" * 254]),
        f"{_KEYS}[0]: Too long: may not be more than 253",
        reason="no entry of a Secret has a longer name",
    ),
]
