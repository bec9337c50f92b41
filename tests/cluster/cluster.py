#!/usr/bin/env python3
"""A real Kubernetes control plane on this machine, without containers and without root.

    python tests/cluster/cluster.py build               build its binary: 7 to 10 minutes on 2 cores, once
    python tests/cluster/cluster.py up                  start etcd, kube-apiserver, kube-controller-manager
    python tests/cluster/cluster.py kubeconfig [USER]   print the path of a kubeconfig of admin or operator
    python tests/cluster/cluster.py kubectl ARGS...     run kubectl as administrator
    python tests/cluster/cluster.py down                stop everything and delete the state

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

from cluster import Cluster, ClusterError, GivenCluster, local_cluster
from cluster.access import USERS
from cluster.build import build
from cluster.parts import given_assets

_NO_NODE = "node mode is not available yet: this cluster has no node, and so runs no pods"


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
    commands.add_parser("build", help="build the binary")
    up = commands.add_parser("up", help="start the cluster, print the path of its kubeconfig")
    up.add_argument("--node", action="store_true", help="with a node that runs pods (not available yet)")
    load = commands.add_parser("load", help="put an image into the node (not available yet)")
    load.add_argument("image", metavar="IMAGE.tar")
    kubeconfig = commands.add_parser("kubeconfig", help="print the path of a kubeconfig")
    kubeconfig.add_argument("user", nargs="?", default="admin", choices=list(USERS))
    commands.add_parser("kubectl", help="run kubectl as administrator", add_help=False)
    commands.add_parser("down", help="stop everything and delete the state")
    return parser


def _command(arguments: argparse.Namespace) -> None:
    cluster = local_cluster()
    match arguments.command:
        case "build":
            _build()
        case "up" if not arguments.node:
            _up(cluster)
        case "up" | "load":
            raise ClusterError(_NO_NODE)
        case "kubeconfig":
            _print_kubeconfig(cluster, arguments.user)
        case "down":
            cluster.down()


def _build() -> None:
    assets = given_assets()
    if assets is None:
        print(build())
    else:
        print(f"nothing to build: KUBEBUILDER_ASSETS={assets} is used", file=sys.stderr)


def _up(cluster: Cluster | GivenCluster) -> None:
    started = cluster.up()
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
