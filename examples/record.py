#!/usr/bin/env python3
"""Runs the demo in a terminal of its own and records what it shows, for the documentation: `make recording`.

Writes docs/assets/demo.cast, which `asciinema play` shows, and docs/assets/demo.svg, which is drawn from it.
"""

import codecs
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from testkit.kubernetes.parts import find_binaries
from testkit.site.cast import Recording, outputs
from testkit.site.recording_svg import picture

ROOT = Path(__file__).resolve().parents[1]
CAST, PICTURE = ROOT / "docs/assets/demo.cast", ROOT / "docs/assets/demo.svg"
COLUMNS, ROWS = 120, 28
TITLE = "make demo: from a manifest to a chat completion, with a real Kubernetes API server and a simulated Fireworks"


def record(command: Sequence[str], title: str) -> Recording:
    """Run a command in a terminal and return what it shows.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    return Recording(COLUMNS, ROWS, title, tuple(outputs(_chunks(command))))


def _chunks(command: Sequence[str]) -> Iterator[tuple[float, str]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    begin = time.monotonic()
    environment["TERM"] = "xterm-256color"
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:  # noqa: S603 - our demo
        os.close(theirs)
        decoder = codecs.getincrementaldecoder("utf-8")()
        while data := _read(ours):
            if text := decoder.decode(data):
                yield time.monotonic() - begin, text
    os.close(ours)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux says so when the last program has left the terminal
        return b""


def main() -> int:
    """Record the demo."""
    find_binaries(controllers=False)  # what may take minutes, and shows nothing of the operator
    cast = record([sys.executable, str(ROOT / "examples/demo.py")], TITLE).to_cast()
    CAST.parent.mkdir(exist_ok=True)
    CAST.write_text(cast, encoding="utf-8")
    PICTURE.write_text(picture(Recording.from_cast(cast)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
