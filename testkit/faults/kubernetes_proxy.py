"""A proxy in front of the API server: ends watches, gets in between, loses answers."""

import http.server
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import config

_TIMEOUT = urllib3.Timeout(connect=10.0, read=600.0)
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "host", "accept-encoding"})
_GONE = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "too old resource version: 1 (2)",
        "reason": "Expired",
        "code": 410,
    },
}

BeforeWrite = Callable[[str, str], bool]
"""Called with method and path before a write is passed on; True loses the answer to it."""


class RequestLostError(Exception):
    """Raised by `before_write`: the request is not passed on, and the connection ends."""


class KubernetesProxy:
    """Speaks plain http to the operator, and to the API server as the kubeconfig says."""

    def __init__(self, kubeconfig: Path) -> None:
        connection = config.new_client_from_config(config_file=str(kubeconfig))  # type: ignore[no-untyped-call]
        self.pool: urllib3.PoolManager = connection.rest_client.pool_manager
        self.upstream = str(connection.configuration.host)
        token = connection.configuration.get_api_key_with_prefix("BearerToken") or ""
        self.identity = {"Authorization": token} if token else {}
        self.before_write: BeforeWrite = lambda method, path: False
        self.silent = False
        self.hidden_group: str | None = None
        self.refuses = False
        """Whether it answers as an API server that does not accept the credentials."""
        self._watches: set[_Handler] = set()
        self._lock = threading.Lock()

    @contextmanager
    def running(self, folder: Path) -> Iterator[Path]:
        """Carry requests; gives a kubeconfig that leads through the proxy."""
        with _Server(("127.0.0.1", 0), _Handler) as server:
            server.proxy = self
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield _write_kubeconfig(folder, server.server_port)
            self.expire_watches()
            server.shutdown()
            thread.join()

    def expire_watches(self) -> None:
        """End all watches as the API server does when it has forgotten their resourceVersion."""
        self.break_watches(_GONE)

    def break_watches(self, event: Mapping[str, object]) -> None:
        """End all watches with a last event."""
        with self._lock:
            watches, self._watches = self._watches, set()
        for each in watches:
            each.end_watch(json.dumps(event).encode() + b"\n")

    def open_watches(self) -> int:
        """Return the number of watches."""
        return len(self._watches)

    def watching(self, handler: "_Handler") -> None:
        """Note that a watch has begun."""
        with self._lock:
            self._watches.add(handler)

    def ended(self, handler: "_Handler") -> None:
        """Note that a watch is over."""
        with self._lock:
            self._watches.discard(handler)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: KubernetesProxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that end, on either side: operators are killed and API servers stopped here."""
        if not isinstance(sys.exception(), (OSError, urllib3.exceptions.HTTPError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _upstream: urllib3.BaseHTTPResponse
    _writing: Any

    def _carry(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if proxy.refuses:
            self._answer(401, b'{"kind": "Status", "message": "Unauthorized", "code": 401}', "application/json")
            return
        try:
            lost = self.command != "GET" and proxy.before_write(self.command, self.path)
        except RequestLostError:
            self.close_connection = True
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._upstream = proxy.pool.request(
            self.command,
            proxy.upstream + self.path,
            body=body or None,
            headers={**headers, **proxy.identity},
            preload_content=False,
            timeout=_TIMEOUT,
            retries=False,
        )
        if "watch=true" in self.path and self._upstream.status == 200:
            self._carry_watch()
            return
        content = self._upstream.read()
        if self.path == "/apis" and proxy.hidden_group is not None:
            content = _without_group(content, proxy.hidden_group)
        if lost:
            self.close_connection = True
            return
        self._answer(self._upstream.status, content, self._upstream.headers.get("Content-Type", "application/json"))

    def _answer(self, status: int, content: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _carry  # noqa: N815 - the base class looks for these names

    def _carry_watch(self) -> None:
        self._writing = threading.Lock()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.proxy.watching(self)
        with suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
            for chunk in self._upstream.stream(amt=None):
                if chunk and not self.server.proxy.silent:
                    self._write_chunk(chunk)
        self.server.proxy.ended(self)
        self.close_connection = True

    def end_watch(self, last: bytes) -> None:
        """Send a last event and end the answer."""
        with suppress(OSError, ValueError):
            self._write_chunk(last)
            self._write_chunk(b"")
            self._upstream.shutdown()

    def _write_chunk(self, chunk: bytes) -> None:
        with self._writing:
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _without_group(content: bytes, group: str) -> bytes:
    """Return the API groups without one, as while an API server has not yet found its CRDs."""
    groups = json.loads(content)
    groups["groups"] = [each for each in groups["groups"] if each["name"] != group]
    return json.dumps(groups).encode()


def _write_kubeconfig(folder: Path, port: int) -> Path:
    path = folder / "through-the-proxy"
    server = {"server": f"http://127.0.0.1:{port}"}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": server}],
        "users": [{"name": "anybody", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "anybody"}}],
        "current-context": "proxy",
    }
    path.write_text(json.dumps(content))
    return path
