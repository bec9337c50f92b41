"""The auth-provider `oidc` of a kubeconfig: its id-token while that is valid. Renewing it is left to kubectl.

A refresh token may often be used only once: whoever uses it and does not write down the next one locks the user out.
"""

import base64
import json
import time

from .kubeconfig import AuthProvider, KubeconfigError


def id_token(provider: AuthProvider, user: str) -> str:
    """Return the token of an auth-provider.

    Raises:
        KubeconfigError: it is another provider than oidc, or there is no valid token.
    """
    if provider.name != "oidc":
        raise KubeconfigError(
            f'the user "{user}" has the `auth-provider` {provider.name!r}, which is not supported (kubectl dropped '
            "all but oidc): use a credential plugin (`exec`)"
        )
    token = (provider.config or {}).get("id-token", "")
    if not token:
        raise KubeconfigError(f'the user "{user}" has no id-token yet: run kubectl once, which signs in')
    ends = _ends_at(token)
    if ends is not None and ends <= time.time():
        raise KubeconfigError(
            f'the id-token of the user "{user}" has expired: run kubectl once, which renews it, or use a credential '
            "plugin (`exec`)"
        )
    return token


def _ends_at(token: str) -> float | None:
    """Return when a JWT ends, in seconds since 1970; None if it does not say."""
    try:
        _, claims, _ = token.split(".")
        content = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return None if content.get("exp") is None else float(content["exp"])
    except (ValueError, TypeError, AttributeError):
        return None
