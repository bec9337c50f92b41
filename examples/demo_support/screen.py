"""What the demo shows: steps with their durations, commands, and what they printed."""

import contextlib
import os
import shlex
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import TextIO

_WIDTH = 100
"""Columns up to the end of a step's duration, where the terminal has so many."""
_INDENT = "    "
_TICK_SECONDS = 0.1

_BOLD, _DIM, _RED, _GREEN, _CYAN = "1", "2", "31", "32", "36"


class Screen:
    """Writes lines; on a terminal in colours, and with a clock that runs while a step lasts.

    Args:
        stream: where to.

    Attributes:
        expected: what is to come true now, for the report of a failure.
    """

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self.expected = ""
        self._stream = stream
        self._terminal = stream.isatty()
        self._coloured = self._terminal and "NO_COLOR" not in os.environ
        self._columns = shutil.get_terminal_size().columns if self._terminal else None
        self._width = min(_WIDTH, (self._columns or _WIDTH + 1) - 1)
        unicode = (stream.encoding or "").lower().startswith("utf")
        self._good, self._bad, self._busy, self._dots = ("✓", "✗", "…", "…") if unicode else ("ok", "!!", "..", "~")

    def title(self, text: str, subtitle: str) -> None:
        """Show what this is."""
        self._write(f"\n{self._paint(text, _BOLD)}\n{subtitle}\n")

    def section(self, text: str) -> None:
        """Begin a chapter."""
        self._write(f"\n{self._paint(text, _BOLD)}\n")

    def say(self, text: str) -> None:
        """Show a sentence, wrapped."""
        self._write(self._wrapped(text, "  "))

    def quote(self, text: str) -> None:
        """Show what somebody else said, wrapped and set off."""
        self._write(self._paint(self._wrapped(text, f"{_INDENT}| "), _DIM))

    def command(self, *words: str) -> None:
        """Show a command as one would type it."""
        self.expected = f"`{shlex.join(words)}` succeeds"
        self._write(f"  {self._paint('$', _DIM)} {self._paint(shlex.join(words), _CYAN)}\n")

    def output(self, text: str) -> None:
        """Show lines as they are; on a terminal those that do not fit end with a mark instead of running over."""
        for line in text.rstrip().splitlines():
            room = self._columns - len(_INDENT) if self._columns else None
            cut = line if room is None or len(line) <= room else line[: room - 1] + self._dots
            self._write(f"{_INDENT}{cut}\n")

    def copyable(self, *lines: str) -> None:
        """Show lines to be copied: never cut."""
        self._write("".join(f"{_INDENT}{line}\n" for line in lines))

    def fact(self, name: str, value: str) -> None:
        """Show a name and its value, in columns."""
        self._write(f"{_INDENT}{self._paint(f'{name:<18}', _DIM)} {value}\n")

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show what is being waited for and, once it is so, how long it took; an exception shows as a failure."""
        self.expected = text
        begin = time.monotonic()
        ended = threading.Event()
        clock = threading.Thread(target=self._tick, args=(text, begin, ended), daemon=True)
        if self._terminal:
            clock.start()
        mark, colour = self._bad, _RED
        try:
            yield
            mark, colour = self._good, _GREEN
        finally:
            ended.set()
            if self._terminal:
                clock.join()
            self._write(self._line(self._paint(mark, colour), len(mark), text, begin) + "\n")

    def failure(self, instead: str, log: str) -> None:
        """Show what went wrong: what was expected, what was instead, and the end of the operator's log."""
        self._write(f"\n{self._paint('The demo failed.', _RED)}\n")
        self._write(f"  expected  {self.expected}\n")
        self._write(textwrap.indent(instead.strip(), " " * 12).replace(" " * 12, "  instead   ", 1) + "\n")
        if log:
            self._write(f"\nThe operator's log ends with\n{textwrap.indent(log, _INDENT)}\n")

    def _tick(self, text: str, begin: float, ended: threading.Event) -> None:
        while not ended.wait(_TICK_SECONDS):
            self._write(self._line(self._paint(self._busy, _DIM), len(self._busy), text, begin))

    def _line(self, mark: str, mark_width: int, text: str, begin: float) -> str:
        took = f"{time.monotonic() - begin:6.1f} s"
        room = max(self._width - 4 - mark_width - len(took), 0)
        shown = text if len(text) <= room else text[: room - 1] + self._dots
        return f"{self._start}  {mark} {shown:<{room}} {self._paint(took, _DIM)}"

    @property
    def _start(self) -> str:
        return "\r" if self._terminal else ""

    def _wrapped(self, text: str, indent: str) -> str:
        # Names are not broken, so that they can be copied and searched for.
        wrapper = textwrap.TextWrapper(self._width, indent, indent, break_on_hyphens=False, break_long_words=False)
        return wrapper.fill(text) + "\n"

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured else text

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
