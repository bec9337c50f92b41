"""Checks the base URL of the Fireworks API before any API key is sent to it."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

_EXAMPLE = "https://api.fireworks.ai"


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """A checked base URL, without a trailing slash and without `/v1`."""

    text: str
    host: str
    secure: bool  # https

    @classmethod
    def parse(cls, text: str, *, allow_http: bool) -> "BaseUrl":
        """Check a base URL; plain http is for loopback only, unless `allow_http`.

        Raises:
            ValueError: says what to write instead; never quotes the text, which may hold a password.
        """
        try:
            url = urlsplit(text.strip())
            host, _ = url.hostname or "", url.port
            host.encode("idna")
        except ValueError:
            raise ValueError(f"FIREWORKS_BASE_URL is not a URL; use one like {_EXAMPLE}") from None
        plain = "@" not in url.netloc and not url.query and not url.fragment
        if url.scheme not in {"http", "https"} or not host or not plain:
            raise ValueError(f"FIREWORKS_BASE_URL must be like {_EXAMPLE}, without user, query and fragment")
        if "v1" in url.path.split("/"):
            raise ValueError(f"FIREWORKS_BASE_URL must not contain /v1; use one like {_EXAMPLE}")
        if url.scheme == "http" and not _is_loopback(host) and not allow_http:
            raise ValueError("FIREWORKS_BASE_URL must use https: otherwise API keys are sent in plain text")
        return cls(url.geturl().rstrip("/"), host, url.scheme == "https")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
