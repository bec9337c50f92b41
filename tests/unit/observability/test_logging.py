"""Log lines are one object each, tell what happened, and keep secrets."""

import asyncio
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime

import pytest

from fireworks_operator.observability.logging import configure, register_secret

SECRET = "registered-secret-4711"
KEY = "fw_3ZabcdefGHIJKLMN"
log = logging.getLogger("fireworks_operator.test")


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook, thread_hook = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    others = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "kubernetes", "kopf", "asyncio")}
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hook, thread_hook
    for name, before in others.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def stream() -> io.StringIO:
    configure("INFO", "json", out := io.StringIO())
    register_secret(SECRET)
    return out


def entries(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_entry_is_one_object_with_time_level_logger_and_message(stream: io.StringIO) -> None:
    log.info(
        "created %s", "chat", extra={"namespace": "team-a", "replicas": 2, "idle": None, "parts": ("a", {"b": 1.5})}
    )

    (entry,) = entries(stream)
    moment = datetime.fromisoformat(str(entry.pop("time")))
    assert abs(moment.timestamp() - datetime.now().astimezone().timestamp()) < 60
    assert entry == {
        "level": "info",
        "logger": "fireworks_operator.test",
        "message": "created chat",
        "namespace": "team-a",
        "replicas": 2,
        "parts": ["a", {"b": 1.5}],
    }
    assert '"time": "20' in stream.getvalue()
    assert stream.getvalue().split('"')[3].endswith("Z")


def test_extras_cannot_replace_what_every_entry_has(stream: io.StringIO) -> None:
    log.info("true", extra={"level": "forged", "time": "forged", "logger": "forged"})

    (entry,) = entries(stream)
    assert (entry["level"], entry["logger"], entry["message"]) == ("info", "fireworks_operator.test", "true")
    assert entry["extra_level"] == "forged"


class Leaky:
    def __str__(self) -> str:
        return f"client of {SECRET}"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize("secret", [SECRET, KEY])
@pytest.mark.parametrize("style", ["json", "text"])
def test_no_secret_gets_out_by_any_way(secret: str, style: str, capsys: pytest.CaptureFixture[str]) -> None:
    register_secret(SECRET)
    configure("DEBUG", "json" if style == "json" else "text", out := io.StringIO())

    log.info("message %s", secret)
    log.info("argument %s", {"key": secret})
    log.info(f"in the format itself {secret}")
    log.info("extra", extra={"deep": {"list": [secret, {secret: secret}], "set": {secret}}, "object": Leaky()})
    log.info("too deep", extra={"deep": {"a": {"b": {"c": {"d": {"e": {"f": secret}}}}}}})
    log.info("arguments that do not fit %d", secret)
    log.info("stack", stack_info=True)
    log.info("broken", extra={"object": Broken()})
    try:
        try:
            _raise(ValueError(f"inner {secret}"))
        except ValueError as error:
            raise RuntimeError(f"outer {secret}") from error
    except RuntimeError:
        log.exception("failed with %s", secret)

    captured = capsys.readouterr()
    text = out.getvalue() + captured.out + captured.err
    assert secret not in text
    assert text.count("[REDACTED]") >= 10
    assert "inner [REDACTED]" in text
    assert "outer [REDACTED]" in text
    assert "arguments that do not fit" in text
    assert "<Broken without a text>" in text


def test_a_record_is_clean_for_handlers_that_come_later(stream: io.StringIO) -> None:
    later: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            later.append(record)

    logging.getLogger().addHandler(Collector())

    log.info("message %s", SECRET, extra={"key": SECRET})

    assert SECRET not in repr(later[0].__dict__)


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_text_of_somebody_else_cannot_forge_a_line(style: str) -> None:
    configure("INFO", "json" if style == "json" else "text", out := io.StringIO())

    log.info("refused: %s", "bad\n2026-01-01T00:00:00Z INFO  x: forged\r\x1b[31m\u2028end", extra={"text": "a\nb"})

    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()
    assert "\\x1b[31m" in out.getvalue() or "\\u001b[31m" in out.getvalue()


def test_a_traceback_in_text_is_indented_and_cannot_forge_a_line() -> None:
    configure("INFO", "text", out := io.StringIO())

    try:
        _raise(ValueError("bad\n2026-01-01T00:00:00Z INFO    x: forged"))
    except ValueError:
        log.exception("failed")

    first, *rest = out.getvalue().splitlines()
    assert first.endswith("ERROR   fireworks_operator.test: failed")
    assert len(rest) >= 3
    assert all(line.startswith("    ") for line in rest)


def test_a_traceback_in_json_is_one_field(stream: io.StringIO) -> None:
    try:
        _raise(ValueError("bad"))
    except ValueError:
        log.exception("failed")

    (entry,) = entries(stream)
    assert str(entry["exception"]).startswith("Traceback (most recent call last):\n")
    assert str(entry["exception"]).endswith("ValueError: bad")


def test_odd_values_are_logged_as_json_all_the_same(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    loop: list[object] = []
    loop.append(loop)

    # Only to our handler: pytest keeps what it hears, and would have to write it somewhere.
    ours = [each for each in logging.getLogger().handlers if getattr(each, "stream", None) is stream]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)
    log.info("odd \ud800", extra={"nan": float("nan"), "bytes": b"x", "time_": datetime(2026, 1, 2), "loop": loop})  # noqa: DTZ001

    (entry,) = entries(stream)
    assert (entry["nan"], entry["bytes"], entry["time_"]) == ("nan", "b'x'", "2026-01-02 00:00:00")


@pytest.mark.parametrize(
    ("level", "expected", "reason"),
    [
        ("DEBUG", {"httpx": "WARNING", "httpcore": "WARNING", "kubernetes": "WARNING", "kopf": "INFO"}, "no bodies"),
        ("INFO", {"httpx": "WARNING", "httpcore": "WARNING", "kubernetes": "WARNING", "kopf": "WARNING"}, "no noise"),
        (
            "error",
            {"httpx": "ERROR", "httpcore": "ERROR", "kubernetes": "ERROR", "kopf": "ERROR"},
            "never more than us",
        ),
    ],
)
def test_other_libraries_are_quieter_than_we_are(level: str, expected: dict[str, str], reason: str) -> None:
    configure(level, "json", io.StringIO())

    levels = {name: logging.getLevelName(logging.getLogger(name).getEffectiveLevel()) for name in expected}
    assert levels == expected, reason
    assert logging.getLevelName(log.getEffectiveLevel()) == level.upper()


def test_objects_that_kopf_puts_into_records_are_left_out(stream: io.StringIO) -> None:
    logging.getLogger("kopf").warning(
        "retrying", extra={"settings": object(), "k8s_skip": True, "k8s_ref": {"name": "chat"}}
    )

    (entry,) = entries(stream)
    assert "settings" not in entry
    assert "k8s_skip" not in entry
    assert entry["k8s_ref"] == {"name": "chat"}


def test_an_unknown_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown log level 'LOUD': write DEBUG, INFO, WARNING or ERROR"):
        configure("LOUD")


def test_configuring_again_does_not_double_the_lines() -> None:
    configure("INFO", "json", io.StringIO())
    configure("INFO", "json", out := io.StringIO())

    log.info("once")

    assert len(entries(out)) == 1


def test_warnings_of_libraries_become_log_lines(stream: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {SECRET}", UserWarning, stacklevel=1)

    (entry,) = entries(stream)
    assert entry["level"] == "warning"
    assert "deprecated [REDACTED]" in str(entry["message"])


def test_what_nobody_catches_is_logged_without_secrets(stream: io.StringIO) -> None:
    error = RuntimeError(f"lost {SECRET}")

    sys.excepthook(RuntimeError, error, None)
    thread = threading.Thread(target=_raise, args=(error,), name="lease")
    thread.start()
    thread.join()

    first, second = entries(stream)
    assert first["message"] == "uncaught exception"
    assert second["message"] == "uncaught exception in thread lease"
    for entry in (first, second):
        assert entry["level"] == "critical"
        assert "RuntimeError: lost [REDACTED]" in str(entry["exception"])


def test_a_failed_task_that_nobody_awaits_is_logged_without_secrets(stream: io.StringIO) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.call_exception_handler({"message": "Task failed", "exception": RuntimeError(f"lost {SECRET}")})
    finally:
        loop.close()

    (entry,) = entries(stream)
    assert entry["logger"] == "asyncio"
    assert SECRET not in stream.getvalue()


def test_an_interrupt_from_the_keyboard_is_no_error(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)

    assert entries(stream) == []
    assert "KeyboardInterrupt" in capsys.readouterr().err


def _raise(error: BaseException) -> None:
    raise error
