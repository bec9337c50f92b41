"""Leader election on a real API server."""

import asyncio
import gc
import time
from pathlib import Path

import pytest

from fireworks_operator.kube.lease import LeaseElector, LeaseTimings
from testkit.namespaces import Line, Namespace, eventually

QUICK = LeaseTimings(duration=3.0, renew_deadline=2.0, retry_period=0.2, max_heartbeat_age=1.0)


class Process:
    """One operator as far as the election goes."""

    def __init__(self, namespace: Namespace, identity: str, kubeconfig: Path | None = None) -> None:
        self.heartbeat_age = 0.0
        self.lost_at: float | None = None
        self.elector = LeaseElector(
            namespace=namespace.name,
            name="leader",
            identity=identity,
            heartbeat_age=lambda: self.heartbeat_age,
            on_lost=self._lost,
            kubeconfig=kubeconfig or namespace.cluster.kubeconfig,
            timings=QUICK,
        )

    def _lost(self, sentence: str) -> None:
        self.lost_at = time.monotonic()


async def test_one_of_two_leads_and_hands_over_at_once_when_it_stops(namespace: Namespace) -> None:
    a, b = Process(namespace, "a"), Process(namespace, "b")
    a.elector.start()
    await a.elector.acquired()
    b.elector.start()
    until = time.monotonic() + 1.5 * QUICK.duration
    while time.monotonic() < until:
        assert a.elector.held_for() > 0
        assert b.elector.held_for() == 0
        await asyncio.sleep(0.05)
    lease = namespace.get("lease", "leader")
    assert (lease["spec"]["holderIdentity"], lease["spec"]["leaseDurationSeconds"]) == ("a", 3)
    began = time.monotonic()
    await a.elector.stop()
    await b.elector.acquired()
    assert time.monotonic() - began < QUICK.duration / 2
    assert namespace.get("lease", "leader")["spec"]["leaseTransitions"] == 1
    await b.elector.stop()
    assert a.lost_at is b.lost_at is None


async def test_a_hung_process_loses_the_lease_to_the_next(namespace: Namespace) -> None:
    a, b = Process(namespace, "a"), Process(namespace, "b")
    a.elector.start()
    await a.elector.acquired()
    b.elector.start()
    a.heartbeat_age = 2.0
    await b.elector.acquired()
    assert a.lost_at is not None
    assert a.lost_at < time.monotonic() - 0.3
    assert a.elector.held_for() == 0
    await asyncio.gather(a.elector.stop(), b.elector.stop())


# What is left of a TLS connection to nowhere takes 30 s to close, and the loop that waits for it has ended.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_a_process_that_the_network_parted_gives_up_before_the_next_takes_over(
    namespace: Namespace, line: Line
) -> None:
    a = Process(namespace, "a", await line.open())
    b = Process(namespace, "b")
    a.elector.start()
    await a.elector.acquired()
    b.elector.start()
    await eventually(lambda: a.elector.held_for() > QUICK.duration - QUICK.retry_period)
    line.go_dead()
    dead = time.monotonic()
    await b.elector.acquired()
    taken = time.monotonic()
    assert a.lost_at is not None
    assert a.lost_at - dead < QUICK.renew_deadline + 0.3
    assert a.lost_at < taken - 0.3
    await asyncio.gather(a.elector.stop(), b.elector.stop())
    gc.collect()
