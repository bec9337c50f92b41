"""Whose a router is: each is changed only for the resource that it was created for, leads to it, and goes with it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fireworks_operator.core.identity import MANAGED_BY, Owner, router_marker
from testkit.promises.specs import named
from testkit.virtual.conduct import is_released, owner_ref
from testkit.virtual.fireworks import Fireworks, Snapshot, identifier
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


@dataclass(slots=True)
class RoutersGo:
    """I2 for routers: one that an operator has created never outlives its resource, unless its deployment stays, too.

    Attributes:
        forgotten: routers, by name and time of creation, that nothing names any more: the status that did was lost,
            and so was the wish for them, or the resource. Nobody can know them.
    """

    fireworks: Fireworks
    forgotten: set[tuple[str, str]] = field(default_factory=set)

    def on_write(self, raw: Raw, wiped: Collection[str]) -> None:
        """Note, before a resource is written, which routers it cannot know: `wiped` are the uids of lost statuses."""
        metadata, status = raw["metadata"], raw["status"]
        if metadata["uid"] not in wiped and status.get("deploymentName") is not None:
            return
        marker = _marker(f"{metadata['namespace']}/{metadata['name']}")
        for each in self.fireworks.state().routers.values():
            if each["displayName"] == marker and not _is_named(each, raw):
                self.forgotten.add(_made(each))

    def forget_gone(self, refs: Iterable[str]) -> None:
        """Note that nobody remembers the routers of other resources than these, as after a restore of etcd."""
        known = set(map(_marker, refs))
        routers = self.fireworks.state().routers.values()
        self.forgotten |= {_made(each) for each in routers if each["displayName"] not in known}

    def check(self, snapshot: Snapshot, refs: Iterable[str], left: Collection[str]) -> None:
        """Check what is there; a router that stays with its deployment stays whatever becomes of that later."""
        known = set(map(_marker, refs))
        for each in snapshot.routers.values():
            if not _is_marked(each) or each["displayName"] in known or _made(each) in self.forgotten:
                continue
            assert set(each["deployments"]) <= set(left), f"I2: {each} is there, and its resource is gone"
            self.forgotten.add(_made(each))


def _is_named(router: Raw, raw: Raw) -> bool:
    """Tell whether a resource leads to a router: by its status, or its spec if its deployment is the resource's."""
    status = raw["status"]
    if router["name"] == status.get("router", {}).get("name"):
        return True
    own = named(status) or set(router["deployments"])
    return identifier(router["name"]) == raw["spec"].get("router", {}).get("id") and own >= set(router["deployments"])


def _made(router: Raw) -> tuple[str, str]:
    return router["name"], router["createTime"]


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
    """Tell whether nobody can know that a router is the resource's: of another, or renamed, or over what is not its.

    That is also what was another resource's, whose status was restored into this one.
    """
    wanted = raw["spec"].get("router", {}).get("id")
    there = None if wanted is None else snapshot.routers.get(_name(raw, wanted))
    if there is None:
        return False
    marks = [snapshot.deployments.get(each, {}).get("annotations", {}) for each in there["deployments"]]
    own = all(owner_ref(each) == ref and not is_released(each) for each in marks)
    own = own and named(raw["status"]).issuperset(there["deployments"])
    return there.get("displayName") != _marker(ref) or not own


def _name(raw: Raw, router: str) -> str:
    return f"accounts/{raw['status'].get('account')}/routers/{router}"
