"""What the user sees while something takes minutes."""

import sys
import time

_INTERVAL = 30.0  # seconds between two lines where they cannot be rewritten, as in the log of a CI job


class Progress:
    """One line on standard error with the time since the begin: rewritten on a terminal, else now and then."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._stream = sys.stderr
        self._terminal = self._stream.isatty()
        self._next = 0.0
        self._width = 0

    def show(self, text: str) -> None:
        """Shows how things stand; may be called as often as one likes."""
        if self._terminal:
            self._write("\r", text, "")
        elif time.monotonic() >= self._next:
            self.say(text)

    def say(self, text: str) -> None:
        """Shows a line that stays."""
        self._write("\r" if self._terminal else "", text, "\n")
        self._next = time.monotonic() + _INTERVAL

    def _write(self, start: str, text: str, end: str) -> None:
        line = f"[{elapsed(time.monotonic() - self._begin)}] {text}"
        self._stream.write(f"{start}{line.ljust(self._width)}{end}")
        self._stream.flush()
        self._width = 0 if end else len(line)


def elapsed(seconds: float) -> str:
    """Returns a duration in a fixed width, for example ` 3m20s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:2}m{rest:02}s"
