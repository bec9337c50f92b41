"""Resource names of the Fireworks API (`accounts/A/deployments/D`) and the URL paths made of them."""

import re
from urllib.parse import quote

from .errors import ErrorKind, FireworksError

# No id of Fireworks has any of these; each would let a crafted id reach another path, verb or query (or, a lone
# surrogate, could not be sent at all).
_UNSAFE = re.compile(r"[\s\x00-\x1f\x7f/\\:%?#\ud800-\udfff]")


def is_resource_name(name: str, collection: str) -> bool:
    """Tell whether this is `accounts/A/COLLECTION/ID` with ids that are safe in a URL path."""
    parts = name.split("/")
    return (
        len(parts) == 4 and parts[0] == "accounts" and parts[2] == collection and _is_id(parts[1]) and _is_id(parts[3])
    )


def _is_id(text: str) -> bool:
    return text not in {"", ".", ".."} and text.isprintable() and not _UNSAFE.search(text)


def account_path(account: str) -> str:
    """Return `accounts/A`, percent-quoted.

    Raises:
        FireworksError: INVALID, for an account id that cannot be one.
    """
    if not _is_id(account):
        raise FireworksError(ErrorKind.INVALID, f"{account!r} is not an account id")
    return f"accounts/{quote(account, safe='')}"


def resource_path(name: str, collection: str) -> str:
    """Return `accounts/A/COLLECTION/ID`, each id percent-quoted.

    Raises:
        FireworksError: INVALID, for anything but a name of that collection; nothing has been sent.
    """
    if not is_resource_name(name, collection):
        raise FireworksError(ErrorKind.INVALID, f"{name!r} is not a name like accounts/A/{collection}/ID")
    return "/".join(quote(part, safe="") for part in name.split("/"))
