"""What there is, counted: resources, replicas, GPUs, and deployments that nobody knows of any more."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from fireworks_operator.api.conditions import ConditionType
from fireworks_operator.api.v1alpha1 import Effective, Replacement, Replicas
from fireworks_operator.controller.accounts.account import Account
from fireworks_operator.controller.accounts.accounts import Accounts
from fireworks_operator.controller.store import DeploymentStore
from fireworks_operator.core.identity import orphaned_from
from fireworks_operator.core.status.cost import dollars_per_hour, gpus_per_replica
from fireworks_operator.core.status.facts import has_condition, is_down
from fireworks_operator.core.successor import status_of
from fireworks_operator.fireworks.models import Deployment

MOST_STRANGERS = 100
"""Keys that Fireworks has never accepted, of which the metrics tell."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the resources of one account hold.

    Attributes:
        ready_replicas: replicas that serve.
        gpus: GPUs of those replicas, by accelerator type.
        without_replicas: resources that are down: they served, and have had no ready replica for longer than usual.
        capacity_pending: others with replicas that have been missing for longer than usual.
        addons_pending: resources whose addons are not all loaded, as far as that is known.
        replacements: resources that are being replaced by BlueGreen, by phase.
        replacements_blocked: those of them that a person has to get on: the successor is refused or has failed, or
            the former deployment is not deleted.
        orphans: names of deployments with this cluster's owner marker that no resource of that name claims.
    """

    ready_replicas: int = 0
    gpus: Counter[str] = field(default_factory=Counter)
    without_replicas: int = 0
    capacity_pending: int = 0
    addons_pending: int = 0
    replacements: Counter[str] = field(default_factory=Counter)
    replacements_blocked: int = 0
    orphans: tuple[str, ...] = ()


@dataclass(slots=True)
class _Seconds:
    """What the second deployments of resources hold, while one deployment replaces another."""

    phases: Counter[str] = field(default_factory=Counter)
    blocked: int = 0
    ready: int = 0
    gpus: Counter[str] = field(default_factory=Counter)

    def add(self, replacement: Replacement, seen: Deployment | None) -> None:
        """Count one; `seen` is how Fireworks has listed it."""
        self.phases[replacement.phase.value] += 1
        self.blocked += has_condition(status_of(replacement), ConditionType.STALLED)
        if replacement.replicas is not None and replacement.replicas.ready:
            self.ready += replacement.replicas.ready
            kind = "" if seen is None else seen.accelerator_type
            self.gpus[kind or "unknown"] += _gpus_of(replacement, seen)


def _find(listed: Mapping[str, Mapping[str, Deployment]], account: str, replacement: Replacement) -> Deployment | None:
    return listed.get(account, {}).get(replacement.deployment_name or "")


def _gpus_of(replacement: Replacement, seen: Deployment | None) -> int:
    """Return the GPUs of a second deployment that serve; one that is not listed has one each."""
    ready = 0 if replacement.replicas is None else replacement.replicas.ready
    return ready * (1 if seen is None else gpus_per_replica(seen))


def _id(name: str) -> str:
    return name.rsplit("/", 1)[-1]


@dataclass(slots=True)
class Spending:
    """What the resources of one namespace and account cost per hour, in US dollars: now, and at their most."""

    hourly: float = 0.0
    ceiling: float = 0.0


class Inventory:
    """Counts what the store and the last observations hold; nothing is asked for."""

    def __init__(
        self,
        store: DeploymentStore,
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
        down: Counter[str] = Counter()
        short: Counter[str] = Counter()
        unloaded: Counter[str] = Counter()
        gpus: dict[str, Counter[str]] = {account.name: Counter() for account in self._accounts}
        for resource in self._store:
            status = resource.status
            held = gpus.get(status.account or "")
            if status.account is None or held is None or status.replicas is None or status.effective is None:
                continue
            if is_down(status):
                down[status.account] += 1
            elif has_condition(status, ConditionType.CAPACITY_PENDING):
                short[status.account] += 1
            if has_condition(status, ConditionType.ADDONS_READY, "False"):
                unloaded[status.account] += 1
            ready[status.account] += status.replicas.ready
            held.update(_gpus(status.replicas, status.effective))
        seconds = self._seconds()
        return {
            name: Holdings(
                ready[name] + seconds[name].ready,
                gpus[name] + seconds[name].gpus,
                down[name],
                short[name],
                unloaded[name],
                seconds[name].phases,
                seconds[name].blocked,
                self._orphans(account),
            )
            for name, account in ((each.name, each) for each in self._accounts)
        }

    def _seconds(self) -> defaultdict[str, "_Seconds"]:
        """Count the second deployments of resources that are being replaced, by account."""
        listed, found = self._listed(), defaultdict[str, _Seconds](_Seconds)
        for resource in self._store:
            replacement, account = resource.status.replacement, resource.status.account
            if replacement is not None and account is not None:
                found[account].add(replacement, _find(listed, account, replacement))
        return found

    def _listed(self) -> dict[str, Mapping[str, Deployment]]:
        """Return the deployments of each account, as they were listed last."""
        listings = ((each.name, each.observer.listing) for each in self._accounts)
        return {name: {} if listing is None else listing.deployments for name, listing in listings}

    def spending(self) -> dict[tuple[str, str], Spending]:
        """Return what is spent per hour by namespace and account, as far as prices are known."""
        found: dict[tuple[str, str], Spending] = {}
        for resource in self._store:
            cost, account = resource.status.cost, resource.status.account
            if cost is None or account is None:
                continue
            spending = found.setdefault((resource.metadata.namespace, account), Spending())
            hourly, ceiling = dollars_per_hour(cost)
            spending.hourly += float(hourly or 0)
            spending.ceiling += float(ceiling or 0)
        return found

    def hourly_costs(self) -> dict[tuple[str, str, str], float]:
        """Return what each resource costs per hour, by namespace, name and account; without those of no known price."""
        found = {}
        for resource in self._store:
            cost, account = resource.status.cost, resource.status.account
            hourly = None if cost is None else dollars_per_hour(cost)[0]
            if hourly is not None and account is not None:
                found[resource.metadata.namespace, resource.metadata.name, account] = float(hourly)
        return found

    def billed_gpus(self) -> dict[tuple[str, str, str, str], int]:
        """Return the GPUs of each resource that are billed, by namespace, name, account and id of the deployment.

        A resource that is being replaced has two of them.
        """
        listed, found = self._listed(), {}
        for resource in self._store:
            status = resource.status
            cost, name, replacement = status.cost, status.deployment_name, status.replacement
            if cost is None or name is None or status.account is None:
                continue
            labels, second = (resource.metadata.namespace, resource.metadata.name, status.account), 0
            if replacement is not None and replacement.deployment_name is not None:
                second = min(_gpus_of(replacement, _find(listed, status.account, replacement)), cost.gpus)
                found[*labels, _id(replacement.deployment_name)] = second
            found[*labels, _id(name)] = cost.gpus - second
        return found

    def unpriced_gpus(self) -> Counter[str]:
        """Return how many GPUs serve at an unknown price, by account."""
        found: Counter[str] = Counter()
        for resource in self._store:
            cost, account = resource.status.cost, resource.status.account
            if cost is not None and account is not None and dollars_per_hour(cost)[0] is None:
                found[account] += cost.gpus
        return found

    def refused_keys(self) -> dict[str, bool]:
        """Return whether an API key in use is refused, by fingerprint: of those that share one, whether any is.

        Of texts that Fireworks has never accepted as a key only some are told: anybody may bring as many as he likes.
        """
        refused: dict[str, bool] = {}
        used = [each for account in self._accounts if account.in_use for each in account.credentials()]
        known = [each for each in used if each.api_key.accepted]
        strangers = [each for each in used if not each.api_key.accepted]
        for each in (*known, *strangers[:MOST_STRANGERS]):
            name = each.api_key.fingerprint
            refused[name] = refused.get(name, False) or each.circuit.retry_at is not None
        return refused

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


def _gpus(replicas: Replicas, effective: Effective) -> dict[str, int]:
    """Return how many GPUs of which type serve."""
    if not replicas.ready:
        return {}
    return {effective.accelerator_type or "unknown": replicas.ready * (effective.accelerator_count or 1)}
