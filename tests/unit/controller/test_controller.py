"""How many passes are made at a time, and who waits for whom; in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_RECONCILE_AT, FireworksDeployment
from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.observer import Observer
from fireworks_operator.controller.controller import SLOTS, Controller
from fireworks_operator.controller.enqueue import EnqueueBound
from fireworks_operator.controller.passes.reconciler import Reconciler
from fireworks_operator.controller.passes.result import After, Now, PassResult, Retry
from fireworks_operator.controller.queue import Priority, WorkQueue
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.actions import Refuse, Rest, Trouble
from testkit.builders import CREATED, a_resource, present
from testkit.virtual.loop import run


class FakeReconciler:
    """Passes that take `seconds`, of which none needs a place where `waits` says so of the resource."""

    def __init__(self, seconds: float, waits: Callable[[str], bool]) -> None:
        self.seconds = seconds
        self.waits = waits
        self.at_work = 0
        self.most_at_work = 0
        self.began: dict[str, float] = {}

    async def reconcile(self, ref: str, *, skip_pauses: bool, release_slot: Callable[[], None]) -> PassResult:
        self.began[ref] = asyncio.get_running_loop().time()
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        if self.waits(ref):
            self.at_work -= 1
            release_slot()
            release_slot()  # it waits twice
            await asyncio.sleep(self.seconds)
        else:
            await asyncio.sleep(self.seconds)
            self.at_work -= 1
        return PassResult(Rest())

    def forget(self, ref: str) -> None:
        """Nothing is remembered here."""


class NoMetrics:
    def waited(self, seconds: float) -> None: ...
    def passed(self, action: str, result: str, seconds: float) -> None: ...
    def corrected(self) -> None: ...
    def left_running(self, cause: str) -> None: ...


async def run_for(controller: Controller, seconds: float) -> None:
    """Let it work for a while."""
    working = asyncio.create_task(controller.run())
    await asyncio.sleep(seconds)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


def _work(reconciler: FakeReconciler, refs: list[str], seconds: float) -> Coroutine[Any, Any, float]:
    """Work on resources for a while, and return when that began."""

    async def scenario() -> float:
        queue = WorkQueue()
        controller = Controller(DeploymentStore(), queue, cast("Reconciler", reconciler), NoMetrics())
        started = asyncio.get_running_loop().time()
        for ref in refs:
            queue.add(ref)
        await run_for(controller, seconds)
        return started

    return scenario()


def test_passes_at_work_are_no_more_than_there_are_places() -> None:
    reconciler = FakeReconciler(1.0, waits=lambda ref: False)
    refs = [f"team/{number}" for number in range(3 * SLOTS)]

    run(_work(reconciler, refs, 10))

    assert reconciler.most_at_work == SLOTS
    assert sorted(reconciler.began) == sorted(refs)


def test_passes_that_wait_for_fireworks_hold_up_nobody() -> None:
    reconciler = FakeReconciler(3600.0, waits=lambda ref: True)
    refs = [f"stuck/{number}" for number in range(10 * SLOTS)]

    started = run(_work(reconciler, [*refs, "healthy/1"], 10))

    assert sorted(reconciler.began) == sorted([*refs, "healthy/1"])
    assert max(reconciler.began.values()) == started


def test_a_place_is_given_back_once() -> None:
    waiting = {f"waits/{number}" for number in range(2 * SLOTS)}
    reconciler = FakeReconciler(1.0, waits=waiting.__contains__)
    working = [f"works/{number}" for number in range(3 * SLOTS)]

    run(_work(reconciler, [*sorted(waiting), *working], 20))

    assert reconciler.most_at_work == SLOTS


class InOrder:
    """Passes that end at once; `began` is in which order."""

    def __init__(self) -> None:
        self.began: list[str] = []

    async def reconcile(self, ref: str, *, skip_pauses: bool, release_slot: Callable[[], None]) -> PassResult:
        self.began.append(ref)
        return PassResult(Rest())


def test_what_is_ready_is_told_before_how_far_others_are() -> None:
    async def scenario() -> list[str]:
        clock = asyncio.get_running_loop().time
        queue, reconciler = WorkQueue(), InOrder()
        controller = Controller(DeploymentStore(), queue, cast("Reconciler", reconciler), NoMetrics())
        bindings = Bindings()
        observer = Observer("acme", EnqueueBound(queue, bindings), clock)
        account = SimpleNamespace(name="acme", observer=observer, touch=lambda: None)
        for name, state in {"chat-1": "CREATING", "chat-2": "READY"}.items():
            bindings.note(f"team/{name}", cast("Account", account), name)
            observer.learn(name, present(state=state), asked=clock())
        observer.tell(frozenset({"chat-1", "chat-2"}))
        await run_for(controller, 1)
        return reconciler.began

    assert run(scenario()) == ["team/chat-2", "team/chat-1"]


class Looking(FakeReconciler):
    """Passes of which the first only has to look how far a creation has come."""

    async def reconcile(self, ref: str, *, skip_pauses: bool, release_slot: Callable[[], None]) -> PassResult:
        looks = not self.began
        await super().reconcile(ref, skip_pauses=skip_pauses, release_slot=release_slot)
        return PassResult(Rest(), Now(Priority.PROGRESS)) if looks else PassResult(Rest())


def test_a_look_at_a_creation_does_not_keep_it_behind_others_once_it_is_ready() -> None:
    async def scenario() -> float:
        queue, reconciler = WorkQueue(), Looking(1.0, waits=lambda ref: False)
        controller = Controller(DeploymentStore(), queue, cast("Reconciler", reconciler), NoMetrics())
        started = asyncio.get_running_loop().time()
        for number in range(5 * SLOTS):
            queue.add(f"team/{number}", Priority.USER)
        asyncio.get_running_loop().call_later(1.5, queue.add, "team/0", Priority.POLL)
        await run_for(controller, 11.5)
        return reconciler.began["team/0"] - started

    assert run(scenario()) == 2.0, "in the next turn, with sixty others waiting"


class Refused:
    """Passes that fail as soon as anything is known, which is so after each LIST."""

    def __init__(self) -> None:
        self.known = self.asked = False
        self.failures = 0

    async def reconcile(self, ref: str, *, skip_pauses: bool, release_slot: Callable[[], None]) -> PassResult:
        if not self.known:
            self.asked = True
            return PassResult(Rest(), conclusive=False)
        self.known = False
        self.failures += 1
        return PassResult(Rest(), Retry())

    def forget(self, ref: str) -> None: ...


def test_failures_grow_rarer_although_each_list_is_told() -> None:
    async def scenario() -> int:
        queue, reconciler = WorkQueue(), Refused()
        controller = Controller(DeploymentStore(), queue, cast("Reconciler", reconciler), NoMetrics())
        queue.add("team/chat")
        working = asyncio.create_task(controller.run())
        for _ in range(200):
            await asyncio.sleep(3)
            reconciler.known = True
            if reconciler.asked:
                reconciler.asked = False
                queue.add("team/chat")
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return reconciler.failures

    assert 3 < run(scenario()) < 20, "in ten minutes"


class Postponing:
    """Passes that end as told, one after the other; `forced` holds what each was asked for with."""

    def __init__(self, *results: PassResult) -> None:
        self.results = list(results)
        self.skip_pauses: list[bool] = []

    def interrupt(self, ref: str) -> None: ...

    async def reconcile(self, ref: str, *, skip_pauses: bool, release_slot: Callable[[], None]) -> PassResult:
        self.skip_pauses.append(skip_pauses)
        return self.results.pop(0) if self.results else PassResult(Rest())


def test_a_persons_word_counts_until_it_has_been_acted_upon() -> None:
    async def scenario() -> list[bool]:
        nothing_known = PassResult(Rest(), After(1.0), conclusive=False)
        no_answer = PassResult(Trouble(Reason.API_UNAVAILABLE, "No answer."), Retry(), conclusive=False)
        refused = PassResult(Refuse(Reason.QUOTA_EXCEEDED, "No quota."), After(1.0))
        reconciler = Postponing(PassResult(Rest()), nothing_known, no_answer, refused)
        queue, store = WorkQueue(), DeploymentStore()
        controller = Controller(store, queue, cast("Reconciler", reconciler), NoMetrics())
        working = asyncio.create_task(controller.run())
        controller.on_object(raw(a_resource(status=CREATED)), False)
        await asyncio.sleep(1)
        asked = {ANNOTATION_RECONCILE_AT: "now"}
        controller.on_object(raw(a_resource(status=CREATED, annotations=asked, resourceVersion="101")), False)
        await asyncio.sleep(10)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return reconciler.skip_pauses

    assert run(scenario()) == [False, True, True, True, False], "the last one is a look that nobody asked for"


def raw(resource: FireworksDeployment) -> dict[str, Any]:
    """Return a resource as the API server sends it."""
    return resource.model_dump(by_alias=True, mode="json", exclude_none=True)
