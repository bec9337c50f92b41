"""Sets up and takes down all that a run needs: API server, simulator, shards."""

import contextlib
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.chaos.kubernetes_side import KubernetesSide
from benchmarks.chaos.operators import ForkedOperator, Nursery
from benchmarks.chaos.pair import PairShard, Seat
from benchmarks.chaos.shard import Shard
from benchmarks.chaos.tally import Tally
from benchmarks.chaos.users import ADDONS, FOREIGN, UNOWNED
from fireworks_simulator.testing import SimulatorClient
from testkit.kubernetes import Cluster
from testkit.kubernetes.definitions import apply_crds
from testkit.kubernetes_api import KubernetesApi
from testkit.processes import SimulatorProcess
from testkit.team import MODEL, SECRET, Team, new_api_key

CRDS = Path(__file__).parents[2] / "crds"
FOREIGN_DEPLOYMENTS, MANY = 5, 205
"""Deployments of others in each account, and in one account, so that its LIST has two pages."""


class Stage:
    """What a run needs, while it lasts.

    Attributes:
        shards: operators with their namespaces.
        folder: logs and whatever a failure leaves.
    """

    def __init__(self, folder: Path, cluster: Cluster, shards: list[Shard], simulator: SimulatorClient) -> None:
        self.folder = folder
        self.cluster = cluster
        self.shards = shards
        self.simulator = simulator
        self._turn = threading.Lock()

    def kubernetes_version(self) -> str:
        """Return the version of the API server."""
        return str(self.shards[0].teams[0].api.request("GET", "/version")["gitVersion"])

    def restart_api_server(self, *, abruptly: bool) -> None:
        """Stop or kill the API server, and start it again."""
        with self._turn:
            self.cluster.stop_apiserver(abruptly=abruptly)
            self.cluster.start_apiserver()


@contextlib.contextmanager
def set_up(
    folder: Path, *, seed: str, shards: int, pairs: int, tally: Tally, say: Callable[[str], None]
) -> Iterator[Stage]:
    """Start everything but the operators, and take it down in the end: shards of one, then `pairs` of two."""
    with contextlib.ExitStack() as stack:
        # The path of the cluster must be short: sockets lie in it.
        cluster_folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        cluster = Cluster(cluster_folder / "state")
        say("starting a local Kubernetes")
        cluster.up()
        stack.callback(cluster.down)
        apply_crds(cluster, CRDS)
        first_key = new_api_key()
        process = SimulatorProcess(
            folder / "simulator.log", account="acme", api_key=first_key, port=0, **{"journal-size": "30000"}
        ).start()
        stack.callback(process.stop)
        simulator = SimulatorClient(process.url)
        simulator.assume(default_deployment_check=False)
        for addon in ADDONS:
            simulator.add_model(addon, kind="HF_PEFT_ADDON", baseModel=MODEL)
        nursery = stack.enter_context(Nursery())
        api = KubernetesApi(cluster.kubeconfig)
        made = [
            stack.enter_context(
                _shard(number, seed, folder, cluster, api, simulator, nursery, tally, say, pair=number >= shards)
            )
            for number in range(shards + pairs)
        ]
        yield Stage(folder, cluster, made, simulator)


@contextlib.contextmanager
def _shard(
    number: int,
    seed: str,
    folder: Path,
    cluster: Cluster,
    api: KubernetesApi,
    simulator: SimulatorClient,
    nursery: Nursery,
    tally: Tally,
    say: Callable[[str], None],
    *,
    pair: bool,
) -> Iterator[Shard]:
    """Make the namespaces and accounts of a shard; its operator runs when the shard says so."""
    place = folder / f"shard-{number}"
    place.mkdir()
    own = _team(api, simulator, f"chaos-{number}-own", MANY if number == 0 else FOREIGN_DEPLOYMENTS, own=True)
    other = _team(api, simulator, f"chaos-{number}-key", FOREIGN_DEPLOYMENTS, own=False)
    settings = {"FIREWORKS_OPERATOR_WATCH_NAMESPACES": f"{own.namespace},{other.namespace}"}
    if pair:
        settings |= {"FIREWORKS_OPERATOR_LEADER_ELECTION": "true", "FIREWORKS_OPERATOR_LEASE_NAME": own.namespace}
    with contextlib.ExitStack() as stack:
        seats = [
            stack.enter_context(
                _seat(
                    cluster.kubeconfig,
                    place / name,
                    lambda kubeconfig, log: ForkedOperator(
                        nursery, kubeconfig, simulator.url, log, api_key=own.api_key, settings=settings
                    ),
                )
            )
            for name in (("first", "second") if pair else ("operator",))
        ]
        if pair:
            yield PairShard(number, seed, (own, other), seats, tally, say)
        else:
            yield Shard(number, seed, (own, other), *seats[0], tally, say)


@contextlib.contextmanager
def _seat(kubeconfig: Path, place: Path, make: Callable[[Path, Path], ForkedOperator]) -> Iterator[Seat]:
    """Make an operator and what is between it and its API server; it is ended in the end."""
    place.mkdir()
    operator: ForkedOperator | None = None

    def kill() -> None:
        if operator is not None:
            operator.strike()

    kubernetes = KubernetesSide(kubeconfig, kill)
    with kubernetes.proxy.running(place) as own_kubeconfig:
        operator = make(own_kubeconfig, place / "operator.log")
        try:
            yield operator, kubernetes
        finally:
            if operator.pid_known:
                operator.kill()


def _team(api: KubernetesApi, simulator: SimulatorClient, name: str, foreign: int, *, own: bool) -> Team:
    key = new_api_key()
    api.request("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    simulator.add_account(name, key)
    team = Team(api, SimulatorClient(simulator.url, name), name, key, None, own)
    marks = {"custom/managed-by": "fireworks-operator", "custom/cluster": "another", "custom/namespace": "x"}
    team.simulator.create_foreign(foreign, FOREIGN.removesuffix("-0"), annotations={**marks, "custom/name": "y"})
    team.simulator.create_foreign(1, UNOWNED.removesuffix("-0"))
    if not own:
        team.put_secret(SECRET, apiKey=key)
    return team


def run_folder(seed: str) -> Path:
    """Return a new folder for logs, named after the seed."""
    root = Path(os.environ.get("CHAOS_FOLDER", tempfile.gettempdir()))
    folder = root / f"fireworks-chaos-{seed}-{secrets.token_hex(3)}"
    folder.mkdir(parents=True)
    return folder
