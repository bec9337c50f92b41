"""An API key that cannot be shown by accident."""

import hashlib
import hmac
import re
import secrets

from fireworks_operator.observability.redaction import register_secret
from fireworks_operator.text import REDACTED

_HEADER_SAFE = re.compile(r"[\x21-\x7e]{1,512}")
# Another one in each process: a published fingerprint must not tell who tries out keys whether a guess is right.
_SALT = secrets.token_bytes(32)


class ApiKey:
    """A Fireworks API key; its text forms never show the secret.

    Two of them are equal if their whole texts are: what is kept per key is kept by the key itself.

    Attributes:
        accepted: whether it is known to be a key, and not a text that somebody calls one.
        fingerprint: 8 hex digits that name the key in metrics and logs of this process, and nowhere else. They are for
            people: two keys may have the same.
    """

    __slots__ = ("__weakref__", "_secret", "accepted", "fingerprint")

    def __init__(self, secret: str) -> None:
        """Take a key, with surrounding white space (a Secret's usual newline) removed.

        Raises:
            ValueError: empty, longer than 512 characters, or not printable ASCII without blanks.
        """
        text = secret.strip()
        if not _HEADER_SAFE.fullmatch(text):
            raise ValueError("an API key consists of 1 to 512 printable ASCII characters without spaces")
        self._secret = text
        self.accepted = False
        self.fingerprint = hashlib.blake2b(text.encode(), key=_SALT, digest_size=4).hexdigest()

    def reveal(self) -> str:
        """Return the secret itself, for the Authorization header and nothing else."""
        return self._secret

    def accept(self) -> None:
        """Note that it is a key: from now on every log line of the process omits it, for as long as this object lives.

        What merely stands in a Secret is a text of somebody's choice, who could blank out words of the log with it.
        """
        if not self.accepted:
            self.accepted = True
            register_secret(self._secret, self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ApiKey) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return f"ApiKey({REDACTED}, fingerprint={self.fingerprint})"

    def __reduce__(self) -> str:
        raise TypeError("an API key is never serialised")
