"""The test bench: one API server for all scenarios, and arenas in it that do not meet."""

import contextlib
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.contenders import Naive, Raw
from benchmarks.options import ROOT
from cluster import Cluster, GivenCluster, local_cluster
from fireworks_simulator.testing import SimulatorClient
from integration.kubernetes_api import KubernetesApi, KubernetesError, resources_path
from integration.processes import Operator, SimulatorProcess
from integration.team import Team, new_api_key
from integration.waiting import eventually

OWN_ACCOUNT = "acme"
STAGES: Mapping[str, str] = {"pending": "0.5", "downloading": "1", "initializing": "0.5"}
"""Seconds that a new deployment spends in each stage on its way to READY."""
STARTUP_SECONDS = 2.0
CLIENTS = 16
"""Threads that apply and delete resources."""
_CRD = ROOT / "crds" / "fireworks.ai_fireworksdeployments.yaml"


class Arena:
    """A namespace, a simulator with one account, and at most one contender at a time that serves both.

    Resources are named by numbers, and their deployments have the same names.
    """

    def __init__(self, bench: "Bench", simulator: SimulatorProcess, team: Team, folder: Path) -> None:
        self.bench = bench
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
            self.bench.kubeconfig,
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
        return Raw(self.bench.kubeconfig, self.process.url, self.team, self.folder / "raw.log", count=count)

    def naive(self) -> Naive:
        """Return the naive operator, not started."""
        return Naive(self.bench.kubeconfig, self.process.url, self.team, self.folder / "naive.log")

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

    def close(self) -> None:
        """Stop the simulator; what is left in the API server goes with it."""
        if self.process.running:
            self.process.stop()


class Bench:
    """The API server that everything runs against; a context manager that starts and stops it."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._arenas = 0

    def __enter__(self) -> "Bench":
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fireworks-bench-")))
            self._cluster = stack.enter_context(_running(self.folder / "kubernetes"))
            self._cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(_CRD))
            self._cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(_CRD))
            self.api = KubernetesApi(self.kubeconfig)
            eventually(self._served, "the API server serves the resource", within=30)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _served(self) -> bool:
        try:
            self.api.request("GET", resources_path(None))
        except KubernetesError:  # for some moments after the CRD is established
            return False
        return True

    @property
    def kubeconfig(self) -> Path:
        """How to reach the API server as administrator."""
        return self._cluster.kubeconfig

    def arena(self, label: str, **timing: str) -> Arena:
        """Make an arena; `timing` are options of the simulator."""
        self._arenas += 1
        folder = self.folder / f"{self._arenas:02}-{label}"
        folder.mkdir()
        key = new_api_key()
        options = {**STAGES, "updating": "0.2", "deleting": "0.2", **timing}
        process = SimulatorProcess(folder / "simulator.log", port=0, account=OWN_ACCOUNT, api_key=key, **options)
        arena = Arena(self, process, _team(self.api, process.start(), key, label), folder)
        self._stack.callback(arena.close)
        return arena


def _team(api: KubernetesApi, process: SimulatorProcess, key: str, label: str) -> Team:
    simulator = SimulatorClient(process.url, OWN_ACCOUNT)
    return Team.begin(api, simulator, own=(OWN_ACCOUNT, key), name=label)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator[Cluster | GivenCluster]:
    given = local_cluster()
    cluster = given if isinstance(given, GivenCluster) else Cluster(folder)
    cluster.up()
    try:
        yield cluster
    finally:
        cluster.down()
