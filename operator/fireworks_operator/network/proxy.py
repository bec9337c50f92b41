"""Which proxy an address is reached through, by the rules of Go's `http.ProxyFromEnvironment`, as kubectl has them."""

import base64
import contextlib
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

_PORTS: Final = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
_LIKE: Final = "use a URL like http://proxy.example.com:3128 or socks5h://proxy.example.com:1080"
_ENCODED: Final = "with special characters in the user or password percent-encoded (@ as %40)"
_TARGET_PORTS: Final = {"http": "80", "https": "443"}
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(%[a-z0-9._-]+)?")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ProxyError(ValueError):
    """A setting names no proxy that can be used; the text names the setting and holds nothing of its value."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that connections go through.

    Attributes:
        scheme: how it is spoken to: http, https (TLS to the proxy itself), socks4, socks4a, socks5 or socks5h.
        host: its name or address, without brackets.
        port: its TCP port.
        source: the setting that names it, for messages.
        user: what it wants to know, None if its URL has no user.
        password: likewise; empty if there is only a user.
    """

    scheme: str
    host: str
    port: int
    source: str
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Where it is, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def authorization(self) -> str | None:
        """Value of Proxy-Authorization for http and https; None if its URL has no user."""
        if self.user is None:
            return None
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"

    def __str__(self) -> str:
        return f"{self.url} ({self.source})"


def proxy_for(url: str, environment: Mapping[str, str] = os.environ, *, all_proxy: bool = False) -> Proxy | None:
    """Return the proxy that the environment names for a URL; None: it is reached directly.

    `HTTPS_PROXY` or `HTTP_PROXY` by the scheme of the URL, in capitals or small letters; never for loopback, nor
    for what `NO_PROXY` lists: names (with all below them), `.domains` and `*.domains` (only what is below),
    addresses and ranges of them, each with an optional `:port`, or `*`; between commas or blanks.

    Args:
        url: http or https, with host.
        environment: the variables.
        all_proxy: also heed `ALL_PROXY`, which curl knows and Go does not.

    Raises:
        ProxyError: the variable that would be used names no proxy.
        ValueError: `url` is none.
    """
    target = urlsplit(url)
    names = [f"{target.scheme.upper()}_PROXY", *(["ALL_PROXY"] if all_proxy else [])]
    name, text = _first(environment, *names)
    if not text or _is_direct(target, _first(environment, "NO_PROXY")[1]):
        return None
    return proxy_named(text, source=name)


def proxy_named(text: str, *, source: str) -> Proxy:
    """Return the proxy of a text such as `http://user:password@proxy.example.com:3128`; without a scheme it is http.

    Raises:
        ProxyError: it names none; the error's text begins with `source`.
    """
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError:
        raise ProxyError(f"{source}: {_LIKE}, {_ENCODED}") from None
    # An @ behind the host is of a password with a slash in it, and then the "host" is part of the user; so it is where
    # the whole of them is percent-encoded.
    behind = parts.path + parts.query + parts.fragment
    if not _HOST.fullmatch(host) or port == 0 or "@" in behind or re.search(r"[\x00-\x20\x7f]", text):
        raise ProxyError(f"{source}: {_LIKE}, {_ENCODED}")
    if parts.scheme not in _PORTS:
        raise ProxyError(f"{source}: the scheme of a proxy must be one of {', '.join(_PORTS)}; {_LIKE}")
    user, password = _identity(parts, source)
    return Proxy(parts.scheme, host, port or _PORTS[parts.scheme], source, user, password)


def _identity(parts: SplitResult, source: str) -> tuple[str | None, str]:
    """Return user and password, decoded."""
    named, at, _ = parts.netloc.rpartition("@")
    if not at or not named:
        return None, ""
    user, _, password = named.partition(":")
    try:
        decoded = unquote_to_bytes(user).decode(), unquote_to_bytes(password).decode()
    except UnicodeDecodeError:
        raise ProxyError(f"{source}: user and password must be UTF-8, {_ENCODED}") from None
    if parts.scheme.startswith("socks") and any(len(each.encode()) > 255 for each in decoded):
        raise ProxyError(f"{source}: user and password for SOCKS must not exceed 255 bytes each")
    if parts.scheme.startswith("socks4") and (decoded[1] or "\0" in decoded[0]):
        raise ProxyError(f"{source}: SOCKS 4 supports a user but no password; use socks5h://")
    return decoded


def _first(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return the first variable that is not empty, and its value."""
    for name in names:
        for spelling in (name, name.lower()):
            if value := environment.get(spelling, "").strip():
                return spelling, value
    return "", ""


def _ascii(host: str) -> str:
    """Return a host name as it is asked of DNS, without the dot at its end; an address in its shortest form.

    Raises:
        ValueError: it cannot be one.
    """
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    return host.removesuffix(".").lower().encode("idna").decode()


def _address(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_direct(target: SplitResult, exceptions: str) -> bool:
    host = _ascii(target.hostname or "")
    port = str(target.port or _TARGET_PORTS.get(target.scheme, ""))
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = filter(None, re.split(r"[,\s]+", exceptions.lower()))
    return any(_matches(each, host, address, port) for each in entries)


def _matches(entry: str, host: str, address: _Address | None, port: str) -> bool:
    """Say whether an entry of NO_PROXY means a host; `address` is the host where it is one."""
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _in_range(address, entry)
    name, only = _split_port(entry)
    if only and only != port:
        return False
    if (excepted := _address(name)) is not None:
        return address == excepted
    below = name[1:] if name.startswith("*.") else name
    if not below.strip("."):
        return False
    with contextlib.suppress(ValueError):
        below = ("." if below.startswith(".") else "") + _ascii(below.removeprefix("."))
    return host.endswith(below) if below.startswith(".") else host == below or host.endswith(f".{below}")


def _in_range(address: _Address, text: str) -> bool:
    try:
        network = ipaddress.ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    return address in network


def _split_port(entry: str) -> tuple[str, str]:
    """Split `host:port`; an address of IPv6 has its port only behind brackets."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""
