"""Asks a proxy for a way to a host: by HTTP's CONNECT, SOCKS 4 or SOCKS 5 (RFC 1928 and 1929).

Nothing but the host, the port and the proxy's own user goes to the proxy: no header of the requests behind it.
"""

import asyncio
import ipaddress
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from typing import Final

import aiohttp

from .proxy import Proxy

_HEADER_BYTES: Final = 65536
_HAPPY_EYEBALLS_SECONDS: Final = 0.25
_SOCKS5_REFUSALS: Final = {
    2: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the connection was refused",
}


class ProxyFailedError(aiohttp.ClientConnectionError):
    """A proxy opens no way; the text names the proxy and the setting, and holds no secret. Nothing went through it."""


async def open_tunnel(proxy: Proxy, host: str, port: int, context: ssl.SSLContext | None) -> StreamWriter:
    """Connect to a proxy and have it connect to a host; what is written from then on reaches that host.

    SOCKS 5 and 4a leave it to the proxy to look the host's name up, as kubectl does for both spellings of SOCKS 5.

    Args:
        proxy: the way.
        host: name or address without brackets.
        port: TCP port.
        context: whom to trust as the proxy, where it is spoken to by TLS.

    Raises:
        ProxyFailedError: the proxy cannot be reached, refuses, or is none.
    """
    secure = context if proxy.scheme == "https" else None
    try:
        reader, writer = await asyncio.open_connection(
            proxy.host,
            proxy.port,
            limit=_HEADER_BYTES,
            ssl=secure,
            server_hostname=proxy.host if secure else None,
            happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS,
        )
    except OSError as error:
        raise ProxyFailedError(f"the proxy {proxy} cannot be reached: {_words(error)}") from error
    try:
        await _ask(proxy, host, port, reader, writer)
    except BaseException as error:
        writer.transport.abort()
        if isinstance(error, OSError | EOFError):
            raise ProxyFailedError(
                f"the proxy {proxy} closed the connection; check that it is this type of proxy"
            ) from error
        raise
    return writer


async def _ask(proxy: Proxy, host: str, port: int, reader: StreamReader, writer: StreamWriter) -> None:
    try:
        if proxy.scheme.startswith("socks5"):
            await _ask_socks5(proxy, host, port, reader, writer)
        elif proxy.scheme.startswith("socks4"):
            await _ask_socks4(proxy, host, port, reader, writer)
        else:
            await _ask_http(proxy, host, port, reader, writer)
    except _RefusedError as refusal:
        raise ProxyFailedError(f"the proxy {proxy} {refusal}") from None


class _RefusedError(Exception):
    """What the proxy did instead; follows its name."""


async def _ask_http(proxy: Proxy, host: str, port: int, reader: StreamReader, writer: StreamWriter) -> None:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii"))
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _RefusedError("does not speak HTTP") from None
    parts = head.split(b"\r\n", 1)[0].split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        raise _RefusedError("does not speak HTTP")
    status = int(parts[1])
    if not 200 <= status < 300:
        advice = "; check its user and password" if status == 407 else ""
        raise _RefusedError(f"answered with {status}{advice}")


async def _ask_socks5(proxy: Proxy, host: str, port: int, reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"\x05\x01\x00" if proxy.user is None else b"\x05\x02\x00\x02")
    version, method = await reader.readexactly(2)
    if version != 5:
        raise _RefusedError("does not speak SOCKS 5")
    if method == 2 and proxy.user is not None:
        writer.write(b"\x01" + _counted(proxy.user.encode()) + _counted(proxy.password.encode()))
        if (await reader.readexactly(2))[1] != 0:
            raise _RefusedError("does not accept its user and password")
    elif method != 0:
        raise _RefusedError(
            "requires a different authentication method" if proxy.user else "requires a user and a password"
        )
    writer.write(b"\x05\x01\x00" + _socks5_host(host) + struct.pack(">H", port))
    version, reply, _, kind = await reader.readexactly(4)
    if version != 5 or reply != 0:
        raise _RefusedError(f"cannot connect to {host}: {_SOCKS5_REFUSALS.get(reply, f'it answered with {reply}')}")
    length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
    await reader.readexactly(length + 2)


async def _ask_socks4(proxy: Proxy, host: str, port: int, reader: StreamReader, writer: StreamWriter) -> None:
    address, name = await _socks4_host(host, at_proxy=proxy.scheme == "socks4a")
    user = (proxy.user or "").encode() + b"\0"
    writer.write(b"\x04\x01" + struct.pack(">H", port) + address + user + name)
    zero, reply = (await reader.readexactly(8))[:2]
    if zero != 0:
        raise _RefusedError("does not speak SOCKS 4")
    if reply != 90:
        raise _RefusedError(f"cannot connect to {host}: it answered with {reply}")


def _counted(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def _socks5_host(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b"\x03" + _counted(host.encode("ascii"))
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


async def _socks4_host(host: str, *, at_proxy: bool) -> tuple[bytes, bytes]:
    """Return an address of IPv4, and the name where the proxy is to look it up."""
    try:
        return ipaddress.IPv4Address(host).packed, b""
    except ValueError:
        if at_proxy:
            return b"\0\0\0\x01", host.encode("ascii") + b"\0"
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, family=socket.AF_INET)
    except OSError as error:
        raise _RefusedError(f"uses SOCKS 4, which requires the address of {host}: {_words(error)}") from None
    return ipaddress.IPv4Address(found[0][4][0]).packed, b""


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return error.strerror or type(error).__name__
