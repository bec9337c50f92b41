"""A cluster's life: up, running, down."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from testkit.kubernetes import access, node, parts
from testkit.kubernetes.access import Kubectl
from testkit.kubernetes.errors import ClusterError
from testkit.kubernetes.files import locked
from testkit.kubernetes.node import Node, NodeBinaries
from testkit.kubernetes.parts import Binaries
from testkit.kubernetes.processes import Processes

ETCD, APISERVER, CONTROLLERS = "etcd", "kube-apiserver", "controllers"
_NODE_KUBECONFIG = "node.kubeconfig"
_START_SECONDS = 90.0  # 4 are usual; a machine that is busy with other things may need many more
_STOP_SECONDS = 30.0
_ASK_READY = ("get", "--raw", "/readyz", "--request-timeout=10s")


def local_cluster() -> "Cluster | GivenCluster":
    """Returns the cluster that the environment names.

    `$FIREWORKS_TEST_KUBECONFIG` is a cluster that runs already. Otherwise it is one of our own, with its state
    in `$FIREWORKS_CLUSTER_DIR` (default `~/.cache/fireworks-operator/cluster`).
    """
    named = os.environ.get("FIREWORKS_CLUSTER_DIR")
    directory = Path(named) if named else Path.home() / ".cache/fireworks-operator/cluster"
    given = os.environ.get("FIREWORKS_TEST_KUBECONFIG")
    return GivenCluster(Path(given), directory) if given else Cluster(directory)


class Cluster:
    """etcd, kube-apiserver and a few controllers as background processes; pods run only with a node.

    All state lies in one folder; objects for the same folder are the same cluster, in other processes, too.
    Clusters of different folders do not meet.

    Args:
        directory: The folder. Only what the cluster itself put there is ever deleted.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.expanduser().absolute()
        self._run = self.directory / "run"
        # The first file to come and the last to go: a folder without it is not ours to delete.
        self._mark = self._run / "kubectl"
        self._processes = Processes(self._run)
        self._node = Node(self._run, self._processes)

    @property
    def kubeconfig(self) -> Path:
        """Path of the administrator's kubeconfig; the file is there while the cluster is."""
        return self.kubeconfig_of(access.ADMIN)

    def kubeconfig_of(self, user: str) -> Path:
        """Returns the path of a user's kubeconfig; `operator` is a user without any rights of its own.

        Raises:
            ClusterError: There is no such user.
        """
        return access.kubeconfig_path(self._run, user)

    @property
    def has_controllers(self) -> bool:
        """Whether namespaces and what belongs to a deleted owner go when they are deleted, see cluster/controlplane."""
        return bool({CONTROLLERS, node.CONTROLLER_MANAGER} & set(self._processes.names()))

    def up(self, *, with_node: bool = False, controllers: bool = True) -> bool:
        """Starts the cluster and waits until it can be used; a half-dead one is removed first.

        Args:
            with_node: With a node that runs pods, see cluster.node.
            controllers: Compile controllers for it if need be, see parts.find_binaries(). A node needs them.

        Returns:
            False if it ran already, and was left as it is.

        Raises:
            ClusterError: It could not be built or started, or runs without the node that is asked for. Its processes
                are stopped, its logs are kept.
        """
        if self._runs_already(with_node):
            return False
        node_binaries = node.find_binaries() if with_node else None
        binaries = parts.find_binaries(controllers=controllers or with_node)
        with locked(self.directory):
            if self._runs_already(with_node):
                return False
            if self._run.exists():
                _say(f"removing what is left of an earlier cluster in {self._run}")
                self._remove()
            self._run.mkdir(mode=0o700)
            self._mark.symlink_to(binaries.kubectl)
            try:
                self._start(binaries, node_binaries)
            except BaseException:
                self._kill()
                raise
        return True

    def load(self, archive: Path) -> None:
        """Puts an image, in the form of `docker save`, into the node.

        Raises:
            ClusterError: There is no node, or it does not take the image.
        """
        if not self.kubeconfig.exists():
            raise self._missing()
        if not archive.is_file():
            raise ClusterError(f"there is no file {archive}")
        self._node.load(archive)

    def pull_by_http(self, registry: str) -> None:
        """Lets the node pull images from a registry (`host:port`) of this machine that speaks plain HTTP."""
        self._node.pull_by_http(registry)

    def down(self) -> None:
        """Stops all that `up` started and deletes the state; safe to repeat, and after any crash.

        Raises:
            ClusterError: A process does not end, even when killed; or the folder holds another's `run`.
        """
        if not self.directory.exists():
            return
        with locked(self.directory):
            self._remove()
            with contextlib.suppress(OSError):  # it holds something that is not ours
                self.directory.rmdir()

    def running(self) -> bool:
        """Whether all parts run and the API server answers that it is ready."""
        return (
            (self._run / "complete").exists()
            and all(map(self._processes.alive, self._processes.names()))
            and (access.status_of(self.kubeconfig, "/readyz") == 200)
        )

    def stop_apiserver(self, *, abruptly: bool = False) -> None:
        """Stops kube-apiserver alone, as for an upgrade: it ends watches and finishes the requests it has begun.

        Args:
            abruptly: Kill it instead, as in a crash: connections just break.

        Raises:
            ClusterError: There is no such cluster.
        """
        if not self.kubeconfig.exists():
            raise self._missing()
        with locked(self.directory):
            self._processes.stop(APISERVER, 0 if abruptly else _STOP_SECONDS)

    def start_apiserver(self) -> None:
        """Starts kube-apiserver again, on the same port and data, and waits until it is ready.

        Raises:
            ClusterError: There is no such cluster, or it does not become ready.
        """
        if not self.kubeconfig.exists():
            raise self._missing()
        with locked(self.directory):
            if not self._processes.alive(APISERVER):
                self._processes.start_again(APISERVER)
            self._wait_for("/readyz")

    def restart_apiserver(self) -> None:
        """Stops kube-apiserver and starts it again, on the same port and data."""
        self.stop_apiserver()
        self.start_apiserver()

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run() has it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl as administrator of this cluster.

        Args:
            args: Its arguments.
            input: What it gets on standard input.
            check: Whether a failure is an error.

        Raises:
            ClusterError: The cluster is not up, or kubectl failed and `check` is set.
        """
        return self.kubectl_program().run(args, input, check=check)

    def kubectl_program(self) -> Kubectl:
        """Returns kubectl as administrator of this cluster, for callers that run it themselves.

        Raises:
            ClusterError: The cluster is not up.
        """
        if not self.kubeconfig.exists():
            raise self._missing()
        return Kubectl(self._mark, self.kubeconfig, self._run / "kubectl-cache")

    def _missing(self) -> ClusterError:
        return ClusterError(f"there is no cluster in {self.directory}")

    def _runs_already(self, with_node: bool) -> bool:
        if not self.running():
            return False
        if with_node and not self._node.exists:
            raise ClusterError(f"the cluster in {self.directory} runs without a node; take it down first")
        return True

    def _start(self, binaries: Binaries, node_binaries: NodeBinaries | None) -> None:
        if node_binaries is not None:
            self._node.make_namespaces()
        pods_reach = node.HOST_ADDRESS if node_binaries else None
        etcd_port, peer_port, api_port, manager_port, scheduler_port = parts.free_ports(5)
        etcd = parts.etcd_command(binaries, self._run / "etcd", etcd_port, peer_port)
        self._processes.start(ETCD, etcd)

        further_names = [pods_reach] if pods_reach else []
        identity = parts.make_identity(binaries, self._run / "certificates", *further_names)
        tokens_file = self._run / "tokens.csv"
        tokens = access.make_users(tokens_file)
        apiserver = parts.apiserver_command(binaries, identity, tokens_file, etcd_port, api_port, pods_reach)
        self._processes.start(APISERVER, apiserver)
        self._wait("its key", identity.account_key.exists)
        for user, token in tokens.items():
            server = f"https://{parts.ADDRESS}:{api_port}"
            access.write_kubeconfig(self.kubeconfig_of(user), server, identity.authority, user, token)
        if pods_reach is not None:
            server, token = f"https://{pods_reach}:{api_port}", tokens[access.ADMIN]
            access.write_kubeconfig(self._run / _NODE_KUBECONFIG, server, identity.authority, access.ADMIN, token)
        self._wait_for("/readyz")

        if node_binaries is not None:
            program = node_binaries.components / node.CONTROLLER_MANAGER
            certificates = self._run / "controller-manager-certificates"
            command = parts.controller_manager_command(program, identity, self.kubeconfig, certificates, manager_port)
            self._start_controllers(node.CONTROLLER_MANAGER, command)
            self._start_node(node_binaries, scheduler_port)
        elif binaries.own is not None:
            self._start_controllers(CONTROLLERS, parts.controllers_command(binaries.own, self.kubeconfig))
        (self._run / "complete").touch()

    def _start_node(self, binaries: NodeBinaries, scheduler_port: int) -> None:
        certificates = self._run / "scheduler-certificates"
        scheduler = binaries.components / node.SCHEDULER
        command = parts.client_command(scheduler, self.kubeconfig, certificates, scheduler_port)
        self._processes.start(node.SCHEDULER, command)
        self._node.start(binaries, self._run / _NODE_KUBECONFIG)
        ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        ask = ("get", "node", node.NAME, "-o", ready)
        self._wait("a node that is Ready", lambda: self.kubectl(*ask, check=False).stdout == "True")

    def _start_controllers(self, name: str, command: Sequence[str]) -> None:
        self._processes.start(name, command)
        # Made by one of them, so they work; and no pod could be created in this namespace before.
        self._wait_for("/api/v1/namespaces/default/serviceaccounts/default")

    def _wait_for(self, path: str) -> None:
        self._wait(path, lambda: access.status_of(self.kubeconfig, path) == 200)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not done():
            dead = [name for name in self._processes.names() if not self._processes.alive(name)]
            if dead:
                raise ClusterError(f"{dead[0]} ended while the cluster started: {self._processes.log_tail(dead[0])}")
            if time.monotonic() > deadline:
                last = self._processes.names()[-1]
                raise ClusterError(f"no {what} after {_START_SECONDS:.0f} s: {self._processes.log_tail(last)}")
            time.sleep(0.05)

    def _kill(self) -> None:
        """Ends all parts at once, in any order: nothing of theirs is to be kept."""
        self._node.kill()
        for name in self._processes.names():
            self._processes.stop(name, patience=0)

    def _remove(self) -> None:
        if not self._run.exists():
            return
        content = [path for path in self._run.iterdir() if path != self._mark]
        if content and not self._mark.is_symlink():
            raise ClusterError(f"{self._run} was not made by a cluster: it is left as it is")
        self._kill()
        for path in self._run.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path != self._mark:
                path.unlink()
        self._mark.unlink(missing_ok=True)
        self._run.rmdir()


class GivenCluster:
    """A cluster that somebody else runs, for example kind: used as it is, never started or stopped.

    Args:
        kubeconfig: Its kubeconfig, the administrator's.
        directory: Where kubectl may remember things.
    """

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        self.kubeconfig = kubeconfig.expanduser().absolute()
        self.directory = directory.expanduser().absolute()

    def kubeconfig_of(self, user: str) -> Path:
        """Returns the kubeconfig of `admin`.

        Raises:
            ClusterError: Another user: this cluster has no others that we know of.
        """
        if user != access.ADMIN:
            raise ClusterError(f"{self.kubeconfig} is a given cluster: it has no user {user} for tests")
        return self.kubeconfig

    def up(self, *, with_node: bool = False) -> bool:
        """Checks that the cluster is there; returns False: nothing was started.

        Args:
            with_node: No matter: a given cluster has the nodes that it has.

        Raises:
            ClusterError: It does not answer.
        """
        self.kubectl(*_ASK_READY)
        return False

    def down(self) -> None:
        """Leaves the cluster alone; deletes only what kubectl remembered of it."""
        shutil.rmtree(self.directory / "kubectl-cache", ignore_errors=True)
        with contextlib.suppress(OSError):  # it is not there, or holds something that is not ours
            self.directory.rmdir()

    def running(self) -> bool:
        """Whether the API server answers that it is ready."""
        return self.kubectl(*_ASK_READY, check=False).returncode == 0

    def load(self, archive: Path) -> None:
        """Refuses."""
        raise ClusterError(f"{self.kubeconfig} is a given cluster: load {archive} by its own means")

    def stop_apiserver(self, *, abruptly: bool = False) -> None:
        """Refuses."""
        raise ClusterError(f"{self.kubeconfig} is a given cluster: its API server is not ours to stop")

    def start_apiserver(self) -> None:
        """Refuses."""
        raise ClusterError(f"{self.kubeconfig} is a given cluster: its API server is not ours to start")

    def restart_apiserver(self) -> None:
        """Refuses."""
        self.stop_apiserver()

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run() has it
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl against this cluster, see Cluster.kubectl()."""
        return self.kubectl_program().run(args, input, check=check)

    def kubectl_program(self) -> Kubectl:
        """Returns kubectl for this cluster, for callers that run it themselves."""
        program = parts.find_kubectl(parts.given_assets())
        return Kubectl(program, self.kubeconfig, self.directory / "kubectl-cache")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
