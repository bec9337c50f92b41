"""The programs under test, forked from a process that has imported their code.

Each is a process of its own, with its own arguments, environment, output and signals, as if its command had been run.
Only the second of processor time is saved that Python takes to import the code; a worker starts a hundred processes.
Benchmarks, examples, the demo and the pages of the documentation run the commands themselves.
"""

import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from typing import Final

from testkit.processes import Operator

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["testkit.preloaded"])


@atexit.register
def _end() -> None:
    """End what is left and wait for it: only then its processor time counts for the run (testkit/suites.py)."""
    for each in multiprocessing.active_children():
        each.kill()
        each.join()
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


class Forked:
    """A process, with what a `subprocess.Popen` has; it ends with the one that started it.

    Args:
        command: name of the program, and its arguments.
        environment: all that it gets.
        output: file to which its output is appended.
        errors: the same for its standard error; None: the same file.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path | None = None
    ) -> None:
        self._command = list(command)
        given = (self._command, dict(environment), str(output), str(errors or output))
        self._process = _CONTEXT.Process(target=_become, args=given, daemon=True)
        self._lock = threading.Lock()
        self._process.start()
        assert self._process.pid is not None
        self.pid: Final = self._process.pid

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        with self._lock:
            return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit code.

        Raises:
            TimeoutExpired: it still runs after so many seconds.
        """
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self._command, timeout)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class ForkedOperator(Operator):
    """`fireworks-operator run`, forked."""

    def _begin(self) -> Forked:
        return Forked(("fireworks-operator", "run"), self.environment, self.log_file)


def _operator() -> None:
    from fireworks_operator.cli import main

    main()


def _plugin() -> None:
    from fireworks_operator.plugin.__main__ import main

    main()


_PROGRAMS: Final[Mapping[str, Callable[[], None]]] = {"fireworks-operator": _operator, "kubectl-fireworks": _plugin}


def _become(command: Sequence[str], environment: Mapping[str, str], output: str, errors: str) -> None:
    """Be the program from now on."""
    for path, number in ((output, 1), (errors, 2)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - descriptors, for good
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(command)
    _PROGRAMS[command[0]]()
