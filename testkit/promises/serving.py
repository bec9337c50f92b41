"""What answers requests: the deployment that a status means, or either of two."""

from collections.abc import Mapping
from typing import Any

from testkit.promises.specs import named
from testkit.virtual.conduct import owner_ref
from testkit.virtual.fireworks import Snapshot

Raw = Mapping[str, Any]

LIVE = ("READY", "UPDATING")
"""States in which a deployment serves, or does so as soon as it is asked."""


def serves(snapshot: Snapshot, ref: str, raw: Raw) -> bool:
    """Tell whether the deployment that a status means serves: no other of that name, nor another resource's."""
    status, observes = raw["status"], raw["spec"].get("managementPolicy") == "Observe"
    deployment = snapshot.deployments.get(status.get("deploymentName", ""), {})
    ready: int = deployment.get("replicaStats", {}).get("readyReplicaCount", 0)
    same = str(deployment.get("createTime", ""))[:19] == str(status.get("createTime"))[:19]
    others = not observes and owner_ref(deployment.get("annotations", {})) not in (None, ref)
    return ready > 0 and same and not others and deployment["state"] in LIVE


def has_replicas(snapshot: Snapshot, name: str) -> bool:
    """Tell whether requests to a deployment are answered at once."""
    deployment = snapshot.deployments.get(name, {})
    ready: int = deployment.get("replicaStats", {}).get("readyReplicaCount", 0)
    return ready > 0 and deployment["state"] in LIVE


def served(was: Snapshot, status: Raw) -> bool:
    """Tell whether requests were answered: by a successor only once it has taken over."""
    names = named(status) if status["replacement"]["phase"] == "Draining" else {status.get("deploymentName", "")}
    return any(has_replicas(was, name) for name in names)


def may_serve(snapshot: Snapshot, name: str) -> bool:
    """Tell whether a deployment serves, or would if somebody asked: it need not have a replica."""
    there = snapshot.deployments.get(name, {})
    return there.get("state") in LIVE and (has_replicas(snapshot, name) or not there.get("minReplicaCount"))
