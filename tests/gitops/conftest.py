"""The libraries of Argo CD and Flux, and what they meet: a real API server, the operator and the simulator."""

import os

import pytest

from testkit.factories import Cluster
from tests.gitops.programs import ArgoCd, Flux
from tests.integration.conftest import (
    fireworks,
    kubernetes,
    operator,
    own_world,
    session_operator,
    simulator,
    team,
)

__all__ = ["fireworks", "kubernetes", "operator", "own_world", "session_operator", "simulator", "team"]

REQUESTED = "FIREWORKS_GITOPS"


def requested() -> None:
    """Skip unless asked for; then it is an error where a program cannot be built."""
    if not os.environ.get(REQUESTED):
        pytest.skip("compiles libraries of Argo CD and Flux, which takes minutes: `make gitops` runs it")


@pytest.fixture(scope="session")
def flux_library() -> Flux:
    """Flux' libraries, without a cluster."""
    requested()
    return Flux.build()


@pytest.fixture
def flux(flux_library: Flux, cluster: Cluster) -> Flux:
    """Flux in the cluster of these tests."""
    return flux_library.of(cluster.kubeconfig)


@pytest.fixture(scope="session")
def argocd_library() -> ArgoCd:
    """Argo CD's libraries, without a cluster."""
    requested()
    return ArgoCd.build()


@pytest.fixture
def argocd(argocd_library: ArgoCd, cluster: Cluster) -> ArgoCd:
    """Argo CD in the cluster of these tests."""
    return argocd_library.of(cluster.kubeconfig)
