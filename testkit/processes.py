"""The two programs under test as real processes."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from testkit.waiting import eventually

_BIN = Path(sys.executable).parent
_TAIL = 4000
POLL_SECONDS = 0.5
"""How often the operator lists an account in these tests."""

FAST: Mapping[str, str] = {
    "FIREWORKS_OPERATOR_POLL_INTERVAL_CHANGING": str(POLL_SECONDS),
    "FIREWORKS_OPERATOR_POLL_INTERVAL_SETTLING": str(POLL_SECONDS),
    "FIREWORKS_OPERATOR_POLL_INTERVAL_IDLE": str(POLL_SECONDS),
    "FIREWORKS_OPERATOR_REQUESTS_PER_MINUTE": "6000",
}


def environment(**variables: str) -> dict[str, str]:
    """Only what a process needs: nothing that the developer exported may change a test."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | variables


class Running(Protocol):
    """A process that was started; `subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float, /) -> int: ...
    def send_signal(self, number: signal.Signals, /) -> None: ...


class Process:
    """A process whose output goes to a file; every start appends to it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._command = [str(part) for part in command]
        self.environment = dict(environment)
        self.log_file = log
        self._process: Running | None = None
        self._offset = 0
        self._checked = 0

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it, without waiting for anything."""
        assert not self.running
        self._offset = self._logged()
        self._process = self._begin()

    def _begin(self) -> Running:
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                self._command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def end(self, number: signal.Signals, within: float = 40.0) -> int:
        """Send a signal, wait for the end and return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(within)
        self._process = None
        return code

    def wait(self, within: float = 40.0) -> int:
        """Wait until it ends by itself and return the exit code."""
        assert self._process is not None
        code = self._process.wait(within)
        self._process = None
        return code

    def log(self, *, latest: bool = False) -> str:
        """Return what it has written since `begin_log()`, since its latest start if asked."""
        if not self.log_file.exists():
            return ""
        with self.log_file.open("rb") as file:
            file.seek(self._offset if latest else self._checked)
            return file.read().decode()

    def begin_log(self) -> None:
        """What it has written until now is nobody's business any more."""
        self._checked = self._logged()

    def _logged(self) -> int:
        return self.log_file.stat().st_size if self.log_file.exists() else 0

    def tail(self) -> str:
        """Return the end of the log, for failure messages."""
        return f"--- {self.log_file.name}\n{self.log()[-_TAIL:]}"


class Operator(Process):
    """`fireworks-operator run`.

    Args:
        kubeconfig: which cluster, and as whom.
        base_url: where the Fireworks API is.
        log: file for its log.
        api_key: the operator's own key; None for none.
        settings: further environment variables, which win over those of `pace`.
        pace: how often it looks and how much it may ask; for real deployments, the defaults.
    """

    def __init__(
        self,
        kubeconfig: Path,
        base_url: str,
        log: Path,
        *,
        api_key: str | None,
        settings: Mapping[str, str],
        pace: Mapping[str, str] = FAST,
    ) -> None:
        variables = {
            "KUBECONFIG": str(kubeconfig),
            "FIREWORKS_BASE_URL": base_url,
            "FIREWORKS_OPERATOR_HEALTH_HOST": "127.0.0.1",
            "FIREWORKS_OPERATOR_HEALTH_PORT": "0",
            "FIREWORKS_OPERATOR_ACCEPT_SHAPELESS_RISK": "true",
            **pace,
            **({} if api_key is None else {"FIREWORKS_API_KEY": api_key}),
            **settings,
        }
        super().__init__((str(_BIN / "fireworks-operator"), "run"), environment(**variables), log)
        self._port_of: tuple[int, int] | None = None
        self.tolerated: str | None = None
        """Lines with this text may be errors in this test."""

    def start(self) -> "Operator":
        """Start it and wait until it is ready."""
        self.launch()
        eventually(self.ready, "the operator is ready", within=60, explain=self.tail)
        return self

    def stop(self) -> None:
        """Stop it as Kubernetes does; that is no failure."""
        assert self.end(signal.SIGTERM) == 0, self.tail()

    def kill(self) -> None:
        """End it on the spot, as a crash of its node does."""
        self.end(signal.SIGKILL)

    def restart(self, **settings: str) -> None:
        """Stop it, change settings (environment variables) and start it again."""
        if self.running:
            self.stop()
        self.environment |= settings
        self.start()

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        assert self.running, f"the operator has ended\n{self.tail()}"
        port = self._port()
        return port is not None and self._get(port, "/readyz")[0] == 200

    def metrics(self) -> str:
        """Return what /metrics shows."""
        port = self._port()
        assert port is not None
        return self._get(port, "/metrics")[1]

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric: the sum over all its series with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        total = 0.0
        for line in self.metrics().splitlines():
            series, _, value = line.rpartition(" ")
            if series.partition("{")[0] == name and all(each in series for each in wanted):
                total += float(value)
        return total

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        return self.metric("process_resident_memory_bytes") / 2**20

    def seconds_to_answer(self, path: str) -> float:
        """Return how long it takes to answer a path with 200; infinite if it does not."""
        port, began = self._port(), time.monotonic()
        answered = port is not None and self._get(port, path)[0] == 200
        return time.monotonic() - began if answered else float("inf")

    def _port(self) -> int | None:
        if self._port_of is None or self._port_of[0] != self._offset:
            told = re.search(r"serves /metrics.* on port (\d+)", self.log(latest=True))
            if told is None:
                return None
            self._port_of = (self._offset, int(told[1]))
        return self._port_of[1]

    @staticmethod
    def _get(port: int, path: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except OSError:
            return 0, ""

    def check_log(self, *secrets: str) -> None:
        """Assert that nothing unexpected happened and that no secret was written down."""
        for line in self.log().splitlines():
            assert "Traceback" not in line, line
            assert "unexpectedly" not in line, line
            tolerated = self.tolerated is not None and self.tolerated in line
            assert '"level": "error"' not in line or tolerated, line
            assert not any(secret in line for secret in secrets), "a secret stands in the log"


class SharedOperator:
    """An operator that one module of tests after the other uses, and that never runs beside another one.

    Attributes:
        is_held: whether a module uses it.
    """

    def __init__(self) -> None:
        self._process: Operator | None = None
        self.is_held = False

    @contextlib.contextmanager
    def held(self, process: Operator) -> Iterator[Operator]:
        """Use it, started if need be; its log begins here."""
        self._process, self.is_held = process, True
        process.begin_log()
        process.tolerated = None
        try:
            if not process.running:
                process.start()
            yield process
        finally:
            self.is_held = False

    def rest(self) -> None:
        """Stop it unless a module uses it; it is started again when it is needed."""
        if self._process is not None and self._process.running and not self.is_held:
            self._process.stop()


def simulator_command(port: int, account: str, **options: str) -> Sequence[str]:
    """Return the command of a simulator with short durations, without the account's key."""
    timing = {
        "pending": "0.3",
        "downloading": "0.3",
        "initializing": "0.3",
        "updating": "0.5",
        "deleting": "0.3",
        "addon": "0.3",
    }
    arguments = [f"--{name}={value}" for name, value in (timing | options).items()]
    return (str(_BIN / "fireworks-simulator"), f"--port={port}", f"--account={account}", *arguments)


class SimulatorProcess(Process):
    """`fireworks-simulator`, with a clock that runs as ours and short durations."""

    def __init__(self, log: Path, *, port: int = 0, account: str, api_key: str, **options: str) -> None:
        command = simulator_command(port, account, **options)
        super().__init__(command, environment(FIREWORKS_SIMULATOR_API_KEYS=api_key), log)
        self.url = ""

    def start(self) -> "SimulatorProcess":
        """Start it and wait until it listens."""
        self.launch()
        self.url = eventually(self._listening, "the simulator listens", within=60, explain=self.tail)
        return self

    def stop(self) -> None:
        """Stop it."""
        self.end(signal.SIGTERM)

    def _listening(self) -> str | None:
        assert self.running, f"the simulator has ended\n{self.tail()}"
        line = next((each for each in self.log(latest=True).splitlines() if "listening on" in each), None)
        return None if line is None else line.split("listening on ")[1].split()[0]
