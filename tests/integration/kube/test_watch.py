"""The informer on a real API server."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER, GROUP, FireworksDeployment
from fireworks_operator.kube.client import KubernetesClient, KubernetesForbiddenError, connect
from fireworks_operator.kube.resources import collection_path, ensure_served, list_resources
from fireworks_operator.kube.watch import DEFAULT_TIMINGS, KopfWatch, WatchEndedError
from fireworks_operator.kube.writer import KubernetesWriter
from fireworks_operator.timing import Backoff
from testkit.faults.kubernetes_proxy import KubernetesProxy
from testkit.namespaces import Line, Namespace, eventually


class Seen:
    """What a watch handed on."""

    def __init__(self) -> None:
        self.objects: dict[str, Mapping[str, Any]] = {}
        self.deleted: list[str] = []
        self.events = 0

    def __call__(self, raw: Mapping[str, Any], deleted: bool) -> None:
        self.events += 1
        name = raw["metadata"]["name"]
        if deleted:
            self.deleted.append(name)
            self.objects.pop(name, None)
        else:
            self.objects[name] = raw


@contextlib.asynccontextmanager
async def watching(kubeconfig: Path, namespace: str, retry: Backoff = DEFAULT_TIMINGS.retry) -> AsyncIterator[Seen]:
    seen = Seen()
    watch = KopfWatch(
        seen, kubeconfig=kubeconfig, namespaces=[namespace], timings=replace(DEFAULT_TIMINGS, retry=retry)
    )
    task = asyncio.create_task(watch.run())
    try:
        yield seen
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_user_needs_no_name(
    client: KubernetesClient, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", unknown)  # as in a container, where a user is a mere number
    await client.request("POST", collection_path(namespace.name), body=namespace.manifest("seen"))
    async with watching(namespace.cluster.kubeconfig, namespace.name) as seen:
        await eventually(lambda: set(seen.objects) == {"seen"})


async def test_a_thousand_resources_are_seen_within_five_seconds(
    client: KubernetesClient, namespace: Namespace
) -> None:
    names = {f"many-{number}" for number in range(1000)}
    path = collection_path(namespace.name)
    await asyncio.gather(*(client.request("POST", path, body=namespace.manifest(name), deadline=60) for name in names))
    began = time.monotonic()
    async with watching(namespace.cluster.kubeconfig, namespace.name) as seen:
        await eventually(lambda: set(seen.objects) == names)
        assert time.monotonic() - began < 5
    items, version = await list_resources(client, namespace.name)
    assert {item["metadata"]["name"] for item in items} == names
    assert int(version) >= max(int(item["metadata"]["resourceVersion"]) for item in items)
    await client.request("DELETE", path, deadline=60)


async def test_kopf_writes_nothing_to_resources_at_rest_or_changed_by_others(
    client: KubernetesClient, namespace: Namespace
) -> None:
    namespace.create("idle", "ours", finalizers=[FINALIZER])
    namespace.create("changed")
    async with watching(namespace.cluster.kubeconfig, namespace.name) as seen:
        await eventually(lambda: len(seen.objects) == 3)
        namespace.kubectl("label", "fireworksdeployment", "changed", "by=somebody")
        before, _ = await list_resources(client, namespace.name)
        # Kopf has had its turn with all others when this one has come round.
        namespace.create("marker")
        await eventually(lambda: "marker" in seen.objects)
        await eventually(lambda: seen.objects["changed"]["metadata"].get("labels") == {"by": "somebody"})
        after = {item["metadata"]["name"]: item for item in (await list_resources(client, namespace.name))[0]}
    assert {item["metadata"]["name"]: item for item in before} == {
        name: item for name, item in after.items() if name != "marker"
    }
    assert seen.events == 5


async def test_kopf_needs_no_permission_to_write(namespace: Namespace, tmp_path: Path) -> None:
    namespace.create("a", finalizers=[FINALIZER])
    kubeconfig = namespace.kubeconfig_of(tmp_path, "informer", "list,watch fireworksdeployments")
    async with watching(kubeconfig, namespace.name) as seen:
        await eventually(lambda: "a" in seen.objects)
        namespace.create("b")
        await eventually(lambda: "b" in seen.objects)


async def test_deletion_waits_for_our_finalizer_while_kopf_runs(client: KubernetesClient, namespace: Namespace) -> None:
    namespace.create("a", finalizers=[FINALIZER])
    async with watching(namespace.cluster.kubeconfig, namespace.name) as seen:
        await eventually(lambda: "a" in seen.objects)
        namespace.kubectl("delete", "fireworksdeployment", "a", "--wait=false")
        await eventually(lambda: "deletionTimestamp" in seen.objects["a"]["metadata"])
        namespace.create("marker")
        await eventually(lambda: "marker" in seen.objects)
        assert namespace.exists("a")
        resource = FireworksDeployment.parse(seen.objects["a"])
        assert resource.metadata.finalizers == [FINALIZER]
        await KubernetesWriter(client).remove_finalizer(resource)
        await eventually(lambda: seen.deleted == ["a"])


async def test_what_changed_while_the_line_was_cut_is_seen_when_it_is_back(namespace: Namespace, line: Line) -> None:
    namespace.create("a")
    kubeconfig = await line.open()
    async with watching(kubeconfig, namespace.name, Backoff(0.1, 0.1)) as seen:
        await eventually(lambda: "a" in seen.objects)
        await line.cut()
        namespace.create("b")
        namespace.kubectl("delete", "fireworksdeployment", "a")
        await line.open()
        await eventually(lambda: set(seen.objects) == {"b"})
        assert seen.deleted == ["a"]


async def test_a_watch_that_begins_while_the_api_server_starts_ends_rather_than_hear_nothing(
    namespace: Namespace, tmp_path: Path
) -> None:
    proxy = KubernetesProxy(namespace.cluster.kubeconfig)
    with proxy.running(tmp_path) as kubeconfig:
        proxy.hidden_group = GROUP
        watch = KopfWatch(Seen(), kubeconfig=kubeconfig, namespaces=[namespace.name])
        with pytest.raises(WatchEndedError, match="it may be starting"):
            await asyncio.wait_for(watch.run(), 30)
        proxy.hidden_group = None
        namespace.create("a")
        async with watching(kubeconfig, namespace.name) as seen:
            await eventually(lambda: "a" in seen.objects)


async def test_the_kind_is_served(client: KubernetesClient, namespace: Namespace) -> None:
    await ensure_served(client)
    await ensure_served(client, [namespace.name])


async def test_without_permission_to_list_there_is_no_start(namespace: Namespace, tmp_path: Path) -> None:
    async with await connect(namespace.kubeconfig_of(tmp_path, "nobody")) as nobody:
        with pytest.raises(KubernetesForbiddenError, match=r"^list fireworksdeployments"):
            await ensure_served(nobody)
