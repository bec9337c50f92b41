"""Why there is no connection, in the system's own words."""

import os
import socket
import ssl

from .trust import certificate_trouble
from .tunnel import ProxyFailedError


def reason_of(error: BaseException) -> str:
    """Say why there is no connection: never in a library's words.

    Those may quote headers, or the URL of a proxy with its password.
    """
    if isinstance(error, ProxyFailedError):
        return str(error)
    trouble = certificate_trouble(error)
    if trouble is not None:
        return f"certificate verify failed: {trouble.verify_message.rstrip('.')}"
    words = type(error).__name__
    cause: BaseException | None = error
    while cause is not None:
        # "Connection refused" comes wrapped several times, at last in a group with one error per address.
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        # One that aiohttp has wrapped is an SSLError as well, but has no reason.
        reason = getattr(cause, "reason", None) if isinstance(cause, ssl.SSLError) else None
        if isinstance(reason, str) and reason:
            words = f"TLS failed: {reason.lower().replace('_', ' ')}"
        elif isinstance(cause, OSError) and cause.strerror:
            words = _words(cause)
        cause = cause.__cause__ or cause.__context__
    return words


def _words(error: OSError) -> str:
    # asyncio puts its own words, "Connect call failed", in place of the system's. Names that are not found and TLS have
    # theirs, with numbers of their own.
    known = error.errno is not None and error.errno > 0 and not isinstance(error, socket.gaierror | ssl.SSLError)
    return os.strerror(error.errno) if known and error.errno else str(error.strerror)
