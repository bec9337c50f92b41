"""What holds at every moment, and what must hold once everything has had time to settle."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FireworksDeploymentStatus

from .api_server import ApiServer, Raw
from .conduct import is_released, owner_key
from .fireworks import Fireworks, Snapshot
from .specs import mismatches

REASONS = {each.value for each in Reason}


def condition(status: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """Return a condition of a status, None if it is not there."""
    found: dict[str, Any] | None = next((each for each in status.get("conditions", ()) if each["type"] == kind), None)
    return found


def holds(status: dict[str, Any], kind: str) -> bool:
    """Tell whether a condition is True."""
    found = condition(status, kind)
    return found is not None and found["status"] == "True"


@dataclass(slots=True)
class Promises:
    """The invariants over Kubernetes and Fireworks together.

    Attributes:
        left: deployments that were let go by policy or by the user's word, which nobody has to delete any more.
        wiped: uids of resources whose status was lost: what they had claimed cannot be known from them.
        unseen: names of deployments that somebody has changed since the operator could last look.
    """

    server: ApiServer
    fireworks: Fireworks
    left: set[str] = field(default_factory=set)
    wiped: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)

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
        if raw["spec"].get("managementPolicy") == "Observe" or wire["deploymentName"] in self.unseen:
            return
        there = self.fireworks.state().deployments.get(wire["deploymentName"])
        assert there is not None, f"I12: Ready without a deployment: {wire}"
        wrong = mismatches(raw["spec"], there)
        assert not wrong, f"I12: Ready, but {wrong}"

    def check(self, snapshot: Snapshot) -> None:
        """Check what holds at every moment."""
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

    def _owned(self, key: str, snapshot: Snapshot) -> list[dict[str, Any]]:
        return [
            each
            for each in snapshot.live()
            if owner_key(each.get("annotations", {})) == key and not is_released(each["annotations"])
        ]
