"""A process that the API server has refused or not answered for a minute says so; a short restart is no reason."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from fireworks_operator.kube import contact as contact_module
from fireworks_operator.kube.client import KubernetesForbiddenError
from fireworks_operator.kube.contact import PATIENCE, Contact, keep_contact
from fireworks_operator.observability.health import Health
from fireworks_operator.ports import KubernetesUnavailableError, ResourceGoneError
from fireworks_operator.timing import Backoff
from tests.unit.kube.scripted_server import Call, FakeClient, eventually

FORBIDDEN = KubernetesForbiddenError('fireworksdeployments is forbidden: User "jane" cannot list it (403)')


def test_only_failures_without_a_success_in_between_are_complained_of() -> None:
    now = 0.0
    contact = Contact(clock=lambda: now)
    assert contact.complaint() is None
    contact.failed("first")
    assert [contact.is_open] == [False]
    now = PATIENCE - 1
    contact.failed("Unauthorized (401)")
    assert contact.complaint() is None
    now = PATIENCE
    said = contact.complaint()
    assert said is not None
    assert "Unauthorized (401)" in said
    contact.succeeded()
    assert contact.complaint() is None
    assert [contact.is_open] == [True]
    contact.failed("again")
    now += PATIENCE - 1
    assert contact.complaint() is None


class Cluster:
    """An API server that answers a LIST, or fails."""

    def __init__(self) -> None:
        self.listing: Exception | None = None
        self.client = FakeClient(self._answer)

    async def _answer(self, call: Call) -> Mapping[str, Any]:
        if self.listing is not None:
            raise self.listing
        return {"metadata": {"resourceVersion": "1"}, "items": []}


@contextlib.asynccontextmanager
async def keeping(cluster: Cluster, *contacts: Contact) -> AsyncIterator[Health]:
    health = Health({"api-server": "not yet"})
    task = asyncio.create_task(keep_contact(cluster.client, (), contacts, health))
    try:
        yield health
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("error", [KubernetesUnavailableError("Unauthorized (401)"), FORBIDDEN])
async def test_a_process_that_the_api_server_refuses_for_long_is_not_ready_until_it_is_accepted(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_module, "INTERVAL", Backoff(0.001, 0.001))
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
    monkeypatch.setattr(contact_module, "INTERVAL", Backoff(0.001, 0.001))
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
