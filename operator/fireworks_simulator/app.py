"""The simulator as an object: its ASGI application, and running it in a thread."""

import contextlib
import threading
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import Mount

from fireworks_simulator.admin import admin_routes
from fireworks_simulator.edge import Edge
from fireworks_simulator.server import listen, make_server
from fireworks_simulator.settings import Settings
from fireworks_simulator.testing import SimulatorClient
from fireworks_simulator.worlds import Worlds

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 10.0


class Simulator:
    """A simulated Fireworks control plane.

    `app` is an ASGI application for any server. Connection faults need the server of this package. `worlds` holds the
    state of its accounts.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.worlds = Worlds(self.settings)
        routes: list[Mount] = [Mount("/", app=Edge(self.worlds))]
        if self.settings.admin:
            routes.insert(0, Mount("/_simulator", routes=admin_routes(self.worlds)))
        self.app = Starlette(routes=routes)


@contextlib.contextmanager
def running(settings: Settings | None = None, *, port: int = 0) -> Iterator[SimulatorClient]:
    """Run a simulator in a background thread; gives an admin client whose `url` is the base URL.

    Args:
        settings: what to start with.
        port: TCP port, 0 for a free one.

    Raises:
        TimeoutError: the server did not start within 10 s.
    """
    simulator = Simulator(settings)
    listener = listen(_LOOPBACK, port)
    ready = threading.Event()
    server = make_server(simulator.app, on_ready=ready.set)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="fireworks-simulator", daemon=True
    )
    thread.start()
    try:
        if not ready.wait(_START_SECONDS):
            raise TimeoutError("the simulator did not start")
        yield SimulatorClient(f"http://{_LOOPBACK}:{listener.getsockname()[1]}")
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(_START_SECONDS)
        listener.close()
