"""What there is, counted: resources, replicas, GPUs, and deployments that nobody knows of any more."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from fireworks_operator.core.identity import orphaned_from

from .account import Account
from .accounts import Accounts
from .store import Store


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the resources of one account hold.

    Attributes:
        ready_replicas: replicas that serve.
        gpus: GPUs of those replicas, by accelerator type.
        orphans: names of deployments with this cluster's owner marker that no resource of that name claims.
    """

    ready_replicas: int = 0
    gpus: Counter[str] = field(default_factory=Counter)
    orphans: tuple[str, ...] = ()


class Inventory:
    """Counts what the store and the last observations hold; nothing is asked for."""

    def __init__(
        self,
        store: Store,
        accounts: Accounts,
        clusters: Collection[str],
        watches: Callable[[str], bool],
        uid: str = "",
    ) -> None:
        """Connect it.

        `clusters` are the ids of this cluster, `uid` tells it from others with the same one; `watches` tells whether
        a namespace is ours to judge.
        """
        self._uid = uid
        self._store = store
        self._accounts = accounts
        self._clusters = frozenset(clusters)
        self._watches = watches

    def states(self) -> Counter[str]:
        """Return the number of resources by the state of their deployment, empty where there is none."""
        return Counter(each.status.state or "" for each in self._store)

    def holdings(self) -> dict[str, Holdings]:
        """Return what is held in each account in use."""
        ready: Counter[str] = Counter()
        gpus: dict[str, Counter[str]] = {account.name: Counter() for account in self._accounts}
        for resource in self._store:
            status = resource.status
            held = gpus.get(status.account or "")
            if status.account is None or held is None or status.replicas is None or status.effective is None:
                continue
            if status.replicas.ready:
                ready[status.account] += status.replicas.ready
                kind = status.effective.accelerator_type or "unknown"
                held[kind] += status.replicas.ready * (status.effective.accelerator_count or 1)
        return {
            account.name: Holdings(ready[account.name], gpus[account.name], self._orphans(account))
            for account in self._accounts
        }

    def _orphans(self, account: Account) -> tuple[str, ...]:
        listing = account.observer.listing
        if listing is None:
            return ()
        claims = self._store.claims()
        found = []
        for name, deployment in listing.deployments.items():
            owner = orphaned_from(name, deployment.annotations, self._clusters, claims, self._uid)
            if owner is not None and self._watches(owner.namespace):
                found.append(name)
        return tuple(sorted(found))
