"""What the operator makes of the cluster around it before it begins."""

from collections.abc import Mapping
from typing import Any

import pytest

from fireworks_operator.kube import cluster as cluster_module
from fireworks_operator.kube.client import KubernetesForbiddenError
from fireworks_operator.kube.cluster import StartError, find_cluster_id
from fireworks_operator.ports import KubernetesUnavailableError
from tests.unit.kube.resource_factory import raw_resource
from tests.unit.kube.scripted_server import Call, FakeClient


class Cluster:
    """An API server with knobs: who may read kube-system, and which resources there are."""

    def __init__(self) -> None:
        self.namespace: list[Exception] = []
        self.listing: Exception | None = None
        self.resources: list[Mapping[str, Any]] = []
        self.client = FakeClient(self._answer)

    async def _answer(self, call: Call) -> Mapping[str, Any]:
        if call.path.endswith("/kube-system"):
            if self.namespace:
                raise self.namespace[0] if len(self.namespace) == 1 else self.namespace.pop(0)
            return {"metadata": {"uid": "u1"}}
        if self.listing is not None:
            raise self.listing
        return {"metadata": {"resourceVersion": "1"}, "items": self.resources}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "CONNECT_RETRY", 0.0)
    monkeypatch.setattr(cluster_module, "STARTS_WITHIN", 0.05)


FORBIDDEN = KubernetesForbiddenError('namespaces "kube-system" is forbidden: User "jane" cannot get it (403)')


async def refusal(cluster: Cluster) -> str:
    with pytest.raises(StartError) as caught:
        await find_cluster_id(cluster.client, ())
    return str(caught.value)


async def test_a_new_cluster_whose_uid_is_hidden_is_told_to_choose_an_id() -> None:
    cluster = Cluster()
    cluster.namespace = [FORBIDDEN]
    cluster.resources = [raw_resource("unclaimed", uid="x")]
    assert "set FIREWORKS_OPERATOR_CLUSTER_ID to a name that no other cluster" in await refusal(cluster)


@pytest.mark.parametrize("listing", [None, KubernetesUnavailableError("no answer"), FORBIDDEN])
async def test_who_may_have_an_id_already_is_never_told_to_choose_another_one(listing: Exception | None) -> None:
    cluster = Cluster()
    cluster.namespace = [FORBIDDEN]
    cluster.listing = listing
    cluster.resources = [raw_resource("claimed", uid="x") | {"status": {"deploymentName": "accounts/a/deployments/d"}}]
    said = await refusal(cluster)
    assert "no other cluster" not in said
    assert "to its previous value" in said
    assert "get the namespace kube-system again" in said


@pytest.mark.parametrize("passing", [[FORBIDDEN], [KubernetesUnavailableError("system:anonymous"), FORBIDDEN]])
async def test_an_api_server_that_starts_and_refuses_everything_is_waited_for(passing: list[Exception]) -> None:
    cluster = Cluster()

    async def answer(call: Call) -> Mapping[str, Any]:
        if passing:
            raise passing.pop(0)
        return {"metadata": {"uid": "u1"}}

    cluster.client.answer = answer
    assert await find_cluster_id(cluster.client, ()) == "u1"
