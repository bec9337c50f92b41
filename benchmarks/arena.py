"""An arena: a namespace and a simulator, where one contender at a time serves resources."""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.contenders import Naive, Raw
from testkit.processes import Operator, SimulatorProcess
from testkit.team import Team

OWN_ACCOUNT: Final = "acme"
STAGES: Final[Mapping[str, str]] = {"pending": "0.5", "downloading": "1", "initializing": "0.5"}
"""Seconds that a new deployment spends in each stage on its way to READY."""
STARTUP_SECONDS: Final = 2.0
CLIENTS: Final = 16
"""Threads that apply and delete resources."""


class Arena:
    """A namespace, a simulator with one account, and at most one contender at a time that serves both.

    Resources are named by numbers, and their deployments have the same names.
    """

    def __init__(self, kubeconfig: Path, simulator: SimulatorProcess, team: Team, folder: Path) -> None:
        self.kubeconfig = kubeconfig
        self.team = team
        self.simulator = team.simulator
        self.process = simulator
        self.folder = folder
        self._operators = 0

    @property
    def namespace(self) -> str:
        """Where the resources are."""
        return self.team.namespace

    def names(self, count: int, prefix: str = "chat") -> list[str]:
        """Return names for so many resources."""
        return [f"{prefix}-{number:05}" for number in range(count)]

    @contextlib.contextmanager
    def operator(self, settings: Mapping[str, str], *, namespaces: Collection[str] = ()) -> Iterator[Operator]:
        """Run the operator for this arena's namespace, or for others."""
        self._operators += 1
        process = Operator(
            self.kubeconfig,
            self.process.url,
            self.folder / f"operator-{self._operators}.log",
            api_key=self.team.api_key,
            settings={"FIREWORKS_OPERATOR_WATCH_NAMESPACES": ",".join(namespaces or [self.namespace]), **settings},
            pace={},
        )
        try:
            yield process.start()
        finally:
            if process.running:
                process.stop()
        process.check_log(self.team.api_key)

    def raw(self, count: int) -> Raw:
        """Return the bare clients, not started."""
        return Raw(self.kubeconfig, self.process.url, self.team, self.folder / "raw.log", count=count)

    def naive(self) -> Naive:
        """Return the naive operator, not started."""
        return Naive(self.kubeconfig, self.process.url, self.team, self.folder / "naive.log")

    def apply(self, names: Collection[str]) -> dict[str, float]:
        """Create resources as fast as the API server takes them; return when each was sent, monotonic."""

        def create(name: str) -> tuple[str, float]:
            sent = time.monotonic()
            self.team.create(name, deploymentId=name)
            return name, sent

        with ThreadPoolExecutor(CLIENTS) as pool:
            return dict(pool.map(create, names))

    def delete(self, names: Collection[str]) -> dict[str, float]:
        """Ask for the deletion of resources; return when each was asked for, monotonic."""

        def delete(name: str) -> tuple[str, float]:
            sent = time.monotonic()
            self.team.delete(name)
            return name, sent

        with ThreadPoolExecutor(CLIENTS) as pool:
            return dict(pool.map(delete, names))

    def created(self) -> dict[str, float]:
        """Return when each deployment's first create request came, monotonic."""
        found: dict[str, float] = {}
        for each in self.team.posts():
            found.setdefault(each.query["deploymentId"], each.monotonic)
        return found

    def requests(self) -> int:
        """Return the number of requests to Fireworks so far."""
        return int(str(self.simulator.counts()["total"]))

    def close(self) -> None:
        """Stop the simulator; what is left in the API server goes with it."""
        if self.process.running:
            self.process.stop()
