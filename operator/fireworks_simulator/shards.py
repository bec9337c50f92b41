"""GET /deployments/{deployment}/shards: the regions in which a deployment has its replicas."""

import copy

from fireworks_simulator.deployments import find
from fireworks_simulator.entities import Deployment, State
from fireworks_simulator.query import list_resources
from fireworks_simulator.regions import regions_of
from fireworks_simulator.wire import Call, JsonObject, Reply, ok
from fireworks_simulator.world import World

_FIELDS = dict.fromkeys(("name", "createTime", "updateTime", "state", "status", "replicaStats"))


def list_shards(world: World, call: Call) -> Reply:
    """One shard per region; the replicas of a deployment are dealt out among them by turns."""
    d = find(world, call)
    shown = world.wire(d, call.now)
    regions = _regions(d, world.assumptions.shards_per_group) if d.state is not State.DELETED else []
    shards: list[JsonObject] = []
    for number, region in enumerate(regions):
        part = copy.copy(d)
        part.replicas = d.replicas[number :: len(regions)]
        shards.append(
            {
                "name": f"{d.name}/shards/{region.lower().replace('_', '-')}",
                "createTime": shown["createTime"],
                "updateTime": shown["updateTime"],
                "state": d.state.value,
                "status": shown["status"],
                "replicaStats": world.wire(part, call.now)["replicaStats"],
            }
        )
    return ok(list_resources(call, "deploymentShards", shards, _FIELDS))


def _regions(d: Deployment, most: int) -> list[str]:
    """The regions of the placement; of a group so many of its regions, first the one that answers name."""
    placement = d.config.get("placement")
    allowed = regions_of(placement)
    if isinstance(placement, dict) and placement.get("regions"):
        return allowed
    return sorted(allowed, key=lambda each: each != d.text("region"))[:most]
