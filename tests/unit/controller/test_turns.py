"""Changes that wait for their turn in the budget: what happens to them meanwhile; in virtual time."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

import pytest

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FINALIZER, FireworksDeployment, FireworksDeploymentStatus
from fireworks_operator.controller.account import Account, Pace
from fireworks_operator.controller.accounts import Accounts, Limits, OwnCredential
from fireworks_operator.controller.ports import EventType
from fireworks_operator.controller.reconciler import Reconciler, Result
from fireworks_operator.controller.startups import Startups
from fireworks_operator.controller.store import Store
from fireworks_operator.controller.surroundings import Identity
from fireworks_operator.core.actions import AddFinalizer, Create, Delete
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.budget import WithdrawnError
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.models import Deployment
from unit.builders import ACCOUNT, CLAIMED, CLUSTER, CREATED, NOW, a_deleted_resource, a_deployment, a_resource
from unit.controller.fakes import GOOD, FakeFireworks, FakeSecrets
from unit.fireworks.virtual_time import run


class Fireworks(FakeFireworks):
    """Creates and deletes, too; `pause` seconds of silence begin with each GET."""

    pause = 0.0
    account: Account

    async def get_deployment(self, key: ApiKey, name: str) -> Deployment:
        self.account.budget.pause(self.pause)
        return await super().get_deployment(key, name)

    async def create_deployment(
        self, key: ApiKey, account: str, deployment_id: str, body: object, *, query: Mapping[str, str]
    ) -> Deployment:
        self._call("create", key)
        return a_deployment(state="CREATING")

    async def set_tags(self, key: ApiKey, name: str, tags: Mapping[str, str]) -> None:
        self._call("tag", key)

    async def delete_deployment(self, key: ApiKey, name: str, *, hard: bool, ignore_checks: bool) -> None:
        self._call("delete", key)


class Kubernetes:
    """Takes every write, and lets every change pass."""

    def __init__(self) -> None:
        self.written: list[FireworksDeploymentStatus] = []
        self.let_go: list[str] = []
        self.leads = True
        self.finalized: dict[str, object] = {}

    async def add_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment:
        return resource.model_copy(update={"metadata": resource.metadata.model_copy(update=self.finalized)})

    async def remove_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment | None:
        self.let_go.append(resource.key)
        return None

    async def write_status(
        self, resource: FireworksDeployment, status: FireworksDeploymentStatus
    ) -> FireworksDeployment:
        self.written.append(status)
        return resource.model_copy(update={"status": status})

    def record(self, resource: FireworksDeployment, kind: EventType, reason: Reason, message: str) -> None: ...

    def may_mutate(self) -> bool:
        return self.leads

    async def crd_deleting(self) -> bool:
        return False


class Scene:
    """A reconciler of one resource whose account has been listed."""

    def __init__(self, resource: FireworksDeployment, *deployments: Deployment) -> None:
        loop = asyncio.get_running_loop()
        self.born = loop.time()
        self.key = resource.key
        self.fireworks, self.kubernetes = Fireworks(), Kubernetes()
        self.fireworks.deployments = {each.name: each for each in deployments}
        self.store = store = Store()
        store.put(resource)
        self.accounts = Accounts(
            cast("FireworksClient", self.fireworks),
            FakeSecrets(),
            OwnCredential(ApiKey(GOOD), ACCOUNT),
            limits=Limits(),
            pace=Pace(hot=1000.0, jitter=0.0),
            on_change=lambda *_: None,
            in_use=lambda _: True,
            uses_key=lambda _: True,
            watches=lambda _: True,
            clock=loop.time,
        )
        self.reconciler = Reconciler(
            store,
            self.accounts,
            self.kubernetes,
            self.kubernetes,
            self.kubernetes,
            Identity(CLUSTER),
            crd_deleting=self.kubernetes.crd_deleting,
            startups=Startups(lambda stage, seconds: None),
            wall_clock=self.now,
        )

    def now(self) -> datetime:
        return NOW + timedelta(seconds=asyncio.get_running_loop().time() - self.born)

    async def listed(self) -> "Scene":
        """Make the pass that finds the account unknown, and wait for its LIST."""
        await self.reconcile()
        (self.fireworks.account,) = self.accounts
        await asyncio.sleep(1)
        return self

    async def reconcile(self) -> Result:
        result = await self.reconciler.reconcile(self.key, forced=False, make_room=lambda: None)
        assert result is not None
        return result


CLAIMED_RESOURCE = a_resource({"acceleratorType": "NVIDIA_H100_80GB"}, CLAIMED)


def test_a_change_of_the_resource_ends_the_wait() -> None:
    async def scenario() -> None:
        scene = await Scene(CLAIMED_RESOURCE).listed()
        scene.fireworks.account.budget.pause(3000)
        waiting = asyncio.create_task(scene.reconcile())
        await asyncio.sleep(5)
        assert not waiting.done()
        scene.reconciler.interrupt(scene.key)
        with pytest.raises(WithdrawnError):
            async with asyncio.timeout(1):
                await waiting
        assert scene.fireworks.account.budget.waiting() == 0
        assert scene.fireworks.calls["create"] == 0
        scene.reconciler.interrupt(scene.key)
        await scene.accounts.stop()

    run(scenario())


def test_a_creation_begins_when_its_turn_comes() -> None:
    async def scenario() -> None:
        scene = await Scene(CLAIMED_RESOURCE).listed()
        scene.fireworks.account.budget.pause(300)
        decided = scene.now()
        result = await scene.reconcile()
        assert isinstance(result.action, Create)
        assert result.looks
        begun = scene.kubernetes.written[-2].last_attempt
        assert begun is not None
        assert begun.time - decided >= timedelta(seconds=300), "how long it may still take effect counts from here"
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("pause", "deleted", "reason"),
    [(30.0, True, "what was seen is fresh"), (300.0, False, "it may look different by now")],
)
def test_a_deletion_is_looked_at_again_after_a_long_wait(pause: float, deleted: bool, reason: str) -> None:
    async def scenario() -> None:
        scene = await Scene(a_deleted_resource(), a_deployment()).listed()
        scene.fireworks.pause = pause
        result = await scene.reconcile()
        assert isinstance(result.action, Delete) is deleted, reason
        assert scene.fireworks.calls["delete"] == deleted
        if not deleted:
            assert result.again == 0.0
            scene.fireworks.pause = 0.0
            assert isinstance((await scene.reconcile()).action, Delete)
        await scene.accounts.stop()

    run(scenario())


def test_a_resource_is_let_go_once_however_late_the_watch_tells() -> None:
    async def scenario() -> None:
        scene = Scene(a_deleted_resource({"deletionPolicy": "Retain"}))
        await scene.reconcile()
        again = await scene.reconciler.reconcile(scene.key, forced=False, make_room=lambda: None)
        assert again is None
        assert scene.kubernetes.let_go == [scene.key]
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize("leads", [True, False])
def test_only_a_leader_marks_what_it_lets_go(leads: bool) -> None:
    async def scenario() -> None:
        scene = await Scene(
            a_resource({"managementPolicy": "Observe"}, CREATED, finalizers=[]), a_deployment()
        ).listed()
        resource = a_resource({"managementPolicy": "Observe"}, CREATED, resourceVersion="101")
        scene.store.put(resource)
        scene.kubernetes.leads = leads
        await scene.reconcile()
        assert scene.kubernetes.let_go == [scene.key]
        assert scene.fireworks.calls["tag"] == leads
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize("kept", [True, False])
def test_a_finalizer_that_a_webhook_takes_away_is_added_ever_more_rarely(kept: bool) -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource(finalizers=[])).listed()
        scene.kubernetes.finalized = {"resource_version": "101", "finalizers": [FINALIZER] if kept else []}
        result = await scene.reconcile()
        assert isinstance(result.action, AddFinalizer)
        assert result.failed is not kept
        await scene.accounts.stop()

    run(scenario())
