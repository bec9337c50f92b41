"""The test bench: one API server for all scenarios, and arenas in it that do not meet."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.arena import OWN_ACCOUNT, STAGES, Arena
from benchmarks.options import LIFTED, ROOT
from benchmarks.timeline import Timeline
from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes import Cluster, GivenCluster, local_cluster
from testkit.kubernetes.definitions import apply_crds
from testkit.kubernetes_api import KubernetesApi, KubernetesError, resources_path
from testkit.processes import SimulatorProcess
from testkit.team import Team, new_api_key
from testkit.waiting import eventually

_CRDS = ROOT / "crds"


class Bench:
    """The API server that everything runs against; a context manager that starts and stops it."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._arenas = 0
        self._fleets: dict[int, Arena] = {}

    def __enter__(self) -> "Bench":
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fireworks-bench-")))
            self._cluster = stack.enter_context(_running(self.folder / "kubernetes"))
            apply_crds(self._cluster, _CRDS)
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

    def kubectl_create(self, file: Path) -> subprocess.Popen[bytes]:
        """Start a kubectl that creates what is in a file."""
        kubectl = self._cluster.kubectl_program()
        return subprocess.Popen(
            kubectl.command("create", "--filename", str(file)), env=kubectl.environment(), stdout=subprocess.DEVNULL
        )

    def arena(self, label: str, **timing: str) -> Arena:
        """Make an arena; `timing` are options of the simulator."""
        self._arenas += 1
        folder = self.folder / f"{self._arenas:02}-{label}"
        folder.mkdir()
        key = new_api_key()
        options = {**STAGES, "updating": "0.2", "deleting": "0.2", **timing}
        process = SimulatorProcess(folder / "simulator.log", port=0, account=OWN_ACCOUNT, api_key=key, **options)
        arena = Arena(self.kubeconfig, process, _team(self.api, process.start(), key, label), folder)
        self._stack.callback(arena.close)
        return arena

    def leave_fleet(self, count: int, arena: Arena) -> None:
        """Keep an arena with so many READY resources, and no operator, for `fleet`."""
        former = self._fleets.pop(count, None)
        if former is not None:
            former.close()
        self._fleets[count] = arena

    def drop_fleets(self) -> None:
        """Forget the arenas that were kept: they are no longer what they were."""
        for arena in self._fleets.values():
            arena.close()
        self._fleets.clear()

    def fleet(self, count: int) -> Arena:
        """Return an arena with so many READY resources and no operator; it stays for the next one."""
        arena = self._fleets.get(count)
        if arena is None:
            arena = self._fleets[count] = self.arena("fleet")
            names = arena.names(count)
            with Timeline(self.api, arena.namespace) as timeline, arena.operator(LIFTED):
                arena.apply(names)
                if not timeline.until_ready(names, within=60 + count / 8):
                    raise TimeoutError(f"{count} resources did not become READY")
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
