"""Resource names of the Fireworks API (`accounts/A/deployments/D`) and the URL paths made of them."""

import re
from urllib.parse import quote

from .errors import ErrorKind, FireworksError

_LONGEST_NAME = 256
"""Characters of a whole resource name, and of what is quoted of one in an error."""
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# No id of Fireworks has any of these; each would let a crafted id reach another path, verb or query (or, a lone
# surrogate, could not be sent at all).
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f/\\:%?#\ud800-\udfff]")


def is_resource_name(name: str, collection: str) -> bool:
    """Tell whether this is `accounts/A/COLLECTION/ID` with ids that are safe in a URL path."""
    if len(name) > _LONGEST_NAME:
        return False
    parts = name.split("/")
    return (
        len(parts) == 4 and parts[0] == "accounts" and parts[2] == collection and _is_id(parts[1]) and _is_id(parts[3])
    )


def is_account_id(text: str) -> bool:
    """Tell whether this can be the id of an account: 1 to 128 letters, digits, `.`, `_` and `-`."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def _is_id(text: str) -> bool:
    return text not in {"", ".", ".."} and text.isprintable() and not _UNSAFE.search(text)


def account_path(account: str) -> str:
    """Return `accounts/A`, percent-quoted.

    Raises:
        FireworksError: INVALID, for an account id that cannot be one.
    """
    if len(account) > _LONGEST_NAME or not _is_id(account):
        raise FireworksError(ErrorKind.INVALID, f"{account[:_LONGEST_NAME]!r} is not an account id")
    return f"accounts/{quote(account, safe='')}"


def resource_path(name: str, collection: str) -> str:
    """Return `accounts/A/COLLECTION/ID`, each id percent-quoted.

    Raises:
        FireworksError: INVALID, for anything but a name of that collection; nothing has been sent.
    """
    if not is_resource_name(name, collection):
        raise FireworksError(
            ErrorKind.INVALID, f"{name[:_LONGEST_NAME]!r} is not a name like accounts/A/{collection}/ID"
        )
    return "/".join(quote(part, safe="") for part in name.split("/"))
