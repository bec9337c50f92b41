"""Troubles between the operator and the API server, and kills at the moment of a write."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from testkit.faults.kubernetes_proxy import KubernetesProxy, RequestLostError

TROUBLES = (
    "a Kubernetes write gets lost",
    "the answer to a Kubernetes write gets lost",
    "all watches end with 410",
    "the watch falls silent",
)


class KubernetesSide:
    """The proxy of one operator: counts its requests, loses some, and kills at the n-th write.

    Args:
        kubeconfig: the API server.
        kill: ends or stops the operator on the spot; called in any thread.
    """

    def __init__(self, kubeconfig: Path, kill: Callable[[], None]) -> None:
        self.proxy = KubernetesProxy(kubeconfig)
        self.proxy.before_write = self._before_write
        self.met: Counter[str] = Counter()
        self.writes = 0
        self.struck = threading.Event()
        self.struck_at = 0.0
        self._kill = kill
        self._turn = threading.Lock()
        self._losing: list[str] = []
        self._kill_at = 0
        self._kill_before = False

    def trouble(self, name: str) -> None:
        """Let something go wrong: with the next write, or with the watches now."""
        if name == "all watches end with 410":
            if self.proxy.open_watches():
                self.proxy.expire_watches()
                self.met[name] += 1
        elif name == "the watch falls silent":
            self.proxy.silent = True
            self.met[name] += 1
        else:
            self._losing.append(name)

    def plan_kill(self, writes: int, *, before: bool) -> None:
        """Kill the operator at its n-th write from now: before it arrives, or when it has arrived."""
        self.struck.clear()
        self._kill_before, self._kill_at = before, writes

    def disarm(self) -> None:
        """Strike at no write any more; what was struck stays so."""
        with self._turn:
            self._kill_at = 0

    def calm(self) -> None:
        """End all troubles."""
        self._losing.clear()
        self.disarm()
        self.struck.clear()
        self.proxy.silent = False

    def _before_write(self, method: str, path: str) -> bool:
        if "/events" in path or "/leases" in path:
            return False
        with self._turn:
            self.writes += 1
            self._kill_at -= 1
            strikes = self._kill_at == 0
            losing = self._losing.pop(0) if self._losing else None
        if strikes:
            self.struck_at = time.monotonic()
            self._kill()
            self.struck.set()
            if self._kill_before:
                raise RequestLostError
            return True
        if losing is not None:
            self.met[losing] += 1
            if losing == TROUBLES[0]:
                raise RequestLostError
        return losing is not None
