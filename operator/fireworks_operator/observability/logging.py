"""Logs: one JSON object per line (or plain text), without secrets and without other libraries' noise."""

import json
import logging
import math
import sys
import threading
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import IO, Final, Literal

from .redaction import redact, register_secret

__all__ = ["JsonFormatter", "RedactingFilter", "TextFormatter", "configure", "register_secret"]

LogFormat = Literal["json", "text"]

# These show headers, bodies or Secrets at DEBUG: never below WARNING, whatever the level.
_NEVER_VERBOSE: Final = ("httpx", "httpcore", "kubernetes", "urllib3", "hpack", "aiohttp.access")
# Quiet at INFO, of use at DEBUG, one step behind our own level.
_ONE_STEP_BEHIND: Final = ("kopf", "asyncio", "aiohttp")

# What every record has; all else was given as `extra`.
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
# Set by Kopf on its own records: an object of settings and a flag for its event posting.
_NOT_FOR_READERS: Final = frozenset({"settings", "k8s_skip"})
_BASE_KEYS: Final = ("time", "level", "logger", "message")

_DEEPEST: Final = 4
_MOST_ITEMS: Final = 100
_LONGEST_TRACEBACK: Final = 65_536


def configure(level: str = "INFO", format: LogFormat = "json", stream: IO[str] | None = None) -> None:  # noqa: A002
    """Send all logs of the process to one stream, redacted.

    Args:
        level: DEBUG, INFO, WARNING or ERROR, in any case.
        format: `json` for machines, `text` for people.
        stream: standard error by default.

    Raises:
        ValueError: a level that does not exist.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"unknown log level {level!r}: write DEBUG, INFO, WARNING or ERROR")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(number)
    for name in _NEVER_VERBOSE:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    behind = logging.INFO if number <= logging.DEBUG else max(number, logging.WARNING)
    for name in _ONE_STEP_BEHIND:
        logging.getLogger(name).setLevel(behind)
    logging.captureWarnings(True)
    # An uncaught exception would otherwise be printed by the interpreter, secrets and all.
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


class RedactingFilter(logging.Filter):
    """Takes secrets out of everything in a record: message, arguments, extras, traceback, stack; cuts what is long."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place, for every handler after this one as well; nothing is ever dropped."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a wrong format string must not stop the work that it tells of
            message = f"{record.msg!r} with arguments that do not match"
        record.msg, record.args = redact(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = redact(record.exc_text, _LONGEST_TRACEBACK)
        if record.stack_info:
            record.stack_info = redact(record.stack_info, _LONGEST_TRACEBACK)
        for key, value in _extras(record).items():
            setattr(record, key, _plain(value))
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (RFC 3339, UTC), level, logger, message, then the extras.

    Tracebacks are those that `RedactingFilter` has written into the record.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; line breaks in texts are escaped by JSON itself."""
        entry: dict[str, object] = {
            "time": _rfc3339(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for key, value in _extras(record).items():
            entry[f"extra_{key}" if key in _BASE_KEYS else key] = _plain(value)
        if record.exc_text:
            entry["exception"] = record.exc_text
        if record.stack_info:
            entry["stack"] = record.stack_info
        return json.dumps(entry)


class TextFormatter(logging.Formatter):
    """`time LEVEL logger: message key=value …`; nothing in a message can start a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, with an indented traceback below it if there is one."""
        extras = "".join(f" {key}={json.dumps(_plain(value))}" for key, value in _extras(record).items())
        head = f"{_rfc3339(record.created)} {record.levelname:<7} {record.name}: {record.getMessage()}"
        below = (record.exc_text or "", record.stack_info or "")
        lines = [f"    {_escaped(line)}" for text in below for line in text.splitlines()]
        return "\n".join([_escaped(head) + extras, *lines])


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {
        key: value
        for key, value in record.__dict__.items()
        if key not in _STANDARD and key not in _NOT_FOR_READERS and value is not None
    }


def _plain(value: object, depth: int = 0) -> object:
    """Return the value as JSON can hold it, without secrets; whatever is no JSON becomes its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {redact(str(key)): _plain(item, depth + 1) for key, item in islice(value.items(), _MOST_ITEMS)}
    if isinstance(value, list | tuple | set | frozenset) and depth < _DEEPEST:
        return [_plain(item, depth + 1) for item in islice(value, _MOST_ITEMS)]
    try:
        return redact(str(value))
    except Exception:  # noqa: BLE001 - somebody's broken __str__ must not stop the work that is logged
        return f"<{type(value).__name__} without a text>"


def _escaped(text: str) -> str:
    """Make control characters visible, so that a text can neither forge a line nor colour a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _log_uncaught(
    kind: type[BaseException], error: BaseException, where: TracebackType | None, thread: str | None = None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, where)
        return
    place = f" in thread {thread}" if thread else ""
    logging.getLogger("fireworks_operator").critical("uncaught exception%s", place, exc_info=(kind, error, where))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        thread = args.thread.name if args.thread else None
        _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback, thread)
