"""A real Kubernetes on this machine: its control plane without containers and without root, and a node if asked for.

    python -m testkit.kubernetes build [--node]      get its binaries: minutes the first time
    python -m testkit.kubernetes up [--node]         start etcd, kube-apiserver and the controllers it needs
    python -m testkit.kubernetes load IMAGE.tar      put an image, as `docker save` writes it, into the node
    python -m testkit.kubernetes kubeconfig [USER]   print the path of a kubeconfig of admin or operator
    python -m testkit.kubernetes kubectl ARGS...     run kubectl as administrator
    python -m testkit.kubernetes down                stop everything and delete the state

etcd, kube-apiserver and kubectl are those of $KUBEBUILDER_ASSETS; or else those built here before; or else those that
controller-runtime's setup-envtest has stored on this machine, or downloads in a few seconds; or else they are compiled.
Controllers are always compiled: those that delete namespaces and what belongs to a deleted owner, make the service
account `default`, and fill the roles view, edit and admin. There are no others without a node: quotas are not counted.

With --node there is a node, too, that really runs pods: kube-scheduler, containerd, kubelet, kube-proxy. That needs
Linux, root and a few Debian packages, takes 5 minutes more to build, and works for one cluster at a time. Services
have their addresses, but no names: there is no DNS. Network policies are not enforced.

From Python: `from testkit.kubernetes import local_cluster`. Only the standard library is used,
and nothing of yours is touched: not ~/.kube, not $KUBECONFIG, not the current context.

Environment:
    FIREWORKS_CLUSTER_DIR       state of the cluster; default ~/.cache/fireworks-operator/cluster. Clusters in
                                different folders run side by side.
    FIREWORKS_CLUSTER_BIN       built binaries; default ~/.cache/fireworks-operator/bin
    KUBEBUILDER_ASSETS          a folder with etcd, kube-apiserver and kubectl to use
    FIREWORKS_CLUSTER_COMPILE   if set, nothing that setup-envtest has stored or offers is used
    FIREWORKS_ENVTEST_INDEX     the index of what can be downloaded, for a mirror; default: that of setup-envtest
    FIREWORKS_ENVTEST_SECONDS   how long the download may take before compiling begins; default 10
    ENVTEST_INSTALLED_ONLY      if set, nothing is downloaded (setup-envtest reads it, too)
    FIREWORKS_TEST_KUBECONFIG   kubeconfig of a cluster that runs already, for example kind: used as it is

Go is taken from PATH if it is new enough, or else installed for this purpose alone from the package index.
"""

import argparse
import os
import sys
from pathlib import Path

from testkit.kubernetes import Cluster, ClusterError, GivenCluster, local_cluster, node
from testkit.kubernetes.access import USERS
from testkit.kubernetes.parts import find_binaries


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
        prog="python -m testkit.kubernetes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
    of_node = node.find_binaries() if with_node else None  # first: it says at once what this machine lacks
    binaries = find_binaries()
    programs = (binaries.etcd, binaries.kubectl, *([binaries.own] if binaries.own else []))
    folders = list(dict.fromkeys(program.parent for program in programs))
    if of_node:
        folders += [of_node.components, of_node.runtime]
    print(*folders, sep="\n")


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
