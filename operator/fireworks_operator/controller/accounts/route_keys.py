"""The API keys of direct routes, from the Secrets that resources name."""

import re
from dataclasses import dataclass

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ApiKeysReference, DirectRouteSecret, FireworksDeployment
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.decisions.direct_route import keys_to_read
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.ports import SecretExcerpt, SecretForbiddenError, SecretReader

# What can stand behind "Bearer" (RFC 6750), and is too long to be guessed at once.
_API_KEY = re.compile(rb"[A-Za-z0-9._~+/=-]{8,512}")


@dataclass(frozen=True, slots=True)
class RouteKeys:
    """The API keys of a direct route, and the version of the Secret that they are from."""

    secret: DirectRouteSecret
    keys: tuple[ApiKey, ...]


async def read_route_keys(secrets: SecretReader, resource: FireworksDeployment) -> RouteKeys | Unusable | None:
    """Return the API keys that a resource names for its direct route, or why they are of no use; None if it names none.

    Raises:
        KubernetesUnavailableError: the Secret cannot be read now.
    """
    reference, namespace = keys_to_read(resource), resource.metadata.namespace
    if reference is None:
        return None
    try:
        secret = await secrets.read(namespace, reference.name, tuple(reference.keys))
    except SecretForbiddenError:
        return Unusable(
            Reason.CREDENTIALS_MISSING,
            f'The operator is not allowed to read the Secret "{reference.name}" of spec.directRoute: grant its service '
            f'account permission to get Secrets in namespace "{namespace}".',
        )
    if secret is None:
        literals = " ".join(f"--from-literal={key}=YOUR_KEY" for key in reference.keys)
        return Unusable(
            Reason.CREDENTIALS_MISSING,
            f'The Secret "{reference.name}" of spec.directRoute does not exist: kubectl create secret generic '
            f"{reference.name} --namespace {namespace} {literals}",
        )
    return _keys_in(secret, reference)


def _keys_in(secret: SecretExcerpt, reference: ApiKeysReference) -> RouteKeys | Unusable:
    keys: dict[ApiKey, None] = {}
    for key in reference.keys:
        value = secret.values.get(key, b"")
        text = None if value is None else value.strip()
        if text == b"":
            return Unusable(
                Reason.CREDENTIALS_MISSING,
                f'The Secret "{reference.name}" of spec.directRoute has no value under "{key}" (it has: {secret.has}): '
                "put an API key there, or correct spec.directRoute.apiKeysSecretRef.keys.",
            )
        if text is None or not _API_KEY.fullmatch(text):
            return Unusable(
                Reason.CREDENTIALS_INVALID,
                f'The Secret "{reference.name}" of spec.directRoute does not hold an API key under "{key}": an API key '
                "of a direct route consists of 8 to 512 letters and digits, and the characters - . _ ~ + / and =.",
            )
        keys[ApiKey(text.decode())] = None
    version = DirectRouteSecret(
        name=reference.name, keys=list(reference.keys), uid=secret.uid, resource_version=secret.resource_version
    )
    return RouteKeys(version, tuple(keys))
