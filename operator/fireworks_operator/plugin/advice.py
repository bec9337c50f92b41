"""What to do about an error of Fireworks, in words."""

from collections.abc import Callable
from typing import Final

from fireworks_operator.fireworks.errors import ErrorKind, FireworksError

_NETWORK: Final = "Check FIREWORKS_BASE_URL and the network."
_OF_THE_KEY: Final = {
    ErrorKind.UNAUTHENTICATED: "a valid API key",
    ErrorKind.PERMISSION_DENIED: "an API key with the role user or admin",
}
_WAYS_OUT: Final = {
    ErrorKind.SUSPENDED: "Resolve the billing issue at https://fireworks.ai/account/billing.",
    ErrorKind.RATE_LIMITED: "Try again in a minute.",
    ErrorKind.UNREACHABLE: _NETWORK,
    ErrorKind.NO_ANSWER: _NETWORK,
    ErrorKind.WRONG_ENDPOINT: _NETWORK,
    ErrorKind.PROTOCOL: _NETWORK,
}


def explain(error: FireworksError) -> str:
    """Say what went wrong and what to do about it."""
    words = str(error).rstrip(".")
    return f"Fireworks: {words}. {way_out(error)}".rstrip()


def own_key_replaced_by(key: str) -> str:
    """Say how to use another key than the one of the environment; `key` says which one."""
    return f"Set FIREWORKS_API_KEY to {key}."


def way_out(error: FireworksError, replaced_by: Callable[[str], str] = own_key_replaced_by) -> str:
    """Say what to do about an error; empty where nothing is known to help.

    Args:
        error: what Fireworks said.
        replaced_by: says how to use another API key.
    """
    if error.advice:
        return f"{error.advice}."
    key = _OF_THE_KEY.get(error.kind)
    return _WAYS_OUT.get(error.kind, "") if key is None else replaced_by(key)
