"""A Fireworks API that answers one account with what is meant to do harm, and passes everything else on."""

import contextlib
import gzip
import http.client
import http.server
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

Chunks = Iterator[bytes]
Attack = Callable[[], Chunks]
"""Gives the whole answer, head and all, perhaps without an end."""

MIB = 2**20
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "host"})


def answer(body: bytes, head: bytes = _HEAD) -> Attack:
    """Answer with a body of known length."""
    return lambda: iter([head, b"Content-Length: %d\r\n\r\n" % len(body), body])


def endless(chunk: bytes, begin: bytes = b"", head: bytes = _HEAD) -> Attack:
    """Answer for ever."""
    return lambda: itertools.chain([head, b"\r\n" * bool(begin), begin], itertools.repeat(chunk))


def page(**odd: object) -> bytes:
    """Return a page with one deployment, of which something is odd."""
    deployment = {"name": "accounts/ACCOUNT/deployments/odd", "baseModel": "accounts/fireworks/models/m", **odd}
    return json.dumps({"deployments": [deployment]}).encode()


def _packed_twice() -> Iterator[bytes]:
    body = gzip.compress(gzip.compress(b" " * (256 * MIB), compresslevel=1))
    return answer(body, _HEAD + b"Content-Encoding: gzip, gzip\r\n")()


ATTACKS: Mapping[str, Attack] = {
    "a body without an end": endless(b" " * MIB, begin=b'{"deployments":['),
    "millions of values": answer(b'{"deployments":[' + b"{}," * (2 * MIB) + b"{}]}"),
    "deeply nested": answer(b'{"deployments":' + b"[" * (2 * MIB) + b"]" * (2 * MIB) + b"}"),
    "packed twice": _packed_twice,
    "headers without an end": endless(b"X-More: of the same\r\n" * 1000),
    "an enormous error": answer(
        b'{"code":3,"message":"' + b"bearer request id in use: " * (2 * MIB) + b'"}',
        b"HTTP/1.1 500 Error\r\nContent-Type: application/json\r\n",
    ),
    "not a number": answer(b'{"deployments":[],"totalSize":NaN}'),
    "no Unicode": answer(b'{"deployments":[],"nextPageToken":"\xff"}'),
    "a page for ever": answer(b'{"deployments":[],"nextPageToken":"again"}'),
    "another type": answer(b'{"deployments":{"name":"x"}}'),
    "a name that leads elsewhere": answer(page(name="accounts/../deployments/\x1b[2J")),
    "a redirect": answer(b"", b"HTTP/1.1 307 Temporary\r\nLocation: http://127.0.0.1:1/elsewhere\r\n"),
}


class HostileApi:
    """Serves on loopback; `attack` None: everything is passed on.

    Args:
        target: base URL of the simulator.
        account: whose requests are answered with the attack.
    """

    def __init__(self, target: str, account: str = "") -> None:
        self.account = account
        self.attack: Attack | None = None
        self.attacked = 0
        self._target = urlsplit(target).netloc
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def running(self) -> Iterator["HostileApi"]:
        """Serve in a thread."""
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError, TimeoutError):
                    super().handle_one_request()

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if api.attack is not None and f"accounts/{api.account}/" in self.path:
                    api.attacked += 1
                    self.close_connection = True
                    for chunk in api.attack():
                        self.wfile.write(chunk.replace(b"ACCOUNT", api.account.encode()))
                    return
                api.pass_on(self, body)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class looks for these names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler

    def pass_on(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        """Answer as the simulator does."""
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(self._target, timeout=30)
        with contextlib.closing(connection):
            connection.request(handler.command, handler.path, body or None, headers)
            response = connection.getresponse()
            content = response.read()
        handler.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
