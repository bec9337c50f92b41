"""When all resources are listed, and what comes of a LIST that is older than what was known; in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from fireworks_operator.controller.controller import Controller
from fireworks_operator.controller.passes.reconciler import Reconciler
from fireworks_operator.controller.queue import WorkQueue
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.kube import sweep as sweep_module
from fireworks_operator.kube.client import KubernetesClient
from fireworks_operator.kube.sweep import Sweep
from fireworks_operator.ports import KubernetesUnavailableError
from testkit.builders import BASE_MODEL
from testkit.virtual.loop import run

REF = "team-a/chat"


class NoReconciler:
    def forget(self, ref: str) -> None: ...
    def interrupt(self, ref: str) -> None: ...


class Cluster:
    """An API server that is listed; `listed` is when, in seconds after the start."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.objects: list[dict[str, Any]] = []
        self.version = 1000
        self.listed: list[float] = []
        self.during: Callable[[], None] = lambda: None
        self.store = DeploymentStore()
        self.controller = Controller(self.store, WorkQueue(), cast("Reconciler", NoReconciler()), cast("Any", None))
        self.began = asyncio.get_running_loop().time()
        monkeypatch.setattr(sweep_module, "list_resources", self.list)
        self.sweep = Sweep(cast("KubernetesClient", None), (), self.controller, 600.0)

    async def list(self, client: object, namespace: str | None, **_: object) -> tuple[list[dict[str, Any]], str]:
        self.listed.append(asyncio.get_running_loop().time() - self.began)
        objects, version = list(self.objects), str(self.version)
        self.during()
        return objects, version

    def has(self, version: int, generation: int = 1) -> dict[str, Any]:
        """Have the one resource in this version."""
        metadata = {"name": "chat", "namespace": "team-a", "uid": "uid-1", "generation": generation}
        self.objects = [{"metadata": {**metadata, "resourceVersion": str(version)}, "spec": {"baseModel": BASE_MODEL}}]
        self.version = max(self.version, version)
        return self.objects[0]

    def known(self) -> tuple[str, int]:
        """Return version and generation of the resource as the operator has it."""
        metadata = self.store.get(REF).metadata  # type: ignore[union-attr]
        return metadata.resource_version, metadata.generation


async def sweeping(cluster: Cluster, seconds: float) -> None:
    """Sweep for a while."""
    task = asyncio.create_task(cluster.sweep.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_all_are_listed_every_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[float]:
        cluster = Cluster(monkeypatch)
        await sweeping(cluster, 1900)
        return cluster.listed

    assert run(scenario()) == pytest.approx([600, 1200, 1800])


def test_an_older_object_than_is_known_has_all_listed_soon_but_not_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> list[float]:
        cluster = Cluster(monkeypatch)
        cluster.controller.on_object(cluster.has(900), False)
        late = {**cluster.objects[0], "metadata": {**cluster.objects[0]["metadata"], "resourceVersion": "899"}}
        task = asyncio.create_task(sweeping(cluster, 700))
        await asyncio.sleep(45)
        for _ in range(100):
            cluster.controller.on_object(late, False)
            await asyncio.sleep(1)
        await task
        return cluster.listed

    listed = run(scenario())
    assert listed[0] == pytest.approx(45)
    assert len(listed) <= 6, "at most every half minute, and then as before"


def test_a_list_that_is_wanted_and_fails_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> list[float]:
        cluster = Cluster(monkeypatch)

        def fail() -> None:
            cluster.during = lambda: None
            raise KubernetesUnavailableError("no answer")

        cluster.during = fail
        cluster.controller.sweep_wanted.set()
        await sweeping(cluster, 600)
        return cluster.listed

    assert run(scenario()) == pytest.approx([30, 60])


def test_a_restored_etcd_is_noticed_by_a_list_of_earlier_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        cluster = Cluster(monkeypatch)
        cluster.has(900, generation=5)
        await cluster.sweep.once()
        cluster.version = 500
        cluster.has(480, generation=3)
        await cluster.sweep.once()
        assert cluster.known() == ("480", 3)
        cluster.controller.on_object(cluster.has(510, generation=4), False)
        assert cluster.known() == ("510", 4), "what is edited after the restore counts"
        assert cluster.controller.sweep_wanted.is_set()

    run(scenario())


def test_a_restored_etcd_is_noticed_also_when_others_have_made_up_for_the_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        cluster = Cluster(monkeypatch)
        cluster.has(900, generation=5)
        await cluster.sweep.once()
        cluster.version = 20_000
        cluster.has(480, generation=3)
        cluster.version = 20_000
        await cluster.sweep.once()
        assert cluster.known() == ("480", 3)

    run(scenario())


def test_a_resource_that_was_made_after_the_backup_is_gone_after_the_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        cluster = Cluster(monkeypatch)
        cluster.has(900)
        await cluster.sweep.once()
        cluster.objects, cluster.version = [], 500
        await cluster.sweep.once()
        assert cluster.store.get(REF) is None

    run(scenario())


def test_what_is_heard_while_a_list_is_on_its_way_is_not_taken_for_a_restore(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        cluster = Cluster(monkeypatch)
        cluster.has(900)
        await cluster.sweep.once()
        cluster.version = 1000
        cluster.during = lambda: cluster.controller.on_object(cluster.has(1005, generation=2), False)
        await cluster.sweep.once()
        assert cluster.known() == ("1005", 2)
        cluster.during = lambda: None
        cluster.controller.sweep_wanted.clear()
        await cluster.sweep.once()
        assert not cluster.controller.sweep_wanted.is_set()

    run(scenario())
