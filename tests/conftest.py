"""What tests of several kinds share: the local Kubernetes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.kubernetes import Cluster, GivenCluster, local_cluster
from testkit.shared import new_cluster_folder

pytest_plugins = ["pytester", "testkit.durations", "testkit.run"]
pytest.register_assert_rewrite("testkit.stories")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster | GivenCluster]:
    """A control plane of this test session alone, unless FIREWORKS_TEST_KUBECONFIG names one that runs already."""
    with _running() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster | GivenCluster]:
    """A control plane of one module alone, for tests that install or delete the CRD."""
    with _running() as cluster:
        yield cluster


@contextlib.contextmanager
def _running() -> Iterator[Cluster | GivenCluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIREWORKS_CLUSTER_DIR", str(new_cluster_folder()))
        cluster = local_cluster()
    cluster.up()
    try:
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def crds() -> Path:
    """The folder of the generated CustomResourceDefinitions."""
    return Path(__file__).parents[1] / "crds"
