"""Message types of requests about an account's money, quotas and routers (Fireworks REST reference)."""

from fireworks_simulator.protojson import Field, Kind, Message

USAGE_TYPES = ("USAGE_TYPE_UNSPECIFIED", "SERVERLESS", "DEDICATED_DEPLOYMENT", "TRAINING")

_STRING = Field(Kind.STRING)
_STRINGS = Field(Kind.STRING, repeated=True)
_TIMESTAMP = Field(Kind.TIMESTAMP)

BILLING_USAGE_QUERY = Message(
    "gateway.GetAccountUsageRequest",
    {
        "name": _STRING,
        "startTime": _TIMESTAMP,
        "endTime": _TIMESTAMP,
        "usageType": Field(Kind.ENUM, values=frozenset(USAGE_TYPES)),
        "groupBy": _STRINGS,
        "timezone": _STRING,
        "filter": Field(Kind.MESSAGE, message=Message("gateway.FilterValues", {"values": _STRINGS}), mapped=True),
    },
)
