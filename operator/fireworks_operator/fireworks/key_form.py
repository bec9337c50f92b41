"""What an API key looks like that was copied with something around it."""

import base64
import binascii
import re
from typing import Final

_ALONE: Final = "provide only the key, such as fw_…"
_FORMS: Final = (
    (re.compile(r"\ufeff"), "it starts with a byte order mark"),
    (re.compile(r"[\"'`\u201c\u2018]"), "it is in quotes"),
    (re.compile(r"(authorization\s*:|bearer\s|basic\s)", re.IGNORECASE), "it is a header (Bearer …)"),
    (re.compile(r"(export\s+)?[A-Z][A-Z0-9_]*\s*=\s*[^=\s]"), "it is an assignment (NAME=…)"),
    (re.compile(r"[A-Za-z_]+:\s"), "it is a line of YAML (name: …)"),
    (re.compile(r"\$[({]|<.*>$|\{\{|YOUR[_-]"), "it is a placeholder that was never replaced"),
    (re.compile(r"[{\[]"), "it is JSON"),
)


def odd_form(text: str) -> str | None:
    """Return what is wrong with the form of a key and what to do, without a full stop; None: nothing that is known.

    The answer holds nothing of the key. What is odd is not a key that Fireworks would know.
    """
    text = text.strip()
    for pattern, what in _FORMS:
        if pattern.match(text):
            return f"{what}; {_ALONE}"
    if _decoded(_decoded(text.encode())).startswith(b"fw_") or _decoded(text.encode()).startswith(b"fw_"):
        return "it is base64-encoded; provide the key itself (in a Secret, `data` is encoded once, `stringData` is not)"
    return None


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
