"""What these tests need of a cluster besides the code that they test."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Protocol

Object = dict[str, Any]


class Cluster(Protocol):
    """The part of the session's cluster that these tests use."""

    @property
    def kubeconfig(self) -> Path: ...

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> CompletedProcess[str]: ...  # noqa: A002


class Namespace:
    """One test's own namespace."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.name = name
        self.cluster = cluster

    def kubectl(self, *args: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002
        return self.cluster.kubectl("--namespace", self.name, *args, input=input, check=check).stdout

    def manifest(self, name: str, finalizers: list[str] | None = None) -> Object:
        """Return a resource."""
        return {
            "apiVersion": "fireworks.ai/v1alpha1",
            "kind": "FireworksDeployment",
            "metadata": {"name": name, "namespace": self.name, "finalizers": finalizers or []},
            "spec": {"baseModel": "accounts/fireworks/models/llama"},
        }

    def create(self, *names: str, finalizers: list[str] | None = None) -> None:
        """Create resources."""
        items = [self.manifest(name, finalizers) for name in names]
        self.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def get(self, kind: str, name: str) -> Object:
        """Return an object as stored."""
        found: Object = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def exists(self, name: str) -> bool:
        """Return whether there is such a resource."""
        return bool(self.kubectl("get", "fireworksdeployment", name, "-o", "name", "--ignore-not-found"))

    def kubeconfig_of(self, folder: Path, account: str, *rules: str) -> Path:
        """Create a service account with permissions such as `get,list secrets`; return its kubeconfig."""
        self.kubectl("create", "serviceaccount", account)
        for number, rule in enumerate(rules):
            verbs, resource = rule.split()
            self.kubectl("create", "role", f"{account}-{number}", f"--verb={verbs}", f"--resource={resource}")
            subject = f"--serviceaccount={self.name}:{account}"
            self.kubectl("create", "rolebinding", f"{account}-{number}", f"--role={account}-{number}", subject)
        token = self.kubectl("create", "token", account).strip()
        return changed_kubeconfig(self.cluster.kubeconfig, folder / account, user={"token": token})


def changed_kubeconfig(original: Path, path: Path, *, user: Object | None = None, server: str | None = None) -> Path:
    """Write a copy of a kubeconfig with another user or server; return its path."""
    config: Object = json.loads(original.read_text())
    if user is not None:
        config["users"][0]["user"] = user
    if server is not None:
        config["clusters"][0]["cluster"]["server"] = server
    path.write_text(json.dumps(config))
    return path


class Line:
    """A TCP line to the API server that can go dead (nothing arrives any more) or be cut (refused, closed)."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        server = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        self._target = ("127.0.0.1", int(server.rsplit(":", 1)[1]))
        self._original = kubeconfig
        self._folder = folder
        self._alive = asyncio.Event()
        self._alive.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    async def open(self) -> Path:
        """Begin to carry data; return the kubeconfig that goes through this line."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        path = self._folder / "through-the-line"
        return changed_kubeconfig(self._original, path, server=f"https://127.0.0.1:{self._port}")

    def go_dead(self) -> None:
        """Swallow everything from now on, without closing anything."""
        self._alive.clear()

    async def cut(self) -> None:
        """Close all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        there = asyncio.create_task(self._pump(reader, far_writer))
        back = asyncio.create_task(self._pump(far_reader, writer))
        for task in (there, back):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            while data := await reader.read(65536):
                await self._alive.wait()
                writer.write(data)
                await writer.drain()


async def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never became true"
        await asyncio.sleep(0.02)


def numbered(prefix: str) -> Iterator[str]:
    """Return prefix-1, prefix-2, and so on."""
    return (f"{prefix}-{number}" for number in itertools.count(1))
