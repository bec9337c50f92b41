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
    """The secrets that this process has in hand; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None

    def register(self, value: str) -> None:
        """Remember a secret, in plain and in the base64 form in which Kubernetes shows it.

        Values of fewer than four characters are ignored: no secrets, and they would blank out whole texts.
        """
        if len(value) < _SHORTEST_SECRET:
            return
        encoded = base64.b64encode(value.encode()).decode()
        with self._lock:
            if value in self._known:
                return
            self._known |= {value, encoded}
            self._pattern = None

    def remove_from(self, text: str) -> str:
        """Return the text with every registered secret replaced by `[REDACTED]`."""
        pattern = self._pattern or self._compile()
        return text if pattern is None else pattern.sub(REDACTED, text)

    def _compile(self) -> re.Pattern[str] | None:
        with self._lock:
            if self._known:
                # Longest first, so that a secret that contains another one goes as a whole.
                longest_first = sorted(self._known, key=len, reverse=True)
                self._pattern = re.compile("|".join(map(re.escape, longest_first)))
            return self._pattern


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
