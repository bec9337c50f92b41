"""What `decide()` and `report()` need to know besides the resource and the observation."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import DirectRouteSecret, FireworksDeployment
from fireworks_operator.fireworks.models import Deployment, Model

from .budgets import NOTHING, Ceiling, Hardware, Room
from .demand import Demand
from .desired.parking import ParkingOrder
from .diagnosis import Diagnosis
from .identity import Owner, Ownership, account_of, ownership
from .observed.router import SeenRouter
from .prices import Prices

REST_PATIENCE = timedelta(minutes=10)
"""How long a resource at rest keeps its conditions while observing fails."""


@dataclass(frozen=True, slots=True)
class Usable:
    """A credential with a known account. `own` means it is the operator's, not the namespace's.

    `proven`: Fireworks has shown that the key is of this account; else only somebody's word stands beside it so far.
    """

    account: str
    own: bool = False
    proven: bool = True


@dataclass(frozen=True, slots=True)
class Unusable:
    """No working credential; `message` says what to do. `needs_user` False means it may heal by itself."""

    reason: Reason
    message: str
    needs_user: bool = True


CredentialState = Usable | Unusable


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Why the loaded addons of the account cannot be listed, and since when."""

    since: datetime
    diagnosis: Diagnosis


def pinned_account(resource: FireworksDeployment) -> str | None:
    """Return the account that the resource's deployment belongs to: its name tells, whatever else stands beside it."""
    name = resource.status.deployment_name
    return resource.status.account if name is None else account_of(name)


def _unknown(_name: str) -> bool:
    return False


def _no_heir(_owner: Owner, _name: str, _previous: Collection[str]) -> str | None:
    return None


def _is_taking_over(resource: FireworksDeployment) -> bool:
    """Tell whether a deployment is about to be adopted, so that nothing but its marker tells whether it was."""
    attempt = resource.status.last_attempt
    return attempt is not None and attempt.action == "Adopt"


def _is_bringing_back(resource: FireworksDeployment) -> bool:
    """Tell whether a request of ours may have made a deployment since status was written, its answer being lost."""
    attempt = resource.status.last_attempt
    settled = (Reason.AS_DESIRED, Reason.DEPLOYMENT_FAILED, Reason.REPLACING, Reason.DELETION_BLOCKED)
    return (
        attempt is not None
        and attempt.action in ("Create", "Recreate", "Replace", "Undelete")
        and attempt.reason not in settled
    )


@dataclass(frozen=True, slots=True)
class Context:
    """One pass's surroundings.

    Attributes:
        now: wall time, UTC.
        cluster_id: the id in owner markers and derived deployment ids.
        previous_cluster_ids: ids that this cluster had before, and uids.
        cluster_uid: what tells it from another cluster with the same id; empty if not known.
        credential: the resource's credential.
        adoption_namespaces: where the operator's own credential may adopt.
        skip_pauses: somebody asked for a look since the last pass (spec, annotation or Secret changed), so pauses
            after refusals do not count.
        last_update: when this process last sent a PATCH for the resource.
        last_tags: when this process last changed tags for the resource.
        may_have_claimed: a resource with the finalizer may have been claimed before, whatever its status says: this
            process has not just added it.
        addon_updates: when it last changed which loaded addon for the spec as it is now.
        addon_loads: when it last loaded which model as an addon that no LIST has shown since.
        unreachable_since: since when no observation of the account succeeds; None while they do.
        unreachable: why, in words; `unreachable_reason` as a reason.
        addons_unlisted: why nothing is known of the loaded addons; None while they can be listed.
        inference_url: base URL of the OpenAI-compatible API.
        exists: deployment names that the account is known to have, for the search after a rebuilt cluster.
        create_query: query parameters that the operator's settings add to create requests.
        default_shape: a deployment whose spec names no hardware is created with Fireworks' default shape.
        prices: what a GPU-hour costs.
        resumed_at: when the account was listed again after nobody had looked for a while, or for the first time.
        models: records of the models that the spec names, by full name, where they were asked for.
        rooms: what each budget that selects the resource leaves to it.
        granted: the ceiling that the budgets have let the resource have, whether or not it has it yet.
        hardware: what a replica may run on where the spec leaves that to Fireworks; None where it was not asked.
        router: the router that the resource is about, as it was last seen; None where that is not known.
        last_router: when this process last sent a request that creates or changes it.
        crd_deleting: the CRD itself is being deleted, which must not tear down deployments.
        route_secret: the version that the Secret with the API keys of the direct route has now, or why it is of no
            use; None where it was not read.
        cold: GPUs that the account has turned out not to have within the last hour.
        parked_by: the budget's order to park the deployment, or to create none; None if there is none.
        heir: the deployment that stands in for one of a name that has ended, by the marker of its owner; None if
            there is none. It was a successor, and the status that named it was lost.
        revision: of the successor that the pass is about; 0 where it is about the deployment that the status names.
        rejected: why Fireworks would refuse the deployment that is to replace the present one; None if it would not,
            or was not asked.
    """

    now: datetime
    cluster_id: str
    credential: CredentialState
    previous_cluster_ids: tuple[str, ...] = ()
    cluster_uid: str = ""
    adoption_namespaces: frozenset[str] = frozenset()
    skip_pauses: bool = False
    last_update: datetime | None = None
    last_tags: datetime | None = None
    may_have_claimed: bool = False
    addon_updates: Mapping[str, datetime] = field(default_factory=dict)
    addon_loads: Mapping[str, datetime] = field(default_factory=dict)
    unreachable_since: datetime | None = None
    unreachable: str = ""
    unreachable_reason: Reason = Reason.API_UNAVAILABLE
    addons_unlisted: Unlisted | None = None
    inference_url: str = "https://api.fireworks.ai/inference/v1"
    exists: Callable[[str], bool] = _unknown
    create_query: Mapping[str, str] = field(default_factory=dict)
    default_shape: bool = True
    prices: Prices = field(default_factory=Prices)
    resumed_at: datetime | None = None
    models: Mapping[str, Model] = field(default_factory=dict)
    rooms: tuple[Room, ...] = ()
    granted: Ceiling = NOTHING
    hardware: tuple[Hardware, ...] | None = None
    router: SeenRouter | None = None
    last_router: datetime | None = None
    crd_deleting: bool = False
    route_secret: DirectRouteSecret | Unusable | None = None
    parked_by: ParkingOrder | None = None
    cold: frozenset[Demand] = frozenset()
    rejected: Diagnosis | None = None
    heir: Callable[[Owner, str, Collection[str]], str | None] = _no_heir
    revision: int = 0

    def owner(self, resource: FireworksDeployment) -> Owner:
        """Return the owner marker of a resource."""
        metadata = resource.metadata
        return Owner(self.cluster_id, metadata.namespace, metadata.name, self.cluster_uid, self.revision)

    def ownership(self, resource: FireworksDeployment, deployment: Deployment) -> Ownership:
        """Tell whose an observed deployment is; one created when the status says is ours even without its marker."""
        created, seen = resource.status.create_time, deployment.create_time
        # What was only observed so far has a create time in status too, but no applied fields.
        managed = resource.status.applied_fields is not None
        same = created is not None and seen is not None and abs(created - seen) < timedelta(seconds=1)
        other = created is not None and seen is not None and not same
        return ownership(
            deployment.annotations,
            deployment.deployment_id,
            self.owner(resource),
            previous_clusters=self.previous_cluster_ids,
            known=managed and same and not _is_taking_over(resource),
            recreated=managed and other and not _is_bringing_back(resource),
        )
