"""A Kubernetes API server in memory: versions, uids, generations, finalizers and the status subresource."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fireworks_operator.api.budget import FireworksBudget, FireworksBudgetStatus
from fireworks_operator.api.v1alpha1 import (
    FINALIZER,
    IMMUTABLE_FIELDS,
    REPLACEABLE_FIELDS,
    FireworksDeployment,
    FireworksDeploymentStatus,
)
from fireworks_operator.ports import (
    ConfigMapRefusedError,
    KubernetesUnavailableError,
    ResourceChangedError,
    ResourceGoneError,
)
from testkit.virtual.copying import copied

Raw = dict[str, Any]
"""An object as the API server stores it."""


class RefusedError(Exception):
    """The API server refuses what a user asks for."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One word of the watch."""

    raw: Raw
    deleted: bool


@dataclass(frozen=True, slots=True)
class Event:
    """An event about the resource `ref`, which is `namespace/name`."""

    ref: str
    kind: str
    reason: str
    message: str


SecretName = tuple[str, str]
"""Namespace and name."""


class Secrets(dict[SecretName, dict[str, bytes]]):
    """Secrets by namespace and name. Each gets a uid when it is created, and another version whenever it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[SecretName, tuple[str, str]] = {}
        self._sets = 0

    def __setitem__(self, name: SecretName, data: dict[str, bytes]) -> None:
        self._sets += 1
        uid = self.versions[name][0] if name in self else f"secret-{self._sets}"
        self.versions[name] = (uid, str(self._sets))
        super().__setitem__(name, data)


def check_immutable(raw: Raw, spec: Mapping[str, Any]) -> None:
    """Check a new spec by the rules of the CRD for fields that cannot change.

    Raises:
        RefusedError: such a field is another one.
    """
    replaces = spec.get("replacePolicy", {}).get("type", "Never") != "Never"
    fixed = set(IMMUTABLE_FIELDS) - (set(REPLACEABLE_FIELDS) if replaces else set())
    if "deploymentName" in raw["status"] and any(raw["spec"].get(name) != spec.get(name) for name in fixed):
        raise RefusedError("an immutable field")


@dataclass(slots=True)
class ConfigMap:
    """A ConfigMap and the uid of the object that controls it, if any."""

    data: dict[str, str]
    owner: str | None = None


@dataclass(slots=True)
class ApiServer:
    """Resources by `namespace/name`, as users and the operator see them.

    Attributes:
        departed: the last of those that are gone, as they went.
        history: all that the watch says, in order.
        config_maps: by `namespace/name`.
        config_map_requests: how often the operator has asked for one, whatever came of it.
        may_write_config_maps: whether the operator has the right.
        lost_config_maps: names of those whose next write is stored, and its answer lost.
        budgets: FireworksBudgets by `namespace/name`.
        budget_history: all that the watch says of them.
        writes: how often the operator has changed something.
        trouble: what happens to the operator's next writes: "before" or "after" they are stored, no answer comes.
        events: all that the operator has recorded, in order.
        warned: uids of objects about which there is an event of type Warning.
        on_release: told of an object right before its finalizer goes.
        on_status: told of an object and the status that it is about to get.
    """

    clock: Callable[[], float]
    objects: dict[str, Raw] = field(default_factory=dict)
    departed: dict[str, Raw] = field(default_factory=dict)
    secrets: Secrets = field(default_factory=Secrets)
    history: list[WatchEvent] = field(default_factory=list)
    config_maps: dict[str, ConfigMap] = field(default_factory=dict)
    config_map_requests: int = 0
    may_write_config_maps: bool = True
    lost_config_maps: set[str] = field(default_factory=set)
    budgets: dict[str, Raw] = field(default_factory=dict)
    budget_history: list[WatchEvent] = field(default_factory=list)
    writes: int = 0
    trouble: list[str] = field(default_factory=list)
    on_release: Callable[[Raw], None] = lambda raw: None
    on_status: Callable[[Raw, FireworksDeploymentStatus], None] = lambda raw, status: None
    events: list[Event] = field(default_factory=list)
    warned: set[str] = field(default_factory=set)
    version: int = 100
    _uids: int = 0
    _surprises: dict[int, Callable[[], None]] = field(default_factory=dict)

    def now(self) -> str:
        """The time as objects carry it."""
        return datetime.fromtimestamp(self.clock(), tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    # What users do

    def create(
        self,
        ref: str,
        spec: Mapping[str, Any],
        finalizers: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Create a resource; the API server gives it a uid."""
        if ref in self.objects:
            raise RefusedError(f"{ref} exists")
        self.objects[ref] = self._new(ref, spec, finalizers=list(finalizers), labels=dict(labels or {}))
        self._changed(self.objects[ref])

    def label(self, ref: str, label: str, value: str | None) -> None:
        """Set or remove a label."""
        labels = self.objects[ref]["metadata"]["labels"]
        if value is None:
            labels.pop(label, None)
        else:
            labels[label] = value
        self._changed(self.objects[ref])

    def put_budget(self, ref: str, spec: Mapping[str, Any]) -> None:
        """Create a FireworksBudget, or replace the spec of one."""
        raw = self.budgets.get(ref)
        if raw is None:
            raw = self.budgets[ref] = self._new(ref, spec)
        else:
            raw["spec"] = copied(dict(spec))
            raw["metadata"]["generation"] += 1
        self._budget_changed(raw)

    def delete_budget(self, ref: str) -> None:
        """Delete a FireworksBudget."""
        raw = self.budgets.pop(ref)
        self._budget_changed(raw, deleted=True)

    def _new(self, ref: str, spec: Mapping[str, Any], **metadata: object) -> Raw:
        namespace, name = ref.split("/")
        self._uids += 1
        given = {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{self._uids}",
            "generation": 1,
            "creationTimestamp": self.now(),
            "annotations": {},
            **metadata,
        }
        return {"metadata": given, "spec": copied(dict(spec)), "status": {"observedGeneration": -1}}

    def _budget_changed(self, raw: Raw, *, deleted: bool = False) -> None:
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        self.budget_history.append(WatchEvent(copied(raw), deleted))

    def edit(self, ref: str, spec: Mapping[str, Any]) -> None:
        """Replace the spec, by the rules of the CRD for fields that cannot change."""
        raw = self.objects[ref]
        check_immutable(raw, spec)
        if raw["spec"] == spec:
            return
        raw["spec"] = copied(dict(spec))
        raw["metadata"]["generation"] += 1
        self._changed(raw)

    def annotate(self, ref: str, annotation: str, value: str | None) -> None:
        """Set or remove an annotation."""
        annotations = self.objects[ref]["metadata"]["annotations"]
        if annotations.get(annotation) == value:
            return
        if value is None:
            annotations.pop(annotation, None)
        else:
            annotations[annotation] = value
        self._changed(self.objects[ref])

    def delete(self, ref: str) -> None:
        """Ask for deletion; without finalizers the object goes at once."""
        raw = self.objects[ref]
        metadata = raw["metadata"]
        if not metadata["finalizers"]:
            self._remove(ref)
        elif "deletionTimestamp" not in metadata:
            metadata["deletionTimestamp"] = self.now()
            metadata["generation"] += 1
            self._changed(raw)

    def restore(self, ref: str, *, new_uid: bool) -> None:
        """Lose the status, as a restore from backup does; with `new_uid`, as one into another cluster does."""
        raw = self.objects[ref]
        if new_uid:
            self._remove(ref)
            self.create(ref, raw["spec"], raw["metadata"]["finalizers"], raw["metadata"]["labels"])
            return
        raw["status"] = {"observedGeneration": -1}
        self._changed(raw)

    def put_status(self, ref: str, status: Mapping[str, Any]) -> None:
        """Write a status by hand: from a backup, or by somebody who may and should not."""
        raw = self.objects[ref]
        raw["status"] = copied(dict(status))
        self._changed(raw)

    def backed_up(self) -> tuple[dict[str, Raw], int]:
        """Return what a backup of etcd holds."""
        return copied(self.objects), self.version

    def roll_back(self, backup: tuple[dict[str, Raw], int]) -> None:
        """Be what a backup of etcd holds: versions go back, and the watch says nothing of it."""
        objects, self.version = backup
        self.objects = copied(objects)
        self.history.clear()

    # What the operator does

    def add_finalizer(self, resource: FireworksDeployment) -> Raw:
        """Add the operator's finalizer, as of the version that it has seen."""
        raw = self._expect(resource)
        if "deletionTimestamp" in raw["metadata"]:
            raise KubernetesUnavailableError("no finalizer can be added to what is being deleted")
        self._interfere("before")
        raw["metadata"]["finalizers"].append(FINALIZER)
        return self._written(raw)

    def remove_finalizer(self, resource: FireworksDeployment) -> Raw | None:
        """Remove the operator's finalizer; None if the object goes with it."""
        raw = self._expect(resource)
        self._interfere("before")
        self.on_release(raw)
        raw["metadata"]["finalizers"].remove(FINALIZER)
        if "deletionTimestamp" in raw["metadata"] and not raw["metadata"]["finalizers"]:
            self._remove(resource.ref)
            self.writes += 1
            self._interfere("after")
            return None
        return self._written(raw)

    def write_status(self, resource: FireworksDeployment, status: FireworksDeploymentStatus) -> Raw:
        """Replace the status, as of the version that the operator has seen."""
        raw = self._expect(resource)
        self._interfere("before")
        self.on_status(raw, status)
        wire = status.to_wire()
        read = FireworksDeploymentStatus.model_validate(wire).to_wire()
        assert read == wire, f"I15: the API server refuses this status: {wire}"
        if wire == raw["status"]:
            return copied(raw)
        raw["status"] = wire
        return self._written(raw)

    def put_config_map(self, resource: FireworksDeployment, name: str, data: Mapping[str, str]) -> None:
        """Create or replace a ConfigMap of a resource."""
        self.config_map_requests += 1
        ref, uid = f"{resource.metadata.namespace}/{name}", resource.metadata.uid
        if not self.may_write_config_maps:
            raise ConfigMapRefusedError(f"the ConfigMap {name} cannot be written: forbidden")
        found = self.config_maps.get(ref)
        if found is not None and found.owner != uid:
            raise ConfigMapRefusedError(f"the ConfigMap {name} exists and does not belong to this resource")
        if found is not None and found.data == data:
            return
        self._interfere("before")
        self.config_maps[ref] = ConfigMap(dict(data), uid)
        self.writes += 1
        if name in self.lost_config_maps:
            self.lost_config_maps.remove(name)
            raise KubernetesUnavailableError("the API server did not answer")
        self._interfere("after")

    def remove_config_map(self, resource: FireworksDeployment, name: str) -> None:
        """Delete a ConfigMap of a resource, and no other."""
        self.config_map_requests += 1
        found = self.config_maps.get(f"{resource.metadata.namespace}/{name}")
        if found is not None and found.owner == resource.metadata.uid:
            self._interfere("before")
            del self.config_maps[f"{resource.metadata.namespace}/{name}"]
            self.writes += 1
            self._interfere("after")

    def write_budget_status(self, budget: FireworksBudget, status: FireworksBudgetStatus) -> Raw:
        """Replace the status of a budget, as of the version that the operator has seen."""
        raw = self.budgets.get(budget.ref)
        if raw is None or raw["metadata"]["uid"] != budget.metadata.uid:
            raise ResourceGoneError(budget.ref)
        if raw["metadata"]["resourceVersion"] != budget.metadata.resource_version:
            raise ResourceChangedError(budget.ref)
        self._interfere("before")
        raw["status"] = status.to_wire()
        self.writes += 1
        self._budget_changed(raw)
        return copied(raw)

    def listed_budgets(self) -> tuple[list[Raw], int]:
        """All budgets, and the version of the LIST."""
        return copied(list(self.budgets.values())), self.version

    def listed(self) -> tuple[list[Raw], int]:
        """All objects, and the version of the LIST."""
        return copied(list(self.objects.values())), self.version

    def _expect(self, resource: FireworksDeployment) -> Raw:
        raw = self.objects.get(resource.ref)
        if raw is None or raw["metadata"]["uid"] != resource.metadata.uid:
            raise ResourceGoneError(resource.ref)
        if raw["metadata"]["resourceVersion"] != resource.metadata.resource_version:
            raise ResourceChangedError(resource.ref)
        return raw

    def _interfere(self, when: str) -> None:
        if self.trouble and self.trouble[0] == when:
            self.trouble.pop(0)
            raise KubernetesUnavailableError("the API server did not answer")

    def plan(self, writes: int, surprise: Callable[[], None]) -> None:
        """Have something happen at the operator's n-th write from now."""
        self._surprises[self.writes + writes] = surprise

    def calm(self) -> None:
        """End every trouble, planned or not."""
        self.trouble.clear()
        self._surprises.clear()

    def _written(self, raw: Raw) -> Raw:
        self.writes += 1
        self._surprises.pop(self.writes, lambda: None)()
        self._changed(raw)
        self._interfere("after")
        return copied(raw)

    def _changed(self, raw: Raw) -> None:
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        self.history.append(WatchEvent(copied(raw), deleted=False))

    def _remove(self, ref: str) -> None:
        raw = self.departed[ref] = self.objects.pop(ref)
        uid = raw["metadata"]["uid"]
        self.config_maps = {name: each for name, each in self.config_maps.items() if each.owner != uid}
        self.version += 1
        last = copied(raw)
        last["metadata"]["resourceVersion"] = str(self.version)
        self.history.append(WatchEvent(last, deleted=True))
