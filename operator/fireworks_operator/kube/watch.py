"""The informer: Kopf lists and watches the resources, and this module hands each object on.

Kopf runs in a thread with an event loop of its own. When it ends, it cancels every task of its loop that was
created after it started, and in the main thread it takes over SIGTERM: neither must reach the operator's work.
"""

import asyncio
import contextlib
import datetime
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import kopf
from kopf._cogs.clients.errors import APIError
from kopf._cogs.structs.references import Insights
from kopf._core.engines.peering import Identity

from fireworks_operator.api.kinds import DEPLOYMENTS, Kind
from fireworks_operator.api.resource import GROUP, VERSION
from fireworks_operator.timing import Backoff, Patience

from .credentials import CredentialsError, load_credentials
from .resources import CrdMissingError
from .watch_session import QUIET_WATCH, Change, KopfSession, OnObjects, shortened

log = logging.getLogger(__name__)

OnObject = Callable[[Mapping[str, Any], bool], None]
"""Takes the object as the API server sent it, and whether it is gone."""

STOP_TIMEOUT: Final = 10.0
"""Seconds that Kopf gets to wind up; its thread does not hold the process after that."""

TLS_GOODBYE: Final = 0.1
"""Seconds between the end of Kopf and that of its event loop."""

QUIET_LOGIN: Final = 60.0
"""Seconds after which the need to sign in again is no sign that the credentials are refused."""


@dataclass(frozen=True, slots=True)
class WatchTimings:
    """Pauses and lifetimes of a watch.

    Attributes:
        retry: between the tries of one request, and to list anew. They never end, unlike Kopf's own, which end after
            54 s, and with them the watch; an API server may be away for longer.
        sign_in: between sign-ins that are needed one soon after the other, after the first.
        session: after this time Kopf signs in anew, well before a projected token (an hour, refreshed at 80 %) expires.
    """

    retry: Backoff
    sign_in: Backoff
    session: datetime.timedelta


DEFAULT_TIMINGS: Final = WatchTimings(
    retry=Backoff(1.0, 37.5, factor=1.6, jitter=0.4),
    sign_in=Backoff(1.0, 30.0),
    session=datetime.timedelta(minutes=10),
)


class WatchEndedError(Exception):
    """The watch is over although nobody stopped it: the process can only end and be started again."""


class KopfWatch:
    """Watches the resources of a kind, cluster-wide or in some namespaces, and calls `on_object` for each event.

    The calls come in the event loop that `run` is awaited in, one after another, in the order of the API server.

    Args:
        on_object: gets every object at the start, then every change.
        kubeconfig: as for `kube.client.connect`.
        namespaces: names, no patterns; empty means all.
        timings: pauses and lifetimes.
        kind: of the resources.
    """

    def __init__(
        self,
        on_object: OnObject,
        *,
        kubeconfig: Path | None = None,
        namespaces: Sequence[str] = (),
        timings: WatchTimings = DEFAULT_TIMINGS,
        kind: Kind = DEPLOYMENTS,
    ) -> None:
        self._on_object = on_object
        self._kind = kind
        self._timings = timings
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)

    async def run(self) -> None:
        """Watch until cancelled, then wait for Kopf to wind up.

        `ensure_served` must have succeeded before: Kopf waits silently for a missing CRD.

        Raises:
            CrdMissingError: the CRD was deleted meanwhile.
            WatchEndedError: Kopf gave up for a reason that another try does not mend, or does not find the kind.
        """
        patience = Patience(self._timings.retry, quiet=QUIET_WATCH)
        while True:
            why = await self.run_once()
            pause = patience.next_pause()
            log.warning("The watch of %s was closed: %s. Relisting in %.0f s.", self._kind.plural, why, pause)
            await asyncio.sleep(pause)

    async def run_once(self) -> str:
        """List and watch until that ends in a way that may pass; return why.

        Raises:
            CrdMissingError, WatchEndedError: as `run` does.
        """
        thread = _KopfThread(self._deliver, self._kubeconfig, self._namespaces, self._timings, self._kind)
        thread.start()
        try:
            await asyncio.shield(thread.ended)
        except asyncio.CancelledError:
            await thread.stop()
            raise
        except WatchEndedError:
            raise
        except (APIError, aiohttp.ClientError, TimeoutError, JSONDecodeError) as error:
            if getattr(error, "status", None) == 404:
                raise CrdMissingError(self._kind) from error
            return shortened(f"{type(error).__name__}: {next(iter(error.args), '')}")
        except Exception as error:
            raise WatchEndedError(f"The watch of {self._kind.plural} ended: {type(error).__name__}: {error}") from error
        raise WatchEndedError(f"The watch of {self._kind.plural} ended without an error.")

    def _deliver(self, objects: Sequence[Change]) -> None:
        for raw, deleted in objects:
            try:
                self._on_object(raw, deleted)
            except Exception:
                log.exception("An event of %s could not be processed.", raw.get("metadata", {}).get("name"))


class _KopfThread:
    """One run of Kopf in its own thread and event loop; made and used in the operator's loop."""

    def __init__(
        self,
        receive: OnObjects,
        kubeconfig: Path | None,
        namespaces: Sequence[str],
        timings: WatchTimings,
        kind: Kind,
    ) -> None:
        self._kind = kind
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._receive = receive
        self._namespaces = namespaces
        self._timings = timings
        self._registry = _registry(Login(kubeconfig, self._hand_over, timings, kind), kind)
        self._kopf_loop: asyncio.AbstractEventLoop | None = None
        self._stop_flag = asyncio.Event()
        self._stopping = False

    def start(self) -> None:
        _quieten()
        threading.Thread(target=self._run, name=f"kopf {self._kind.plural}", daemon=True).start()

    async def stop(self) -> None:
        self._stopping = True
        if self._kopf_loop is not None:
            _call_in(self._kopf_loop, self._stop_flag.set)
        _, waiting = await asyncio.wait({self.ended}, timeout=STOP_TIMEOUT)
        if waiting:
            log.warning("Kopf did not stop within %g s and was abandoned.", STOP_TIMEOUT)
        elif not self.ended.cancelled() and (error := self.ended.exception()) is not None:
            log.warning("Kopf stopped with an error: %s", error)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            asyncio.run(self._operate())
        except BaseException as caught:  # noqa: BLE001 - whatever ends the thread must reach `ended`
            error = caught
        _call_in(self._loop, self._end, error)

    async def _operate(self) -> None:
        self._kopf_loop = asyncio.get_running_loop()
        self._kopf_loop.set_exception_handler(_report)
        if self._stopping:
            return
        insights = Insights()
        # Created before Kopf starts: what comes later it cancels when it ends.
        checking = asyncio.create_task(self._check(insights))
        try:
            await kopf.operator(
                insights=insights,
                registry=self._registry,
                settings=_settings(self._timings),
                standalone=True,
                # Of no use without peering, but Kopf would ask for the user's name, and the user of an image has none.
                identity=Identity("fireworks-operator"),
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop_flag,
            )
        finally:
            # Kopf closes its watches without waiting for TLS to say goodbye (aiohttp, graceful shutdown).
            await asyncio.sleep(TLS_GOODBYE)
        if checking.done():
            checking.result()
        checking.cancel()

    async def _check(self, insights: Insights) -> None:
        """Make sure that Kopf has found the kind: it asks once, and an API server that starts names no CRDs at first.

        Raises:
            WatchEndedError: it has not, and would watch nothing for ever.
        """
        await insights.ready_resources.wait()
        if not insights.watched_resources:
            self._stop_flag.set()
            raise WatchEndedError(
                f"The API server does not currently serve {self._kind.plural}: it may be starting, or the CRD is being "
                "deleted."
            )

    def _hand_over(self, objects: Sequence[Change]) -> None:
        if objects:
            _call_in(self._loop, self._receive, objects)

    def _end(self, error: BaseException | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        elif isinstance(error, Exception):
            self.ended.set_exception(error)
        else:
            self.ended.set_exception(WatchEndedError(f"Kopf's thread was told to end: {error!r}"))


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody caught; but not that Kopf's streams, one inside the other, are closed in any order at the end."""
    if "asyncgen" in context:
        log.debug("While stopping Kopf: %s", context["message"], exc_info=context.get("exception"))
    else:
        loop.default_exception_handler(context)


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has closed: its side is going down
        loop.call_soon_threadsafe(function, *arguments)


class Login:
    """Gives Kopf a session with the credentials that the rest of the operator uses.

    A sign-in that is needed again soon means that the API server refuses the credentials: the pause grows then,
    so that a revoked token does not turn into a storm of requests.
    """

    def __init__(
        self,
        kubeconfig: Path | None,
        receive: OnObjects,
        timings: WatchTimings = DEFAULT_TIMINGS,
        kind: Kind = DEPLOYMENTS,
    ) -> None:
        self._kind = kind
        self._kubeconfig = kubeconfig
        self._receive = receive
        self._timings = timings
        self._patience = Patience(timings.sign_in, quiet=QUIET_LOGIN, free=1)

    async def __call__(self) -> kopf.AiohttpSession:
        """Sign in.

        Raises:
            kopf.TemporaryError: the credentials cannot be read now; Kopf tries again.
        """
        await asyncio.sleep(self._patience.next_pause())
        try:
            credentials = await load_credentials(self._kubeconfig)
            session = KopfSession(
                credentials, lambda: load_credentials(self._kubeconfig), self._timings.retry, self._receive, self._kind
            )
        except CredentialsError as error:
            raise kopf.TemporaryError(str(error), delay=5) from error
        return kopf.AiohttpSession(
            server=credentials.server,
            aiohttp_session=cast("aiohttp.ClientSession", session),
            expiration=datetime.datetime.now(datetime.UTC) + self._timings.session,
        )


def _registry(login: Login, kind: Kind) -> kopf.OperatorRegistry:
    """Return a registry of one login, and one handler without which Kopf would watch nothing."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, id="login")
    async def sign_in(**_: object) -> kopf.AiohttpSession:
        return await login()

    @kopf.on.event(GROUP, VERSION, kind.plural, registry=registry, id="observe")
    async def observe(**_: object) -> None:
        """Never called: `KopfSession` hands the objects on, and Kopf is told of none."""

    return registry


def _quieten() -> None:
    """Leave of Kopf's log what a person must know."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # Their one warning, that signals cannot be taken over outside of the main thread, is what is wanted here; and a
    # watch that fails for good ends the process, which says so in a sentence instead of tracebacks.
    for name in ("running", "orchestration"):
        logging.getLogger(f"kopf._core.reactor.{name}").setLevel(logging.CRITICAL)


def _settings(timings: WatchTimings) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # No CRD or namespace watch: smaller RBAC, and a CRD that comes late is caught by `ensure_served`.
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = timings.retry
    # Belt and braces beside Kopf's limit of 70 s of silence: a watch is renewed every 5 minutes.
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    # A connection cut within a streamed list would lose the objects not yet sent, so: a LIST, then a watch.
    settings.watching.initial_streaming = False
    # The operator's own shutdown decides how long stopping may take.
    settings.process.ultimate_exiting_timeout = None
    return settings
