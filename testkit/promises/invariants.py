"""What holds at every moment, and what must hold once everything has had time to settle."""

from collections import defaultdict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FireworksDeploymentStatus
from fireworks_operator.fireworks.request import Call
from fireworks_simulator.testing import SimulatorError
from testkit.promises.routers import RoutersGo, check_router_change
from testkit.promises.serving import has_replicas, may_serve, served, serves
from testkit.promises.specs import (
    chosen,
    is_blue_green,
    is_expired,
    is_let_go,
    is_second_to_go,
    leftovers,
    loaded_addons,
    may_be_given_up,
    may_be_replaced,
    mismatches,
    missing_addons,
    named,
    parked,
)
from testkit.virtual.api_server import ApiServer, Raw
from testkit.virtual.conduct import BYSTANDER, is_released, owner_ref
from testkit.virtual.fireworks import ACCOUNT, KEYS, OTHER_ACCOUNT, Fireworks, Snapshot

STRANGERS = "mallory"
"""The namespace of those who mean no good."""
REASONS = {each.value for each in Reason}
_NOBODYS_FAULT = {
    Reason.CREATING,
    Reason.UPDATING,
    Reason.WAKING,
    Reason.RECOVERING,
    Reason.SCALED_TO_ZERO,
    Reason.SERVING,
    Reason.DELETING,
    Reason.API_UNAVAILABLE,
    Reason.RATE_LIMITED,
    Reason.ACCOUNT_SUSPENDED,
}
"""What a resource may say that nobody has done anything to: its own life, and what is everybody's trouble."""
CLOCKS_DIFFER = 200_000.0
"""Seconds by which a wrong clock of the operator may be off."""
_REMEMBERED = 20
"""Statuses of the past that a backup may hold."""


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
    return holds(raw["status"], "Ready") or holds(raw["status"], "Stalled") or is_blocked_while_serving(raw)


def is_blocked_while_serving(raw: Raw) -> bool:
    """Tell whether a successor cannot be had, so that the present deployment goes on serving, and who reads knows."""
    found = condition(raw["status"], "Reconciling")
    return found is not None and (found["status"], found["reason"]) == ("True", Reason.REPLACEMENT_BLOCKED)


def _says_nothing_new(before: Raw, status: Raw) -> bool:
    """Tell whether a status says what the one before says: only times in it, or a ConfigMap, are others."""
    facts = ("observedGeneration", "deploymentName", "state", "conditions", "appliedFields", "addons", "effective")
    return all(before.get(name) == status.get(name) for name in facts)


def _created(status: Raw, name: str) -> str | None:
    """Return when a deployment was created, as far as a status knows, whichever of two it is.

    What was only seen, and never managed, is not known to be the resource's.
    """
    second = status.get("replacement", {})
    place = second if name == second.get("deploymentName") else status
    created: str | None = place.get("createTime") if "appliedFields" in place else None
    return created


def _in_force(spec: Raw, reason: str) -> Raw:
    """Return what a Ready resource's deployment must have, by the reason that it gives."""
    if reason != Reason.EXPIRED:
        return spec
    assert "expiresAfter" in spec, f"it has expired, and nobody asked for it: {spec}"
    return parked(spec)


def _is_let_go_by_word(raw: Raw) -> bool:
    """Tell whether the user wants a resource to go without its deployment."""
    spec, annotations = raw["spec"], raw["metadata"]["annotations"]
    if spec.get("managementPolicy") == "Observe" or spec.get("deletionPolicy") == "Retain":
        return True
    abandoned: bool = annotations.get(ANNOTATION_ABANDON) == "true"
    return abandoned


@dataclass(slots=True)
class Promises:
    """The invariants over Kubernetes and Fireworks together.

    Attributes:
        left: deployments that were let go by policy or by the user's word, which nobody has to delete any more.
        wiped: uids of resources whose status was lost: what they had claimed cannot be known from them.
        unseen: names of deployments that somebody has changed since the operator could last look.
        others: names of deployments that another operator holds.
        raced: names of deployments that somebody changed in the middle of a pass, which no look can rule out.
        given: names of deployments that people have given to somebody else.
        refused: the fault by which the bystander's key is refused, until it is Ready after that.
        past: statuses that resources have had, by `namespace/name`.
        listed: the addons that were loaded when the operator listed them last, as (deployment name, model).
        routers: which routers nobody can know any more.
        in_force: the last spec with which a resource, by uid, and its deployment, by name, were called Ready.
        operator_clock: what time it is for the operator, in seconds since 1970.
    """

    server: ApiServer
    fireworks: Fireworks
    left: set[str] = field(default_factory=set)
    wiped: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    raced: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    refused: str | None = None
    past: defaultdict[str, deque[Raw]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=_REMEMBERED)))
    listed: frozenset[tuple[str, str]] = frozenset()
    routers: RoutersGo = field(init=False)
    in_force: dict[tuple[str, str], Raw] = field(default_factory=dict)
    operator_clock: Callable[[], float] = lambda: 0.0

    def __post_init__(self) -> None:
        self.routers = RoutersGo(self.fireworks)

    def on_release(self, raw: Raw) -> None:
        """Check, right before the finalizer goes, that nothing is left behind against the user's will."""
        metadata = raw["metadata"]
        ref = f"{metadata['namespace']}/{metadata['name']}"
        owned = {each["name"]: each["state"] for each in self.owned(ref, self.fireworks.state())}
        by_word, unknown = _is_let_go_by_word(raw), metadata["uid"] in self.wiped
        self.routers.on_write(raw, self.wiped)
        if unknown:
            lost = self._lost_with_status(raw, owned)
            self.left |= lost
            owned = {name: state for name, state in owned.items() if name not in lost}
            told = metadata["uid"] in self.server.warned
            assert by_word or told or not owned, f"I2: {ref} goes, nobody is told, and {owned} runs on"
        if by_word or unknown:
            self.left |= set(owned) | named(raw["status"])
        else:
            assert not set(owned) - self.left, f"I2: the finalizer of {ref} goes before {owned}"

    def _lost_with_status(self, raw: Raw, owned: Collection[str]) -> set[str]:
        """Return which deployments of a resource cannot be found since its status was lost."""
        account, known = self._account_of_key(raw), named(raw["status"])
        elsewhere = {name for name in owned if f"/{account}/" not in name}
        # An old status is believed: what it does not name is an orphan.
        return elsewhere if not known else elsewhere | (set(owned) - known)

    def _account_of_key(self, raw: Raw) -> str:
        reference = raw["spec"].get("credentialsSecretRef")
        if reference is None:
            return ACCOUNT
        api_key = self.server.secrets.get((raw["metadata"]["namespace"], reference["name"]), {}).get("apiKey", b"")
        return OTHER_ACCOUNT if api_key == KEYS[OTHER_ACCOUNT].encode() else ACCOUNT

    def on_change(self, ref: str, call: Call) -> None:
        """Check, right before anything is changed for a resource, that it is this resource's to change."""
        name, _, verb = call.path.partition(":")
        if "/routers/" in name:
            check_router_change(ref, self.server.objects.get(ref, {}), self.fireworks.state().routers.get(name))
        elif "/deployments/" in name and name not in self.raced and verb not in ("setTags", "deleteTags"):
            self._check_change(ref, name, call)

    def _check_change(self, ref: str, name: str, call: Call) -> None:
        there = self.fireworks.state().deployments.get(name)
        marks = there.get("annotations", {}) if there is not None else {}
        if "custom/managed-by" not in marks:
            return
        raw, created = self.server.objects.get(ref, {}), str((there or {}).get("createTime", ""))
        known = _created(raw.get("status", {}), name)
        self._check_expired(raw, name, call)
        self._check_deletion(raw, there or {}, call)
        made_anew = call.method == "DELETE" and known is not None and known[:19] != created[:19]
        assert not made_anew, f"I3: {call.path} is deleted for {ref}, but is another's: of {created}, not {known}"
        assert owner_ref(marks) == ref, f"I3: {call.method} {call.path} for {ref}: it has the marks {marks}"
        assert name not in self.others, f"I3: {call.method} {call.path} for {ref}: it is another cluster's"

    def _check_expired(self, raw: Raw, name: str, call: Call) -> None:
        """Check that what has expired is parked, and not deleted; of two, one is parked, and the second goes."""
        if call.method != "DELETE" or raw == {} or is_second_to_go(raw["status"], name, self.operator_clock()):
            return
        expired = is_expired(raw, self.server.clock() - CLOCKS_DIFFER)
        assert not expired, f"{call.path} is deleted for {raw['metadata']['name']}, which has expired"

    def _check_deletion(self, raw: Raw, there: Raw, call: Call) -> None:
        """Check that nothing that is needed is deleted: it has ended, or its resource goes or has it replaced."""
        if call.method != "DELETE" or raw == {}:
            return
        metadata, state = raw["metadata"], there.get("state")
        informed = raw["status"].get("observedGeneration") == metadata["generation"]  # else somebody was faster
        if "deletionTimestamp" in metadata or state in (None, "FAILED", "DELETED") or not informed:
            return
        replaced = may_be_replaced(raw["spec"], there) and "hard" not in (call.query or {})
        given_up = state == "CREATING" and may_be_given_up(raw, there)
        second = is_second_to_go(raw["status"], there["name"], self.operator_clock())
        wanted = (replaced or given_up or second) and not raw["spec"].get("paused")
        assert wanted, f"{call.path} is deleted, and nobody wants it: {raw} {there}"
        if second and raw["status"]["replacement"]["phase"] == "Draining":
            self._check_that_other_stays(raw["status"], there["name"])

    def _check_that_other_stays(self, status: Raw, name: str) -> None:
        """Check that no deployment that serves is deleted before the one that is to serve in its place."""
        snapshot, other = self.fireworks.state(), status["deploymentName"]
        if has_replicas(snapshot, name) and other not in self.unseen | self.given:
            assert may_serve(snapshot, other), f"{name} is deleted, and nothing else serves: {snapshot.deployments}"

    def _check_switch(self, raw: Raw, wire: Raw) -> None:
        """Check that who takes over serves, and that a successor then has all that it is to have."""
        before, now = raw["status"].get("replacement", {}), wire.get("deploymentName")
        if not before or now != before.get("deploymentName") or now in self.unseen:
            return
        if raw["status"].get("deploymentName") in (None, now):
            return  # what had taken over is gone for good, and the former one's id is claimed anew
        snapshot = self.fireworks.state()
        assert may_serve(snapshot, now), f"one that does not serve takes over: {wire}"
        if before["phase"] == "Preparing" and has_replicas(snapshot, now):
            loaded = self.listed | loaded_addons(snapshot.addons.values())
            wrong = mismatches(chosen(raw["spec"], wire), snapshot.deployments[now])
            wrong += missing_addons(raw["spec"], now, loaded)
            assert not wrong, f"a successor takes over that is not what the spec asks for: {wrong}"

    def _check_manners(self, raw: Raw, wire: Raw) -> None:
        """Check what a stranger is told of others' deployments, and a bystander of what others do."""
        metadata = raw["metadata"]
        ref = f"{metadata['namespace']}/{metadata['name']}"
        if metadata["namespace"] == STRANGERS:
            named = wire.get("deploymentName") or raw["status"].get("deploymentName") or ""
            foreign = named.startswith("accounts/acme/")
            told = {"effective", "replicas"} & wire.keys() - raw["status"].keys()
            assert not (foreign and (told or holds(wire, "Ready"))), f"{ref} is shown another's deployment: {wire}"
        elif ref == BYSTANDER and "deletionTimestamp" not in metadata:
            if self.refused is not None and holds(wire, "Ready") and self._has_happened(self.refused):
                self.refused = None
            may_say = _NOBODYS_FAULT | ({Reason.CREDENTIALS_INVALID} if self.refused is not None else set())
            for each in filter(None, (condition(wire, "Ready"), condition(wire, "Stalled"))):
                calm = each["type"] == "Stalled" and each["status"] == "False"
                assert calm or each["reason"] in may_say, f"I8: {ref}, to whom nobody has done anything, says {each}"

    def _has_happened(self, fault: str) -> bool:
        """Tell whether a fault was met, or has been taken back."""
        try:
            return self.fireworks.simulator.fault_hits(fault) > 0
        except SimulatorError:
            return True

    def on_status(self, raw: Raw, status: FireworksDeploymentStatus) -> None:
        """Check what the operator is about to say."""
        wire = status.to_wire()
        self._check_manners(raw, wire)
        self.past[f"{raw['metadata']['namespace']}/{raw['metadata']['name']}"].append(wire)
        self.routers.on_write(raw, self.wiped)
        self._check_switch(raw, wire)
        self._leave_anothers(raw, wire)
        assert not (holds(wire, "Reconciling") and holds(wire, "Stalled")), f"Reconciling and Stalled: {wire}"
        for each in wire["conditions"]:
            assert each["reason"] in REASONS, f"an unknown reason: {each}"
            calm = each["type"] in ("Reconciling", "Stalled") and each["status"] == "False"
            assert calm or each["message"], f"I15: a condition without a message: {each}"
        ready = condition(wire, "Ready")
        if ready is None or ready["status"] != "True" or _says_nothing_new(raw["status"], wire):
            return
        generation = raw["metadata"]["generation"]
        assert wire["observedGeneration"] == generation == ready["observedGeneration"], f"I12: {wire}"
        if raw["spec"].get("managementPolicy") == "Observe":
            self.forget(raw["metadata"]["uid"])
            return
        if wire["deploymentName"] in self.unseen:
            return
        snapshot = self.fireworks.state()
        there = snapshot.deployments.get(wire["deploymentName"])
        assert there is not None, f"I12: Ready without a deployment: {wire}"
        former = self.in_force.get((raw["metadata"]["uid"], there["name"]), {})
        spec = _in_force(chosen(raw["spec"], wire), ready["reason"])
        wrong = mismatches(spec, there) + leftovers(former, spec, there)
        if holds(wire, "Available"):  # without a replica none can be loaded
            wrong += missing_addons(raw["spec"], there["name"], self.listed | loaded_addons(snapshot.addons.values()))
        assert not wrong, f"I12: Ready, but {wrong}"
        self.in_force[raw["metadata"]["uid"], there["name"]] = raw["spec"]

    def _leave_anothers(self, raw: Raw, wire: Raw) -> None:
        """What an old status named as its second deployment, and has been made anew since, is nobody's to delete."""
        if raw["metadata"]["uid"] not in self.wiped:
            return
        there, before = self.fireworks.state().deployments, raw["status"]
        for name in named(before) - named(wire):
            if str(_created(before, name))[:19] != str(there.get(name, {}).get("createTime", ""))[:19]:
                self.left.add(name)

    def forget(self, uid: str) -> None:
        """Nobody knows any more what a resource had asked for before: nothing of it may be reset."""
        self.in_force = {place: spec for place, spec in self.in_force.items() if place[0] != uid}

    def check(self, snapshot: Snapshot) -> None:
        """Check what holds at every moment."""
        self._let_go_of_lost_accounts(snapshot)
        by_owner: defaultdict[str, list[str]] = defaultdict(list)
        for each in snapshot.live():
            ref = owner_ref(each.get("annotations", {}))
            if ref is None or is_released(each["annotations"]) or each["name"] in self.others:
                continue
            raw = self.server.objects.get(ref)
            current = raw is not None and each["name"] in named(raw["status"])
            if each["name"] not in self.left or current:
                by_owner[ref].append(each["name"])
        for ref, names in by_owner.items():
            if ref.startswith(f"{STRANGERS}/"):
                continue  # who forges a status harms nobody else
            if ref not in self.server.objects:
                raise AssertionError(f"I2: {names} runs, and {ref} is gone")
            status = self.server.objects[ref]["status"]
            two = len(names) == 2 and set(names) == named(status)
            assert len(names) == 1 or two, f"I1: {ref} has {names} and says {status}"
        self.routers.check(snapshot, self.server.objects, self.left)

    def check_serving(self, before: dict[str, Raw], was: Snapshot, snapshot: Snapshot) -> None:
        """I9: a resource that serves says so, whatever else goes wrong, for as long as its replicas are ready."""
        for ref, raw in self.server.objects.items():
            old = before.get(ref)
            name = raw["status"].get("deploymentName", "")
            if old is None or old["metadata"]["uid"] != raw["metadata"]["uid"] or not raw["status"].get("conditions"):
                continue
            untouched = name == old["status"].get("deploymentName") and name not in self.unseen | self.given
            was_serving = serves(was, ref, old) and holds(old["status"], "Available")
            if untouched and was_serving and serves(snapshot, ref, raw):
                assert holds(raw["status"], "Available"), f"I9: {ref} serves, and says {raw['status']}"

    def check_one_of_two_serves(self, before: dict[str, Raw], was: Snapshot, snapshot: Snapshot) -> None:
        """Check that while one deployment takes the place of another one of both serves, if one did before."""
        for ref, raw in self.server.objects.items():
            old = before.get(ref)
            if old is None or old["metadata"]["uid"] != raw["metadata"]["uid"] or "replacement" not in old["status"]:
                continue
            names = named(old["status"]) | named(raw["status"])
            touched = names & (self.unseen | self.given | self.left | self.others)
            same = raw["status"].get("deploymentName") in named(old["status"])
            kept = is_blue_green(old["spec"]) and is_blue_green(raw["spec"]) and not is_let_go(raw)
            if same and kept and not touched and served(was, old["status"]):
                one = any(may_serve(snapshot, name) for name in names)
                assert one, f"I9: none of {names} serves any more: {raw['status']}"

    def _let_go_of_lost_accounts(self, snapshot: Snapshot) -> None:
        """What is in another account than the key is of now cannot be found again once the status is lost."""
        for ref, raw in self.server.objects.items():
            account = raw["status"].get("account")
            if raw["metadata"]["uid"] in self.wiped and account is not None:
                self.left |= {each["name"] for each in self.owned(ref, snapshot) if f"/{account}/" not in each["name"]}

    def owned(self, ref: str, snapshot: Snapshot) -> list[dict[str, Any]]:
        """Return the deployments that run for a resource."""
        return [
            each
            for each in snapshot.live()
            if owner_ref(each.get("annotations", {})) == ref
            and not is_released(each["annotations"])
            and each["name"] not in self.others
            and each["name"] not in self.raced
        ]
