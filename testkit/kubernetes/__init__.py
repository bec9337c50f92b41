"""A real Kubernetes control plane on this machine, without containers: what tests and the demo run against.

    from testkit.kubernetes import local_cluster

    cluster = local_cluster()
    cluster.up()
    cluster.kubectl("get", "namespaces")
    cluster.down()

The same from a shell: `python -m testkit.kubernetes`. Only the standard library is used.
"""

from testkit.kubernetes.errors import ClusterError
from testkit.kubernetes.lifecycle import Cluster, GivenCluster, local_cluster

__all__ = ["Cluster", "ClusterError", "GivenCluster", "local_cluster"]
