"""What holds at every moment, and what must hold once everything has had time to settle."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FireworksDeploymentStatus
from model.api_server import ApiServer, Raw
from model.conduct import is_released, owner_key
from model.fireworks import Fireworks, Snapshot
from model.specs import leftovers, mismatches

REASONS = {each.value for each in Reason}


def condition(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """Return a condition of a status, None if it is not there."""
    found: dict[str, Any] | None = next((each for each in status.get("conditions", ()) if each["type"] == kind), None)
    return found


def holds(status: dict[str, Any], kind: str) -> bool:
    """Tell whether a condition is True."""
    found = condition(status, kind)
    return found is not None and found["status"] == "True"


def is_answered(raw: Raw) -> bool:
    """Tell whether a resource is Ready, or told what a person must do."""
    return holds(raw["status"], "Ready") or holds(raw["status"], "Stalled")


def _serves(snapshot: Snapshot, name: str) -> bool:
    deployment = snapshot.deployments.get(name, {})
    ready: int = deployment.get("replicaStats", {}).get("readyReplicaCount", 0)
    return ready > 0 and deployment["state"] in ("READY", "UPDATING")


@dataclass(slots=True)
class Promises:
    """The invariants over Kubernetes and Fireworks together.

    Attributes:
        left: deployments that were let go by policy or by the user's word, which nobody has to delete any more.
        wiped: uids of resources whose status was lost: what they had claimed cannot be known from them.
        unseen: names of deployments that somebody has changed since the operator could last look.
        in_force: the last spec with which a resource, by uid, and its deployment, by name, were called Ready.
    """

    server: ApiServer
    fireworks: Fireworks
    left: set[str] = field(default_factory=set)
    wiped: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    in_force: dict[tuple[str, str], Raw] = field(default_factory=dict)

    def on_release(self, raw: Raw) -> None:
        """Check, right before the finalizer goes, that nothing is left behind against the user's will."""
        spec, metadata, status = raw["spec"], raw["metadata"], raw["status"]
        key = f"{metadata['namespace']}/{metadata['name']}"
        owned = {each["name"]: each["state"] for each in self._owned(key, self.fireworks.state())}
        by_word = (
            spec.get("managementPolicy") == "Observe"
            or spec.get("deletionPolicy") == "Retain"
            or metadata["annotations"].get(ANNOTATION_ABANDON) == "true"
            or metadata["uid"] in self.wiped
        )
        if by_word:
            self.left |= set(owned) | {status.get("deploymentName", "")}
        else:
            assert not set(owned) - self.left, f"I2: the finalizer of {key} goes before {owned}"

    def on_status(self, raw: Raw, status: FireworksDeploymentStatus) -> None:
        """Check what the operator is about to say."""
        wire = status.to_wire()
        assert not (holds(wire, "Reconciling") and holds(wire, "Stalled")), f"Reconciling and Stalled: {wire}"
        for each in wire["conditions"]:
            assert each["reason"] in REASONS, f"an unknown reason: {each}"
            calm = each["type"] in ("Reconciling", "Stalled") and each["status"] == "False"
            assert calm or each["message"], f"I15: a condition without a message: {each}"
        ready = condition(wire, "Ready")
        if ready is None or ready["status"] != "True":
            return
        generation = raw["metadata"]["generation"]
        assert wire["observedGeneration"] == generation == ready["observedGeneration"], f"I12: {wire}"
        if raw["spec"].get("managementPolicy") == "Observe":
            self.forget(raw["metadata"]["uid"])
            return
        if wire["deploymentName"] in self.unseen:
            return
        there = self.fireworks.state().deployments.get(wire["deploymentName"])
        assert there is not None, f"I12: Ready without a deployment: {wire}"
        former = self.in_force.get((raw["metadata"]["uid"], there["name"]), {})
        wrong = mismatches(raw["spec"], there) + leftovers(former, raw["spec"], there)
        assert not wrong, f"I12: Ready, but {wrong}"
        self.in_force[raw["metadata"]["uid"], there["name"]] = raw["spec"]

    def forget(self, uid: str) -> None:
        """Nobody knows any more what a resource had asked for before: nothing of it may be reset."""
        self.in_force = {place: spec for place, spec in self.in_force.items() if place[0] != uid}

    def check(self, snapshot: Snapshot) -> None:
        """Check what holds at every moment."""
        self._let_go_of_lost_accounts(snapshot)
        by_owner: defaultdict[str, list[str]] = defaultdict(list)
        for each in snapshot.live():
            key = owner_key(each.get("annotations", {}))
            if key is None or is_released(each["annotations"]):
                continue
            raw = self.server.objects.get(key)
            current = raw is not None and raw["status"].get("deploymentName") == each["name"]
            if each["name"] not in self.left or current:
                by_owner[key].append(each["name"])
        for key, names in by_owner.items():
            assert len(names) == 1, f"I1: {key} has {names}"
            if key not in self.server.objects:
                raise AssertionError(f"I2: {names} runs, and {key} is gone")

    def check_serving(self, before: dict[str, Raw], was: Snapshot, snapshot: Snapshot) -> None:
        """I9: a resource that serves says so, whatever else goes wrong, for as long as its replicas are ready."""
        for key, raw in self.server.objects.items():
            old = before.get(key)
            name = raw["status"].get("deploymentName", "")
            if old is None or old["metadata"]["uid"] != raw["metadata"]["uid"] or not raw["status"].get("conditions"):
                continue
            untouched = name == old["status"].get("deploymentName") and name not in self.unseen
            if untouched and _serves(was, name) and _serves(snapshot, name) and holds(old["status"], "Available"):
                assert holds(raw["status"], "Available"), f"I9: {key} serves, and says {raw['status']}"

    def _let_go_of_lost_accounts(self, snapshot: Snapshot) -> None:
        """What is in another account than the key is of now cannot be found again once the status is lost."""
        for key, raw in self.server.objects.items():
            account = raw["status"].get("account")
            if raw["metadata"]["uid"] in self.wiped and account is not None:
                self.left |= {each["name"] for each in self._owned(key, snapshot) if f"/{account}/" not in each["name"]}

    def _owned(self, key: str, snapshot: Snapshot) -> list[dict[str, Any]]:
        return [
            each
            for each in snapshot.live()
            if owner_key(each.get("annotations", {})) == key and not is_released(each["annotations"])
        ]
