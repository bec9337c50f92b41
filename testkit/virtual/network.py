"""Connections in memory: client and server share one event loop, and no byte needs time or a socket."""

import asyncio
import errno
import os
import selectors
from collections import deque
from collections.abc import Callable
from socket import socket
from weakref import WeakSet


class MemoryNetwork(asyncio.SelectorEventLoop):
    """An event loop in which who connects anywhere talks to the server that is set.

    Attributes:
        serve: makes the server's side of a connection.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        super().__init__(selector)
        self.serve: Callable[[], asyncio.Protocol] | None = None
        self._connections: WeakSet[_MemoryTransport] = WeakSet()
        self._refuses = False

    def cut(self) -> None:
        """End all connections; from now on nobody listens."""
        self._refuses = True
        for each in self._connections:
            each.close()

    def mend(self) -> None:
        """Let the server listen again."""
        self._refuses = False

    async def sock_connect(self, sock: socket, address: object) -> None:
        if self._refuses:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *_: object, sock: socket, **__: object
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect to the server in memory; the socket is not needed."""
        sock.close()
        assert self.serve is not None, "nobody serves"
        client, server = protocol_factory(), self.serve()
        ours, theirs = _MemoryTransport(self, client), _MemoryTransport(self, server)
        ours.peer, theirs.peer = theirs, ours
        self._connections.add(theirs)
        server.connection_made(theirs)
        client.connection_made(ours)
        return ours, client


class _MemoryTransport(asyncio.Transport):
    """One end of a connection; what is written arrives with the next turn of the loop."""

    peer: "_MemoryTransport"

    def __init__(self, loop: MemoryNetwork, protocol: asyncio.Protocol) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self._loop = loop
        self._protocol = protocol
        self._closing = False
        self._reading = True
        self._arrived: deque[bytes | None] = deque()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing and data:
            self._loop.call_soon(self.peer.arrive, bytes(data))

    def writelines(self, list_of_data: object) -> None:
        self.write(b"".join(list_of_data))  # type: ignore[arg-type]

    def arrive(self, data: bytes | None) -> None:
        """Take in data, or None: the other end is closed."""
        self._arrived.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._arrived and self._reading and not self._closing:
            data = self._arrived.popleft()
            if data is not None:
                self._protocol.data_received(data)
            elif not self._protocol.eof_received():
                self.close()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._protocol.connection_lost, None)
            self._loop.call_soon(self.peer.arrive, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        self._loop.call_soon(self._deliver)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is ever buffered."""

    def get_write_buffer_size(self) -> int:
        return 0
