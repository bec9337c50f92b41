"""GET /deployments/{deployment}/shards: the regions in which a deployment has its replicas."""

import copy

from fireworks_simulator.deployments import find
from fireworks_simulator.entities import Deployment, State
from fireworks_simulator.query import list_resources
from fireworks_simulator.schema import REGIONS
from fireworks_simulator.wire import Call, JsonObject, Reply, ok
from fireworks_simulator.world import World

_PREFIXES = {"US": "US_", "EUROPE": "EU_", "APAC": "AP_", "CANADA": "NA_"}
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
    chosen = placement if isinstance(placement, dict) else {}
    listed = chosen.get("regions")
    if isinstance(listed, list) and listed:
        return [str(region) for region in listed]
    region = chosen.get("region")
    if isinstance(region, str) and region:
        return [region]
    prefix = _PREFIXES.get(str(chosen.get("multiRegion", "GLOBAL")), "")
    group = [each for each in REGIONS if each.startswith(prefix)]
    ordered = sorted(group, key=lambda each: each != d.text("region"))
    return ordered[:most]
