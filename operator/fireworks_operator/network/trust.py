"""Whom TLS connections trust: authorities from files and folders, and what is said where they are of no use."""

import contextlib
import os
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

_FILE: Final = "SSL_CERT_FILE"
_FOLDERS: Final = "SSL_CERT_DIR"
_BEGIN: Final = b"-----BEGIN "


class TrustError(ValueError):
    """Authorities cannot be read; the text names the setting and the path."""


def default_context(
    environment: Mapping[str, str] = os.environ, *, fallback: str | os.PathLike[str] | None = None
) -> ssl.SSLContext:
    """Return a context that trusts the authorities of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the usual ones.

    A folder's files may have any name (OpenSSL alone reads only those named by a hash), as in a mounted ConfigMap.

    Args:
        environment: the variables; an empty one counts as unset.
        fallback: PEM file of the authorities where neither variable is set; None: those of the system.

    Raises:
        TrustError: a file or folder cannot be read, or holds no certificate.
    """
    file, folders = (environment.get(name, "").strip() for name in (_FILE, _FOLDERS))
    if not file and not folders:
        return _system(environment) if fallback is None else context_of(fallback)
    context = _bare()
    if file:
        _add_file(context, file, _FILE)
    if folders:
        _add_folders(context, folders, _FOLDERS)
    return context


def context_of(
    file: str | os.PathLike[str] | None = None, *, data: str | None = None, source: str = "certificate authorities"
) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a PEM file or text, and nobody else.

    Args:
        file: path of the file.
        data: the text itself.
        source: the setting that names them, for messages.

    Raises:
        TrustError: the file cannot be read, or there is no certificate.
    """
    context = _bare()
    if file is not None:
        _add_file(context, file, source)
    if data is not None and not _add(context, data):
        raise TrustError(f"{source}: the text contains no certificate in PEM format, or a damaged one")
    return context


def certificate_trouble(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Return the error, or the one among its causes, that says that the other side's certificate was not accepted."""
    # aiohttp's error derives from it, but says nothing of its own; what it was caused by does.
    kind = ssl.SSLCertVerificationError
    return next((each for each in _causes(error) if type(each) is kind), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        pending.extend(cause for cause in (each.__cause__, each.__context__) if cause is not None)
        if isinstance(each, BaseExceptionGroup):
            pending.extend(each.exceptions)


def _bare() -> ssl.SSLContext:
    """Return a context that checks certificates and host names, and trusts nobody yet."""
    return _lenient(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _system(environment: Mapping[str, str]) -> ssl.SSLContext:
    context = _bare()
    context.load_default_certs()
    if _FILE in environment or _FOLDERS in environment:  # OpenSSL takes an empty variable for a path
        paths = ssl.get_default_verify_paths()
        file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
        with contextlib.suppress(ssl.SSLError, TypeError):  # it may hold none, or there is neither
            context.load_verify_locations(file if file.is_file() else None, folder if folder.is_dir() else None)
    return context


def _lenient(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make the same checks on every version of Python, those of kubectl and curl: chain, dates and host name.

    The default context of Python 3.13 refuses authorities without key identifiers or a critical basicConstraints,
    which many companies and clusters have, and trusts an intermediate authority that is named alone; that of 3.11 does
    neither.
    """
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.set_alpn_protocols(["http/1.1"])
    return context


def _add_file(context: ssl.SSLContext, file: str | os.PathLike[str], source: str) -> None:
    if not _add(context, _read(Path(file), source)):
        raise TrustError(
            f"{source}: the file {os.fspath(file)} contains no certificate in PEM format, or a damaged one"
        )


def _add_folders(context: ssl.SSLContext, folders: str, source: str) -> None:
    found = False
    for folder in filter(None, folders.split(os.pathsep)):
        try:
            files = {each.resolve() for each in Path(folder).iterdir() if each.is_file()}
        except OSError as error:
            raise TrustError(f"{source}: the folder {folder} cannot be read: {error.strerror}") from None
        for file in sorted(files):
            content = _read(file, source)
            found = (_BEGIN in content and _add(context, content)) or found
    if not found:
        raise TrustError(f"{source}: no file in {folders} contains a certificate in PEM format")


def _read(file: Path, source: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise TrustError(f"{source}: the file {file} cannot be read: {error.strerror}") from None


def _add(context: ssl.SSLContext, pem: bytes | str) -> bool:
    """Trust the certificates of a text in PEM form; return whether there are any."""
    text = pem if isinstance(pem, str) else pem.decode("ascii", "replace").replace("\ufffd", "?")
    before = context.cert_store_stats()["x509"]
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    # One that is there twice counts once.
    return context.cert_store_stats()["x509"] > before or before > 0
