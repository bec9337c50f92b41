"""What the operator makes of the cluster around it before it begins, and of one that does not let it in any more."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from fireworks_operator import app
from fireworks_operator.app import StartError
from fireworks_operator.controller.ports import KubernetesUnavailableError, ResourceGoneError
from fireworks_operator.kube.client import KubernetesForbiddenError
from fireworks_operator.kube.contact import Contact
from fireworks_operator.observability.health import Health
from fireworks_operator.settings import Settings
from unit.kube.resource_factory import raw_resource
from unit.kube.scripted_server import Call, FakeClient, eventually


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
    monkeypatch.setattr(app, "_CONNECT_RETRY", 0.0)
    monkeypatch.setattr(app, "STARTS_WITHIN", 0.05)


FORBIDDEN = KubernetesForbiddenError('namespaces "kube-system" is forbidden: User "jane" cannot get it (403)')


async def refusal(cluster: Cluster) -> str:
    with pytest.raises(StartError) as caught:
        await app._cluster_id(Settings(), cluster.client)
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
    assert "to the value that it had before" in said
    assert "get the namespace kube-system again" in said


@pytest.mark.parametrize("passing", [[FORBIDDEN], [KubernetesUnavailableError("system:anonymous"), FORBIDDEN]])
async def test_an_api_server_that_starts_and_refuses_everything_is_waited_for(passing: list[Exception]) -> None:
    cluster = Cluster()

    async def answer(call: Call) -> Mapping[str, Any]:
        if passing:
            raise passing.pop(0)
        return {"metadata": {"uid": "u1"}}

    cluster.client.answer = answer
    assert await app._cluster_id(Settings(), cluster.client) == "u1"


# --- readiness ------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def keeping(cluster: Cluster, *contacts: Contact) -> AsyncIterator[Health]:
    health = Health({"api-server": "not yet"})
    task = asyncio.create_task(app._keep_contact(cluster.client, (), contacts, health))
    try:
        yield health
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("error", [KubernetesUnavailableError("Unauthorized (401)"), FORBIDDEN])
async def test_a_process_that_the_api_server_refuses_for_long_is_not_ready_until_it_is_accepted(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_CONTACT_INTERVAL", 0.001)
    now = 0.0
    cluster = Cluster()
    async with keeping(cluster, Contact(clock=lambda: now)) as health:
        await eventually(lambda: not health.missing())
        cluster.listing = error
        asked = len(cluster.client.calls)
        await eventually(lambda: len(cluster.client.calls) > asked + 3)
        now = 59.0
        asked = len(cluster.client.calls)
        await eventually(lambda: len(cluster.client.calls) > asked + 3)
        assert not health.missing(), "an API server may be restarted"
        now = 61.0
        await eventually(health.missing)
        assert str(error) in health.missing()["api-server"]
        cluster.listing = None
        await eventually(lambda: not health.missing())


async def test_a_standby_that_cannot_ask_for_the_lease_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_CONTACT_INTERVAL", 0.001)
    now = 0.0
    lease = Contact(clock=lambda: now)
    async with keeping(Cluster(), Contact(clock=lambda: now), lease) as health:
        await eventually(lambda: not health.missing())
        lease.failed("The Lease: certificate verify failed")
        now = 61.0
        await eventually(health.missing)
        assert "certificate verify failed" in health.missing()["api-server"]


async def test_a_process_that_was_never_accepted_is_not_ready() -> None:
    cluster = Cluster()
    cluster.listing = KubernetesUnavailableError("certificate verify failed")
    async with keeping(cluster, Contact()) as health:
        await eventually(lambda: cluster.client.calls)
        assert health.missing() == {"api-server": "not yet"}


async def test_a_cluster_without_the_crd_is_in_contact() -> None:
    cluster = Cluster()
    cluster.listing = ResourceGoneError("404")
    async with keeping(cluster, Contact()) as health:
        await eventually(lambda: not health.missing())
