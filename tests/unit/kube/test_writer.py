"""What is written to a resource, and what is not."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeploymentStatus
from fireworks_operator.kube.client import Cause, KubernetesForbiddenError, KubernetesRefusedError
from fireworks_operator.kube.writer import KubernetesWriter, StatusRefusedError
from fireworks_operator.ports import (
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)
from tests.unit.kube.resource_factory import raw_resource, resource
from tests.unit.kube.scripted_server import Call, FakeClient

DELETED = "2026-01-01T00:00:00Z"
WRITES: dict[str, Callable[[KubernetesWriter], Awaitable[object]]] = {
    "status": lambda writer: writer.write_status(resource(), FireworksDeploymentStatus(state="READY")),
    "add": lambda writer: writer.add_finalizer(resource()),
    "remove": lambda writer: writer.remove_finalizer(resource(finalizers=[FINALIZER, "other/one"])),
}


def storing(**metadata: Any) -> FakeClient:  # noqa: ANN401
    """Return a client whose answers carry this metadata."""

    async def answer(call: Call) -> Mapping[str, Any]:
        return raw_resource(**metadata)

    return FakeClient(answer)


def failing(error: Exception) -> FakeClient:
    async def answer(call: Call) -> Mapping[str, Any]:
        raise error

    return FakeClient(answer)


@pytest.mark.parametrize("write", WRITES)
async def test_each_write_insists_on_uid_and_resource_version_first(write: str) -> None:
    client = storing(resourceVersion="42")
    await WRITES[write](KubernetesWriter(client))
    [call] = client.calls
    assert call.body[:2] == [
        {"op": "test", "path": "/metadata/uid", "value": "u-1"},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
    ]
    assert call.query == {"fieldManager": "fireworks-operator"}


@pytest.mark.parametrize("write", WRITES)
async def test_nothing_but_status_and_finalizers_is_ever_written(write: str) -> None:
    client = storing()
    await WRITES[write](KubernetesWriter(client))
    [call] = client.calls
    changed = call.body[2:]
    path = "/status" if write == "status" else "/metadata/finalizers"
    assert [operation["path"] for operation in changed] == [path]
    assert call.path.endswith("/fireworksdeployments/llama/status") is (write == "status")


async def test_the_status_is_replaced_as_a_whole_and_the_stored_resource_returned() -> None:
    client = storing(resourceVersion="42")
    stored = await KubernetesWriter(client).write_status(resource(), FireworksDeploymentStatus(state="READY"))
    assert client.calls[0].body[2]["op"] == "add"
    assert client.calls[0].body[2]["value"]["state"] == "READY"
    assert stored.metadata.resource_version == "42"


async def test_the_finalizer_is_added_after_those_of_others() -> None:
    client = storing()
    await KubernetesWriter(client).add_finalizer(resource(finalizers=["other/one"]))
    assert client.calls[0].body[2]["value"] == ["other/one", FINALIZER]


async def test_the_finalizer_alone_is_removed() -> None:
    client = storing(finalizers=["other/one", "other/two"], deletionTimestamp=DELETED)
    left = await KubernetesWriter(client).remove_finalizer(
        resource(finalizers=["other/one", FINALIZER, "other/two"], deletionTimestamp=DELETED)
    )
    assert client.calls[0].body[2]["value"] == ["other/one", "other/two"]
    assert left is not None


async def test_a_finalizer_that_is_there_already_is_not_written() -> None:
    client = storing()
    given = resource(finalizers=[FINALIZER])
    assert await KubernetesWriter(client).add_finalizer(given) is given
    assert client.calls == []


async def test_a_finalizer_that_is_gone_already_is_not_written() -> None:
    client = storing()
    given = resource(finalizers=["other/one"])
    assert await KubernetesWriter(client).remove_finalizer(given) is given
    assert client.calls == []


@pytest.mark.parametrize(
    ("client", "gone", "reason"),
    [
        (storing(deletionTimestamp=DELETED), True, "the last finalizer of a deleted resource went"),
        (failing(ResourceGoneError("404")), True, "it went before: an answer of ours was lost"),
        (failing(KubernetesRefusedError("test failed", status=422)), True, "another one has its name now"),
        (storing(deletionTimestamp=DELETED, finalizers=["other/one"]), False, "somebody else still holds it"),
        (storing(), False, "it is not being deleted: the operator only lets go"),
    ],
)
async def test_removing_the_finalizer_tells_whether_the_resource_is_gone(
    client: FakeClient, gone: bool, reason: str
) -> None:
    left = await KubernetesWriter(client).remove_finalizer(resource(finalizers=[FINALIZER]))
    assert (left is None) is gone


CAUSE = Cause("status.state", "Too long")


@pytest.mark.parametrize(
    ("answer", "raised", "label", "reason"),
    [
        (ResourceChangedError("409"), ResourceChangedError, "conflict", "look again, then decide"),
        (ResourceGoneError("404"), ResourceGoneError, "gone", "nothing to write to"),
        (KubernetesRefusedError("422", status=422), ResourceGoneError, "gone", "the test of the uid failed"),
        (KubernetesForbiddenError("403"), KubernetesForbiddenError, "forbidden", "RBAC"),
        (KubernetesUnavailableError("503"), KubernetesUnavailableError, "unavailable", "later"),
        (KubernetesRefusedError("x", status=422, causes=[CAUSE]), StatusRefusedError, "refused", "old CRD"),
        (KubernetesRefusedError("too large", status=413), StatusRefusedError, "refused", "too large"),
    ],
)
async def test_a_failed_write_is_counted_and_raised_as_the_ports_say(
    answer: Exception, raised: type[Exception], label: str, reason: str
) -> None:
    counted: list[tuple[str, str]] = []
    writer = KubernetesWriter(failing(answer), lambda kind, result: counted.append((kind, result)))
    with pytest.raises(raised) as caught:
        await writer.write_status(resource(), FireworksDeploymentStatus())
    assert type(caught.value) is raised
    assert isinstance(caught.value, ResourceChangedError | ResourceGoneError | KubernetesUnavailableError)
    assert counted == [("status", label)]


async def test_a_successful_write_is_counted() -> None:
    counted: list[tuple[str, str]] = []
    writer = KubernetesWriter(storing(), lambda kind, result: counted.append((kind, result)))
    await writer.write_status(resource(), FireworksDeploymentStatus())
    await writer.add_finalizer(resource())
    assert counted == [("status", "ok"), ("finalizer", "ok")]


async def test_a_refused_status_is_an_error_in_the_log_with_the_field(caplog: pytest.LogCaptureFixture) -> None:
    error = KubernetesRefusedError("status.state: Too long (422)", status=422, causes=[CAUSE])
    with pytest.raises(StatusRefusedError, match=r"status\.state"):
        await KubernetesWriter(failing(error)).write_status(resource(), FireworksDeploymentStatus())
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "team/llama" in record.message
    assert "status.state" in record.message
