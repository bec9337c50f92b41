"""What must be true of Kubernetes and Fireworks together, now and once everything has had its time."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.chaos.users import FOREIGN, UNOWNED, Slot
from fireworks_operator.api.v1alpha1 import FINALIZER
from fireworks_operator.core.identity import is_released, parse_marker
from fireworks_simulator.testing import JournalEntry
from testkit.kubernetes_api import Json, condition
from testkit.promises.specs import mismatches

DELETION_SECONDS = 110.0
"""After so long a deletion must be over: a create request that was not answered is waited for, 68 s."""
_GOING = frozenset({"DELETING", "DELETED"})
_TAKEN = frozenset({"Conflict", "AdoptionNotAllowed"})


class BrokenPromiseError(AssertionError):
    """Something happened that must never happen."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is: resources by `namespace/name`, deployments and addons by name."""

    resources: Mapping[str, Json]
    deployments: Mapping[str, Json]
    addons: Mapping[str, Json]

    def owned_by(self, ref: str) -> list[str]:
        """Return the deployments that exist, carry a resource's marker and were not let go."""
        return [
            name
            for name, each in self.deployments.items()
            if each["state"] not in _GOING and owner_ref(each) == ref and not is_released(each.get("annotations", {}))
        ]


def owner_ref(deployment: Mapping[str, Any]) -> str | None:
    """Return the resource that a deployment's marker names."""
    owner = parse_marker(deployment.get("annotations", {}))
    return None if owner is None else f"{owner.namespace}/{owner.name}"


def is_foreign(name: str) -> bool:
    """Tell whether a deployment belongs to others."""
    return name.rsplit("/", 1)[-1].startswith(FOREIGN.removesuffix("0"))


def judge_journal(entries: Iterable[JournalEntry], before: Snapshot, slots: Mapping[str, Slot]) -> None:
    """Check the requests since a snapshot; `slots` by `namespace/name`.

    Raises:
        BrokenPromiseError: a foreign deployment was touched, a PATCH had no mask, or one resource had two deployments.
    """
    live: defaultdict[str, set[str]] = defaultdict(set)
    for name, each in before.deployments.items():
        ref = owner_ref(each)
        gone = each["state"] in _GOING or is_released(each.get("annotations", {}))
        if ref is not None and ref in slots and not gone and name not in slots[ref].left:
            live[ref].add(name)
    for entry in entries:
        if entry.method == "GET":
            continue
        name = entry.path.removeprefix("/v1/").partition(":")[0]
        if is_foreign(name):
            raise BrokenPromiseError(f"a foreign deployment is touched: {entry.method} {entry.path}")
        if entry.mask_missing:
            raise BrokenPromiseError(f"a PATCH without updateMask: {entry.path} {entry.body}")
        if entry.committed:
            _follow(entry, name, live, slots)


def _follow(entry: JournalEntry, name: str, live: defaultdict[str, set[str]], slots: Mapping[str, Slot]) -> None:
    """Note what a request that took effect means for who has which deployments."""
    body: Any = entry.body
    if entry.method == "DELETE" and "/deployments/" in name:
        for names in live.values():
            names.discard(name)
    elif entry.method == "POST" and name.endswith("/deployments"):
        ref = owner_ref(body)
        created = f"{name}/{entry.query['deploymentId']}"
        if ref is None:
            raise BrokenPromiseError(f"a deployment without an owner marker: {created}")
        if slots[ref].may_leave:
            slots[ref].left |= live[ref] - {created}
            live[ref].clear()
        live[ref] -= slots[ref].vanished
        live[ref].add(created)
        if len(live[ref]) > 1:
            raise BrokenPromiseError(f"{ref} has two deployments at a time: {sorted(live[ref])}")
    elif entry.path.endswith(":setTags") and is_released(body.get("tags", {})):
        for names in live.values():
            names.discard(name)


def untouched(before: Snapshot, after: Snapshot) -> None:
    """Check that the deployments of others are as they were.

    Raises:
        BrokenPromiseError: they are not.
    """
    for name in filter(is_foreign, before.deployments):
        if after.deployments.get(name) != before.deployments[name]:
            raise BrokenPromiseError(f"a foreign deployment is changed: {after.deployments.get(name)}")


def leaks(slots: Iterable[Slot], snapshot: Snapshot) -> list[str]:
    """Return the deployments that run although no resource has them and no user has left them there."""
    found = []
    for slot in slots:
        raw = snapshot.resources.get(slot.ref)
        current = (raw or {}).get("status", {}).get("deploymentName")
        extra = set(snapshot.owned_by(slot.ref)) - slot.left - {current}
        if extra and not slot.may_leave:
            found.append(f"{slot.ref} has {current}, and {sorted(extra)} run for nobody")
    return found


def accept(slots: Iterable[Slot], snapshot: Snapshot) -> None:
    """Take what there is, once it is as it must be, for the beginning of what comes next."""
    for slot in slots:
        raw = snapshot.resources.get(slot.ref)
        observed = raw is not None and raw["spec"].get("managementPolicy") == "Observe"
        current = (raw or {}).get("status", {}).get("deploymentName")
        slot.vanished.clear()
        slot.left |= set(snapshot.owned_by(slot.ref)) - {current}
        if raw is not None and not observed and "deletionTimestamp" not in raw["metadata"]:
            slot.left.discard(current)
            slot.may_leave = False


def unsettled(slot: Slot, snapshot: Snapshot, now: float | None = None) -> str | None:
    """Say what a slot still lacks; None if its resource, or that there is none, is as it must be."""
    raw = snapshot.resources.get(slot.ref)
    if raw is None:
        return None if slot.wanted is None else "it is not created yet"
    if "deletionTimestamp" in raw["metadata"]:
        waited = (time.monotonic() if now is None else now) - slot.asked
        return f"its deletion lasts {waited:.0f} s" if waited > DELETION_SECONDS else None
    status, spec = raw.get("status", {}), raw["spec"]
    generation = raw["metadata"]["generation"]
    ready, stalled = condition(raw, "Ready"), condition(raw, "Stalled")
    if not generation == status.get("observedGeneration") == ready.get("observedGeneration"):
        return f"generation {generation} is not seen: {status.get('observedGeneration')}"
    if spec.get("managementPolicy") == "Observe":
        return _unsettled_observed(raw)
    if spec.get("deploymentId") in (FOREIGN, UNOWNED) and stalled.get("reason") in _TAKEN:
        return None
    if spec.get("paused") is True and (stalled["status"], stalled["reason"]) == ("True", "Paused"):
        return None
    if ready["status"] != "True":
        return f"Ready is {ready['status']}: {ready['reason']}: {ready['message']}"
    if FINALIZER not in raw["metadata"].get("finalizers", ()):
        return "it has no finalizer"
    return _unlike(slot.ref, raw, snapshot)


def _unsettled_observed(raw: Json) -> str | None:
    if FINALIZER in raw["metadata"].get("finalizers", ()):
        return "it is only observed, and has a finalizer"
    answered = condition(raw, "Ready")["status"] == "True" or condition(raw, "Stalled")["status"] == "True"
    return None if answered else f"it is observed, and says {raw['status']['conditions']}"


def _unlike(ref: str, raw: Json, snapshot: Snapshot) -> str | None:
    """Say in what a Ready resource and its deployment differ."""
    status = raw["status"]
    deployment = snapshot.deployments.get(status["deploymentName"])
    if deployment is None or deployment["state"] != "READY":
        return f"Ready, and its deployment is {deployment and deployment['state']}"
    if owner_ref(deployment) != ref or is_released(deployment.get("annotations", {})):
        return f"Ready with a deployment that is not its own: {deployment.get('annotations')}"
    if snapshot.owned_by(ref).count(deployment["name"]) != 1 or status["state"] != "READY":
        return f"Ready, and its status says {status['state']}"
    missing = _missing_addons(raw, deployment, snapshot)
    if missing:
        return f"Ready without its addons {sorted(missing)}"
    for kind in ("Reconciling", "Stalled"):
        if condition(raw, kind)["status"] != "False":
            return f"Ready and {kind}"
    wrong = mismatches(raw["spec"], deployment)
    return f"Ready, but {wrong}" if wrong else None


def _missing_addons(raw: Json, deployment: Json, snapshot: Snapshot) -> set[str]:
    """Return the addons that should be loaded and are not."""
    # Fireworks loads them when there is a replica, and until then the status says that it waits for one.
    if condition(raw, "AddonsReady").get("status") == "False" and not deployment["replicaStats"]:
        return set()
    loaded = {
        each["model"]
        for each in snapshot.addons.values()
        if each["deployment"] == deployment["name"] and each["state"] == "DEPLOYED"
    }
    return {each["model"] for each in raw["spec"].get("addons", ())} - loaded
