"""A cluster that runs pods, a release in a registry of this machine, the simulator in a pod, the operator by Helm."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from testkit.chart.binaries import find_helm
from testkit.chart.helm import Helm
from testkit.kubernetes import Cluster, ClusterError, GivenCluster, local_cluster, node
from testkit.kubernetes.progress import Progress
from tests.e2e import image
from tests.e2e.rehearsal import Rehearsal, build_images, link_programs, registry
from tests.e2e.release import Release, previous_chart
from tests.e2e.world import NAMESPACES, World

REQUESTED = "FIREWORKS_E2E"


@pytest.fixture(scope="session")
def archives() -> dict[str, Path]:
    """Both images, as archives, by target; skipped unless asked for, then an error where they cannot be built."""
    if not os.environ.get(REQUESTED):
        pytest.skip("needs root, and builds images and a node: `make e2e` runs it")
    if os.environ.get("FIREWORKS_TEST_KUBECONFIG"):  # it has been given those that `make image` builds
        return {target: image.build(target, Progress()) for target in image.TARGETS}
    return build_images(Progress())


@pytest.fixture(scope="session")
def pods(archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster | GivenCluster]:
    """A cluster of this session, whose node has the simulator, or the one that FIREWORKS_TEST_KUBECONFIG names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIREWORKS_CLUSTER_DIR", str(tmp_path_factory.mktemp("kubernetes") / "state"))
        cluster = local_cluster()
    given = isinstance(cluster, GivenCluster)
    trouble = None if given else node.problem()
    if trouble is not None:
        raise ClusterError(trouble)
    cluster.up(with_node=True)
    try:
        if not given:  # `make kind` has loaded both; here the node pulls the operator's
            cluster.load(archives["simulator"])
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def rehearsal(
    pods: Cluster | GivenCluster, archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rehearsal | None]:
    """A release, in a registry that the node pulls from; None in a given cluster, which cannot reach this machine."""
    if isinstance(pods, GivenCluster):
        yield None
        return
    folder = tmp_path_factory.mktemp("release")
    programs = link_programs(folder / "programs")
    # Only this machine and its node reach that address.
    with registry(folder / "registry", node.HOST_ADDRESS, programs) as host:
        pods.pull_by_http(host)
        made = Rehearsal(folder, host, Progress())
        made.make(archives)
        yield made


@pytest.fixture(scope="session")
def released(rehearsal: Rehearsal | None) -> Rehearsal:
    """A release, for tests of its files."""
    if rehearsal is None:
        pytest.skip("a given cluster has the images, and no release")
    return rehearsal


@pytest.fixture(scope="session")
def world(pods: Cluster | GivenCluster, rehearsal: Rehearsal | None) -> Iterator[World]:
    """The simulator in a pod, and a namespace for resources."""
    world = World(pods, rehearsal)
    world.build()
    try:
        yield world
    finally:
        world.close()
        pods.kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found", "--wait=false")


@pytest.fixture(scope="session")
def release(world: World, rehearsal: Rehearsal | None, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The operator, installed by the chart that users have."""
    helm = Helm(find_helm(4), 4, tmp_path_factory.mktemp("helm"), world.cluster.kubeconfig)
    release = Release(helm, world, rehearsal)
    release.install(previous_chart(tmp_path_factory.mktemp("previous")))
    return release
