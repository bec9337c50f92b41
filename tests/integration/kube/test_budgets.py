"""Budgets on a real API server: they come and go, and so does their CRD and the permission to read them."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fireworks_operator.api.budget import BudgetAmounts, FireworksBudget, FireworksBudgetStatus
from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.kinds import BUDGETS, DEPLOYMENTS
from fireworks_operator.controller.budgets.book import BudgetBook
from fireworks_operator.kube.client import connect
from fireworks_operator.kube.events import KubernetesEvents
from fireworks_operator.kube.optional import OptionalKind
from fireworks_operator.kube.resources import resource_path
from fireworks_operator.kube.watch import DEFAULT_TIMINGS, KopfWatch
from fireworks_operator.kube.writer import KubernetesWriter
from fireworks_operator.ports import ResourceChangedError
from fireworks_operator.timing import Backoff
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes.definitions import apply_crds, until_gone
from testkit.namespaces import Line, Namespace, eventually, numbered

QUICK = replace(DEFAULT_TIMINGS, retry=Backoff(0.1, 0.5))
LOOK_AGAIN = 0.5
_NAMES = numbered("budgets")


@pytest.fixture
def place(own_cluster: Cluster | GivenCluster, crds: Path) -> Iterator[Namespace]:
    """A new namespace of a cluster that is these tests' own, with both kinds."""
    apply_crds(own_cluster, crds)
    made = Namespace(own_cluster, next(_NAMES))
    own_cluster.kubectl("create", "namespace", made.name)
    yield made
    own_cluster.kubectl("delete", "namespace", made.name, "--wait=false")


def put(place: Namespace, name: str, gpus: int) -> None:
    budget = {
        "apiVersion": "fireworks.ai/v1alpha1",
        "kind": BUDGETS.name,
        "metadata": {"name": name, "namespace": place.name},
        "spec": {"limits": {"gpus": gpus}},
    }
    place.kubectl("apply", "-f", "-", input=json.dumps(budget))


def delete_crd(place: Namespace) -> None:
    place.cluster.kubectl("delete", "crd", BUDGETS.crd, "--wait=false")
    until_gone(place.cluster, BUDGETS.crd)


class Followed:
    """What is known of budgets, and what was told of it."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.served: list[bool] = []
        self.book = BudgetBook(self.changes.append)

    def gpus(self, namespace: str) -> dict[str, int | None]:
        return {each.metadata.name: each.spec.limits.gpus for each in self.book.of_namespace(namespace)}


@contextlib.asynccontextmanager
async def following(kubeconfig: Path, *namespaces: str) -> AsyncIterator[Followed]:
    followed = Followed()
    async with await connect(kubeconfig) as client:
        kind = OptionalKind(
            BUDGETS,
            client,
            followed.book,
            followed.served.append,
            interval=600,
            kubeconfig=kubeconfig,
            namespaces=namespaces,
            timings=QUICK,
            look_again=LOOK_AGAIN,
        )
        await kind.begin()
        task = asyncio.create_task(kind.run())
        try:
            yield followed
            assert not task.done(), "nothing of it ends the process"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_budgets_appear_change_and_vanish(place: Namespace) -> None:
    put(place, "first", 1)
    async with following(place.cluster.kubeconfig) as followed:
        assert followed.gpus(place.name) == {"first": 1}, "they are known before anything is decided"
        assert (followed.served, followed.changes) == ([True], [place.name])
        put(place, "second", 2)
        await eventually(lambda: followed.gpus(place.name) == {"first": 1, "second": 2})
        put(place, "first", 3)
        await eventually(lambda: followed.gpus(place.name) == {"first": 3, "second": 2})
        assert followed.changes == [place.name] * 3
        status = '{"status": {"waiting": 1}}'
        place.kubectl("patch", "fwb", "first", "--subresource=status", "--type=merge", "--patch", status)
        place.kubectl("delete", "fwb", "second")
        await eventually(lambda: followed.gpus(place.name) == {"first": 3})
        (first,) = followed.book
        assert first.status.waiting == 1
        assert followed.changes == [place.name] * 4, "a status is no change"
    assert followed.served == [True]


async def test_a_crd_that_is_missing_at_the_start_and_installed_later(
    place: Namespace, crds: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fireworks_operator.kube.resources.STARTS_WITHIN", 0.0)
    delete_crd(place)
    async with following(place.cluster.kubeconfig) as followed:
        assert (followed.served, list(followed.book)) == ([False], [])
        await asyncio.sleep(3 * LOOK_AGAIN)
        warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
        assert [text for text in warnings if "FireworksBudgets and nothing is limited" in text] == warnings
        assert len(warnings) == 1, "it is said once"
        assert "fireworks-operator crd | kubectl apply --server-side -f -" in warnings[0]
        apply_crds(place.cluster, crds)
        put(place, "late", 4)
        await eventually(lambda: followed.gpus(place.name) == {"late": 4}, 60)
        assert followed.served[-1] is True
        put(place, "later", 5)
        await eventually(lambda: followed.gpus(place.name) == {"late": 4, "later": 5}, 60)


async def test_a_crd_that_goes_takes_its_budgets_along_and_disturbs_no_other_watch(
    place: Namespace, crds: Path
) -> None:
    seen: list[str] = []
    kubeconfig = place.cluster.kubeconfig
    watch = KopfWatch(lambda raw, _: seen.append(raw["metadata"]["name"]), kubeconfig=kubeconfig, timings=QUICK)
    deployments = asyncio.create_task(watch.run())
    place.create("before")
    put(place, "first", 1)
    async with following(kubeconfig) as followed:
        await eventually(lambda: "before" in seen)
        put(place, "second", 2)
        await eventually(lambda: len(followed.gpus(place.name)) == 2)
        delete_crd(place)
        await eventually(lambda: followed.served[-1] is False)
        assert list(followed.book) == []
        assert followed.changes[-1] == place.name
        place.create("during")
        await eventually(lambda: "during" in seen)
        apply_crds(place.cluster, crds)
        put(place, "third", 3)
        await eventually(lambda: followed.gpus(place.name) == {"third": 3}, 60)
    assert seen == ["before", "during"], "no LIST has told of one again"
    assert not deployments.done()
    deployments.cancel()
    await asyncio.gather(deployments, return_exceptions=True)
    place.kubectl("delete", DEPLOYMENTS.plural, "--all")


async def test_what_may_not_be_listed_any_more_stays_as_it_was(
    place: Namespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(place, "first", 1)
    line = Line(place.kubeconfig_of(tmp_path, "operator"), tmp_path)
    kubeconfig = await line.open()
    grant = ("create", "rolebinding", "reader", "--clusterrole=reader", f"--serviceaccount={place.name}:operator")
    place.cluster.kubectl("create", "clusterrole", "reader", "--verb=list,watch", f"--resource={BUDGETS.crd}")
    async with following(kubeconfig, place.name) as followed:
        assert (followed.served, list(followed.book)) == ([False], [])
        assert "let its role get, list and watch fireworksbudgets.fireworks.ai" in caplog.text
        place.kubectl(*grant)
        await eventually(lambda: followed.gpus(place.name) == {"first": 1})
        assert followed.served[-1] is True
        place.kubectl("delete", "rolebinding", "reader")
        put(place, "first", 2)
        await eventually(lambda: followed.served[-1] is False, 60)
        assert list(followed.gpus(place.name)) == ["first"]
        place.kubectl(*grant)
        await eventually(lambda: followed.served[-1] is True, 60)
        await eventually(lambda: followed.gpus(place.name) == {"first": 2})
    await line.cut()
    place.cluster.kubectl("delete", "clusterrole", "reader")


async def test_a_budget_gets_a_status_and_events_as_a_deployment_does(place: Namespace) -> None:
    put(place, "first", 1)
    async with await connect(place.cluster.kubeconfig) as client:
        path = resource_path(place.name, "first", kind=BUDGETS)
        before = FireworksBudget.parse(await client.request("GET", path))
        assert before.status == FireworksBudgetStatus()
        status = FireworksBudgetStatus(observed_generation=1, committed=BudgetAmounts(gpus=1, hourly_cost="8.00"))
        stored = await KubernetesWriter(client).write_status(before, status)
        assert stored == FireworksBudget.parse(await client.request("GET", path))
        assert (stored.status, stored.metadata.generation) == (status, 1)
        with pytest.raises(ResourceChangedError):
            await KubernetesWriter(client).write_status(before, status)
        events = KubernetesEvents(client)
        events.start()
        events.record(stored, "Warning", Reason.QUOTA_EXCEEDED, "No GPU is left.")
        await events.stop()
    (line,) = (each for each in place.kubectl("describe", "fwb", "first").splitlines() if "No GPU is left." in each)
    assert "fireworks-operator" in line
