"""Which deployment has taken the place of one that has ended, by the owner markers of all that an account has."""

from collections.abc import Collection, Mapping
from typing import Self

from fireworks_operator.fireworks.models import Deployment

from .identity import Owner, is_released, parse_marker, was_created


class Heirs:
    """The deployments of one account that are alive and that no operator has let go of, by their owners."""

    def __init__(self, deployments: Mapping[str, Deployment]) -> None:
        """Read the markers of all deployments, which are given by their names."""
        self._deployments = deployments
        self._owned: dict[Owner, list[tuple[Owner, Deployment]]] = {}
        for each in deployments.values():
            marker = parse_marker(each.annotations)
            if marker is not None and is_alive(each) and not is_released(each.annotations):
                self._owned.setdefault(marker, []).append((marker, each))

    def without(self, name: str) -> Self:
        """Return what there is once a deployment has been deleted."""
        return type(self)({each: found for each, found in self._deployments.items() if each != name})

    def find(self, owner: Owner, name: str, previous: Collection[str] = ()) -> str | None:
        """Return the deployment with a resource's marker that stands in for one of this name, which has ended.

        None if that one is alive, or if there is none. Of several, the one that serves, and the oldest. `previous` are
        ids and uids that the cluster had before.
        """
        if is_alive(self._deployments.get(name)):
            return None
        found = [each for marker, each in self._owned.get(owner, ()) if not marker.is_elsewhere(owner.uid, previous)]
        first = min(
            found, key=lambda each: (not each.replica_stats.ready, str(each.create_time), each.name), default=None
        )
        return None if first is None else first.name

    def beside(self, owner: Owner, name: str) -> list[str]:
        """Return the deployments beside the one of this name that were created for a resource, by name."""
        found = [each for marker, each in self._owned.get(owner, ()) if not marker.is_elsewhere(owner.uid)]
        return sorted(each.name for each in found if each.name != name and was_created(each.annotations))


def is_alive(deployment: Deployment | None) -> bool:
    """Tell whether there is a deployment that is neither deleted nor being deleted."""
    return deployment is not None and deployment.state not in ("DELETING", "DELETED")
