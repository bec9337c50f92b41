"""What the API server makes of the operator's writes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.kube.client import KubernetesClient, KubernetesForbiddenError, connect
from fireworks_operator.kube.resources import resource_path
from fireworks_operator.kube.writer import KubernetesWriter, StatusRefusedError
from fireworks_operator.ports import ResourceChangedError, ResourceGoneError
from testkit.namespaces import Namespace

READY = FireworksDeploymentStatus(
    observed_generation=1,
    deployment_name="accounts/a/deployments/d",
    state="READY",
    conditions=set_condition(
        [],
        ConditionType.READY,
        "True",
        Reason.SERVING,
        "It serves.",
        generation=1,
        now=datetime(2026, 1, 1, tzinfo=UTC),
    ),
)
FOREIGN = "example.com/foreign"


async def read(client: KubernetesClient, namespace: Namespace, name: str) -> FireworksDeployment:
    return FireworksDeployment.parse(await client.request("GET", resource_path(namespace.name, name)))


async def test_a_status_is_stored_and_read_back(client: KubernetesClient, namespace: Namespace) -> None:
    namespace.create("a")
    before = await read(client, namespace, "a")
    stored = await KubernetesWriter(client).write_status(before, READY)
    assert stored == await read(client, namespace, "a")
    assert stored.status == READY
    assert stored.spec == before.spec
    assert stored.metadata.generation == before.metadata.generation


async def test_a_status_that_changes_nothing_leaves_the_resource_as_it_is(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a")
    writer = KubernetesWriter(client)
    first = await writer.write_status(await read(client, namespace, "a"), READY)
    assert await writer.write_status(first, READY) == first


Write = Callable[[KubernetesWriter, FireworksDeployment], Awaitable[object]]


@pytest.mark.parametrize(
    ("finalizers", "write"),
    [
        ([], lambda writer, stale: writer.write_status(stale, READY)),
        ([], lambda writer, stale: writer.add_finalizer(stale)),
        ([FINALIZER], lambda writer, stale: writer.remove_finalizer(stale)),
    ],
    ids=["status", "add", "remove"],
)
async def test_a_stale_write_is_refused_and_changes_nothing(
    finalizers: list[str], write: Write, client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a", finalizers=finalizers)
    stale = await read(client, namespace, "a")
    namespace.kubectl("label", "fireworksdeployment", "a", "changed=yes")
    before = namespace.get("fireworksdeployment", "a")
    with pytest.raises(ResourceChangedError):
        await write(KubernetesWriter(client), stale)
    assert namespace.get("fireworksdeployment", "a") == before


async def test_a_resource_that_took_the_name_of_a_deleted_one_is_not_touched(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a", finalizers=[FINALIZER])
    old = await read(client, namespace, "a")
    gone = await KubernetesWriter(client).remove_finalizer(old)
    namespace.kubectl("delete", "fireworksdeployment", "a")
    assert gone is not None
    namespace.create("a", finalizers=[FINALIZER])
    before = namespace.get("fireworksdeployment", "a")
    writer = KubernetesWriter(client)
    with pytest.raises(ResourceGoneError, match=old.metadata.uid):
        await writer.write_status(old, READY)
    assert await writer.remove_finalizer(old) is None
    assert namespace.get("fireworksdeployment", "a") == before


async def test_a_resource_that_is_gone_is_said_so(client: KubernetesClient, namespace: Namespace) -> None:
    namespace.create("a", "b")
    a, b = await read(client, namespace, "a"), await read(client, namespace, "b")
    namespace.kubectl("delete", "fireworksdeployment", "a", "b")
    writer = KubernetesWriter(client)
    with pytest.raises(ResourceGoneError):
        await writer.write_status(a, READY)
    with pytest.raises(ResourceGoneError):
        await writer.add_finalizer(b)


async def test_finalizers_of_others_stay_and_hold_the_resource(client: KubernetesClient, namespace: Namespace) -> None:
    namespace.create("a", finalizers=[FOREIGN])
    writer = KubernetesWriter(client)
    ours = await writer.add_finalizer(await read(client, namespace, "a"))
    assert ours.metadata.finalizers == [FOREIGN, FINALIZER]
    namespace.kubectl("delete", "fireworksdeployment", "a", "--wait=false")
    left = await writer.remove_finalizer(await read(client, namespace, "a"))
    assert left is not None
    assert left.metadata.finalizers == [FOREIGN]
    assert namespace.exists("a")


async def test_the_last_finalizer_takes_a_deleted_resource_with_it(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a")
    writer = KubernetesWriter(client)
    await writer.add_finalizer(await read(client, namespace, "a"))
    namespace.kubectl("delete", "fireworksdeployment", "a", "--wait=false")
    deleting = await read(client, namespace, "a")
    assert deleting.metadata.deletion_timestamp is not None
    assert await writer.remove_finalizer(deleting) is None
    assert not namespace.exists("a")


async def test_no_finalizer_can_be_added_once_it_is_being_deleted(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a", finalizers=[FOREIGN])
    namespace.kubectl("delete", "fireworksdeployment", "a", "--wait=false")
    with pytest.raises(StatusRefusedError, match=r"metadata\.finalizers"):
        await KubernetesWriter(client).add_finalizer(await read(client, namespace, "a"))


async def test_a_status_that_the_crd_does_not_allow_is_refused_with_the_field(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("a")
    before = await read(client, namespace, "a")
    with pytest.raises(StatusRefusedError, match=r"status\.state"):
        await KubernetesWriter(client).write_status(before, FireworksDeploymentStatus(state="x" * 100_000))
    assert await read(client, namespace, "a") == before


async def test_writes_carry_the_name_of_the_operator(client: KubernetesClient, namespace: Namespace) -> None:
    namespace.create("a")
    writer = KubernetesWriter(client)
    await writer.write_status(await writer.add_finalizer(await read(client, namespace, "a")), READY)
    stored = await client.request("GET", resource_path(namespace.name, "a"))
    entries = [entry for entry in stored["metadata"]["managedFields"] if entry["manager"] == "fireworks-operator"]
    fields = {entry.get("subresource", ""): set(entry["fieldsV1"]) for entry in entries}
    assert fields == {"": {"f:metadata"}, "status": {"f:status"}}


async def test_a_missing_permission_names_verb_and_resource(
    client: KubernetesClient, namespace: Namespace, tmp_path: Path
) -> None:
    namespace.create("a")
    kubeconfig = namespace.kubeconfig_of(tmp_path, "reader", "get fireworksdeployments")
    async with await connect(kubeconfig) as reader:
        resource = await read(reader, namespace, "a")
        with pytest.raises(KubernetesForbiddenError, match="patch fireworksdeployments/status"):
            await KubernetesWriter(reader).write_status(resource, READY)
