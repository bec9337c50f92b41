"""Changes that wait for their turn in the budget: what happens to them meanwhile; in virtual time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest
from pydantic import JsonValue

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    FINALIZER,
    FireworksDeployment,
    FireworksDeploymentStatus,
)
from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.accounts import Accounts, Limits
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.accounts.poller import Pace
from fireworks_operator.controller.measure.startups import Startups
from fireworks_operator.controller.passes.access import Access
from fireworks_operator.controller.passes.recent import Recent, Unwritten
from fireworks_operator.controller.passes.reconciler import Reconciler
from fireworks_operator.controller.passes.result import After, Now, PassResult, Retry
from fireworks_operator.controller.passes.surroundings import Identity
from fireworks_operator.controller.queue import Priority
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.actions import AddFinalizer, Claim, Create, Delete, Pending, Refuse, SetTags
from fireworks_operator.core.identity import TAG_RELEASED, Owner, deployment_id, deployment_name
from fireworks_operator.core.observed.observation import Present, Unknown
from fireworks_operator.core.prices import Prices
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.errors import ErrorKind
from fireworks_operator.fireworks.models import Deployment
from fireworks_operator.fireworks.request_budget import Circuit, WithdrawnError
from fireworks_operator.ports import EventType
from testkit.builders import (
    ACCOUNT,
    CLAIMED,
    CLUSTER,
    CREATED,
    NAME,
    NOW,
    OWNER,
    a_deleted_resource,
    a_deployment,
    a_resource,
    an_attempt,
)
from testkit.virtual.loop import run
from tests.unit.controller.fakes import GOOD, OTHER, AllInUse, Changes, FakeFireworks, FakeSecrets, no_budgets


class Fireworks(FakeFireworks):
    """Creates and deletes, too; `pause` seconds of silence begin with each GET."""

    pause = 0.0
    account: Account
    on_tag: Callable[[], None] = staticmethod(lambda: None)
    on_untag: Callable[[], None] = staticmethod(lambda: None)

    async def get_deployment(self, api_key: ApiKey, name: str) -> Deployment:
        self.account.budget.pause(self.pause)
        return await super().get_deployment(api_key, name)

    async def create_deployment(
        self,
        api_key: ApiKey,
        account: str,
        deployment_id: str,
        body: Mapping[str, JsonValue],
        *,
        query: Mapping[str, str],
        route_keys: Sequence[ApiKey],
    ) -> Deployment:
        self._call("create", api_key)
        return a_deployment(state="CREATING", **body)

    async def update_deployment(
        self,
        api_key: ApiKey,
        name: str,
        body: Mapping[str, JsonValue],
        mask: Sequence[str],
        *,
        route_keys: Sequence[ApiKey],
    ) -> Deployment:
        self._call("update", api_key)
        return a_deployment(**body)

    async def set_tags(self, api_key: ApiKey, name: str, tags: Mapping[str, str]) -> None:
        self._call("tag", api_key)
        self.on_tag()

    async def delete_tags(self, api_key: ApiKey, name: str, keys: Sequence[str]) -> None:
        self._call("untag", api_key)
        self.on_untag()

    async def undelete_deployment(self, api_key: ApiKey, name: str) -> Deployment:
        self._call("undelete", api_key)
        return a_deployment(state="CREATING")

    async def delete_deployment(self, api_key: ApiKey, name: str, *, hard: bool, ignore_checks: bool) -> None:
        self._call("delete", api_key)


class Kubernetes:
    """Takes every write, and lets every change pass."""

    def __init__(self) -> None:
        self.written: list[FireworksDeploymentStatus] = []
        self.released: list[str] = []
        self.leads = True
        self.leads_after_write = True
        self.keeps_writes = False
        self.is_crd_deleting = False
        self.finalized: dict[str, object] = {}

    async def add_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment:
        return resource.model_copy(update={"metadata": resource.metadata.model_copy(update=self.finalized)})

    async def remove_finalizer(self, resource: FireworksDeployment) -> FireworksDeployment | None:
        self.released.append(resource.ref)
        return None

    async def write_status(
        self, resource: FireworksDeployment, status: FireworksDeploymentStatus
    ) -> FireworksDeployment:
        self.written.append(status)
        self.leads = self.leads and self.leads_after_write
        version = str(int(resource.metadata.resource_version) + self.keeps_writes)
        metadata = resource.metadata.model_copy(update={"resource_version": version})
        return resource.model_copy(update={"status": status, "metadata": metadata})

    async def put(self, resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> None: ...

    async def remove(self, resource: FireworksDeployment, name: str) -> None: ...

    def record(self, resource: FireworksDeployment, kind: EventType, reason: Reason, message: str) -> None: ...

    def may_mutate(self) -> bool:
        return self.leads

    async def crd_deleting(self) -> bool:
        return self.is_crd_deleting


class Scene:
    """A reconciler of one resource whose account has been listed."""

    def __init__(self, resource: FireworksDeployment, *deployments: Deployment, former: tuple[str, ...] = ()) -> None:
        loop = asyncio.get_running_loop()
        self.born = loop.time()
        self.ref = resource.ref
        self.fireworks, self.kubernetes = Fireworks(), Kubernetes()
        self.fireworks.deployments = {each.name: each for each in deployments}
        self.secrets = FakeSecrets()
        self.store = store = DeploymentStore()
        store.put(resource)
        bindings = AllInUse()
        self.accounts = Accounts(
            cast("FireworksClient", self.fireworks),
            self.secrets,
            OwnCredential(ApiKey(GOOD), ACCOUNT),
            limits=Limits(),
            pace=Pace(hot=1000.0, jitter=0.0),
            bindings=bindings,
            handler=Changes(),
            clock=loop.time,
        )
        self.reconciler = Reconciler(
            store,
            self.accounts,
            bindings,
            self.kubernetes,
            self.kubernetes,
            self.kubernetes,
            self.kubernetes,
            Identity(CLUSTER, previous_cluster_ids=former),
            crd_deleting=self.kubernetes.crd_deleting,
            startups=Startups(lambda stage, seconds: None),
            prices=Prices,
            ledger=no_budgets(),
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

    async def reconcile(self) -> PassResult:
        result = await self.reconciler.reconcile(self.ref, skip_pauses=False, release_slot=lambda: None)
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
        scene.reconciler.interrupt(scene.ref)
        with pytest.raises(WithdrawnError):
            async with asyncio.timeout(1):
                await waiting
        assert scene.fireworks.account.budget.waiting() == 0
        assert scene.fireworks.calls["create"] == 0
        scene.reconciler.interrupt(scene.ref)
        await scene.accounts.stop()

    run(scenario())


def test_a_creation_begins_when_its_turn_comes() -> None:
    async def scenario() -> None:
        scene = await Scene(CLAIMED_RESOURCE).listed()
        scene.kubernetes.keeps_writes = True
        scene.fireworks.account.budget.pause(300)
        decided = scene.now()
        result = await scene.reconcile()
        assert isinstance(result.action, Create)
        assert result.next == Now(Priority.PROGRESS)
        begun = scene.kubernetes.written[-1].last_attempt
        assert begun is not None
        assert begun.time - decided >= timedelta(seconds=300), "how long it may still take effect counts from here"
        await scene.accounts.stop()

    run(scenario())


NAMED_RESOURCE = a_resource({"acceleratorType": "NVIDIA_H100_80GB", "displayName": "Chat"}, CLAIMED)


async def created() -> Scene:
    """Return a scene right after the create request was answered."""
    scene = await Scene(NAMED_RESOURCE).listed()
    scene.kubernetes.keeps_writes = True
    result = await scene.reconcile()
    assert isinstance(result.action, Create)
    return scene


def test_what_was_created_is_written_once_by_the_pass_after_it() -> None:
    async def scenario() -> None:
        scene = await created()
        (begun,) = scene.kubernetes.written
        assert begun.state is None
        await scene.reconcile()
        status = scene.kubernetes.written[-1]
        assert status.state == "CREATING"
        await scene.reconcile()
        assert len(scene.kubernetes.written) == 2, "and the one after it has nothing to say"
        await scene.accounts.stop()

    run(scenario())


def test_what_was_set_at_creation_is_known_although_the_spec_no_longer_says_it() -> None:
    async def scenario() -> None:
        scene = await created()
        before = scene.store.get(scene.ref)
        assert before is not None
        metadata = before.metadata.model_copy(update={"generation": 2, "resource_version": "900"})
        spec = before.spec.model_copy(update={"display_name": None})
        scene.store.put(before.model_copy(update={"metadata": metadata, "spec": spec}))
        await scene.reconcile()
        assert "displayName" in (scene.kubernetes.written[-1].applied_fields or ()), "so it is reset"
        await scene.accounts.stop()

    run(scenario())


def test_a_status_that_somebody_wrote_meanwhile_counts_instead() -> None:
    claimed, found = CLAIMED_RESOURCE, a_resource({}, {**CLAIMED, "state": "READY"})
    recent = Recent(unwritten=Unwritten(claimed.status, found.status))
    assert recent.latest(claimed).status.state == "READY"
    other = a_resource({}, {**CLAIMED, "state": "FAILED"})
    assert recent.latest(other) is other
    assert recent.latest(claimed) is claimed, "and what was derived before is forgotten"


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
            assert result.next == Now()
            scene.fireworks.pause = 0.0
            assert isinstance((await scene.reconcile()).action, Delete)
        await scene.accounts.stop()

    run(scenario())


def test_a_resource_is_let_go_once_however_late_the_watch_tells() -> None:
    async def scenario() -> None:
        scene = Scene(a_deleted_resource({"deletionPolicy": "Retain"}))
        await scene.reconcile()
        assert isinstance((await scene.reconcile()).action, Pending)
        assert scene.kubernetes.released == [scene.ref]
        await scene.accounts.stop()

    run(scenario())


def test_a_resource_that_a_restored_etcd_brings_back_is_let_go_once_more() -> None:
    async def scenario() -> None:
        scene = Scene(a_deleted_resource({"deletionPolicy": "Retain"}))
        released = await scene.reconcile()
        assert isinstance(released.next, After), "it is seen whether it went"
        await asyncio.sleep(released.next.seconds)
        assert isinstance((await scene.reconcile()).action, Pending), "left running is told once"
        assert scene.kubernetes.released == [scene.ref, scene.ref]
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
        assert scene.kubernetes.released == [scene.ref]
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
        assert result.next == (Now() if kept else Retry())
        await scene.accounts.stop()

    run(scenario())


RELEASED: dict[str, JsonValue] = {**OWNER.marker(), TAG_RELEASED: "true"}


@pytest.mark.parametrize(
    ("deployment", "request_"),
    [(None, "create"), (a_deployment(state="DELETED"), "undelete"), (a_deployment(annotations=RELEASED), "tag")],
)
@pytest.mark.parametrize("when", ["before the pass", "while the status was written", "never"])
def test_no_request_is_sent_once_the_lease_is_too_short(
    deployment: Deployment | None, request_: str, when: str
) -> None:
    async def scenario() -> None:
        status = {**CLAIMED, "deploymentName": NAME} if deployment is None else CREATED
        resource = a_resource({"acceleratorType": "NVIDIA_H100_80GB"}, status)
        scene = await Scene(resource, *([] if deployment is None else [deployment])).listed()
        scene.kubernetes.leads = when != "before the pass"
        scene.kubernetes.leads_after_write = when == "never"
        scene.kubernetes.written.clear()
        await scene.reconcile()
        assert scene.fireworks.calls[request_] == (when == "never")
        assert bool(scene.kubernetes.written) == (when != "before the pass"), "nothing was begun"
        await scene.accounts.stop()

    run(scenario())


def test_the_second_request_of_a_take_over_needs_the_lease_as_well() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED), a_deployment(annotations=RELEASED)).listed()
        scene.fireworks.on_tag = lambda: setattr(scene.kubernetes, "leads", False)
        await scene.reconcile()
        assert (scene.fireworks.calls["tag"], scene.fireworks.calls["untag"]) == (1, 0)
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("kept", "requests"), [(True, ["untag", "tag"]), (False, ["untag"])], ids=["it leads on", "it leads no more"]
)
def test_tags_are_deleted_before_others_are_set_and_both_need_the_lease(kept: bool, requests: list[str]) -> None:
    async def scenario() -> None:
        resource = a_resource({"tags": {"team": "x"}}, {**CREATED, "appliedFields": ["baseModel", "tags.project"]})
        there = a_deployment(annotations={**OWNER.marker(), "custom/project": "chat"})
        scene = await Scene(resource, there).listed()
        scene.fireworks.on_untag = lambda: setattr(scene.kubernetes, "leads", kept)
        result = await scene.reconcile()
        assert [each for each in ("untag", "tag") if scene.fireworks.calls[each]] == requests
        assert isinstance(result.action, SetTags) is kept, "what is left is seen by the next pass"
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("ready", "reason"),
    [("True", "it was in force, and somebody has changed it"), ("False", "it follows a PATCH for the same new spec")],
)
def test_tags_that_are_put_back_count_as_drift_and_new_ones_do_not(ready: str, reason: str) -> None:
    async def scenario() -> None:
        told = {"type": "Ready", "status": ready, "reason": "Serving", "message": "m", "observedGeneration": 1}
        status = {**CREATED, "conditions": [{**told, "lastTransitionTime": NOW}]}
        scene = await Scene(a_resource({"tags": {"team": "x"}}, status), a_deployment()).listed()
        result = await scene.reconcile()
        assert isinstance(result.action, SetTags)
        assert result.drift is (ready == "True"), reason
        await scene.accounts.stop()

    run(scenario())


def test_the_mark_on_what_is_let_go_needs_the_lease_when_its_turn_comes() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED, finalizers=[]), a_deployment()).listed()
        scene.store.put(a_deleted_resource({"deletionPolicy": "Retain"}, resourceVersion="101"))
        scene.fireworks.pause = 5.0
        loop = asyncio.get_running_loop()
        loop.call_later(6, lambda: setattr(scene.kubernetes, "leads", False))
        await scene.reconcile()
        assert scene.kubernetes.released == [scene.ref]
        assert scene.fireworks.calls["tag"] == 0
        await scene.accounts.stop()

    run(scenario())


def test_a_resource_does_not_wait_long_for_the_mark_on_what_it_leaves() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED, finalizers=[]), a_deployment()).listed()
        abandoned = {ANNOTATION_ABANDON: "true"}
        scene.store.put(a_deleted_resource(annotations=abandoned, resourceVersion="101"))
        scene.fireworks.account.budget.pause(3000)
        async with asyncio.timeout(60):
            await scene.reconcile()
        assert scene.kubernetes.released == [scene.ref]
        await scene.accounts.stop()

    run(scenario())


def test_a_change_is_not_made_for_a_spec_that_changed_while_it_waited_for_its_turn() -> None:
    async def scenario() -> None:
        scene = await Scene(CLAIMED_RESOURCE).listed()
        scene.fireworks.account.budget.pause(30)
        waiting = asyncio.create_task(scene.reconcile())
        await asyncio.sleep(5)
        newer = a_resource({"acceleratorType": "NVIDIA_H200_141GB"}, CLAIMED, resourceVersion="101", generation=2)
        scene.store.put(newer)
        result = await waiting
        assert scene.fireworks.calls["create"] == 0
        assert result.next == Now()
        await scene.accounts.stop()

    run(scenario())


ANOTHERS = a_deployment(annotations={**Owner(CLUSTER, "team-b", "chat").marker()})
BLUE = a_resource({"displayName": "blue"}, CREATED)


def test_no_deployment_is_deleted_along_with_the_crd() -> None:
    async def scenario() -> None:
        scene = await Scene(a_deleted_resource(), a_deployment()).listed()
        scene.kubernetes.is_crd_deleting = True
        await scene.reconcile()
        assert scene.fireworks.calls["delete"] == 0
        assert scene.kubernetes.released == [scene.ref]
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize(("changed_hands", "updates"), [(False, 1), (True, 0)])
def test_a_deployment_that_has_changed_hands_since_it_was_listed_is_not_changed(
    changed_hands: bool, updates: int
) -> None:
    async def scenario() -> None:
        scene = await Scene(BLUE, a_deployment()).listed()
        if changed_hands:
            scene.fireworks.deployments[NAME] = ANOTHERS
        await scene.reconcile()
        assert scene.fireworks.calls["update"] == updates
        await scene.accounts.stop()

    run(scenario())


def test_a_deployment_that_has_changed_hands_since_it_was_listed_is_not_marked_as_let_go() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED, finalizers=[]), a_deployment()).listed()
        scene.store.put(a_deleted_resource({"deletionPolicy": "Retain"}, resourceVersion="101"))
        scene.fireworks.deployments[NAME] = ANOTHERS
        await scene.reconcile()
        assert scene.kubernetes.released == [scene.ref]
        assert scene.fireworks.calls["tag"] == 0
        await scene.accounts.stop()

    run(scenario())


@pytest.mark.parametrize(
    ("kind", "known"), [(ErrorKind.NO_ANSWER, False), (ErrorKind.PROTOCOL, False), (ErrorKind.INVALID, True)]
)
def test_after_a_change_without_an_answer_what_was_seen_before_it_counts_no_longer(
    kind: ErrorKind, known: bool
) -> None:
    async def scenario() -> None:
        scene = await Scene(BLUE, a_deployment()).listed()
        scene.fireworks.fail("update", kind)
        result = await scene.reconcile()
        assert result.error is not None
        observed = scene.fireworks.account.observer.observe(NAME, with_addons=False)
        assert isinstance(observed, Present) is known
        await scene.accounts.stop()

    run(scenario())


def test_who_takes_a_resource_s_name_after_it_was_let_go_does_not_see_the_deployment_as_it_was_before() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED, finalizers=[]), a_deployment()).listed()
        scene.store.put(a_deleted_resource({"deletionPolicy": "Retain"}, resourceVersion="101"))
        await scene.reconcile()
        assert scene.fireworks.calls["tag"] == 1
        assert scene.fireworks.account.observer.observe(NAME, with_addons=False) == Unknown()
        await scene.accounts.stop()

    run(scenario())


def test_a_look_without_an_answer_says_nothing_about_the_failures_before_it() -> None:
    async def scenario() -> None:
        scene = await Scene(a_deleted_resource(), a_deployment()).listed()
        scene.fireworks.fail("get_deployment", ErrorKind.NO_ANSWER)
        result = await scene.reconcile()
        assert result.next == Retry()
        assert not result.conclusive
        await scene.accounts.stop()

    run(scenario())


def test_an_id_that_is_taken_by_nothing_that_can_be_seen_is_told_and_tried_ever_more_rarely() -> None:
    async def scenario() -> None:
        scene = await Scene(CLAIMED_RESOURCE).listed()
        scene.fireworks.fail("create", ErrorKind.ALREADY_EXISTS)
        result = await scene.reconcile()
        assert result.next == Retry()
        assert result.error is not None
        assert "is reported as taken" in result.error.message
        assert scene.kubernetes.written[-1].applied_fields is None, "nothing was created"
        await scene.accounts.stop()

    run(scenario())


def test_a_deployment_of_a_former_life_of_the_cluster_is_found_although_no_list_has_it() -> None:
    former = replace(OWNER, cluster="before")
    name = deployment_name(ACCOUNT, deployment_id(former))

    async def scenario() -> None:
        scene = await Scene(a_resource(), former=("before",)).listed()
        scene.fireworks.deployments[name] = a_deployment(name=name, annotations={**former.marker()})
        result = await scene.reconcile()
        assert isinstance(result.action, Claim)
        assert result.action.deployment_name == name
        await scene.accounts.stop()

    run(scenario())


def test_a_take_over_that_takes_two_requests_waits_for_both() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED), a_deployment(annotations=RELEASED)).listed()
        budget = scene.fireworks.account.budget
        before = budget.available()
        await scene.reconcile()
        sent = ("get_deployment", "tag", "untag")
        assert before - budget.available() == sum(scene.fireworks.calls[each] for each in sent) == 3
        await scene.accounts.stop()

    run(scenario())


def test_a_key_that_has_not_listed_the_account_is_shown_nothing_of_it() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED), a_deployment()).listed()
        account = scene.fireworks.account
        theirs = account.credential(ApiKey(OTHER), Circuit())
        access = Access(account, theirs, "team-b/chat", lambda: None, scene.kubernetes)
        assert access.observe(NAME, with_addons=False) == Unknown()
        (ours, _) = account.credentials()
        assert isinstance(replace(access, credential=ours).observe(NAME, with_addons=False), Present)
        await scene.accounts.stop()

    run(scenario())


def test_an_account_at_rest_is_observed_often_again_after_a_change() -> None:
    async def scenario() -> None:
        scene = await Scene(BLUE, a_deployment()).listed()
        account = scene.fireworks.account
        await asyncio.sleep(2000)
        at_rest = account.poller.interval()
        await scene.reconcile()
        assert scene.fireworks.calls["update"] == 1
        assert account.poller.interval() != at_rest
        await scene.accounts.stop()

    run(scenario())


def test_who_still_looks_at_a_deployment_is_not_shown_less_of_it_when_another_resource_goes() -> None:
    async def scenario() -> None:
        scene = await Scene(a_resource({}, CREATED), a_deployment()).listed()
        account = scene.fireworks.account
        bindings = Bindings()
        for ref in ("team-a/chat", "team-b/observer"):
            bindings.note(ref, account, NAME)
        changed = Present(a_deployment(displayName="blue"))
        account.observer.learn(NAME, changed, asked=account.observer.clock())
        bindings.forget("team-b/observer")
        assert account.observer.observe(NAME, with_addons=False) == changed
        await scene.accounts.stop()

    run(scenario())


def test_nothing_is_asked_of_one_account_with_the_key_of_another() -> None:
    async def scenario() -> None:
        name = deployment_name("other", "chat")
        scene = await Scene(a_deleted_resource({}, {**CREATED, "account": "other", "deploymentName": name})).listed()
        result = await scene.reconcile()
        assert isinstance(result.action, Refuse)
        assert result.action.reason is Reason.ACCOUNT_MISMATCH
        assert scene.fireworks.calls["get_deployment"] == 0
        await scene.accounts.stop()

    run(scenario())


def test_after_a_refusal_another_key_is_tried_at_once() -> None:
    async def scenario() -> None:
        refused = {"lastAttempt": an_attempt("Create", "QuotaExceeded", count=4)}
        scene = Scene(a_resource({"credentialsSecretRef": {"name": "key"}}, refused))
        scene.secrets.stored["team-a/key"] = {"apiKey": GOOD.encode()}
        await scene.listed()
        assert isinstance((await scene.reconcile()).action, Refuse)
        scene.secrets.stored["team-a/key"] = {"apiKey": OTHER.encode()}
        assert not (await scene.reconcile()).conclusive, "this key has yet to list the account"
        await asyncio.sleep(1001)  # its turn comes with the next LIST
        assert isinstance((await scene.reconcile()).action, Claim)
        again = await scene.reconcile()  # of the resource as it was, since nothing keeps what is written here
        assert isinstance(again.action, Refuse), "from then on pauses count again"
        await scene.accounts.stop()

    run(scenario())
