"""Events as people find them with kubectl."""

import json

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment
from fireworks_operator.kube.client import KubernetesClient
from fireworks_operator.kube.events import KubernetesEvents
from fireworks_operator.kube.resources import resource_path
from testkit.namespaces import Namespace, eventually


async def read(client: KubernetesClient, namespace: Namespace, name: str) -> FireworksDeployment:
    return FireworksDeployment.parse(await client.request("GET", resource_path(namespace.name, name)))


async def test_a_repeated_event_is_one_line_of_kubectl_describe(client: KubernetesClient, namespace: Namespace) -> None:
    namespace.create("a")
    resource = await read(client, namespace, "a")
    results: list[str] = []
    events = KubernetesEvents(client, lambda kind, result: results.append(result))
    events.start()
    for count in (1, 2, 3):
        events.record(resource, "Warning", Reason.QUOTA_EXCEEDED, "Ask Fireworks for more GPUs.")
        await eventually(lambda count=count: len(results) == count)  # type: ignore[misc]
    events.record(resource, "Normal", Reason.CREATING, "The deployment is being created.")
    await events.stop()
    assert results == ["ok"] * 4
    stored = json.loads(namespace.kubectl("get", "events", "-o", "json"))["items"]
    assert {(item["reason"], item["count"]) for item in stored} == {("QuotaExceeded", 3), ("Creating", 1)}
    described = namespace.kubectl("describe", "fireworksdeployment", "a")
    [line] = [line for line in described.splitlines() if "QuotaExceeded" in line]
    assert "(x3 over " in line
    assert "fireworks-operator" in line
    assert line.endswith("Ask Fireworks for more GPUs.")


async def test_an_event_of_two_processes_is_two_events_and_no_error(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a")
    resource = await read(client, namespace, "a")
    for _ in range(2):
        events = KubernetesEvents(client)
        events.start()
        events.record(resource, "Normal", Reason.SERVING, "It serves.")
        await events.stop()
    stored = json.loads(namespace.kubectl("get", "events", "-o", "json"))["items"]
    assert [item["reason"] for item in stored] == ["Serving", "Serving"]


async def test_in_a_namespace_that_is_being_deleted_events_are_lost_with_a_warning(
    client: KubernetesClient, namespace: Namespace, caplog: pytest.LogCaptureFixture
) -> None:
    namespace.create("a", finalizers=[FINALIZER])
    resource = await read(client, namespace, "a")
    namespace.cluster.kubectl("delete", "namespace", namespace.name, "--wait=false")
    results: list[str] = []
    events = KubernetesEvents(client, lambda kind, result: results.append(result))
    events.start()
    events.record(resource, "Normal", Reason.DELETING, "The deployment is being deleted.")
    await events.stop()
    assert results == ["forbidden"]
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "being terminated" in record.message
