"""Tells Kubernetes whether the process is alive and ready, and serves its metrics."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

# An event loop that has not come round for so long is stuck: restart the process (seconds).
STUCK_AFTER: Final = 30.0

_BEAT_INTERVAL: Final = 1.0


class Health:
    """What is known of the health of the process.

    Alive: the event loop came round within the last 30 s. Ready: every declared condition is satisfied.
    Methods may be called from any thread.
    """

    def __init__(self, conditions: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Declare what readiness needs.

        Args:
            conditions: name of each condition, and a sentence that says what is missing until it is satisfied.
            clock: seconds that only grow.
        """
        self._clock = clock
        self._beat_at = clock()
        self._missing: dict[str, str | None] = dict(conditions)

    def beat(self) -> None:
        """Note that the event loop has come round."""
        self._beat_at = self._clock()

    @property
    def heartbeat_age(self) -> float:
        """Seconds since the event loop last came round."""
        return self._clock() - self._beat_at

    @property
    def alive(self) -> bool:
        """Whether the event loop still comes round."""
        return self.heartbeat_age < STUCK_AFTER

    def satisfy(self, name: str) -> None:
        """Note that a condition holds.

        Raises:
            KeyError: a name that was not declared.
        """
        self._set(name, None)

    def miss(self, name: str, sentence: str) -> None:
        """Note that a condition does not hold (any more), and why.

        Raises:
            KeyError: a name that was not declared.
        """
        self._set(name, sentence)

    def missing(self) -> dict[str, str]:
        """Return the conditions that do not hold, each with its sentence; empty means ready."""
        return {name: sentence for name, sentence in self._missing.items() if sentence is not None}

    def report(self) -> str:
        """Return one line per condition, in the form of Kubernetes' own `/readyz?verbose`."""
        return "".join(
            f"[+]{name} ok\n" if sentence is None else f"[-]{name}: {sentence}\n"
            for name, sentence in self._missing.items()
        )

    def _set(self, name: str, sentence: str | None) -> None:
        if name not in self._missing:
            raise KeyError(name)
        self._missing[name] = sentence


async def keep_beating(health: Health) -> None:
    """Beat once a second for as long as the event loop comes round; runs until cancelled."""
    while True:
        health.beat()
        await asyncio.sleep(_BEAT_INTERVAL)


class HealthServer:
    """Serves `/healthz`, `/readyz` and `/metrics` over HTTP."""

    def __init__(
        self, health: Health, registry: CollectorRegistry, *, host: str | None = None, port: int = 8080
    ) -> None:
        """Prepare the server; nothing listens yet.

        Args:
            health: what `/healthz` and `/readyz` report.
            registry: what `/metrics` exposes.
            host: address to listen on; None for all, IPv4 and IPv6.
            port: TCP port; 0 for any free one (with a host).
        """
        self._health = health
        self._registry = registry
        self._host = host
        self._wanted_port = port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that the server listens on.

        Raises:
            RuntimeError: it has not been started.
        """
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the health server is not running")
        port: int = self._runner.addresses[0][1]
        return port

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            OSError: the port is taken or not permitted.
        """
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/metrics", self._metrics),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening; safe to repeat."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        if self._health.alive:
            return web.Response(text="ok\n")
        age = self._health.heartbeat_age
        return web.Response(status=503, text=f"the event loop has not come round for {age:.0f} s\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(status=503 if self._health.missing() else 200, text=self._health.report() or "ok\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._registry), headers={"Content-Type": content_type})
