"""A node that really runs pods: scheduler, containerd, kubelet and kube-proxy, in namespaces of their own.

All that a node leaves about a machine (mounts, packet filter rules, network devices, processes) lies in those
namespaces and vanishes with their first process; only control groups have to be removed by hand. One network link
joins them to the machine, which is why only one cluster of a machine can have a node.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testkit.kubernetes import build
from testkit.kubernetes.build import MODULE, Target
from testkit.kubernetes.errors import ClusterError, last_lines
from testkit.kubernetes.pause import IMAGE as PAUSE_IMAGE
from testkit.kubernetes.pause import write_archive
from testkit.kubernetes.processes import Processes

NAME = "local"
HOST_ADDRESS, NODE_ADDRESS = "10.87.0.1", "10.87.0.2"
POD_RANGE = "10.88.0.0/24"
LINK = "fireworks-node"  # names of network devices have at most 15 characters
NAMESPACE, CONTAINERD, KUBELET, PROXY, SCHEDULER = "namespace", "containerd", "kubelet", "kube-proxy", "kube-scheduler"
CONTROLLER_MANAGER = "kube-controller-manager"

COMPONENTS = Target(
    MODULE,
    "node",
    (SCHEDULER, CONTROLLER_MANAGER, KUBELET, PROXY),
    "kubelet, proxy, scheduler, controller-manager",
)
_CONTAINERD_PACKAGES = "github.com/containerd/containerd/v2/cmd"
RUNTIME = Target(
    MODULE / "containerd",
    "pause",
    (),
    "containerd",
    tuple(f"{_CONTAINERD_PACKAGES}/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")),
)

# What is empty inside the namespaces, see node/namespace.sh.
_HIDDEN = ("/run", "/var/lib", "/var/log")
_CGROUP = "k8s.io"  # containerd's own choice, where pods have none of a quality of service
_CGROUPS = Path("/sys/fs/cgroup")
_DEVICES = Path("/sys/class/net")
_PLUGINS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
# Where the packet filter's commands are, which not everybody has on PATH.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
# The Debian package of each command that a node needs.
_PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "mount": "mount",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
_SCRIPT = MODULE / "node/namespace.sh"
_SECONDS = 30.0


def problem() -> str | None:
    """Returns why this machine cannot run a node and what to do about it, or None if it can."""
    if sys.platform != "linux":
        return "a node needs Linux"
    if os.geteuid() != 0:
        return "a node needs root: it makes namespaces, mounts and network devices"
    missing = {package for command, package in _PACKAGES.items() if shutil.which(command, path=_PATH) is None}
    if _plugins() is None:
        missing.add("containernetworking-plugins")
    if missing:
        return f"a node needs more programs: apt-get install {' '.join(sorted(missing))}"
    tried = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "this machine does not let root make namespaces, which a node needs"


def _plugins() -> Path | None:
    return next((folder for folder in _PLUGINS if (folder / "ptp").exists()), None)


@dataclass(frozen=True, slots=True)
class NodeBinaries:
    """The folders with the programs of a node.

    Attributes:
        components: Those of Kubernetes.
        runtime: containerd, its shim, ctr, and what the sandbox of each pod runs.
    """

    components: Path
    runtime: Path


def find_binaries() -> NodeBinaries:
    """Returns the programs of a node, built if need be.

    Raises:
        ClusterError: This machine cannot run a node, or the programs cannot be built.
    """
    trouble = problem()
    if trouble is not None:
        raise ClusterError(trouble)
    return NodeBinaries(build.build_target(COMPONENTS), build.build_target(RUNTIME))


class Node:
    """The node of a cluster.

    Args:
        run: The cluster's folder.
        processes: The cluster's processes, to which those of the node are added.
    """

    def __init__(self, run: Path, processes: Processes) -> None:
        self._run = run
        self._state = run / "node"
        self._processes = processes

    @property
    def exists(self) -> bool:
        """Whether the cluster has, or has had, a node."""
        return self._state.exists()

    @property
    def _socket(self) -> Path:
        return self._state / "containerd.sock"

    def make_namespaces(self) -> None:
        """Makes the namespaces of the node and the link to them.

        Raises:
            ClusterError: There is another node on this machine, the cluster lies where a node cannot see it, or the
                system refused.
        """
        for needed in (self._run, build.binaries_root()):
            if any(needed.resolve().is_relative_to(hidden) for hidden in _HIDDEN):
                raise ClusterError(f"a node cannot use {needed}: it has folders of its own below {', '.join(_HIDDEN)}")
        if (_DEVICES / LINK).exists():
            raise ClusterError(
                f"another cluster with a node runs on this machine, in {_other_cluster()}; to end it: "
                "FIREWORKS_CLUSTER_DIR=(that folder) python -m testkit.kubernetes down"
            )
        self._state.mkdir(mode=0o700)
        ready = self._state / "namespaces-ready"
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self._start(NAMESPACE, [*unshare, "sh", str(_SCRIPT), str(ready)])
        self._wait_until(NAMESPACE, ready)
        first = self._first_process()
        for command in (
            f"ip link add {LINK} type veth peer name eth0 netns {first}",
            f"ip address add {HOST_ADDRESS}/30 dev {LINK}",
            f"ip link set {LINK} up",
            f"nsenter --target {first} --net ip address add {NODE_ADDRESS}/30 dev eth0",
            f"nsenter --target {first} --net ip link set eth0 up",
            f"nsenter --target {first} --net ip route add default via {HOST_ADDRESS}",
            # So that the API server reaches pods, as `kubectl port-forward` and webhooks need.
            f"ip route add {POD_RANGE} via {NODE_ADDRESS}",
        ):
            _run(command.split())

    def start(self, binaries: NodeBinaries, kubeconfig: Path) -> None:
        """Starts what runs pods; the node becomes Ready some seconds later.

        Args:
            binaries: The programs.
            kubeconfig: The administrator's, with the address that the node reaches the API server at.
        """
        self._start_containerd(binaries)
        self.load(write_archive(binaries.runtime / "pause", self._state / "pause.tar"))
        components = binaries.components
        self._enter(KUBELET, binaries, self._kubelet_command(components / KUBELET, kubeconfig))
        proxy = [str(components / PROXY), f"--kubeconfig={kubeconfig}", f"--hostname-override={NAME}"]
        proxy += ["--proxy-mode=iptables", f"--cluster-cidr={POD_RANGE}"]
        # Limits of the whole machine, which it may not set from here.
        proxy += [f"--conntrack-{limit}=0" for limit in ("max-per-core", "tcp-timeout-established")]
        proxy += ["--conntrack-tcp-timeout-close-wait=0"]
        self._enter(PROXY, binaries, proxy)

    def load(self, archive: Path) -> None:
        """Puts an image into the node.

        Args:
            archive: What `docker save` writes.

        Raises:
            ClusterError: There is no node, or it does not take the image.
        """
        ctr = self._state / "ctr"
        if not ctr.exists():
            raise ClusterError("the cluster has no node; start it with `up --node`")
        # `--local`: read by ctr, who may read what its caller may; containerd runs with folders of its own.
        _run([str(ctr), *self._ctr_flags, "images", "import", "--local", "--digests=false", str(archive.absolute())])

    def pull_by_http(self, registry: str) -> None:
        """Lets the node pull images from a registry (`host:port`) of this machine that speaks plain HTTP."""
        folder = self._registries / registry
        folder.mkdir(parents=True)
        # Read at each pull.
        (folder / "hosts.toml").write_text(f'server = "http://{registry}"\n')

    def kill(self) -> None:
        """Ends all that runs in the namespaces, pods and all, and removes their control groups.

        Raises:
            ClusterError: Something of it is still there after half a minute.
        """
        if not self.exists:
            return
        self._processes.stop(NAMESPACE, patience=0)
        deadline = time.monotonic() + _SECONDS
        # They end with the namespaces, each reaped by the process that entered them on its behalf.
        while any(map(self._processes.alive, (CONTAINERD, KUBELET, PROXY))) and time.monotonic() < deadline:
            time.sleep(0.02)
        # The link goes with the namespaces, and they with their last process.
        while left := [*_control_groups(), *_DEVICES.glob(LINK)]:
            if time.monotonic() > deadline:
                raise ClusterError(f"left of the node: {', '.join(map(str, left))}")
            time.sleep(0.05)

    @property
    def _registries(self) -> Path:
        return self._state / "registries"

    @property
    def _ctr_flags(self) -> list[str]:
        return ["--address", str(self._socket), "--namespace", "k8s.io"]

    def _start_containerd(self, binaries: NodeBinaries) -> None:
        plugins = _plugins()
        assert plugins is not None, "problem() has looked"
        (self._state / "ctr").symlink_to(binaries.runtime / "ctr")
        network = self._state / "network"
        network.mkdir()
        (network / "10-pods.conflist").write_text(json.dumps(_network(self._state / "addresses"), indent=2))
        config = self._state / "containerd.toml"
        self._registries.mkdir()
        config.write_text(_containerd_config(self._state, self._socket, plugins, network, self._registries))
        self._enter(CONTAINERD, binaries, [str(binaries.runtime / "containerd"), "--config", str(config)])
        self._wait_until(CONTAINERD, self._socket)
        deadline = time.monotonic() + _SECONDS
        while _fails([str(self._state / "ctr"), *self._ctr_flags, "version"]):
            self._check(CONTAINERD, deadline)

    def _kubelet_command(self, program: Path, kubeconfig: Path) -> list[str]:
        """Writes the settings of the kubelet and returns its command line."""
        names = self._state / "resolv.conf"
        names.write_text("# There is no name server in this cluster.\n")
        config = self._state / "kubelet.json"
        settings = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": NODE_ADDRESS,
            # Nobody but this machine reaches that address.
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "resolvConf": str(names),
            "podLogsDir": str(self._state / "pod-logs"),
            "volumePluginDir": str(self._state / "volume-plugins"),
            # Control groups of version 1, 2 or both, with or without systemd.
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupsPerQOS": False,
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            # A disk that is almost full must not fail a test.
            "localStorageCapacityIsolation": False,
            "evictionHard": {"memory.available": "0%"},
            "imageGCHighThresholdPercent": 100,
        }
        config.write_text(json.dumps(settings, indent=2))
        return [
            str(program),
            f"--config={config}",
            f"--kubeconfig={kubeconfig}",
            f"--hostname-override={NAME}",
            f"--node-ip={NODE_ADDRESS}",
            f"--root-dir={self._state / 'kubelet'}",
            f"--cert-dir={self._state / 'kubelet-certificates'}",
        ]

    def _enter(self, name: str, binaries: NodeBinaries, command: Sequence[str]) -> None:
        """Starts a process in the namespaces."""
        enter = ["nsenter", "--target", str(self._first_process()), "--mount", "--net", "--pid", "--"]
        self._start(name, [*enter, "env", f"PATH={binaries.runtime}:{_PATH}", *command])

    def _start(self, name: str, command: Sequence[str]) -> None:
        self._processes.start(name, command)

    def _first_process(self) -> int:
        """Returns the process id, as the machine sees it, of the first process of the namespaces."""
        outside = json.loads((self._run / f"{NAMESPACE}.json").read_text())["pid"]
        return int(Path(f"/proc/{outside}/task/{outside}/children").read_text().split()[0])

    def _wait_until(self, name: str, path: Path) -> None:
        deadline = time.monotonic() + _SECONDS
        while not path.exists():
            self._check(name, deadline)

    def _check(self, name: str, deadline: float) -> None:
        """Waits a moment.

        Raises:
            ClusterError: The process has ended, or the time is over.
        """
        if not self._processes.alive(name) or time.monotonic() > deadline:
            raise ClusterError(f"{name} did not start: {self._processes.log_tail(name)}")
        time.sleep(0.05)


def _network(addresses: Path) -> dict[str, object]:
    """Returns the network of the pods: a link from each to the node, with addresses counted in a folder.

    No bridge: answers of a Service would pass by the packet filter of the node, unless a kernel module is loaded.
    """
    link = {
        "type": "ptp",
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": POD_RANGE}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(addresses),
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [link, ports]}


def _containerd_config(state: Path, address: Path, plugins: Path, network: Path, registries: Path) -> str:
    return f"""version = 3
root = "{state}/containerd"
state = "{state}/containerd-state"
[grpc]
  address = "{address}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "{registries}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{plugins}"]
  conf_dir = "{network}"
"""


def _other_cluster() -> str:
    """Returns the folder of the cluster whose node runs, by the argument of its first process."""
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command_line.read_text().split("\0")
        except (OSError, UnicodeDecodeError):
            continue
        scripts = [number for number, word in enumerate(words) if word.endswith(f"/node/{_SCRIPT.name}")]
        if scripts and len(words) > scripts[0] + 1:
            return str(Path(words[scripts[0] + 1]).parents[2])
    return "an unknown folder"


def _control_groups() -> list[Path]:
    """Removes the node's control groups, from the innermost out, and returns those that still hold a process."""
    found = sorted({*_CGROUPS.glob(f"{_CGROUP}/**/"), *_CGROUPS.glob(f"*/{_CGROUP}/**/")}, reverse=True)
    return [group for group in found if not _removed(group)]


def _removed(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _fails(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def _run(command: Sequence[str]) -> None:
    environment = {**os.environ, "PATH": _PATH}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = last_lines(done.stderr or done.stdout)
        raise ClusterError(f"`{Path(command[0]).name}` failed with exit code {done.returncode}:\n{said}")
