"""Names, a key and answers that the tests of the client share."""

import json
from collections.abc import Awaitable

import pytest

from fireworks_operator.fireworks.client import ApiKey
from fireworks_operator.fireworks.errors import FireworksError
from tests.unit.fireworks.raw_server import replies

SECRET = "fw_TestSecretOfTheClient"
KEY = ApiKey(SECRET)
NAME = "accounts/acme/deployments/chat"
ADDON = "accounts/acme/deployedModels/lora-abc"
ROUTER = "accounts/acme/routers/chat"

DEPLOYMENT = replies(200, json.dumps({"name": NAME, "baseModel": "accounts/fireworks/models/m", "state": "READY"}))
A_ROUTER = replies(200, json.dumps({"name": ROUTER}))
DEPLOYED_MODEL = replies(200, json.dumps({"name": ADDON}))
EMPTY = replies(200, "{}")


async def failure(call: Awaitable[object]) -> FireworksError:
    """Return the error that a call ends with, after a look that it does not show the key."""
    with pytest.raises(FireworksError) as caught:
        await call
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    return caught.value
