"""Credential plugins: the programs of a kubeconfig that print a token or a client certificate, as for kubectl."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final

from .kubeconfig import Exec

API_GROUP: Final = "client.authentication.k8s.io"
API_VERSIONS: Final = (f"{API_GROUP}/v1", f"{API_GROUP}/v1beta1")

DEADLINE: Final = 60.0
"""Seconds that a plugin may take."""

SIGN_IN_DEADLINE: Final = 300.0
"""Seconds that a plugin may take which can ask a person."""

_MOST_OUTPUT: Final = 1 << 20
_LONGEST_WORDS: Final = 200


class PluginError(Exception):
    """A credential plugin gives no credentials; the text names it and holds no secret."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What a plugin gave: a token, a client certificate with its key, or all of these.

    Attributes:
        token: bearer token, empty if there is none.
        certificate: client certificate in PEM, empty if there is none.
        key: its key in PEM.
        expires_at: seconds since 1970, None if it is not said.
    """

    token: str = field(default="", repr=False)
    certificate: str = ""
    key: str = field(default="", repr=False)
    expires_at: float | None = None


async def issue(plugin: Exec, cluster_info: Mapping[str, object]) -> Issued:
    """Run a plugin.

    Args:
        plugin: what the kubeconfig says about it.
        cluster_info: the cluster, for a plugin that wants to know it.

    Raises:
        PluginError: it is missing, fails, is too slow or prints no credentials.
    """
    name = PurePath(plugin.command).name
    try:
        return _issued(await _run(plugin, cluster_info), plugin.api_version)
    except _FailedError as error:
        raise PluginError(f"the credential plugin {name} failed: {error}") from None


class _FailedError(Exception):
    """Why a plugin gives nothing, for the end of a sentence."""


async def _run(plugin: Exec, cluster_info: Mapping[str, object]) -> bytes:
    """Return what the plugin prints."""
    if plugin.api_version not in API_VERSIONS:
        raise _FailedError(f"its apiVersion is not supported, only {' and '.join(API_VERSIONS)}")
    interactive = _is_interactive(plugin)
    environment = os.environ | {each.name: each.value for each in plugin.env or ()}
    spec: dict[str, object] = {"interactive": interactive}
    if plugin.provide_cluster_info:
        spec["cluster"] = cluster_info
    told = {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}
    environment["KUBERNETES_EXEC_INFO"] = json.dumps(told)
    program = shutil.which(plugin.command)
    if program is None:
        hint = f": {_shortened(plugin.install_hint)}" if plugin.install_hint else ""
        raise _FailedError(f"the program does not exist{hint}")
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *(plugin.args or ()),
            env=environment,
            stdin=None if interactive else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=None if interactive else asyncio.subprocess.PIPE,  # it may tell a person what to do
        )
    except (OSError, ValueError) as error:
        raise _FailedError(f"it cannot be started ({type(error).__name__})") from None
    return await _output(process, plugin, SIGN_IN_DEADLINE if interactive else DEADLINE)


async def _output(process: asyncio.subprocess.Process, plugin: Exec, deadline: float) -> bytes:
    try:
        async with asyncio.timeout(deadline):
            printed, said = await asyncio.gather(_read(process.stdout), _read(process.stderr))
            code = await process.wait()
    except TimeoutError:
        raise _FailedError(f"no answer within {deadline:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code != 0:
        words = _last_words(said.decode(errors="replace"), plugin)
        raise _FailedError(f"exit code {code}" + (f": {words}" if words else ""))
    return printed


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    """Return what a plugin writes, up to a bound; the rest is read and dropped, so that it never has to wait."""
    content = b""
    while stream is not None and (chunk := await stream.read(1 << 16)):
        content = (content + chunk)[:_MOST_OUTPUT]
    return content


def _is_interactive(plugin: Exec) -> bool:
    with contextlib.suppress(AttributeError, ValueError, OSError):  # there may be no standard input at all
        if plugin.interactive_mode != "Never" and sys.stdin.isatty():
            return True
    if plugin.interactive_mode == "Always":
        raise _FailedError("it requires user input (interactiveMode: Always), but there is no terminal")
    return False


def _issued(printed: bytes, api_version: str) -> Issued:
    try:
        answer = json.loads(printed)
    except ValueError:
        raise _FailedError("it did not print an ExecCredential" if printed.strip() else "it printed nothing") from None
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise _FailedError("it did not print an ExecCredential")
    if answer.get("apiVersion") != api_version:
        raise _FailedError(f"its output is not {api_version}, which the kubeconfig requires")
    status = answer.get("status")
    if not isinstance(status, dict):
        raise _FailedError("it printed no status")
    token, certificate, key = (_text(status, name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if bool(certificate) != bool(key):
        raise _FailedError("it returned only one of certificate and key")
    if not token and not certificate:
        raise _FailedError("it returned neither a token nor a certificate")
    return Issued(token.strip(), certificate, key, _moment(_text(status, "expirationTimestamp")))


def _text(status: Mapping[str, Any], name: str) -> str:
    value = status.get(name)
    if value is not None and not isinstance(value, str):
        raise _FailedError(f"{name} is not text")
    return value or ""


def _moment(text: str) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _FailedError("expirationTimestamp is not an RFC 3339 time") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


_NAMED_SECRET: Final = re.compile(r"(?i)((?:token|secret|password|passwd|credential|key)\w*[\"']?\s*[=:]\s*)\S+")
_LOOKS_SECRET: Final = re.compile(r"(?=[\w+~=-]*\d)[\w+~=-]{20,}")


def _last_words(text: str, plugin: Exec) -> str:
    """Return the last line that a plugin wrote, without what is or looks like a secret."""
    lines = [line for line in text.splitlines() if line.strip()]
    words = lines[-1][: _MOST_OUTPUT // 256] if lines else ""
    for each in plugin.env or ():
        if each.value:
            words = words.replace(each.value, "…")
    return _shortened(_LOOKS_SECRET.sub("…", _NAMED_SECRET.sub(r"\1…", words)))


def _shortened(text: str) -> str:
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
