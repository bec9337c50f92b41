"""Builds the rooms of the operator and starts and stops them in order: the only place that knows them all."""

import asyncio
import contextlib
import errno
import os
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from logging import getLogger

from fireworks_operator.api.kinds import BUDGETS
from fireworks_operator.controller.accounts.accounts import Accounts, Limits
from fireworks_operator.controller.accounts.bindings import Bindings
from fireworks_operator.controller.accounts.key_source import OwnCredential
from fireworks_operator.controller.accounts.poller import Pace
from fireworks_operator.controller.budgets.book import BudgetBook
from fireworks_operator.controller.budgets.keeper import Keeper
from fireworks_operator.controller.budgets.ledger import Ledger
from fireworks_operator.controller.controller import Controller
from fireworks_operator.controller.enqueue import EnqueueBound
from fireworks_operator.controller.measure.budgets import BudgetGauges
from fireworks_operator.controller.measure.gauges import Gauges
from fireworks_operator.controller.measure.inventory import Inventory
from fireworks_operator.controller.measure.repricing import Repricing
from fireworks_operator.controller.measure.startups import Startups
from fireworks_operator.controller.pass_metrics import PassMetrics
from fireworks_operator.controller.passes.reconciler import Reconciler
from fireworks_operator.controller.passes.surroundings import Identity
from fireworks_operator.controller.queue import WorkQueue
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.fireworks.api_key import ApiKey
from fireworks_operator.fireworks.client import FireworksClient
from fireworks_operator.kube.client import KubernetesClient, connect
from fireworks_operator.kube.cluster import CrdGuard, StartError, find_cluster_id, patiently, read_cluster_uid
from fireworks_operator.kube.config_maps import KubernetesConfigMaps
from fireworks_operator.kube.contact import Contact, keep_contact
from fireworks_operator.kube.events import KubernetesEvents
from fireworks_operator.kube.lease import LeaseElector, LeaseFence, NoLease, default_identity
from fireworks_operator.kube.optional import OptionalKind
from fireworks_operator.kube.resources import ensure_served
from fireworks_operator.kube.secrets import KubernetesSecrets
from fireworks_operator.kube.sweep import Sweep
from fireworks_operator.kube.watch import KopfWatch
from fireworks_operator.kube.writer import KubernetesWriter
from fireworks_operator.network.reasons import reason_of
from fireworks_operator.observability.health import Health, HealthServer, keep_beating
from fireworks_operator.observability.metrics import Metrics
from fireworks_operator.ports import MutationFence
from fireworks_operator.price_file import PriceFile, PriceFileError
from fireworks_operator.settings import Settings, misspelt

log = getLogger(__name__)

VERSION = version("fireworks-operator")


@dataclass(frozen=True, slots=True)
class _Outside:
    """What the operator talks to, with which key if a resource brings none, and what a GPU-hour costs."""

    kubernetes: KubernetesClient
    fireworks: FireworksClient
    own: OwnCredential
    prices: PriceFile


async def run(settings: Settings) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Raises:
        StartError, CrdMissingError, CredentialsError: it cannot start; the text says what to do.
        WatchEndedError, LeaseLostError: it cannot go on, and a new process should start.
    """
    for name, meant in misspelt(os.environ).items():
        log.warning("The environment variable %s is not a setting and is ignored; did you mean %s?", name, meant)
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
        own, prices = _own_credential(settings), _prices(settings)
        fireworks = FireworksClient(
            settings.base_url,
            user_agent=f"fireworks-operator/{VERSION}",
            observe=metrics.observe_request,
            allow_http=settings.allow_http,
        )
        await stack.enter_async_context(fireworks)
        await _listen(server, settings)
        stack.push_async_callback(server.stop)
        log.info("fireworks-operator %s serves /metrics, /healthz and /readyz on port %d", VERSION, server.port)
        beating = asyncio.create_task(keep_beating(health))
        stack.callback(beating.cancel)
        client = await stack.enter_async_context(await connect(settings.kubeconfig))
        contacts = [Contact()]
        keeping = asyncio.create_task(keep_contact(client, settings.watch_namespaces, contacts, health))
        stack.callback(keeping.cancel)
        fence = await _elect(settings, health, metrics, contacts, stack)
        identity = await _identity(settings, client)
        outside = _Outside(client, fireworks, own, prices)
        await _operate_as_leader(settings, outside, fence, identity, health, metrics, stack)


async def _listen(server: HealthServer, settings: Settings) -> None:
    """Begin to serve health and metrics; this comes first, so that a second operator on this machine ends at once."""
    what, port = "/metrics, /healthz and /readyz", settings.health_port
    try:
        await server.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"Cannot listen on port {port} for {what}: another process uses it. Set "
                f"FIREWORKS_OPERATOR_HEALTH_PORT to a free port, such as {port + 1 if port < 65535 else port - 1}, or "
                f"end the other process: `lsof -nP -iTCP:{port} -sTCP:LISTEN` shows it."
            ) from None
        if error.errno == errno.EACCES:
            raise StartError(
                f"Cannot listen on port {port} for {what}: ports below 1024 require privileges. Set "
                "FIREWORKS_OPERATOR_HEALTH_PORT to a higher one, such as 8080."
            ) from None
        raise StartError(
            f"Cannot listen on the address of FIREWORKS_OPERATOR_HEALTH_HOST for {what}: {reason_of(error)}. Set it to "
            "an address of this machine, such as 127.0.0.1, or leave it empty for all addresses."
        ) from None


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
    log.error("lost the Lease, exiting: %s", why)
    os._exit(1)


async def _identity(settings: Settings, client: KubernetesClient) -> Identity:
    cluster_id = settings.cluster_id or await find_cluster_id(client, settings.watch_namespaces)
    uid = await patiently(lambda: read_cluster_uid(client))
    log.info("cluster id %s, distinguished from other clusters with the same id by %s", cluster_id, uid or "nothing")
    return Identity(
        cluster_id,
        tuple(settings.previous_cluster_ids),
        frozenset(settings.adoption_namespaces),
        f"{settings.base_url.rstrip('/')}/inference/v1",
        _create_query(settings),
        uid,
        settings.default_shape,
    )


def _create_query(settings: Settings) -> dict[str, str]:
    switches = {
        "disableAutoDeploy": settings.disable_auto_deploy,
        "acceptShapelessRisk": settings.accept_shapeless_risk,
    }
    return {name: "true" for name, on in switches.items() if on}


@dataclass(frozen=True, slots=True)
class _Rooms:
    store: DeploymentStore
    accounts: Accounts
    controller: Controller
    gauges: Gauges
    repricing: Repricing
    budgets: BudgetBook
    keeper: Keeper


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
    await patiently(lambda: ensure_served(client, namespaces))
    events = KubernetesEvents(client, metrics.count_write)
    events.start()
    stack.push_async_callback(events.stop)
    rooms = _build(settings, outside, fence, identity, metrics, events)
    stack.push_async_callback(rooms.accounts.stop)
    budgets = OptionalKind(
        BUDGETS,
        client,
        rooms.budgets,
        lambda served: metrics.budgets_enforced.set(served),
        interval=settings.sweep_interval,
        kubeconfig=settings.kubeconfig,
        namespaces=namespaces,
    )
    await patiently(budgets.begin)  # before the first pass may spend anything
    sweep = Sweep(client, namespaces, rooms.controller, settings.sweep_interval)
    await patiently(sweep.once)
    health.satisfy("kubernetes")
    health.satisfy("watch")
    log.info("managing %d resources", len(rooms.store))
    watch = KopfWatch(rooms.controller.on_object, kubeconfig=settings.kubeconfig, namespaces=namespaces)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run(), name="watch")
            group.create_task(budgets.run(), name="budgets")
            group.create_task(rooms.controller.run(), name="controller")
            group.create_task(sweep.run(), name="sweep")
            group.create_task(rooms.gauges.run(), name="measure")
            group.create_task(rooms.repricing.run(), name="prices")
            group.create_task(rooms.keeper.run(), name="turns")
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
    store, queue, bindings = DeploymentStore(), WorkQueue(), Bindings()
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
        bindings=bindings,
        handler=EnqueueBound(queue, bindings),
    )
    writer = KubernetesWriter(outside.kubernetes, metrics.count_write)
    crd_deleting = CrdGuard(outside.kubernetes).is_deleting
    book = BudgetBook(lambda namespace: ledger.on_budgets(namespace))
    ledger = Ledger(book.of_namespace, store.__iter__, outside.prices, _wall_clock)
    startups = Startups(lambda stage, seconds: metrics.startup_duration.labels(stage).observe(seconds))
    reconciler = Reconciler(
        store,
        accounts,
        bindings,
        writer,
        KubernetesConfigMaps(outside.kubernetes, metrics.count_write),
        events,
        fence,
        identity,
        crd_deleting=crd_deleting,
        startups=startups,
        prices=outside.prices,
        ledger=ledger,
    )
    controller = Controller(store, queue, reconciler, PassMetrics(metrics, queue))
    metrics.is_account = accounts.is_proven
    clusters = (identity.cluster_id, *identity.previous_cluster_ids)
    watched = settings.watch_namespaces
    inventory = Inventory(
        store, accounts, clusters, lambda namespace: not watched or namespace in watched, identity.cluster_uid
    )
    budgets = BudgetGauges(metrics, ledger, _wall_clock)
    gauges = Gauges(metrics, inventory, accounts, budgets, cost_per_resource=settings.cost_metrics_per_resource)
    keeper = Keeper(ledger, book.store, writer.write_status, queue.add, _wall_clock)
    return _Rooms(store, accounts, controller, gauges, Repricing(outside.prices.refresh, store, queue), book, keeper)


def _wall_clock() -> datetime:
    return datetime.now(UTC)


def _prices(settings: Settings) -> PriceFile:
    try:
        return PriceFile(settings.price_file)
    except PriceFileError as error:
        raise StartError(str(error)) from None


def _own_credential(settings: Settings) -> OwnCredential:
    namespaces = settings.credential_namespaces
    api_key = None
    if settings.api_key is not None:
        try:
            api_key = ApiKey(settings.api_key.get_secret_value())
            api_key.accept()
        except ValueError as error:
            raise StartError(f"FIREWORKS_API_KEY: {error}.") from None
    return OwnCredential(api_key, settings.account_id, None if namespaces is None else frozenset(namespaces))
