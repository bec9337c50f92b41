"""The informer: Kopf lists and watches the resources, and this module hands each object on.

Kopf runs in a thread with an event loop of its own. When it ends, it cancels every task of its loop that was
created after it started, and in the main thread it takes over SIGTERM: neither must reach the operator's work.
"""

import asyncio
import contextlib
import datetime
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from json import JSONDecodeError, dumps, loads
from pathlib import Path
from typing import Any, Final, cast

import aiohttp
import kopf
from kopf._cogs.clients.errors import APIError
from kopf._cogs.structs.references import Insights
from kopf._core.engines.peering import Identity

from fireworks_operator.api.v1alpha1 import GROUP, PLURAL, VERSION

from .credentials import USER_AGENT, Credentials, CredentialsError, load_credentials
from .resources import CrdMissingError
from .session import ApiSession, Request

logger = logging.getLogger(__name__)

OnObject = Callable[[Mapping[str, Any], bool], None]
"""Takes the object as the API server sent it, and whether it is gone."""

SESSION_LIFETIME: Final = datetime.timedelta(minutes=10)
"""After this time Kopf signs in anew, well before a projected token (an hour, refreshed at 80 %) expires."""

STOP_TIMEOUT: Final = 10.0
"""Seconds that Kopf gets to wind up; its thread does not hold the process after that."""

TLS_GOODBYE: Final = 0.1
"""Seconds between the end of Kopf and that of its event loop."""

QUIET_WATCH: Final = 60.0
"""Seconds that a watch must have lasted for the pause after it to be short again."""

_LONGEST_REASON: Final = 300
_QUIET_LOGIN: Final = 60.0
_LONGEST_LOGIN_PAUSE: Final = 30.0


class WatchEndedError(Exception):
    """The watch is over although nobody stopped it: the process can only end and be started again."""


class Backoffs:
    """Pauses between the tries of one request of Kopf, in seconds: growing to half a minute, never ending.

    Kopf's own list ends after 54 s, and with it the watch; an API server may be away for longer. The jitter of
    a quarter keeps several operators from coming back in one instant.
    """

    _STEPS: Final = (1, 1, 2, 3, 5, 8, 13, 21)

    def __iter__(self) -> Iterator[float]:
        """Begin again with the shortest pause, for one request."""
        for step in self._STEPS:
            yield step * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards no secret
        while True:
            yield 30 * random.uniform(0.75, 1.25)  # noqa: S311


class KopfWatch:
    """Watches the resources, cluster-wide or in some namespaces, and calls `on_object` for each event.

    The calls come in the event loop that `run` is awaited in, one after another. Events of one object (one uid)
    keep their order; those of two objects that follow each other under one name may not.

    Args:
        on_object: gets every object at the start, then every change.
        kubeconfig: as for `kube.client.connect`.
        namespaces: names, no patterns; empty means all.
    """

    def __init__(self, on_object: OnObject, *, kubeconfig: Path | None = None, namespaces: Sequence[str] = ()) -> None:
        self._on_object = on_object
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)

    async def run(self) -> None:
        """Watch until cancelled, then wait for Kopf to wind up.

        `ensure_served` must have succeeded before: Kopf waits silently for a missing CRD.

        Raises:
            CrdMissingError: the CRD was deleted meanwhile.
            WatchEndedError: Kopf gave up for a reason that another try does not mend, or does not find the kind.
        """
        patience = Patience()
        while True:
            why = await self._run_once()
            pause = patience.next_pause()
            logger.warning("The watch of %s was ended: %s. Listed anew in %.0f s.", PLURAL, why, pause)
            await asyncio.sleep(pause)

    async def _run_once(self) -> str:
        """List and watch until that ends in a way that may pass; return why."""
        thread = _KopfThread(self._deliver, self._kubeconfig, self._namespaces)
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
                raise CrdMissingError from error
            return _shortened(f"{type(error).__name__}: {next(iter(error.args), '')}")
        except Exception as error:
            raise WatchEndedError(f"The watch of {PLURAL} ended: {type(error).__name__}: {error}") from error
        raise WatchEndedError(f"The watch of {PLURAL} ended without an error.")

    def _deliver(self, raw: Mapping[str, Any], deleted: bool) -> None:
        try:
            self._on_object(raw, deleted)
        except Exception:
            logger.exception("An event of %s could not be taken in.", raw.get("metadata", {}).get("name"))


class _KopfThread:
    """One run of Kopf in its own thread and event loop; made and used in the operator's loop."""

    def __init__(self, receive: OnObject, kubeconfig: Path | None, namespaces: Sequence[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._receive = receive
        self._namespaces = namespaces
        self._registry = _registry(self._hand_over, Login(kubeconfig))
        self._kopf_loop: asyncio.AbstractEventLoop | None = None
        self._stop_flag = asyncio.Event()
        self._stopping = False

    def start(self) -> None:
        _quieten()
        threading.Thread(target=self._run, name="kopf", daemon=True).start()

    async def stop(self) -> None:
        self._stopping = True
        if self._kopf_loop is not None:
            _call_in(self._kopf_loop, self._stop_flag.set)
        _, waiting = await asyncio.wait({self.ended}, timeout=STOP_TIMEOUT)
        if waiting:
            logger.warning("Kopf did not stop within %g s and is left behind.", STOP_TIMEOUT)
        elif not self.ended.cancelled() and (error := self.ended.exception()) is not None:
            logger.warning("Kopf stopped with an error: %s", error)

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
                settings=_settings(),
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
                f"The API server does not name {PLURAL} now: is it starting, or is the CRD being deleted?"
            )

    def _hand_over(self, raw: Mapping[str, Any], deleted: bool) -> None:
        _call_in(self._loop, self._receive, raw, deleted)

    def _end(self, error: BaseException | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        elif isinstance(error, Exception):
            self.ended.set_exception(error)
        else:
            self.ended.set_exception(WatchEndedError(f"Kopf's thread was told to end: {error!r}"))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody caught; but not that Kopf's streams, one inside the other, are closed in any order at the end."""
    if "asyncgen" in context:
        logger.debug("At the end of Kopf: %s", context["message"], exc_info=context.get("exception"))
    else:
        loop.default_exception_handler(context)


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has closed: its side is going down
        loop.call_soon_threadsafe(function, *arguments)


class Patience:
    """The pauses after errors that come one after the other: growing, and short again after a quiet time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pauses = iter(Backoffs())
        self._until = clock()

    def next_pause(self) -> float:
        """Return the seconds to wait now."""
        if self._clock() - self._until > QUIET_WATCH:
            self._pauses = iter(Backoffs())
        pause = next(self._pauses)
        self._until = self._clock() + pause
        return pause


class WatchStream:
    """The content of a watch, in which any error reads as 410 after a pause: Kopf then lists anew, and ends at others.

    An API server says in the middle of a watch what it otherwise says by a status code: that it is going down, has no
    etcd, or has to refuse for now. Only the next LIST can tell whether it means that for good.
    """

    def __init__(self, content: aiohttp.StreamReader, patience: Patience) -> None:
        self._content = content
        self._patience = patience

    def __getattr__(self, name: str) -> object:
        """Be the content in all that its response does with it."""
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield whole lines of the content; nothing comes after an error."""
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                trouble = _trouble(line)
                if trouble is None:
                    yield line + b"\n"
                    continue
                pause = self._patience.next_pause()
                logger.warning("The watch of %s was ended: %s. Listed anew in %.0f s.", PLURAL, trouble, pause)
                await asyncio.sleep(pause)
                yield _EXPIRED
                return
        yield rest


_EXPIRED: Final = b'{"type":"ERROR","object":{"kind":"Status","code":410}}\n'


def _trouble(line: bytes) -> str | None:
    """Return what is wrong with a line of a watch; None if it is an event, or a 410 that Kopf knows what to do with."""
    if line.strip() and not line.lstrip().startswith(b"{"):
        return "what came is no event; is a proxy in between?"
    if b'"ERROR"' not in line:
        return None
    try:
        event = loads(line)
        if event["type"] != "ERROR" or event["object"]["code"] == 410:
            return None
        return _shortened(f"{event['object'].get('message') or 'without a reason'} ({event['object']['code']})")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "an error that cannot be read"


class KopfSession:
    """What Kopf uses of an `aiohttp.ClientSession`, over a session whose credentials and certificates are renewed."""

    def __init__(self, credentials: Credentials, load: Callable[[], Awaitable[Credentials]]) -> None:
        self.headers: dict[str, str] = {"User-Agent": USER_AGENT}
        self.closed = False
        self._server = credentials.server
        self._patience: dict[str, Patience] = {}
        self._session = ApiSession(credentials, load, connections=0)  # each watched namespace holds one

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: object | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - Kopf's
    ) -> aiohttp.ClientResponse:
        """Send a request; `url` begins with the server of the credentials."""
        if self.closed:
            raise RuntimeError("Session is closed")
        path = url.removeprefix(self._server)
        body = None if json is None else dumps(json).encode()
        response = await self._session.request(Request(method, path, None, headers or {}, body, timeout))
        what, _, query = path.partition("?")
        if response.status == 200 and "watch=true" in query.split("&"):
            patience = self._patience.setdefault(what, Patience())
            response.content = cast("aiohttp.StreamReader", WatchStream(response.content, patience))
        return response

    async def close(self) -> None:
        """Close all connections, those of open watches as well."""
        self.closed = True
        await self._session.close()


class Login:
    """Gives Kopf a session with the credentials that the rest of the operator uses.

    A sign-in that is needed again soon means that the API server refuses the credentials: the pause grows then,
    so that a revoked token does not turn into a storm of requests.
    """

    def __init__(self, kubeconfig: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._kubeconfig = kubeconfig
        self._clock = clock
        self._last: float | None = None
        self._pause = 0.0

    def next_pause(self) -> float:
        """Return the seconds to wait before signing in now."""
        now, last = self._clock(), self._last
        quiet = last is None or now - last - self._pause > _QUIET_LOGIN
        self._pause = 0.0 if quiet else min(_LONGEST_LOGIN_PAUSE, max(1.0, self._pause * 2))
        self._last = now
        return self._pause

    async def __call__(self) -> kopf.AiohttpSession:
        """Sign in.

        Raises:
            kopf.TemporaryError: the credentials cannot be read now; Kopf tries again.
        """
        await asyncio.sleep(self.next_pause())
        try:
            credentials = await load_credentials(self._kubeconfig)
            session = KopfSession(credentials, lambda: load_credentials(self._kubeconfig))
        except CredentialsError as error:
            raise kopf.TemporaryError(str(error), delay=5) from error
        return kopf.AiohttpSession(
            server=credentials.server,
            aiohttp_session=cast("aiohttp.ClientSession", session),
            expiration=datetime.datetime.now(datetime.UTC) + SESSION_LIFETIME,
        )


def _registry(receive: OnObject, login: Login) -> kopf.OperatorRegistry:
    """Return a registry of one login and one event handler; any other kind of handler would write."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, id="login")
    async def sign_in(**_: object) -> kopf.AiohttpSession:
        return await login()

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=registry, id="observe")
    async def observe(event: kopf.RawEvent, **_: object) -> None:
        receive(event["object"], event["type"] == "DELETED")

    return registry


def _quieten() -> None:
    """Leave of Kopf's log what a person must know."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    # Their one warning, that signals cannot be taken over outside of the main thread, is what is wanted here; and a
    # watch that fails for good ends the process, which says so in a sentence instead of tracebacks.
    for name in ("running", "orchestration"):
        logging.getLogger(f"kopf._core.reactor.{name}").setLevel(logging.CRITICAL)


class _NoDiff(kopf.DiffBaseStorage):
    """What changed in an object is nobody's question here, and Kopf copies each one to answer it: 5 % of a burst."""

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        return cast("kopf.BodyEssence", {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Keep nothing."""


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # No CRD or namespace watch: smaller RBAC, and a CRD that comes late is caught by `ensure_served`.
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    # Kopf strips a finalizer of this name from everything it sees, so it must be one that nobody uses.
    settings.persistence.finalizer = f"{GROUP}/kopf-unused"
    # Never written without Kopf's other handlers; named in case that somebody adds one.
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}", v1=False)
    settings.persistence.diffbase_storage = _NoDiff()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = Backoffs()
    # Belt and braces beside Kopf's limit of 70 s of silence: a watch is renewed every 5 minutes.
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    # A connection cut within a streamed list would lose the objects not yet sent, so: a LIST, then a watch.
    settings.watching.initial_streaming = False
    # Each object's worker waits this long for more events, holding two tasks: 130 MB against 95 MB at 5,000.
    settings.queueing.idle_timeout = 0.2
    settings.queueing.worker_limit = None
    # The operator's own shutdown decides how long stopping may take.
    settings.process.ultimate_exiting_timeout = None
    return settings
