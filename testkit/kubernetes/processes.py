"""Background processes that outlive the command that started them, and are found again by the next one."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from testkit.kubernetes.errors import ClusterError, last_lines
from testkit.kubernetes.files import write_private

# Waits until the process is on record: one that is not could never be stopped. If the starter dies, so does it.
_GATE = 'read -r _ && exec "$@" </dev/null'
_PROC = Path("/proc")  # Linux only


@dataclass(frozen=True, slots=True)
class Record:
    """What is written down about a process.

    Attributes:
        pid: Its process id, which the system gives to another process later.
        started: When it was started, in the system's own terms: with the pid, it names one process for good.
        command: Program and arguments.
    """

    pid: int
    started: str
    command: tuple[str, ...]


class _Daemon(subprocess.Popen[bytes]):
    """A process that is meant to run on when this object goes, which Popen takes for a leak and warns of."""

    def __del__(self) -> None:
        """Does nothing; Processes.alive() reaps."""


_GOGC = "400"
"""Less collecting of garbage takes a quarter off the processor time of the control plane, for some hundred MB."""


class Processes:
    """The processes of one folder, by name: for each a record `NAME.json` and a log `NAME.log`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def names(self) -> list[str]:
        """Returns the names of all processes on record, running or not."""
        return sorted(path.stem for path in self._directory.glob("*.json") if self._record(path.stem))

    def start(self, name: str, command: Sequence[str]) -> None:
        """Starts `command` in a session of its own; its output is appended to the log.

        It gets next to nothing of this process' environment: no proxy, no KUBECONFIG, no API key.
        """
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._directory), "GOGC": _GOGC}
        with self.log(name).open("ab") as log:
            daemon = _Daemon(
                ["/bin/sh", "-c", _GATE, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env=environment,
                start_new_session=True,
            )
        assert daemon.stdin is not None
        with daemon.stdin as gate:
            found = _look_up(daemon.pid)
            if found is None:
                raise ClusterError(f"{name} ended before it began")
            record = Record(daemon.pid, found.started, tuple(command))
            write_private(self._directory / f"{name}.json", json.dumps(asdict(record)))
            gate.write(b"\n")

    def start_again(self, name: str) -> None:
        """Starts a process that was stopped, with the command it had.

        Raises:
            ClusterError: It never was started.
        """
        record = self._record(name)
        if record is None:
            raise ClusterError(f"{name} was never started in {self._directory}")
        self.start(name, record.command)

    def alive(self, name: str) -> bool:
        """Whether the process of that name runs; a process that merely got its pid does not count."""
        record = self._record(name)
        return record is not None and _alive(record)

    def stop(self, name: str, patience: float) -> None:
        """Ends the process of that name, if it runs, and waits until it is gone. The record stays.

        Args:
            name: Which one.
            patience: Seconds it gets to end by itself; 0 kills at once.

        Raises:
            ClusterError: It is still there 10 s after it was killed.
        """
        record = self._record(name)
        if record is None:
            return
        for signal_number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            if seconds and _end(record, signal_number, seconds):
                return
        raise ClusterError(f"{name} (process {record.pid}) does not end, even by SIGKILL")

    def log(self, name: str) -> Path:
        """Returns the path of the log of that name."""
        return self._directory / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """Returns the last lines of the log and its path, for the text of an error."""
        path = self.log(name)
        text = path.read_text(errors="replace") if path.exists() else ""
        return f"{path} ends with\n{last_lines(text)}"

    def _record(self, name: str) -> Record | None:
        try:
            found = json.loads((self._directory / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return Record(int(found["pid"]), str(found["started"]), tuple(map(str, found["command"])))


def _end(record: Record, signal_number: signal.Signals, seconds: float) -> bool:
    if not _alive(record):
        return True
    with contextlib.suppress(ProcessLookupError):
        os.kill(record.pid, signal_number)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _alive(record):
            return True
        time.sleep(0.02)
    return not _alive(record)


def _alive(record: Record) -> bool:
    found = _look_up(record.pid)
    if found is None or found.started != record.started:
        return False
    if found.ended:
        # It is there only because nobody asked for its exit code: if it is our child, that is for us to do.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(record.pid, os.WNOHANG)
    return not found.ended


@dataclass(frozen=True, slots=True)
class _Found:
    """What the system says of a process: when it was started (see Record), and whether it has ended since."""

    started: str
    ended: bool


def _look_up(pid: int) -> _Found | None:
    """Returns what the system says of a process, None if there is none of that id."""
    if not _PROC.exists():
        command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        state, _, started = answer.stdout.strip().partition(" ")
        return _Found(started.strip(), state.startswith("Z")) if state else None
    try:
        # The name of the program comes second, in parentheses, and may hold anything, even parentheses.
        fields = (_PROC / f"{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    # A process of several threads is marked "Z" when its first one has ended; the others may still hold its ports.
    return _Found(f"{fields[19]} ticks after boot {boot}", ended=fields[0] in "ZX" and int(fields[17]) <= 1)
