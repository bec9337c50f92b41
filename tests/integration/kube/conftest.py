"""A real API server with the CRD, a namespace for each test, and a client."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from fireworks_operator.kube.client import KubernetesClient, connect
from testkit.kubernetes.definitions import apply_crds
from testkit.namespaces import Cluster, Line, Namespace, numbered

_NAMES = numbered(f"kube-tests-{secrets.token_hex(3)}")


@pytest.fixture(scope="session")
def _crd(cluster: Cluster, crds: Path) -> None:
    apply_crds(cluster, crds)


@pytest.fixture
def namespace(cluster: Cluster, _crd: None) -> Iterator[Namespace]:
    """A new namespace, which goes after the test with all that is in it.

    The resources go first: a later test's operator would take them under its care while the namespace is emptied.
    """
    made = Namespace(cluster, next(_NAMES))
    cluster.kubectl("create", "namespace", made.name)
    yield made
    patch = '{"metadata": {"finalizers": null}}'
    for name in made.kubectl("get", "fireworksdeployments", "-o", "name").split():
        if made.kubectl("get", name, "-o", "jsonpath={.metadata.finalizers}"):
            made.kubectl("patch", name, "--type=merge", "--patch", patch)
    made.kubectl("delete", "fireworksdeployments", "--all", "--timeout=30s")
    cluster.kubectl("delete", "namespace", made.name, "--wait=false", "--ignore-not-found")


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[KubernetesClient]:
    async with await connect(cluster.kubeconfig) as client:
        yield client


@pytest.fixture
async def line(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Line]:
    """A line to the API server that a test can break."""
    line = Line(cluster.kubeconfig, tmp_path)
    yield line
    await line.cut()
