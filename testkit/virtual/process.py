"""One run of the operator's process: the real controller, client and accounts, which can be killed at any call."""

import asyncio
import gc
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.accounts import Accounts, Limits
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.accounts.poller import Pace
from fireworks_operator.controller.budgets.book import BudgetBook
from fireworks_operator.controller.budgets.keeper import Keeper
from fireworks_operator.controller.budgets.ledger import Ledger
from fireworks_operator.controller.controller import Controller
from fireworks_operator.controller.enqueue import EnqueueBound
from fireworks_operator.controller.measure.startups import Startups
from fireworks_operator.controller.passes.reconciler import Reconciler
from fireworks_operator.controller.passes.surroundings import Identity
from fireworks_operator.controller.queue import WorkQueue
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.prices import Prices
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.request import Call
from fireworks_operator.fireworks.wire import JsonObject
from fireworks_operator.price_file import PriceFile
from testkit.virtual.api_server import ApiServer
from testkit.virtual.fireworks import ACCOUNT, KEYS, LATEST, Fireworks, Hang, LateRequest
from testkit.virtual.gate import Gate, Lease
from testkit.virtual.kubernetes import GatedKubernetes
from testkit.virtual.loop import VirtualLoop

CLUSTER, CLUSTER_UID = "model-cluster", "kube-system/model"
"""The cluster's id, and what tells it from another with the same id."""
AGENT = "fireworks-operator"
"""The user agent of the operator."""
PLENTY = Limits(rate_per_minute=60_000.0, burst=10_000)
"""Requests that one account may be sent: so many that nobody ever waits for a turn."""
OWN_NAMESPACE = "team-b"
"""The namespace whose resources use the operator's own key; the others bring a Secret."""
MOST_PASSES = 80
"""Passes without time going by, after which the operator counts as spinning."""
WRITE = 8.0
"""Seconds that a change may take."""
LONGEST_PASS = 1.0
"""Seconds of this thread's processor that a pass may take, with every question to the core asked twice."""


SHAPELESS: Mapping[str, str] = {"acceptShapelessRisk": "true"}
"""What a create without a deployment shape needs."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process finds when it starts: who it is, its key, its clock and its Lease.

    Attributes:
        wall_clock: the time of day as POSIX seconds, perhaps wrong.
        on_change: told of the resource and the request before a deployment is changed.
        limits: what one account may be sent.
        prices: return what a GPU-hour costs.
    """

    lease: Lease
    wall_clock: Callable[[], float]
    identity: Identity = field(
        default_factory=lambda: Identity(
            CLUSTER, (), frozenset({OWN_NAMESPACE}), create_query=SHAPELESS, cluster_uid=CLUSTER_UID
        )
    )
    own: OwnCredential = field(
        default_factory=lambda: OwnCredential(ApiKey(KEYS[ACCOUNT]), None, frozenset({OWN_NAMESPACE}))
    )
    agent: str = AGENT
    on_change: Callable[[str, Call], None] = lambda ref, call: None
    limits: Limits = PLENTY
    prices: Callable[[], Prices] = field(default_factory=lambda: PriceFile(None))


_acting: ContextVar[str | None] = ContextVar("acting", default=None)
"""The resource whose pass this is."""


class ModelClient(FireworksClient):
    """The real client, with the gate and the model's clock around each request."""

    def __init__(self, fireworks: Fireworks, gate: Gate, loop: VirtualLoop, around: Surroundings) -> None:
        super().__init__(fireworks.simulator.url, timeout_read=20.0, timeout_write=WRITE, user_agent=around.agent)
        self._around = around
        self._fireworks = fireworks
        self._gate = gate
        self._loop = loop
        self.sent: list[tuple[str, str, bool]] = []
        self.hold_lists: asyncio.Event | None = None
        self.list_held = asyncio.Event()
        self.listed: set[str] = set()
        self.held: defaultdict[str, set[str]] = defaultdict(set)
        self.hold_looks: asyncio.Event | None = None

    async def _send(self, api_key: ApiKey, call: Call) -> JsonObject:
        self._judge(api_key, call)
        self._gate.cross()
        self._loop.advance(0.01)
        self._fireworks.catch_up()
        hang = self._fireworks.hanging(call)
        answered = False
        try:
            if hang is None:
                answer = await super()._send(api_key, call)
            else:
                answer = await self._send_in_vain(api_key, call, hang)
            answered = True
        finally:
            self._loop.advance(0.01)
            self.sent.append((call.method, call.path, answered))
            self._gate.cross()
        if call.operation == "list_deployments":
            self.listed.add(call.account)
            await self._wait_for_release()
        elif call.operation == "get_deployment" and self.hold_looks is not None:
            self.list_held.set()
            await self.hold_looks.wait()
        return answer

    def _judge(self, api_key: ApiKey, call: Call) -> None:
        """Refuse what must not be sent: with too little of the Lease left, or with somebody else's key."""
        if call.method != "GET":
            assert self._around.lease.left() >= WRITE, f"fence: {call.method} {call.path} outlives the Lease"
        acting = _acting.get()
        if acting is None:
            return
        namespace = acting.split("/")[0]
        own = self._around.own
        may_use_own = own.api_key is not None and (own.namespaces is None or namespace in own.namespaces)
        held = self.held[namespace] | ({own.api_key.reveal()} if own.api_key is not None and may_use_own else set())
        assert api_key.reveal() in held, (
            f"{call.method} {call.path} for {acting}, whose namespace does not hold the key"
        )
        if call.method != "GET":
            self._around.on_change(acting, call)

    async def _wait_for_release(self) -> None:
        if self.hold_lists is not None:
            self.list_held.set()
            await self.hold_lists.wait()

    async def _send_in_vain(self, api_key: ApiKey, call: Call, hang: Hang) -> JsonObject:
        """Send a request that is not answered; it may be carried out all the same, later."""
        sending = asyncio.ensure_future(super()._send(api_key, call))
        while not sending.done() and not self._fireworks.has_arrived(hang):
            await asyncio.wait({sending}, timeout=0)
        if sending.done():
            return sending.result()  # another fault was quicker
        try:
            return await sending
        finally:
            if hang.late and call.method != "GET":
                self._fireworks.late.append(LateRequest(call, api_key.reveal(), self._loop.time() + LATEST))


class Passes:
    """Remembers how many passes were made since time last went by, and why what was left running."""

    def __init__(self) -> None:
        self.count = 0
        self.left: list[str] = []

    def waited(self, seconds: float) -> None:
        """Nothing is measured here."""

    def passed(self, action: str, result: str, seconds: float) -> None:
        self.count += 1

    def corrected(self) -> None:
        """Nothing is counted here."""

    def left_running(self, cause: str) -> None:
        self.left.append(cause)


class Process:
    """The operator from its start to its end; a new one knows nothing of the one before."""

    def __init__(self, server: ApiServer, fireworks: Fireworks, loop: VirtualLoop, around: Surroundings) -> None:
        self.gate = Gate()
        self.client = ModelClient(fireworks, self.gate, loop, around)
        self.store, self.queue, self.passes = DeploymentStore(), WorkQueue(jitter=lambda: 0.5), Passes()
        self._server = server
        self._loop = loop
        self._seen = self._seen_budgets = 0
        kubernetes = GatedKubernetes(server, self.gate, around.lease, self.client.held)

        def wall_clock() -> datetime:
            return datetime.fromtimestamp(around.wall_clock(), tz=UTC)

        bindings = Bindings()
        self.accounts = Accounts(
            self.client,
            kubernetes,
            around.own,
            limits=around.limits,
            pace=Pace(jitter=0.0),
            bindings=bindings,
            handler=EnqueueBound(self.queue, bindings),
            clock=loop.time,
        )
        self.book = BudgetBook(lambda namespace: self.ledger.on_budgets(namespace))
        self.ledger = Ledger(self.book.of_namespace, self.store.__iter__, around.prices, wall_clock)
        self.keeper = Keeper(self.ledger, self.book.store, kubernetes.write_budget_status, self.queue.add, wall_clock)
        self.reconciler = Reconciler(
            self.store,
            self.accounts,
            bindings,
            kubernetes,
            kubernetes,
            kubernetes,
            kubernetes,
            around.identity,
            crd_deleting=kubernetes.crd_deleting,
            startups=Startups(lambda stage, seconds: None),
            prices=around.prices,
            ledger=self.ledger,
            wall_clock=wall_clock,
        )
        self.controller = Controller(self.store, self.queue, self.reconciler, self.passes)
        self.book.replace_all(*server.listed_budgets(), self.book.versions())
        self._seen_budgets = len(server.budget_history)
        self.sweep()
        self._seen = len(server.history)

    async def close(self) -> None:
        """Free what the process held; it says nothing to anybody."""
        self.gate.kill()
        await self.client.aclose()

    def sweep(self) -> None:
        """List all resources, as at the start and now and then."""
        self.controller.replace_all(*self._server.listed(), self.controller.versions())

    def rewind(self) -> None:
        """List anew since the watch has broken off, as it does when etcd is restored."""
        self._seen = 0
        self.sweep()

    def watch(self, most: int | None = None) -> None:
        """Hear what the watch has to say, or only the first words of it."""
        for event in self._server.budget_history[self._seen_budgets :]:
            self.book.on_object(event.raw, event.deleted)
        self._seen_budgets = len(self._server.budget_history)
        until = len(self._server.history) if most is None else min(self._seen + most, len(self._server.history))
        for event in self._server.history[self._seen : until]:
            self.controller.on_object(event.raw, event.deleted)
        self._seen = until

    async def work(self) -> None:
        """Make all passes that are due now.

        Raises:
            AssertionError: they do not come to an end.
        """
        self.passes.count = 0
        self.keeper.wake()
        while len(self.queue):
            assert self.passes.count < MOST_PASSES, "the operator spins"
            ref, _ = await self.queue.get()
            await self._pass(ref)
            self.keeper.wake()
        await self.keeper.tell()

    async def _pass(self, ref: str) -> None:
        self.client.sent.clear()
        await self.controller._free.acquire()
        acting = _acting.set(ref)
        gc.disable()  # what earlier scenes have left is not this pass's to collect
        began = time.thread_time()
        try:
            await self.controller._pass(ref)
        finally:
            gc.enable()
            _acting.reset(acting)
        took = time.thread_time() - began
        assert took < LONGEST_PASS, f"I8: a pass of {ref} keeps everybody waiting for {took:.1f} s"
        self._judge_pass()

    def _judge_pass(self) -> None:
        """I4: what is destroyed was looked at in the same pass, what is created is known not to be there."""
        looked: set[str] = set()
        self._judge_routers()
        for method, path, answered in self.client.sent:
            if method == "GET" and answered and "/deployments/" in path:
                looked.add(path)
            elif "/routers/" in path:
                continue
            elif method == "DELETE" and "/deployments/" in path:
                assert path in looked, f"I4: {path} is deleted without a look"
            elif method == "DELETE":
                assert looked, f"I4: {path} is unloaded without a look at its deployment"
            elif method == "POST":
                assert path.split("/")[1] in self.client.listed, f"I4: {path} before the first LIST"

    def _judge_routers(self) -> None:
        """I4: no router is changed or deleted that was not looked at in the same pass."""
        sent = [(method, path) for method, path, _ in self.client.sent if "/routers/" in path]
        looked = {path for method, path in sent if method == "GET"}
        assert {path for _, path in sent} <= looked, f"I4: without a look: {sent}"

    async def poll(self) -> None:
        """Observe each account once, as its own loop does when the time has come."""
        await self.accounts.free_unused()
        for account in self.used():
            await account.poller.poll()
            beside = {f"{what} of {account.name}" for what in ("addons", "routers")}
            await asyncio.gather(*(each for each in asyncio.all_tasks() if each.get_name() in beside))

    def pictures(self) -> dict[str, float | None]:
        """Return when the LIST was begun that counts for an account, by its name; None before the first."""
        listings = {each.name: each.observer.listing for each in self.accounts}
        return {name: None if listing is None else listing.started for name, listing in listings.items()}

    def used(self) -> Iterator[Account]:
        """The accounts that any resource uses."""
        return (each for each in self.accounts if each.in_use)
