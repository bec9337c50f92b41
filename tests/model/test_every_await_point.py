"""The operator killed at every point at which a flow waits for somebody else: enumerated, not sampled.

What leaves the process crosses the model's gate, before it is sent and after it is answered: each request to
Fireworks, each write to Kubernetes, each read of a Secret. Between two crossings nobody outside can tell where the
process was, so a kill at each crossing is a kill at every await. A flow is told once to count its crossings, then once
for each of them, killed there; the next process finds the world as it was left.
"""

import os
from collections.abc import Callable

import pytest

from fireworks_operator.api.v1alpha1 import FINALIZER
from testkit.virtual.loop import VirtualLoop
from testkit.virtual.simulator import MemorySimulator
from testkit.virtual.world import World
from tests.model.flows import FLOWS, REF, Flow, drive, is_observed
from tests.model.replacement_flows import REPLACEMENT_FLOWS
from tests.model.router_flows import ROUTER_FLOWS

pytestmark = pytest.mark.slow

ALL = os.environ.get("AWAIT_POINTS") == "all"
"""Every point of every flow, as `make chaos` does; else some of the longer flows' points."""
_ALWAYS = frozenset(
    {"create", "adopt", "update", "rotate the keys of a direct route", "delete", "undelete", "expire", "renew"}
)
NEVER = 1_000_000
"""More crossings than any flow has."""


def tell(flow: Flow, loop: VirtualLoop, simulator: MemorySimulator, *, kill_at: int) -> int:
    """Tell a flow, with a kill at one of its crossings; return how many the first process passed."""
    world = World(loop, simulator)
    try:
        flow.prepare(world)
        first, since = world.process, world.fireworks.simulator.last_sequence()
        first.gate.plan(kill_at, None)
        flow.act(world)
        drive(world, flow.done)
        crossed = kill_at - first.gate.left
        assert (world.process is first) == (crossed < kill_at), "the kill has ended the process"
        posts = world.fireworks.simulator.journal(method="POST", path="/deployments$", since=since)
        made = [each.committed for each in posts if "validateOnly" not in each.query]
        assert sum(made) == flow.creates, "exactly so many deployments came into being"
        _check_key_patches(world, flow, since, killed=world.process is not first)
        if REF in world.server.objects and flow.done is not is_observed:
            assert world.server.objects[REF]["metadata"]["finalizers"] == [FINALIZER]
        drive(world, flow.done)  # and so it stays
        return crossed
    finally:
        world.close()


def _check_key_patches(world: World, flow: Flow, since: int, *, killed: bool) -> None:
    patches = world.fireworks.simulator.journal(method="PATCH", since=since)
    sent = [str(each.body) for each in patches if "direct_route_api_keys" in each.query["updateMask"]]
    assert flow.key_patches <= len(sent) <= flow.key_patches + killed, "API keys are sent no more often than needed"
    assert len(set(sent)) <= 1, "and each time the same ones"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("flow", FLOWS + REPLACEMENT_FLOWS + ROUTER_FLOWS, ids=lambda flow: flow.name)
def test_killed_at_every_await_point_a_flow_ends_as_if_nothing_had_happened(
    flow: Flow, loop: VirtualLoop, simulator: MemorySimulator, record_property: Callable[[str, object], None]
) -> None:
    points = tell(flow, loop, simulator, kill_at=NEVER)
    assert points >= 4, "at least a request and a write, before and after each"
    chosen = range(1, points + 1, 1 if ALL or flow.name in _ALWAYS else 6)
    for point in chosen:
        tell(flow, loop, simulator, kill_at=point)
    record_property(flow.name, len(chosen))
    print(f"{flow.name}: killed at {len(chosen)} of {points} await points")
