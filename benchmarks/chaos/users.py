"""What users do, drawn from a seed: create, change, delete, delete and create again, pause, let go."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import urllib3

from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    ANNOTATION_IGNORE_CHECKS,
    ANNOTATION_RECONCILE_AT,
    FINALIZER,
)
from fireworks_simulator.testing import SimulatorError
from testkit.kubernetes_api import MERGE_PATCH, Json, KubernetesError, resources_path
from testkit.promises.specs import EDITS, changed, new_spec
from testkit.team import Team

ADDONS = ("accounts/fireworks/models/chaos-lora-1", "accounts/fireworks/models/chaos-lora-2")
FOREIGN, UNOWNED = "foreign-0", "unowned-0"
"""Ids of a deployment of another cluster, and of one that is nobody's, in each account."""
OWN_ID = "{name}-by-hand"
_OUTAGE = 90.0
"""Seconds that users wait for an API server which is being restarted."""
_NAMES = ("chat", "code", "search", "draft")
T = TypeVar("T")

_CHANGES: Mapping[str, tuple[object, ...]] = {
    **{
        name: EDITS[name]
        for name in (
            "displayName",
            "description",
            "minReplicaCount",
            "maxReplicaCount",
            "scaleUpWindow",
            "scaleDownWindow",
            "speculation",
            "enableSessionAffinity",
            "maxContextLength",
        )
    },
    "addons": (None, ADDONS[:1], ADDONS[1:], ADDONS),
    "paused": (None, None, None, True),
    "managementPolicy": (None, None, "Manage", "Observe"),
    "deletionPolicy": (None, None, "Delete", "Retain"),
}
"""What a user sets each field to; None removes it."""
_IDS: tuple[object, ...] = (None, None, None, None, OWN_ID, OWN_ID, FOREIGN, UNOWNED)
Edit = tuple[str, object]


@dataclass(slots=True)
class Slot:
    """A name in a namespace, at which resources come and go.

    Attributes:
        team: the namespace.
        name: of the resource.
        wanted: the spec to create as soon as the former resource is gone.
        asked: when its deletion was asked for, as monotonic seconds.
        may_leave: a user's word may have left a deployment behind since the last look.
        left: names of deployments that a user's word has left behind.
        vanished: names of deployments that others have deleted since the last look.
    """

    team: Team
    name: str
    wanted: dict[str, Any] | None = None
    asked: float = 0.0
    may_leave: bool = False
    left: set[str] = field(default_factory=set)
    vanished: set[str] = field(default_factory=set)

    @property
    def ref(self) -> str:
        """Namespace and name."""
        return f"{self.team.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a user, or somebody at Fireworks, does."""

    kind: str
    slot: int
    edits: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        """Describe it for the report of a failure."""
        return f"{self.kind} slot {self.slot} {dict(self.edits) or ''}".strip()


def slots_of(teams: Iterable[Team]) -> list[Slot]:
    """Return the slots of some teams."""
    return [Slot(team, name) for team in teams for name in _NAMES]


_KINDS = {"edit": 8, "delete": 3, "create again": 3, "abandon": 1, "console": 1, "vanish": 1, "traffic": 1}


def draw_step(random: random.Random, slots: int, latest: int | None = None) -> Step:
    """Draw what happens next, and to which of the slots: often the latest one, where something is under way."""
    (kind,) = random.choices(tuple(_KINDS), tuple(_KINDS.values()))
    slot = latest if latest is not None and random.random() < 0.5 else random.randrange(slots)
    if kind == "vanish":
        return Step(kind, slot, (("soft", random.random() < 0.5),))
    if kind not in ("edit", "create again"):
        return Step(kind, slot)
    names = random.sample(sorted(_CHANGES), random.randint(1, 3))
    edits = [(name, random.choice(_CHANGES[name])) for name in names]
    edits.append(("deploymentId", random.choice(_IDS)))
    edits.append(("adoptionPolicy", random.choice((None, "Unowned"))))
    return Step(kind, slot, tuple(edits))


def patiently(call: Callable[[], T]) -> T:
    """Repeat a request until the API server, which may be restarting, answers it.

    Raises:
        KubernetesError: it refuses.
    """
    deadline = time.monotonic() + _OUTAGE
    while True:
        try:
            return call()
        except (urllib3.exceptions.HTTPError, OSError):
            if time.monotonic() > deadline:
                raise
        except KubernetesError as error:
            if error.status not in (401, 403, 429, 500, 503, 504) or time.monotonic() > deadline:
                raise
        time.sleep(0.2)


class Users:
    """Carries out steps; what cannot be done at the moment is left out, or waits for its turn."""

    def __init__(self, slots: list[Slot]) -> None:
        self.slots = slots
        self.done = 0

    def do(self, step: Step) -> None:
        """Do it now."""
        slot = self.slots[step.slot]
        resource = patiently(lambda: slot.team.find(slot.name))
        self.done += 1
        if step.kind == "edit":
            self._edit(slot, resource, step.edits)
        elif step.kind in ("delete", "abandon", "create again"):
            self._delete(slot, resource, abandon=step.kind == "abandon")
            if step.kind == "create again":
                slot.wanted = self._new_spec(slot, step.edits)
        else:
            self._meddle(slot, resource, step)
        self.attend()

    def attend(self) -> None:
        """Create what waits for the end of its predecessor."""
        for slot in self.slots:
            if slot.wanted is not None:
                self._create(slot, slot.wanted)

    def force(self, resource: Json) -> None:
        """Have the deployment of a resource that is being deleted go whatever still uses it."""
        self._annotate(resource, ANNOTATION_IGNORE_CHECKS)

    def wish(self, resource: Json) -> None:
        """Ask for a resource to be tried again at once."""
        self._annotate(resource, ANNOTATION_RECONCILE_AT, str(time.time()))

    def _new_spec(self, slot: Slot, edits: tuple[Edit, ...]) -> dict[str, Any]:
        return new_spec("team-b" if slot.team.own else "team-a", [self._own(slot, edit) for edit in edits])

    def _own(self, slot: Slot, edit: Edit) -> Edit:
        name, value = edit
        return (name, value.format(name=slot.name) if isinstance(value, str) else value)

    def _edit(self, slot: Slot, resource: Json | None, edits: tuple[Edit, ...]) -> None:
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            if slot.wanted is None:
                slot.wanted = self._new_spec(slot, edits)
            return
        before: dict[str, Any] = resource["spec"]
        spec = before
        for edit in edits:
            if edit[0] not in ("deploymentId", "adoptionPolicy"):
                spec = changed(spec, *self._own(slot, edit))
        if spec.get("managementPolicy") == "Observe":
            slot.may_leave = True
        _refusable(lambda: self._merge(slot.team, slot.name, {"spec": _difference(before, spec)}))

    def _create(self, slot: Slot, spec: dict[str, Any]) -> None:
        body = {**slot.team.manifest(slot.name, {}, {}), "spec": spec}
        try:
            patiently(lambda: slot.team.api.request("POST", resources_path(slot.team.namespace), body))
        except KubernetesError as error:
            if error.status == 409:
                return  # the former one is not gone yet
            if error.status != 422:
                raise
        slot.wanted = None

    def _delete(self, slot: Slot, resource: Json | None, *, abandon: bool) -> None:
        slot.wanted = None
        if resource is None or "deletionTimestamp" in resource["metadata"]:
            return
        by_policy = "Retain" in resource["spec"].values() or "Observe" in resource["spec"].values()
        if abandon or by_policy or FINALIZER not in resource["metadata"].get("finalizers", ()):
            slot.may_leave = True
        if abandon:
            self._annotate(resource, ANNOTATION_ABANDON)
        slot.asked = time.monotonic()
        _refusable(lambda: slot.team.delete(slot.name))

    def _meddle(self, slot: Slot, resource: Json | None, step: Step) -> None:
        """Do something at Fireworks, behind the operator's back."""
        status = (resource or {}).get("status", {})
        if resource is None or FINALIZER not in resource["metadata"].get("finalizers", ()) or "state" not in status:
            return
        identifier = status["deploymentName"].rsplit("/", 1)[-1]
        if identifier == FOREIGN:
            return  # only observed; what becomes of it is nobody's business here
        simulator = slot.team.simulator
        try:
            if step.kind == "console":
                simulator.edit(identifier, {"displayName": "Somebody's", "description": "by hand"})
            elif step.kind == "vanish":
                slot.vanished.add(status["deploymentName"])
                simulator.vanish(identifier, soft=dict(step.edits)["soft"] is True)
            else:
                simulator.traffic(identifier)
        except SimulatorError:
            return  # it is gone

    def _annotate(self, resource: Json, annotation: str, value: str = "true") -> None:
        metadata = resource["metadata"]
        body = {"metadata": {"annotations": {annotation: value}}}
        _refusable(lambda: self._merge_in(metadata["namespace"], metadata["name"], body))

    def _merge(self, team: Team, name: str, body: Json) -> None:
        self._merge_in(team.namespace, name, body)

    def _merge_in(self, namespace: str, name: str, body: Json) -> None:
        api = self.slots[0].team.api
        api.request("PATCH", resources_path(namespace, name), body, content_type=MERGE_PATCH)


def _refusable(call: Callable[[], object]) -> None:
    """Ask for something that may have become impossible: the resource is gone, or a rule forbids it."""
    try:
        patiently(call)
    except KubernetesError as error:
        if error.status not in (404, 409, 422):
            raise


def _difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that leads from one spec to another."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        patch[name] = _difference(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return patch
