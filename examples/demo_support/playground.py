"""Kubernetes, the simulator and the operator, as background processes whose state lies in one folder."""

import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import httpx

from fireworks_simulator.settings import AccountSettings
from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes import Cluster, ClusterError
from testkit.kubernetes.definitions import apply_crds
from testkit.kubernetes.errors import last_lines
from testkit.kubernetes.files import write_private
from testkit.kubernetes.parts import find_binaries
from testkit.kubernetes.processes import Processes

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; commands run here."""
CRDS = "crds/"
SPEED = 6
"""Virtual seconds of the simulator per real second: a cold start of a minute takes ten seconds."""
ACCOUNT = AccountSettings()
"""The account that the simulator has from the start; its key opens nothing else."""

_OPERATOR, _SIMULATOR = "operator", "simulator"
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LOG_LINES = 25
# Run through a file, not through arguments: those of a process are there for everybody to see.
_WITH_ENVIRONMENT = 'set -a && . "$1" && shift && exec "$@"'


class DemoError(Exception):
    """Something is not as it should be; the text says how it is instead."""


def eventually(look: Callable[[], T | None], seconds: float, instead: Callable[[], str]) -> T:
    """Look until there is something, and return it.

    Args:
        look: gives what is waited for, or something false.
        seconds: how long to look.
        instead: says how things stand, for the error.

    Raises:
        DemoError: there was nothing in that time.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise DemoError(f"after {seconds:.0f} s: {instead()}")
        time.sleep(0.1)


class Playground:
    """Everything that the demo runs. Objects for the same folder are the same playground, in other processes, too.

    Args:
        directory: the folder for state and logs; deleted by `stop()`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = Cluster(directory / "kubernetes")
        self._processes = Processes(directory)

    @property
    def url(self) -> str:
        """Base URL of the simulator.

        Raises:
            DemoError: it does not say.
        """
        return self._said(_SIMULATOR, r"listening on (http://\S+)")

    @property
    def simulator(self) -> SimulatorClient:
        """What changes the simulator behind everybody's back."""
        return SimulatorClient(self.url, ACCOUNT.id)

    def build(self) -> None:
        """Find, download or build Kubernetes' own parts; shows its progress itself.

        Controllers are not worth minutes of compiling here: they come along only if they are built already.
        """
        find_binaries(controllers=False)

    def start_kubernetes(self) -> None:
        """Start the control plane and have it know the resource."""
        self.cluster.up(controllers=False)
        apply_crds(self.cluster, Path(CRDS))

    def start_simulator(self) -> None:
        """Start the simulator on a free port."""
        command = ["--port=0", f"--speed={SPEED}", f"--account={ACCOUNT.id}"]
        self._processes.start(_SIMULATOR, [_program("fireworks-simulator"), *command])
        self._wait_for(f"{self.url}/_simulator/health")

    def start_operator(self) -> None:
        """Start the operator and wait until it is ready."""
        environment = {
            "FIREWORKS_BASE_URL": self.url,
            "FIREWORKS_API_KEY": ACCOUNT.api_key,
            "FIREWORKS_OPERATOR_HEALTH_HOST": "127.0.0.1",
            "FIREWORKS_OPERATOR_HEALTH_PORT": "0",
            # The simulator's time runs faster, so the operator is to look more often than the usual 3 s.
            "FIREWORKS_OPERATOR_POLL_INTERVAL_CHANGING": "1",
        }
        file = self.directory / "operator.env"
        write_private(file, "".join(f"{name}={value}\n" for name, value in environment.items()))
        options = [f"--kubeconfig={self.cluster.kubeconfig}", "--log-format=text"]
        command = [_program("fireworks-operator"), "run", *options]
        self._processes.start(_OPERATOR, ["/bin/sh", "-c", _WITH_ENVIRONMENT, "sh", str(file), *command])
        port = self._said(_OPERATOR, r"serves /metrics, .* on port (\d+)")
        self._wait_for(f"http://127.0.0.1:{port}/readyz")

    def kubectl(self, *words: str) -> str:
        """Run kubectl and return what it printed.

        Raises:
            ClusterError: it failed; the text has its own words.
        """
        return self.cluster.kubectl(*words).stdout

    def ask_fireworks(self, path: str, body: Mapping[str, object] | None = None) -> httpx.Response:
        """Send a request with the API key, as a client of Fireworks: a GET, or with a body a POST.

        Raises:
            DemoError: there is no answer, or one that is no success.
        """
        # No proxy of the environment: it would not know this machine's own address.
        headers = {"Authorization": f"Bearer {ACCOUNT.api_key}"}
        with httpx.Client(trust_env=False, headers=headers, timeout=10) as client:
            url = path if path.startswith("http") else f"{self.url}{path}"
            try:
                answer = client.get(url) if body is None else client.post(url, json=body)
            except httpx.HTTPError as error:
                raise DemoError(f"{url} does not answer: {error}") from error
        if not answer.is_success:
            raise DemoError(f"{url} answers {answer.status_code}: {answer.text}")
        return answer

    def operator_log(self) -> str:
        """Return the last lines that the operator logged; empty if it never ran."""
        return self._log_tail(_OPERATOR)

    def log(self, name: str) -> Path:
        """Return where the log of `operator` or `simulator` is."""
        return self._processes.log(name)

    def stop(self) -> None:
        """End all processes and delete the folder; safe to repeat, and after any crash.

        Raises:
            ClusterError: a process does not end, even when killed.
        """
        for name in (_OPERATOR, _SIMULATOR):
            self._processes.stop(name, patience=_STOP_SECONDS)
        self.cluster.down()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _said(self, name: str, pattern: str) -> str:
        """Wait until a process has logged something, and return the first group of the pattern."""

        def look() -> re.Match[str] | None:
            found = re.search(pattern, self._log_text(name))
            if found is None and not self._processes.alive(name):
                raise DemoError(f"the {name} ended: {self._log_tail(name)}")
            return found

        return eventually(look, _START_SECONDS, lambda: f"the {name} logged only: {self._log_tail(name)}")[1]

    def _log_text(self, name: str) -> str:
        log = self.log(name)
        return log.read_text(errors="replace") if log.exists() else ""

    def _log_tail(self, name: str) -> str:
        return last_lines(self._log_text(name), _LOG_LINES)

    def _wait_for(self, url: str) -> None:
        def look() -> bool:
            try:
                return httpx.get(url, trust_env=False, timeout=5).is_success
            except httpx.TransportError:
                return False

        eventually(look, _START_SECONDS, lambda: f"{url} does not answer 200")


def _program(name: str) -> str:
    """Return the path of a command of this Python environment.

    Raises:
        ClusterError: it is not installed there.
    """
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise ClusterError(f"{path} does not exist: run `make venv`, and start the demo by `make demo`")
    return str(path)
