"""Operators that are born fast: forked by a nursery, killed by their process id."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testkit.processes import Operator

_PROGRAM = Path(__file__).with_name("nursery.py")


class Nursery:
    """A process with the operator's program loaded, which forks operators; a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-P", str(_PROGRAM)), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._turn = threading.Lock()

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self, log: Path, environment: Mapping[str, str]) -> int:
        """Fork an operator and return its process id."""
        return int(self._ask({"start": {"log": str(log), "environment": dict(environment)}})["pid"])

    def wait(self, pid: int) -> int:
        """Wait for the end of an operator that was signalled, and return its exit code."""
        return int(self._ask({"wait": pid})["code"])

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


class ForkedOperator(Operator):
    """`fireworks-operator run`, forked."""

    def __init__(
        self,
        nursery: Nursery,
        kubeconfig: Path,
        base_url: str,
        log: Path,
        *,
        api_key: str,
        settings: Mapping[str, str],
    ) -> None:
        super().__init__(kubeconfig, base_url, log, api_key=api_key, settings=settings)
        self.blow = signal.SIGKILL
        """What `strike` sends."""
        self._nursery = nursery
        self._pid: int | None = None
        self._seen_working = False

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended, by itself or by a signal."""
        if self._pid is None:
            return False
        state = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in ("Z", "X")

    @property
    def pid_known(self) -> bool:
        """Whether it was started and its end was not waited for."""
        return self._pid is not None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._pid is not None
        return self._pid

    def launch(self) -> None:
        """Start it, without waiting for anything."""
        assert self._pid is None
        self.log_file.touch()  # it may be read before the child comes to open it
        self._offset = self.log_file.stat().st_size
        self._seen_working = False
        self._pid = self._nursery.start(self.log_file, self.environment)

    def await_work(self, within: float) -> None:
        """Wait until it has listed the resources and goes to work, or `within` seconds have passed, or it has ended."""
        deadline = time.monotonic() + within
        with self.log_file.open("rb") as log:
            log.seek(self._offset)
            written = b""
            while b'"managing ' not in written and time.monotonic() < deadline and self.running:
                time.sleep(0.02)
                written += log.read()

    @property
    def works(self) -> bool:
        """Whether it has listed the resources, which with a Lease only its holder does."""
        if not self.running:
            return False
        if not self._seen_working:
            with self.log_file.open("rb") as log:
                log.seek(self._offset)
                self._seen_working = b'"managing ' in log.read()
        return self._seen_working

    def freeze(self) -> None:
        """Stop it where it is: it holds what it holds, and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on, as if no time had gone by."""
        os.kill(self.pid, signal.SIGCONT)

    def last_words(self) -> str:
        """Return what the last line of its log says: why it gave up, or why it was at its end."""
        last = self.log_file.read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
        if not last.startswith("{"):
            return last.removeprefix("Error: ")
        record: dict[str, str] = json.loads(last)
        return record["message"].partition(":")[0] if record["level"] == "error" else "no word"

    def strike(self) -> None:
        """Send the signal that ends or stops it, from any thread and without waiting for anything."""
        if self._pid is not None:
            os.kill(self._pid, self.blow)

    def end(self, number: signal.Signals, within: float = 20.0) -> int:
        """Send a signal, wait for the end and return the exit code."""
        os.kill(self.pid, number)
        return self.wait(within)

    def wait(self, within: float = 20.0) -> int:
        """Wait until it ends and return the exit code; it has been told to."""
        code = self._nursery.wait(self.pid)
        self._pid = None
        return code
