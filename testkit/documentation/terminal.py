"""Somebody's terminal: commands in one shell after the other, with variables and folder kept between them."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_MARK = "\x1e"  # no program prints the record separator
_HEAD = 'set -euo pipefail\nset -a\n[ ! -e "$TERMINAL/variables" ] || . "$TERMINAL/variables"\n'
_TAIL = 'export -p > "$TERMINAL/variables"\npwd > "$TERMINAL/folder"\n'
_KEPT = ("LANG", "PIP_", "SSL_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
"""What commands need of the environment of these tests to reach a package index; nothing else may change them."""


def _by_command(log: Path) -> list[str]:
    return log.read_text(errors="replace").split(_MARK)[1:]


class Background:
    """A command that goes on."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def output(self) -> list[str]:
        """Return what each command has printed, as far as they have begun."""
        return _by_command(self._log)

    def wait(self, seconds: float = 60) -> int:
        """Wait until it ends by itself, and return its exit code."""
        return self._process.wait(seconds)

    def end(self) -> None:
        """End it with all that it started."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(30)


class Terminal:
    """A terminal.

    Args:
        state: folder for what it remembers.
        folder: where it is opened.
        programs: folders that come first on the PATH.
        variables: environment variables.
    """

    def __init__(self, state: Path, folder: Path, programs: Sequence[Path], variables: Mapping[str, str]) -> None:
        state.mkdir(parents=True)
        self._state = state
        self._folder = folder
        path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
        kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
        self._environment = {**kept, "PATH": path, "NO_PROXY": "127.0.0.1", **variables, "TERMINAL": str(state)}
        self._number = 0

    @property
    def folder(self) -> Path:
        """Where it is now."""
        told = self._state / "folder"
        return Path(told.read_text().rstrip("\n")) if told.exists() else self._folder

    def run(self, *commands: str, code: int = 0, within: float = 300) -> list[str]:
        """Run commands in one shell, to the first that fails, and return what each of them printed.

        Args:
            commands: lines of bash.
            code: the exit code that is expected.
            within: seconds that they may take.
        """
        process, log = self._launch(commands)
        with self._ended(process):
            ended = process.wait(within)
        said = _by_command(log)
        assert ended == code, f"exit code {ended}: {''.join(said)}"
        assert "Traceback" not in "".join(said), "".join(said)
        return said

    def start(self, *commands: str) -> Background:
        """Run commands in the background."""
        return Background(*self._launch(commands))

    def _launch(self, commands: Sequence[str]) -> tuple[subprocess.Popen[bytes], Path]:
        self._number += 1
        log = self._state / f"{self._number}.log"
        body = "".join(f"printf '{_MARK}'\n{command}\n" for command in commands)
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", _HEAD + body + _TAIL],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return process, log

    @staticmethod
    @contextlib.contextmanager
    def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
        try:
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
