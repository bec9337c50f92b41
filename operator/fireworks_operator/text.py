"""Texts from outside, made fit to be shown: on one line, printable, without what looks like a secret."""

import re
import unicodedata

REDACTED = "[REDACTED]"

# What Fireworks API keys look like, and any bearer token of an Authorization header.
_SECRET_SHAPES = re.compile(r"fw_[A-Za-z0-9_-]{8,}|(?P<scheme>\bbearer\s+)[^\s\"',;]+", re.IGNORECASE)
# Characters looked at for each one that is shown: room for blanks that are left out.
_LOOKED_AT = 20


def redact_shapes(text: str) -> str:
    """Return the text without anything that looks like a Fireworks API key or a bearer token."""
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
