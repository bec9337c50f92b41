"""The parts of the control plane: where their binaries come from, and the command line of each."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from testkit.kubernetes import build, prebuilt
from testkit.kubernetes.errors import ClusterError, last_lines

ADDRESS = "127.0.0.1"
SERVICE_RANGE, SERVICE_ADDRESS = "10.96.0.0/24", "10.96.0.1"
SERVING_NAMES = (
    ADDRESS,
    SERVICE_ADDRESS,
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
# Below the ports that Linux and macOS hand out by themselves (from 32768), so that none is taken between being
# found free and being used, or while kube-apiserver restarts; and below those of NodePort services (from 30000).
_PORTS = range(20000, 30000)


@dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of a control plane.

    Attributes:
        etcd: Path of that program.
        apiserver: Path of kube-apiserver.
        kubectl: Path of kubectl.
        own: Path of our own program, which runs controllers and makes certificates; None: the cluster does without
            controllers, and kube-apiserver makes its own certificates.
    """

    etcd: Path
    apiserver: Path
    kubectl: Path
    own: Path | None


@dataclass(frozen=True, slots=True)
class Identity:
    """How the API server proves who it is.

    Attributes:
        authority: Certificates that clients are to trust (PEM).
        account_key: Private key that signs service account tokens (PEM).
        flags: What tells kube-apiserver to use them.
    """

    authority: Path
    account_key: Path
    flags: tuple[str, ...]


def given_assets() -> Path | None:
    """Returns the folder `$KUBEBUILDER_ASSETS`, whose binaries are used before all others, or None."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(named).expanduser().absolute() if named else None


def find_binaries(*, controllers: bool = True) -> Binaries:
    """Returns the binaries of `$KUBEBUILDER_ASSETS`, built here before, built by others, or built now.

    Args:
        controllers: Build controllers for binaries that others have built. Without, nothing is compiled for these,
            and the cluster has controllers only if they are there already.

    Raises:
        ClusterError: A binary is missing or cannot be built.
    """
    folder = given_assets() or build.built(build.control_plane()) or prebuilt.find() or build.build()
    for name in ("etcd", "kube-apiserver"):
        if not (folder / name).exists():
            raise ClusterError(f"KUBEBUILDER_ASSETS={folder} holds no {name}")
    # The same program does for all of them, once it is there.
    own = folder if (folder / build.PROGRAM).exists() else None
    own = own or build.built(build.control_plane()) or build.built(build.CONTROLLERS)
    if own is None and controllers:
        own = build.build_target(build.CONTROLLERS)
    return Binaries(
        etcd=folder / "etcd",
        apiserver=folder / "kube-apiserver",
        kubectl=_own_kubectl(folder),
        own=own / build.PROGRAM if own else None,
    )


def _own_kubectl(folder: Path) -> Path:
    """Returns the kubectl of a folder, or one built here before, or one on PATH that fits, or builds one."""
    if (folder / "kubectl").exists():
        return folder / "kubectl"
    built = build.built(build.KUBECTL)
    if built is None:
        on_path = shutil.which("kubectl")
        if on_path and _fits(on_path):
            return Path(on_path)
        built = build.build_target(build.KUBECTL)
    return built / "kubectl"


def _fits(kubectl: str) -> bool:
    """Whether a kubectl is at most one minor version off, which is what Kubernetes supports."""
    command = [kubectl, "version", "--client", "--output=json"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
        )
        version = re.match(r"v(\d+)\.(\d+)\.", json.loads(done.stdout)["clientVersion"]["gitVersion"])
    except (OSError, ValueError, LookupError, TypeError, subprocess.TimeoutExpired):
        return False
    ours = build.kubernetes_version()
    if version is None or ours is None:
        return False
    return int(version[1]) == ours[0] and abs(int(version[2]) - ours[1]) <= 1


def find_kubectl(assets: Path | None) -> Path:
    """Returns the kubectl of `assets`, or that of PATH, or that of this Python environment.

    Raises:
        ClusterError: There is none.
    """
    on_path = shutil.which("kubectl")
    candidates = [assets / "kubectl"] if assets else []
    candidates += [Path(on_path)] if on_path else []
    candidates += [Path(sys.executable).parent / "kubectl"]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise ClusterError("there is no kubectl on PATH" + (f", and none in {assets}" if assets else ""))


def make_identity(binaries: Binaries, directory: Path, *further_names: str) -> Identity:
    """Makes certificates and keys in `directory`, or has kube-apiserver make them there when it starts.

    Args:
        binaries: Whose.
        directory: Where; it must not exist.
        further_names: Addresses of the server beside the usual ones.
    """
    directory.mkdir(mode=0o700)
    if binaries.own is None:
        # Its self-signed certificate comes with the authority behind it; its key will do for tokens, too.
        key = directory / "apiserver.key"
        return Identity(directory / "apiserver.crt", key, (f"--cert-dir={directory}",))
    command = [str(binaries.own), "certs", str(directory), *SERVING_NAMES, *further_names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"the cluster's certificates could not be made:\n{last_lines(done.stderr)}")
    return Identity(
        directory / "ca.crt",
        directory / "service-account.key",
        (
            f"--tls-cert-file={directory / 'apiserver.crt'}",
            f"--tls-private-key-file={directory / 'apiserver.key'}",
        ),
    )


def free_ports(count: int) -> list[int]:
    """Returns `count` different ports of 127.0.0.1 that nothing listens on."""
    found: list[int] = []
    for port in SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as candidate:
            try:
                candidate.bind((ADDRESS, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise ClusterError(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop}")


def etcd_command(binaries: Binaries, data: Path, client_port: int, peer_port: int) -> list[str]:
    """Returns the command line of etcd. It never waits for the disk: the data do not outlive the cluster."""
    client, peer = f"http://{ADDRESS}:{client_port}", f"http://{ADDRESS}:{peer_port}"
    return [
        str(binaries.etcd),
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def apiserver_command(
    binaries: Binaries, identity: Identity, tokens: Path, etcd_port: int, port: int, pods_reach: str | None = None
) -> list[str]:
    """Returns the command line of kube-apiserver: users from the token file, rights by RBAC.

    Args:
        binaries: Whose.
        identity: What it proves with who it is.
        tokens: The token file.
        etcd_port: Port of etcd.
        port: Its own.
        pods_reach: The address that pods reach it at, behind the service `kubernetes`; None: there are no pods.
    """
    if pods_reach is None:
        # Without the first one it looks for the address of the default route, which a sandbox may not have. A
        # loopback address cannot be an endpoint of the service `kubernetes`, hence the second.
        addresses = [f"--advertise-address={ADDRESS}", "--endpoint-reconciler-type=none", f"--bind-address={ADDRESS}"]
    else:
        # All addresses: clients of this machine use the loopback one, pods the other.
        addresses = [f"--advertise-address={pods_reach}", "--bind-address=0.0.0.0"]
        addresses += ["--kubelet-preferred-address-types=InternalIP"]  # there is no DNS for the name of a node
    return [
        str(binaries.apiserver),
        f"--etcd-servers=http://{ADDRESS}:{etcd_port}",
        *addresses,
        f"--secure-port={port}",
        # Without it, a server that is told to stop waits a minute for watches to end by themselves.
        "--shutdown-watch-termination-grace-period=1s",
        *identity.flags,
        f"--token-auth-file={tokens}",
        "--authorization-mode=Node,RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={identity.account_key}",
        f"--service-account-signing-key-file={identity.account_key}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--allow-privileged",
    ]


def client_command(program: Path, kubeconfig: Path, certificates: Path, port: int) -> list[str]:
    """Returns the command line of a single controller manager or scheduler."""
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--bind-address={ADDRESS}",
        f"--secure-port={port}",
        f"--cert-dir={certificates}",
        "--leader-elect=false",
    ]


def controllers_command(program: Path, kubeconfig: Path) -> list[str]:
    """Returns the command line of the controllers that a cluster without a node needs."""
    return [str(program), "controllers", str(kubeconfig)]


def controller_manager_command(
    program: Path, identity: Identity, kubeconfig: Path, certificates: Path, port: int
) -> list[str]:
    """Returns the command line of kube-controller-manager, with all its controllers."""
    return [
        *client_command(program, kubeconfig, certificates, port),
        # One of them would make a folder for plugins below /usr.
        f"--flex-volume-plugin-dir={certificates}",
        f"--root-ca-file={identity.authority}",
        f"--service-account-private-key-file={identity.account_key}",
    ]
