#!/usr/bin/env python3
"""A real Kubernetes on this machine: its control plane without containers and without root, and a node if asked for.

    python tests/cluster/cluster.py build [--node]      build its binaries: 7 to 10 minutes on 2 cores, once
    python tests/cluster/cluster.py up [--node]         start etcd, kube-apiserver, kube-controller-manager
    python tests/cluster/cluster.py load IMAGE.tar      put an image, as `docker save` writes it, into the node
    python tests/cluster/cluster.py kubeconfig [USER]   print the path of a kubeconfig of admin or operator
    python tests/cluster/cluster.py kubectl ARGS...     run kubectl as administrator
    python tests/cluster/cluster.py down                stop everything and delete the state

With --node there is a node, too, that really runs pods: kube-scheduler, containerd, kubelet, kube-proxy. That needs
Linux, root and a few Debian packages, takes 5 minutes more to build, and works for one cluster at a time. Services
have their addresses, but no names: there is no DNS. Network policies are not enforced.

From Python, with `tests/` on the path: `from cluster import local_cluster`. Only the standard library is used,
and nothing of yours is touched: not ~/.kube, not $KUBECONFIG, not the current context.

Environment:
    FIREWORKS_CLUSTER_DIR       state of the cluster; default ~/.cache/fireworks-operator/cluster. Clusters in
                                different folders run side by side.
    FIREWORKS_CLUSTER_BIN       built binaries; default ~/.cache/fireworks-operator/bin
    KUBEBUILDER_ASSETS          a folder with etcd and kube-apiserver to use instead of building them
    FIREWORKS_TEST_KUBECONFIG   kubeconfig of a cluster that runs already, for example kind: used as it is

Go is taken from PATH if it is new enough, or else installed for this purpose alone from the package index.
"""

import argparse
import os
import sys
from pathlib import Path

# Run as a script, Python looks in this folder, where `cluster` would be this very file and not the package.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from cluster import Cluster, ClusterError, GivenCluster, local_cluster, node
from cluster.access import USERS
from cluster.build import build
from cluster.parts import given_assets


def main(arguments: list[str]) -> int:
    """Runs one command and returns the exit code."""
    try:
        if arguments[:1] == ["kubectl"]:
            _kubectl(arguments[1:])
        _command(_parser().parse_args(arguments))
    except ClusterError as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cluster.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    make = commands.add_parser("build", help="build the binaries")
    up = commands.add_parser("up", help="start the cluster, print the path of its kubeconfig")
    for command in (make, up):
        command.add_argument("--node", action="store_true", help="with a node that runs pods")
    load = commands.add_parser("load", help="put an image into the node")
    load.add_argument("image", metavar="IMAGE.tar", type=Path)
    kubeconfig = commands.add_parser("kubeconfig", help="print the path of a kubeconfig")
    kubeconfig.add_argument("user", nargs="?", default="admin", choices=list(USERS))
    commands.add_parser("kubectl", help="run kubectl as administrator", add_help=False)
    commands.add_parser("down", help="stop everything and delete the state")
    return parser


def _command(arguments: argparse.Namespace) -> None:
    cluster = local_cluster()
    match arguments.command:
        case "build":
            _build(with_node=arguments.node)
        case "up":
            _up(cluster, with_node=arguments.node)
        case "load":
            cluster.load(arguments.image)
        case "kubeconfig":
            _print_kubeconfig(cluster, arguments.user)
        case "down":
            cluster.down()


def _build(*, with_node: bool) -> None:
    assets = given_assets()
    if assets is None:
        print(build())
    else:
        print(f"nothing to build: KUBEBUILDER_ASSETS={assets} is used", file=sys.stderr)
    if with_node:
        binaries = node.find_binaries()
        print(binaries.components, binaries.runtime, sep="\n")


def _up(cluster: Cluster | GivenCluster, *, with_node: bool) -> None:
    started = cluster.up(with_node=with_node)
    if not started:
        print("the cluster is running already", file=sys.stderr)
    print(cluster.kubeconfig)


def _print_kubeconfig(cluster: Cluster | GivenCluster, user: str) -> None:
    path = cluster.kubeconfig_of(user)
    if not path.exists():
        raise ClusterError(f"{path} does not exist: the cluster is not up")
    print(path)


def _kubectl(arguments: list[str]) -> None:
    """Becomes kubectl, so that it has the terminal; does not return."""
    kubectl = local_cluster().kubectl_program()
    command = kubectl.command(*arguments)
    os.execve(command[0], command, kubectl.environment())  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
