"""A proxy on loopback that speaks HTTP, SOCKS 4 or SOCKS 5, and remembers what it was told."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from testkit.connections import listening


@dataclass
class ProxyServer:
    """Leads every connection to one port of this machine, whatever it was asked for.

    Attributes:
        target: that port.
        kind: http, socks4 or socks5, or other: then it says `says` and nothing else.
        user: with the password, who may pass; None: everybody.
        refuses: answers with this status or reply instead of opening a way.
        slowly: answers byte by byte.
        says: the answer of another kind of server.
        asked: the hosts and ports that it was asked for.
        heard: all bytes that came before the way was open.
        tunnels: how many are open.
    """

    target: int
    kind: str = "http"
    user: tuple[str, str] | None = None
    refuses: int | None = None
    slowly: bool = False
    says: bytes = b""
    asked: list[tuple[str, int]] = field(default_factory=list)
    heard: bytes = b""
    tunnels: int = 0
    port: int = 0

    @contextlib.asynccontextmanager
    async def running(self, context: ssl.SSLContext | None = None) -> AsyncIterator["ProxyServer"]:
        async with listening(self._serve, context) as self.port:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far: asyncio.StreamWriter | None = None
        try:
            if await getattr(self, f"_{self.kind}")(reader, writer):
                back, far = await asyncio.open_connection("127.0.0.1", self.target)
                self.tunnels += 1
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pump(reader, far))
                    group.create_task(_pump(back, writer))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in filter(None, (writer, far)):
                end.transport.abort()

    async def _hear(self, reader: asyncio.StreamReader, count: int) -> bytes:
        data = await reader.readexactly(count)
        self.heard += data
        return data

    async def _say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for piece in [data[i : i + 1] for i in range(len(data))] if self.slowly else [data]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard += head
        host, _, port = head.split()[1].decode().rpartition(":")
        self.asked.append((host, int(port)))
        status = self.refuses or 200
        await self._say(writer, f"HTTP/1.1 {status} Said\r\nVia: a proxy\r\n\r\n".encode())
        return status == 200

    async def _socks5(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, count = await self._hear(reader, 2)
        methods = await self._hear(reader, count)
        wanted = 0 if self.user is None else 2
        if wanted not in methods:
            await self._say(writer, b"\x05\xff")
            return False
        await self._say(writer, bytes([5, wanted]))
        if self.user is not None:
            await self._hear(reader, 1)
            said = await self._counted(reader), await self._counted(reader)
            await self._say(writer, b"\x01\x00" if said == self.user else b"\x01\x01")
            if said != self.user:
                return False
        kind = (await self._hear(reader, 4))[3]
        length = (await self._hear(reader, 1))[0] if kind == 3 else {1: 4, 4: 16}[kind]
        address = await self._hear(reader, length)
        self.asked.append((address.decode() if kind == 3 else address.hex("."), await self._port(reader)))
        # A name as the bound address, which is as long as it says.
        await self._say(writer, bytes([5, self.refuses or 0, 0, 3, 5]) + b"proxy\x00\x00")
        return not self.refuses

    async def _socks4(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await self._hear(reader, 2)
        port = await self._port(reader)
        address = await self._hear(reader, 4)
        text = b""
        for _ in range(2 if address[:3] == b"\0\0\0" else 1):
            text = await reader.readuntil(b"\0")
            self.heard += text
        self.asked.append((text[:-1].decode() if address[:3] == b"\0\0\0" else address.hex("."), port))
        await self._say(writer, bytes([0, self.refuses or 90]) + bytes(6))
        return not self.refuses

    async def _other(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.heard += await reader.read(65536)
        writer.write(self.says)
        await writer.drain()
        writer.write_eof()
        while await reader.read(65536):
            pass
        return False

    async def _counted(self, reader: asyncio.StreamReader) -> str:
        return (await self._hear(reader, (await self._hear(reader, 1))[0])).decode()

    async def _port(self, reader: asyncio.StreamReader) -> int:
        return int.from_bytes(await self._hear(reader, 2), "big")


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
    else:
        target.close()
