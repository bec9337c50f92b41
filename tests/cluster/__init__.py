"""A real Kubernetes control plane on this machine, without containers: what tests and the demo run against.

    from cluster import local_cluster

    cluster = local_cluster()
    cluster.up()
    cluster.kubectl("get", "namespaces")
    cluster.down()

The same from a shell: `python tests/cluster/cluster.py`. Importable wherever `tests/` is on the path, as
under pytest. Only the standard library is used.
"""

from cluster.errors import ClusterError
from cluster.lifecycle import Cluster, GivenCluster, local_cluster

__all__ = ["Cluster", "ClusterError", "GivenCluster", "local_cluster"]
