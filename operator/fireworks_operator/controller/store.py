"""What Kubernetes last said about every resource."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from fireworks_operator.api.resource import InvalidResourceError, Resource
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentStatus

OWN_WRITES = 8
"""How many of our own writes are remembered for each resource: more than a pass makes."""


Object = TypeVar("Object", bound=Resource)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource that the models cannot read, with the field path and what is wrong there."""

    ref: str
    uid: str
    problem: str


@dataclass(frozen=True, slots=True)
class Versions:
    """What is known at a moment: no LIST that is asked for afterwards can be older, or have an older resource.

    `newest` is the highest version heard of, `by_uid` those of the resources.
    """

    newest: int = 0
    by_uid: Mapping[str, int] = field(default_factory=dict)

    def deny(self, objects: Sequence[Mapping[str, Any]], version: int) -> bool:
        """Tell whether a LIST is older all the same: the API server has been put back to an earlier state."""
        each = (raw["metadata"] for raw in objects)
        return version < self.newest or any(
            _is_version(metadata, at_most=self.by_uid.get(metadata["uid"], 0) - 1) for metadata in each
        )


class Seen(Enum):
    """What an object from the watch or a LIST brought."""

    NOTHING = auto()
    """Known already: our own write coming back, a repeated event, or a late word of a former object of that name."""
    OLDER = auto()
    """Older than what was told before: a LIST was quicker than the watch, or the API server has been put back."""
    STATUS = auto()
    """Something that users do not write."""
    WISH = auto()
    """A user changed the spec, a label or one of our annotations, or asked for deletion."""
    NEW = auto()
    """Not known before, by namespace, name and uid."""


class Store(Generic[Object]):
    """Resources of a kind by `namespace/name`. Objects older than what is stored are ignored, however they come."""

    def __init__(self, model: type[Object]) -> None:
        """Create an empty store; `model` reads the objects."""
        self._model = model
        self._resources: dict[str, Object] = {}
        self._unreadable: dict[str, Unreadable] = {}
        self._own: dict[str, tuple[str, ...]] = {}
        self._outdated: set[str] = set()
        self._told: dict[str, int] = {}
        self._newest = 0

    def __len__(self) -> int:
        """Return the number of readable resources."""
        return len(self._resources)

    def __iter__(self) -> Iterator[Object]:
        """Iterate over the readable resources."""
        return iter(tuple(self._resources.values()))

    def get(self, ref: str) -> Object | None:
        """Return a resource, None if it is gone or unreadable."""
        return self._resources.get(ref)

    def unreadable(self, ref: str) -> Unreadable | None:
        """Return why a resource cannot be read, None if it can or is gone."""
        return self._unreadable.get(ref)

    def see(self, raw: Mapping[str, Any]) -> tuple[str, Seen]:
        """Take in an object as the API server sent it."""
        metadata = raw.get("metadata", {})
        ref = f"{metadata.get('namespace')}/{metadata.get('name')}"
        known = self._resources.get(ref)
        if known is not None and ref not in self._outdated and _is_version(metadata, at_most=_version(known)):
            return ref, self._tell(known, metadata)  # most of what comes, and to read it is what costs
        try:
            resource = self._model.parse(raw)
        except InvalidResourceError as error:
            self._resources.pop(ref, None)
            self._told.pop(ref, None)
            self._outdated.discard(ref)
            self._unreadable[ref] = Unreadable(ref, str(metadata.get("uid")), str(error))
            return ref, Seen.NEW
        self._told[resource.ref] = _version(resource)
        return resource.ref, self._take(resource)

    def _tell(self, known: Object, metadata: Mapping[str, Any]) -> Seen:
        """Note which version was told of what is known already."""
        if metadata.get("uid") != known.metadata.uid:
            return Seen.NOTHING
        told, version = self._told.get(known.ref, 0), int(metadata["resourceVersion"])
        self._told[known.ref] = version
        return Seen.OLDER if version < told else Seen.NOTHING

    def versions(self) -> Versions:
        """Return what is known now."""
        return Versions(self._newest, {each.metadata.uid: _version(each) for each in self._resources.values()})

    def _start_anew(self) -> None:
        """Take versions for a new count: what is stored gives way to whatever comes next."""
        self._outdated = set(self._resources)
        self._own.clear()
        self._told.clear()
        self._newest = 0

    def put(self, resource: Object) -> None:
        """Take in a resource as a write of our own has left it."""
        versions = self._own.get(resource.ref, ())
        self._own[resource.ref] = (*versions[-OWN_WRITES:], resource.metadata.resource_version)
        self._take(resource)

    def is_own(self, ref: str, version: str) -> bool:
        """Tell whether a version of a resource was left by one of our latest writes."""
        return version in self._own.get(ref, ())

    def _take(self, resource: Object) -> Seen:
        before = self._resources.get(resource.ref)
        outdated = resource.ref in self._outdated
        if before is not None and not outdated and _version(resource) <= _version(before):
            return Seen.NOTHING  # the same object, or a late word of a former one of the same name
        self._outdated.discard(resource.ref)
        self._newest = max(self._newest, _version(resource))
        self._unreadable.pop(resource.ref, None)
        self._resources[resource.ref] = resource
        if before is None or before.metadata.uid != resource.metadata.uid:
            return Seen.NEW
        return Seen.WISH if _wish(before) != _wish(resource) else Seen.STATUS

    def remove(self, ref: str, uid: str) -> bool:
        """Forget a resource that is gone, unless another of the same name has taken its place."""
        resource, unreadable = self._resources.get(ref), self._unreadable.get(ref)
        if resource is not None and resource.metadata.uid == uid:
            del self._resources[ref]
            self._own.pop(ref, None)
            self._told.pop(ref, None)
            self._outdated.discard(ref)
            return True
        if unreadable is not None and unreadable.uid == uid:
            del self._unreadable[ref]
            return True
        return False

    def take_list(self, objects: Sequence[Mapping[str, Any]], version: int, known: Versions) -> tuple[bool, list[str]]:
        """Note a complete LIST, whose objects are then to be seen, and forget what it no longer has.

        Args:
            objects: all that there are.
            version: the LIST's resourceVersion; what is newer than that could not be in it.
            known: what was known before it was asked for. What is newer than the LIST all the same is not true any
                more: the API server has been put back to an earlier state, and versions count anew.

        Returns:
            Whether the API server has been put back, and the names of those that are gone.
        """
        put_back = known.deny(objects, version)
        if put_back:
            self._start_anew()
        self._newest = max(self._newest, version)
        present = {str(each["metadata"]["uid"]) for each in objects}
        return put_back, [ref for ref, uid in self._missing(present, version) if self.remove(ref, uid)]

    def _missing(self, present: Collection[str], version: int) -> list[tuple[str, str]]:
        """Return name and uid of what a LIST with these uids no longer has."""
        missing = [
            each
            for each in self
            if each.metadata.uid not in present and (_version(each) <= version or each.ref in self._outdated)
        ]
        unreadable = [(each.ref, each.uid) for each in self._unreadable.values() if each.uid not in present]
        return [(each.ref, each.metadata.uid) for each in missing] + unreadable


def claimed_by(status: FireworksDeploymentStatus) -> frozenset[str] | None:
    """Return the deployments that a status names; None while it names none."""
    second = None if status.replacement is None else status.replacement.deployment_name
    return frozenset(each for each in (status.deployment_name, second) if each is not None) or None


class DeploymentStore(Store[FireworksDeployment]):
    """FireworksDeployments, and the deployments that they claim."""

    def __init__(self) -> None:
        """Create an empty store."""
        super().__init__(FireworksDeployment)

    def claims(self) -> dict[str, frozenset[str] | None]:
        """Return the deployments that each resource claims; None where it claims none, or cannot be read."""
        claimed = {ref: claimed_by(each.status) for ref, each in self._resources.items()}
        return {**dict.fromkeys(self._unreadable), **claimed}


def _version(resource: Resource) -> int:
    # Kubernetes guarantees comparable resource versions of one resource since 1.35; etcd revisions were before.
    return int(resource.metadata.resource_version)


def _is_version(metadata: Mapping[str, Any], *, at_most: int) -> bool:
    version = metadata.get("resourceVersion")
    return isinstance(version, str) and version.isdecimal() and int(version) <= at_most


def _wish(resource: Resource) -> tuple[int, bool, dict[str, str], dict[str, str]]:
    metadata = resource.metadata
    annotations = {name: value for name, value in metadata.annotations.items() if name.startswith("fireworks.ai/")}
    return metadata.generation, metadata.deletion_timestamp is not None, metadata.labels, annotations
