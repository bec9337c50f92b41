"""Builds the rooms of the operator and starts and stops them in order: the only place that knows them all."""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from logging import getLogger
from typing import TypeVar

from fireworks_operator.controller.account import Pace
from fireworks_operator.controller.accounts import Accounts, Limits, OwnCredential
from fireworks_operator.controller.controller import Controller
from fireworks_operator.controller.inventory import Inventory
from fireworks_operator.controller.ports import KubernetesUnavailableError, MutationFence, ResourceGoneError
from fireworks_operator.controller.queue import WorkQueue
from fireworks_operator.controller.reconciler import Reconciler
from fireworks_operator.controller.startups import Startups
from fireworks_operator.controller.store import Store
from fireworks_operator.controller.surroundings import Identity
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.fireworks.names import is_account_id
from fireworks_operator.kube.client import KubernetesClient, connect
from fireworks_operator.kube.cluster import CrdGuard, read_cluster_id, read_cluster_uid
from fireworks_operator.kube.contact import Contact
from fireworks_operator.kube.events import KubernetesEvents
from fireworks_operator.kube.lease import LeaseElector, LeaseFence, NoLease, default_identity
from fireworks_operator.kube.resources import (
    STARTS_WITHIN,
    CrdMissingError,
    collection_path,
    ensure_served,
    list_resources,
)
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.kube.watch import KopfWatch
from fireworks_operator.kube.writer import KubernetesWriter
from fireworks_operator.observability.health import Health, HealthServer, keep_beating
from fireworks_operator.observability.metrics import Metrics

from .settings import Settings

log = getLogger(__name__)

VERSION = version("fireworks-operator")
_CONNECT_RETRY = 2.0
_CONTACT_INTERVAL = 10.0
"""Seconds between two looks whether the API server still accepts this process."""
_SWEEP_GAP = 30.0
"""Seconds between two LISTs of all resources at least, whatever the watch says."""
_MEASURE_INTERVAL = 5.0
_MEASURE_SHARE = 0.002
"""Seconds between two looks at what there is, and the part of a core that they may take: with 5,000 they are rarer."""


Answer = TypeVar("Answer")


class StartError(Exception):
    """The operator cannot start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Outside:
    """What the operator talks to, and with which key if a resource brings none."""

    kubernetes: KubernetesClient
    fireworks: FireworksClient
    own: OwnCredential


class _PassMetrics:
    def __init__(self, metrics: Metrics, queue: WorkQueue) -> None:
        self._metrics = metrics
        metrics.queue_depth.set_function(lambda: float(len(queue)))

    def waited(self, seconds: float) -> None:
        self._metrics.queue_wait.observe(seconds)

    def passed(self, action: str, result: str, seconds: float) -> None:
        self._metrics.reconciles.labels(action, result).inc()
        self._metrics.reconcile_duration.observe(seconds)

    def corrected(self) -> None:
        self._metrics.drift_corrections.inc()

    def left_running(self, cause: str) -> None:
        self._metrics.left_running.labels(cause).inc()


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Raises:
        StartError, CrdMissingError, CredentialsError: it cannot start; the text says what to do.
        WatchEndedError, LeaseLostError: it cannot go on, and a new process should start.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    work = asyncio.create_task(_operate(settings))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        log.info("stopping")
        work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def _operate(settings: Settings) -> None:
    health = Health(
        {
            "kubernetes": "The FireworksDeployments of the cluster have not been listed yet.",
            "watch": "The watch of FireworksDeployments has not started yet.",
            "api-server": "The API server has not answered yet.",
        }
    )
    metrics = Metrics(version=VERSION)
    metrics.tasks.set_function(lambda: float(len(asyncio.all_tasks())))
    server = HealthServer(health, metrics.registry, host=settings.health_host, port=settings.health_port)
    async with contextlib.AsyncExitStack() as stack:
        own = _own_credential(settings)
        fireworks = FireworksClient(
            settings.base_url,
            user_agent=f"fireworks-operator/{VERSION}",
            observe=metrics.observe_request,
            allow_http=settings.allow_http,
        )
        await stack.enter_async_context(fireworks)
        await server.start()
        stack.push_async_callback(server.stop)
        log.info("fireworks-operator %s serves /metrics, /healthz and /readyz on port %d", VERSION, server.port)
        beating = asyncio.create_task(keep_beating(health))
        stack.callback(beating.cancel)
        client = await stack.enter_async_context(await connect(settings.kubeconfig))
        contacts = [Contact()]
        keeping = asyncio.create_task(_keep_contact(client, settings.watch_namespaces, contacts, health))
        stack.callback(keeping.cancel)
        fence = await _elect(settings, health, metrics, contacts, stack)
        identity = await _identity(settings, client)
        outside = _Outside(client, fireworks, own)
        await _operate_as_leader(settings, outside, fence, identity, health, metrics, stack)


async def _elect(
    settings: Settings, health: Health, metrics: Metrics, contacts: list[Contact], stack: contextlib.AsyncExitStack
) -> MutationFence:
    """Wait for the Lease, if one is asked for; losing it ends the process at once."""
    if not settings.leader_election:
        metrics.is_leader.set(1)
        return NoLease()
    elector = LeaseElector(
        namespace=settings.namespace,
        name=settings.lease_name,
        identity=default_identity(),
        heartbeat_age=lambda: health.heartbeat_age,
        on_lost=_end_process,
        kubeconfig=settings.kubeconfig,
    )
    contacts.append(elector.contact)
    elector.start()
    stack.push_async_callback(elector.stop)
    health.satisfy("kubernetes")
    health.satisfy("watch")  # a standby is ready to take over
    await elector.acquired()
    metrics.is_leader.set(1)
    return LeaseFence(elector)


def _end_process(why: str) -> None:
    """End without any clean-up: another process may be the leader already."""
    log.error("the Lease is lost, this process ends: %s", why)
    os._exit(1)


async def _keep_contact(
    client: KubernetesClient, namespaces: Sequence[str], contacts: Sequence[Contact], health: Health
) -> None:
    """Ask for resources now and then, and be ready only while the API server accepts that; runs until cancelled.

    At rest nothing else would be asked, and nobody would notice that a certificate has expired.

    Args:
        client: the one that everything but the Lease and the watch goes through.
        namespaces: those that are watched; empty means all.
        contacts: the first is that of `client`; others are kept by their owners.
        health: gets to know.
    """
    own = contacts[0]
    path = collection_path(namespaces[0] if namespaces else None)
    while True:
        try:
            await client.request("GET", path, query={"limit": "1"})
        except KubernetesUnavailableError as error:
            own.failed(str(error))
        except ResourceGoneError:  # the kind is not known, but who asks is
            own.succeeded()
        else:
            own.succeeded()
        complaint = next(filter(None, (each.complaint() for each in contacts)), None)
        if complaint is not None:
            health.miss("api-server", complaint)
        elif own.is_open:
            health.satisfy("api-server")
        await asyncio.sleep(_CONTACT_INTERVAL * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load


async def _cluster_id(settings: Settings, client: KubernetesClient) -> str:
    """Return the uid of kube-system.

    Raises:
        StartError: it may not be read; a new id is only suggested where no resource can have an id yet.
    """
    deadline = time.monotonic() + STARTS_WITHIN  # an API server that starts refuses everything at first
    while (found := await _patiently(lambda: read_cluster_id(client))) is None:
        if time.monotonic() >= deadline:
            break
        await asyncio.sleep(_CONNECT_RETRY)
    if found is not None:
        return found
    if await _is_new_here(settings, client):
        raise StartError(
            "The namespace kube-system may not be read, so this cluster has no id of its own: set "
            "FIREWORKS_OPERATOR_CLUSTER_ID to a name that no other cluster of your Fireworks accounts uses, and "
            "never change it."
        )
    raise StartError(
        "The namespace kube-system may not be read, and there are FireworksDeployments that may carry an id of this "
        "cluster already: let the operator get the namespace kube-system again, as the chart's ClusterRole does, or "
        "set FIREWORKS_OPERATOR_CLUSTER_ID to the value that it had before; another one would leave their deployments "
        "without anybody who looks after them."
    )


async def _is_new_here(settings: Settings, client: KubernetesClient) -> bool:
    """Return whether certainly no resource has been claimed by an operator yet."""
    try:
        for namespace in settings.watch_namespaces or (None,):
            objects, _ = await list_resources(client, namespace)
            if any((each.get("status") or {}).get("deploymentName") for each in objects):
                return False
    except CrdMissingError:
        return True
    except KubernetesUnavailableError:
        return False
    return True


async def _identity(settings: Settings, client: KubernetesClient) -> Identity:
    cluster_id = settings.cluster_id or await _cluster_id(settings, client)
    uid = await _patiently(lambda: read_cluster_uid(client))
    log.info("cluster id %s, told from others of that id by %s", cluster_id, uid or "nothing")
    return Identity(
        cluster_id,
        tuple(settings.previous_cluster_ids),
        frozenset(settings.adoption_namespaces),
        f"{settings.base_url.rstrip('/')}/inference/v1",
        _create_query(settings),
        uid,
    )


def _create_query(settings: Settings) -> dict[str, str]:
    switches = {
        "disableAutoDeploy": settings.disable_auto_deploy,
        "acceptShapelessRisk": settings.accept_shapeless_risk,
    }
    return {name: "true" for name, on in switches.items() if on}


async def _patiently(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeat a call until the API server answers it."""
    while True:
        try:
            return await call()
        except KubernetesUnavailableError as error:
            log.warning("%s Tried again in %.0f s.", error, _CONNECT_RETRY)
            await asyncio.sleep(_CONNECT_RETRY)


@dataclass(frozen=True, slots=True)
class _Rooms:
    store: Store
    accounts: Accounts
    controller: Controller
    inventory: Inventory


async def _operate_as_leader(
    settings: Settings,
    outside: _Outside,
    fence: MutationFence,
    identity: Identity,
    health: Health,
    metrics: Metrics,
    stack: contextlib.AsyncExitStack,
) -> None:
    client, namespaces = outside.kubernetes, tuple(settings.watch_namespaces)
    await _patiently(lambda: ensure_served(client, namespaces))
    events = KubernetesEvents(client, metrics.count_write)
    events.start()
    stack.push_async_callback(events.stop)
    rooms = _build(settings, outside, fence, identity, metrics, events)
    stack.push_async_callback(rooms.accounts.stop)
    sweep = _Sweep(client, namespaces, rooms.controller, settings.sweep_interval)
    await _patiently(sweep.once)
    health.satisfy("kubernetes")
    health.satisfy("watch")
    log.info("managing %d resources", len(rooms.store))
    watch = KopfWatch(rooms.controller.on_object, kubeconfig=settings.kubeconfig, namespaces=namespaces)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run(), name="watch")
            group.create_task(rooms.controller.run(), name="controller")
            group.create_task(sweep.run(), name="sweep")
            group.create_task(_measure(metrics, rooms.inventory, rooms.accounts), name="measure")
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None  # the first one ended the others


def _build(
    settings: Settings,
    outside: _Outside,
    fence: MutationFence,
    identity: Identity,
    metrics: Metrics,
    events: KubernetesEvents,
) -> _Rooms:
    store, queue = Store(), WorkQueue()
    accounts = Accounts(
        outside.fireworks,
        KubernetesSecrets(outside.kubernetes),
        outside.own,
        limits=Limits(settings.requests_per_minute, settings.request_burst),
        pace=Pace(
            hot=settings.poll_interval_changing,
            warm=settings.poll_interval_settling,
            idle=settings.poll_interval_idle,
        ),
        on_change=lambda account, names: controller.on_change(account, names),
        in_use=lambda account: reconciler.uses(account),
        uses_key=lambda credential: reconciler.uses_key(credential),
        watches=lambda name: reconciler.watches(name),
    )
    writer = KubernetesWriter(outside.kubernetes, metrics.count_write)
    crd_deleting = CrdGuard(outside.kubernetes).is_deleting
    startups = Startups(lambda stage, seconds: metrics.startup_duration.labels(stage).observe(seconds))
    reconciler = Reconciler(
        store, accounts, writer, events, fence, identity, crd_deleting=crd_deleting, startups=startups
    )
    controller = Controller(store, queue, reconciler, _PassMetrics(metrics, queue))
    metrics.is_account = accounts.is_proven
    clusters = (identity.cluster_id, *identity.previous_cluster_ids)
    watched = settings.watch_namespaces
    inventory = Inventory(
        store, accounts, clusters, lambda namespace: not watched or namespace in watched, identity.cluster_uid
    )
    return _Rooms(store, accounts, controller, inventory)


async def _measure(metrics: Metrics, inventory: Inventory, accounts: Accounts) -> None:
    """Keep the gauges that describe what there is up to date; runs until cancelled."""
    measured = time.monotonic()
    orphans: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    while True:
        before, measured, began = measured, time.monotonic(), time.perf_counter()
        await accounts.free_unused()
        metrics.set_resources(inventory.states())
        held = inventory.holdings()
        used = [account for account in accounts if account.in_use and account.proven]
        metrics.keep_accounts({account.name for account in accounts}, in_use={account.name for account in used})
        for account in used:
            metrics.observation_age.labels(account.name).set(account.observed_for())
            metrics.budget_tokens.labels(account.name).set(account.budget.available())
            metrics.budget_waiting.labels(account.name).set(account.budget.waiting())
            metrics.ready_replicas.labels(account.name).set(held[account.name].ready_replicas)
            metrics.orphaned_deployments.labels(account.name).set(len(held[account.name].orphans))
            metrics.without_replicas.labels(account.name).set(held[account.name].without_replicas)
            metrics.capacity_pending.labels(account.name).set(held[account.name].capacity_pending)
            for kind, gpus in held[account.name].gpus.items():
                metrics.gpu_seconds.labels(account.name, kind).inc(gpus * (measured - before))
        refused = inventory.refused_keys()
        replaced, keys = keys - refused.keys(), frozenset(refused)
        metrics.set_circuits(refused, replaced)
        known, orphans = orphans, frozenset(name for account in used for name in held[account.name].orphans)
        for name in sorted(orphans - known):
            log.warning(
                "%s carries this cluster's owner marker, but no resource of that name has it; it goes on running", name
            )
        await asyncio.sleep(max(_MEASURE_INTERVAL, (time.perf_counter() - began) / _MEASURE_SHARE))


class _Sweep:
    """Lists all resources now and then: finds what the watch missed, above all deletions.

    It comes early where the watch says what only a LIST can explain, but never again within `_SWEEP_GAP`.
    """

    def __init__(
        self, client: KubernetesClient, namespaces: tuple[str, ...], controller: Controller, interval: float
    ) -> None:
        self._client = client
        self._namespaces: tuple[str | None, ...] = namespaces or (None,)
        self._controller = controller
        self._interval = interval

    async def once(self) -> None:
        found, versions = [], []
        known = self._controller.versions()
        for namespace in self._namespaces:
            objects, version = await list_resources(self._client, namespace)
            found.extend(objects)
            versions.append(int(version))
        self._controller.replace_all(found, min(versions), known)

    async def run(self) -> None:
        while True:
            await self._next()
            wanted = self._controller.sweep_wanted.is_set()
            self._controller.sweep_wanted.clear()
            try:
                await self.once()
            except (KubernetesUnavailableError, CrdMissingError) as error:
                log.warning("%s", error)
                if wanted:
                    self._controller.sweep_wanted.set()

    async def _next(self) -> None:
        gap = min(_SWEEP_GAP, self._interval)
        await asyncio.sleep(gap)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._controller.sweep_wanted.wait(), self._interval - gap)


def _own_credential(settings: Settings) -> OwnCredential:
    namespaces = settings.credential_namespaces
    if settings.account_id is not None and not is_account_id(settings.account_id):
        raise StartError("FIREWORKS_ACCOUNT_ID: the id of an account is 1 to 128 letters, digits and dashes.")
    key = None
    if settings.api_key is not None:
        try:
            key = ApiKey(settings.api_key.get_secret_value())
            key.accept()
        except ValueError as error:
            raise StartError(f"FIREWORKS_API_KEY: {error}.") from None
    return OwnCredential(key, settings.account_id, None if namespaces is None else frozenset(namespaces))
