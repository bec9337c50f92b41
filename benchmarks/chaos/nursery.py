"""Starts operators by fork from a process that has loaded the program: real processes without a second of imports.

Run as a program: one JSON object per line on standard input, one per line as the answer.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_DIE_WITH_PARENT = 1  # prctl(PR_SET_PDEATHSIG), Linux


def main() -> None:
    """Serve `{"start": {"log": …, "environment": …}}` and `{"wait": pid}` until standard input ends."""
    import fireworks_operator.app
    import fireworks_operator.cli
    import fireworks_operator.kube.watch  # noqa: F401 - loaded once for all

    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        answer = _start(order["start"]) if "start" in order else _wait(order["wait"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _start(wanted: dict[str, Any]) -> dict[str, int]:
    nursery = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_operator(wanted, nursery)
    return {"pid": pid}


def _wait(pid: int) -> dict[str, int]:
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status)}


def _become_operator(wanted: dict[str, Any], nursery: int) -> NoReturn:
    """Be the operator from here on, with nothing of the nursery but the loaded program."""
    try:
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != nursery:
            os._exit(1)
        output = os.open(Path(wanted["log"]), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, target)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        from fireworks_operator.cli import main as operator

        operator(["run"])
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException as error:  # noqa: BLE001 - the log is all that is left of it
        os.write(2, f"Traceback: {error!r}\n".encode())
    os._exit(1)


if __name__ == "__main__":
    main()
