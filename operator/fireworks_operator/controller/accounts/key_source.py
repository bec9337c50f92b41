"""Which API key a resource brings: that of its Secret, or the operator's own."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, SecretKeyReference
from fireworks_operator.core.context import Unusable
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.key_form import odd_form
from fireworks_operator.fireworks.names import is_account_id
from fireworks_operator.ports import ACCOUNT_ID_KEY, SecretExcerpt, SecretForbiddenError, SecretReader

REREAD_SECONDS = 15.0
"""A Secret whose key does not work is read past the cache at most this often."""


@dataclass(frozen=True, slots=True)
class OwnCredential:
    """The operator's own API key, the account it is for (None: found out), and who may use it (None: everyone)."""

    api_key: ApiKey | None = None
    account: str | None = None
    namespaces: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An API key, the account that is named beside it, and whether it is the operator's own."""

    api_key: ApiKey
    account: str | None
    own: bool


_Reference = tuple[str, str, str]
"""Namespace, name and key of a Secret."""


class KeySource:
    """Finds the API keys that resources name, and remembers which key of a Secret worked last."""

    def __init__(self, secrets: SecretReader, own: OwnCredential, clock: Callable[[], float]) -> None:
        """Start without having read anything."""
        self._secrets = secrets
        self._own = own
        self._clock = clock
        self._references: dict[str, _Reference] = {}
        self._reread_at: dict[tuple[str, str], float] = {}
        self._worked: dict[_Reference, Found] = {}

    async def find(self, resource: FireworksDeployment, *, fresh: bool) -> Found | Unusable:
        """Return the key that a resource refers to from now on, or why there is none; `fresh` bypasses the cache.

        Raises:
            KubernetesUnavailableError: the Secret cannot be read now.
        """
        self._refer(resource)
        reference = resource.spec.credentials_secret_ref
        namespace = resource.metadata.namespace
        if reference is None:
            return self._own_key(namespace)
        try:
            secret = await self._secrets.read(namespace, reference.name, (reference.key, ACCOUNT_ID_KEY), fresh=fresh)
        except SecretForbiddenError:
            return Unusable(
                Reason.CREDENTIALS_MISSING,
                f'The operator is not allowed to read the Secret "{reference.name}": grant its service account '
                f'permission to get Secrets in namespace "{namespace}".',
            )
        return _read_secret(namespace, reference, secret)

    def begin_reread(self, resource: FireworksDeployment) -> bool:
        """Tell whether the resource's Secret may be read past the cache now, and note that it is."""
        reference = resource.spec.credentials_secret_ref
        if reference is None:
            return False
        now, secret = self._clock(), (resource.metadata.namespace, reference.name)
        if now - self._reread_at.get(secret, float("-inf")) < REREAD_SECONDS:
            return False
        self._reread_at[secret] = now
        return True

    def works(self, ref: str, found: Found) -> None:
        """Remember that Fireworks has accepted what a resource's Secret holds."""
        reference = self._references.get(ref)
        if reference is not None:
            self._worked[reference] = found

    def last_that_worked(self, ref: str) -> Found | None:
        """Return the key that a resource's Secret held when it worked last: it often goes before its resources."""
        reference = self._references.get(ref)
        return None if reference is None else self._worked.get(reference)

    def forget(self, ref: str) -> None:
        """Forget which Secret a resource refers to, since it is gone."""
        self._references.pop(ref, None)

    def remembered(self) -> Collection[Found]:
        """Return the keys that worked last."""
        return self._worked.values()

    def free_unused(self) -> None:
        """Forget the keys of Secrets that no resource refers to any more."""
        references = set(self._references.values())
        self._worked = {each: found for each, found in self._worked.items() if each in references}
        named = {(namespace, name) for namespace, name, _ in references}
        self._reread_at = {each: at for each, at in self._reread_at.items() if each in named}

    def _refer(self, resource: FireworksDeployment) -> None:
        reference = resource.spec.credentials_secret_ref
        if reference is None:
            self._references.pop(resource.ref, None)
        else:
            self._references[resource.ref] = (resource.metadata.namespace, reference.name, reference.key)

    def _own_key(self, namespace: str) -> Found | Unusable:
        own = self._own
        if own.api_key is None:
            return Unusable(
                Reason.CREDENTIALS_MISSING,
                "The operator has no API key of its own: set spec.credentialsSecretRef to a Secret with the key "
                "apiKey, or start the operator with FIREWORKS_API_KEY.",
            )
        if own.namespaces is not None and namespace not in own.namespaces:
            return Unusable(
                Reason.CREDENTIALS_NOT_ALLOWED,
                f'The namespace "{namespace}" is not allowed to use the operator\'s own API key: set '
                "spec.credentialsSecretRef, or have the namespace added to the operator's setting "
                "credentialNamespaces.",
            )
        return Found(own.api_key, own.account, own=True)


def _read_secret(namespace: str, reference: SecretKeyReference, secret: SecretExcerpt | None) -> Found | Unusable:
    if secret is None:
        return Unusable(
            Reason.CREDENTIALS_MISSING,
            f'The Secret "{reference.name}" does not exist: kubectl create secret generic {reference.name} '
            f"--namespace {namespace} --from-literal={reference.key}=YOUR_API_KEY",
        )
    value, named = secret.values.get(reference.key, b""), secret.values.get(ACCOUNT_ID_KEY, b"")
    if value is not None and not value.strip():
        return Unusable(
            Reason.CREDENTIALS_MISSING,
            f'The Secret "{reference.name}" has no value under "{reference.key}" (it has: {secret.has}): put the API '
            "key there, or set the correct key in spec.credentialsSecretRef.key.",
        )
    odd = odd_form(value.decode(errors="replace")) if value is not None else None
    if odd is not None:
        return Unusable(
            Reason.CREDENTIALS_INVALID,
            f'The Secret "{reference.name}" does not hold an API key under "{reference.key}": {odd}.',
        )
    try:
        api_key = ApiKey(_text(value))
    except ValueError:
        return Unusable(
            Reason.CREDENTIALS_INVALID,
            f'The Secret "{reference.name}" does not hold an API key under "{reference.key}": a key consists of at '
            "most 512 printable ASCII characters without spaces, such as fw_….",
        )
    try:
        account = _text(named).strip() or None
    except ValueError:
        account = ""
    if account is not None and not is_account_id(account):
        return Unusable(
            Reason.CREDENTIALS_INVALID,
            f'The Secret "{reference.name}" does not hold a valid account id under "{ACCOUNT_ID_KEY}": an account id '
            "consists of 1 to 128 letters, digits and hyphens. Correct it, or remove it to have the operator look up "
            "the account.",
        )
    return Found(api_key, account, own=False)


def _text(value: bytes | None) -> str:
    """Decode a value of a Secret.

    Raises:
        ValueError: it is no text, or too long.
    """
    if value is None:
        raise ValueError("too long")
    return value.decode()
