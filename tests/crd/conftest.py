"""A real API server with the generated CRD, and resources that are gone after each test."""

import itertools
import time
from collections.abc import Iterator

import pytest

from fireworks_operator.api.v1alpha1 import KIND
from testkit.kubernetes.definitions import apply_crds
from tests.crd.server import CRDS, NAMESPACE, Cluster, Create, Server, manifest


@pytest.fixture(scope="session")
def server(cluster: Cluster) -> Iterator[Server]:
    """The API server with the CRD registered, which also proves that it accepts every rule and its cost."""
    apply_crds(cluster, CRDS)
    until_explained(cluster)
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield Server.at(cluster.kubeconfig)
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def until_explained(cluster: Cluster) -> None:
    """Wait for the published schema, which follows an established CRD by seconds."""
    deadline = time.monotonic() + 30
    while cluster.kubectl("explain", KIND, check=False).returncode != 0:
        assert time.monotonic() < deadline, f"the API server does not publish the schema of {KIND}"


@pytest.fixture
def create(server: Server) -> Iterator[Create]:
    """Store resources with names of their own, `create(field=value, …)`, and delete them afterwards."""
    names: list[str] = []
    numbers = itertools.count()

    def store(**spec: object) -> str:
        name = f"stored-{next(numbers)}"
        server.create(manifest(dict(spec), name))
        names.append(name)
        return name

    yield store
    for name in names:
        server.delete(name)
