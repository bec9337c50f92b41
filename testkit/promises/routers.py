"""Whose a router is: each is changed only for the resource that it was created for, leads to it, and goes with it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fireworks_operator.core.identity import MANAGED_BY, Owner, router_marker
from testkit.virtual.conduct import is_released, owner_ref
from testkit.virtual.fireworks import Snapshot
from testkit.virtual.process import CLUSTER

Raw = Mapping[str, Any]


def _marker(ref: str) -> str:
    namespace, _, name = ref.partition("/")
    return router_marker(Owner(CLUSTER, namespace, name))


def _is_marked(router: Raw) -> bool:
    """Tell whether an operator has created a router, and nobody has renamed it since."""
    return str(router.get("displayName", "")).startswith(f"{MANAGED_BY}: ")


def check_router_change(ref: str, raw: Raw, router: Raw | None) -> None:
    """Check, right before a router is changed for a resource, that it is this resource's, or is gone (None)."""
    if router is None:
        return
    if _is_marked(router):
        assert router["displayName"] == _marker(ref), f"I3: {router} is changed for {ref}"
        return
    known = raw.get("status", {}).get("router", {})
    remembered = (known.get("name"), known.get("createTime", "")[:19]) == (router["name"], router["createTime"][:19])
    assert remembered, f"I3: {router} is changed for {ref}, which does not remember it: {known}"


def check_routers_go(snapshot: Snapshot, refs: Iterable[str], left: Collection[str]) -> None:
    """I2: a router that an operator has created never outlives its resource, unless the deployment stays, too."""
    known = set(map(_marker, refs))
    for each in snapshot.routers.values():
        stays = set(each["deployments"]) <= set(left)
        gone = _is_marked(each) and not stays and each["displayName"] not in known
        assert not gone, f"I2: {each} is there, and its resource is gone"


def missing_router(ref: str, raw: Raw, snapshot: Snapshot) -> list[str]:
    """Return what is wrong with the router that the spec of a resource asks for; nothing if it asks for none."""
    wanted = raw["spec"].get("router")
    if wanted is None:
        return []
    there = snapshot.routers.get(_name(raw, wanted["id"]), {})
    leads = there.get("deployments") == [raw["status"].get("deploymentName")] and there.get("state") == "READY"
    mine = there.get("displayName") == _marker(ref)
    return [] if leads and mine else [f"the router {wanted['id']} is {there or 'not there'}"]


def is_taken(ref: str, raw: Raw, snapshot: Snapshot) -> bool:
    """Tell whether nobody can know that a router is the resource's: of another, or renamed, or over what is not its."""
    wanted = raw["spec"].get("router", {}).get("id")
    there = None if wanted is None else snapshot.routers.get(_name(raw, wanted))
    if there is None:
        return False
    marks = [snapshot.deployments.get(each, {}).get("annotations", {}) for each in there["deployments"]]
    own = all(owner_ref(each) == ref and not is_released(each) for each in marks)
    return there.get("displayName") != _marker(ref) or not own


def _name(raw: Raw, router: str) -> str:
    return f"accounts/{raw['status'].get('account')}/routers/{router}"
