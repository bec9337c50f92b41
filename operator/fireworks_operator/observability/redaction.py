"""Takes secrets and line breaks out of texts before anybody sees them."""

import base64
import re
import threading
import unicodedata

REDACTED = "[REDACTED]"

# Below this length a "secret" would blank ordinary words out of every log line.
_SHORTEST_SECRET = 4

# What Fireworks API keys look like, and any bearer token of an Authorization header.
_SECRET_SHAPES = re.compile(r"fw_[A-Za-z0-9_-]{8,}|(?P<scheme>\bbearer\s+)[^\s\"',;]+", re.IGNORECASE)


# Characters looked at for each one that is shown: room for blanks that are left out.
_LOOKED_AT = 20


class SecretRegistry:
    """The secrets that this process has in hand; safe to use from several threads.

    Looked up by their first characters, so that neither a new one nor a line of the log costs more with thousands of
    them: each tenant may bring as many as it likes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_beginning: dict[str, tuple[str, ...]] = {}

    def register(self, value: str) -> None:
        """Remember a secret, in plain and in the base64 form in which Kubernetes shows it.

        Values of fewer than four characters are ignored: no secrets, and they would blank out whole texts.
        """
        if len(value) < _SHORTEST_SECRET:
            return
        with self._lock:
            for secret in (value, base64.b64encode(value.encode()).decode()):
                beginning = secret[:_SHORTEST_SECRET]
                known = self._by_beginning.get(beginning, ())
                if secret not in known:
                    # Longest first, so that a secret that contains another one goes as a whole.
                    self._by_beginning[beginning] = tuple(sorted((*known, secret), key=len, reverse=True))

    def remove_from(self, text: str) -> str:
        """Return the text with every registered secret replaced by `[REDACTED]`."""
        parts: list[str] = []
        begin = at = 0
        while at <= len(text) - _SHORTEST_SECRET:
            found = self._found(text, at)
            if found is None:
                at += 1
                continue
            parts += (text[begin:at], REDACTED)
            begin = at = at + len(found)
        return "".join((*parts, text[begin:])) if parts else text

    def _found(self, text: str, at: int) -> str | None:
        known = self._by_beginning.get(text[at : at + _SHORTEST_SECRET], ())
        return next((secret for secret in known if text.startswith(secret, at)), None)


_registry = SecretRegistry()


def register_secret(value: str) -> None:
    """Make sure that this value never appears in a log line of this process."""
    _registry.register(value)


def redact(text: str) -> str:
    """Return the text without registered secrets and whatever else looks like a key or a bearer token."""
    return redact_shapes(_registry.remove_from(text))


def redact_shapes(text: str) -> str:
    """Return the text without anything that looks like a Fireworks API key or a bearer token (pure)."""
    return _SECRET_SHAPES.sub(lambda match: (match["scheme"] or "") + REDACTED, text)


def one_line(text: str, limit: int) -> str:
    """Return the text as one printable line of at most `limit` characters.

    Line breaks, control and formatting characters (which could forge a log line, or reverse what a terminal
    shows) and lone surrogates become spaces; runs of blanks become one. Of an endless text only the beginning is
    looked at.
    """
    begun = text[: limit * _LOOKED_AT]
    printable = "".join(" " if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029" else c for c in begun)
    line = " ".join(printable.split())
    return line if len(line) <= limit and begun == text else line[: limit - 1].rstrip() + "…"
