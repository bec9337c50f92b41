"""All that one decision is made of, computed once per observation."""

from dataclasses import dataclass, replace
from datetime import datetime

from fireworks_operator.api.v1alpha1 import (
    FireworksDeployment,
    FireworksDeploymentSpec,
    FireworksDeploymentStatus,
    LastAttempt,
    ReplaceType,
)
from fireworks_operator.core.desired.drift import Drift, find_drift
from fireworks_operator.core.desired.parking import ParkingOrder, parking_order, values_in_force
from fireworks_operator.core.desired.wanted import Wanted, is_new, want
from fireworks_operator.core.observed.history import history
from fireworks_operator.core.observed.observation import Observed, Present
from fireworks_operator.fireworks.models import Deployment

from .actions import Waiting
from .context import Context, Usable, pinned_account
from .identity import Owner, Ownership, account_of
from .successor import second
from .target import target_name


@dataclass(frozen=True, slots=True)
class Beside:
    """The deployment that the status names, and what is waited for there, while a step is about the second one."""

    situation: "Situation"
    action: Waiting


@dataclass(frozen=True, slots=True)
class Situation:
    """A resource, what is known of its deployment, and what follows from both.

    Attributes:
        resource: as stored last.
        observed: what Fireworks said of its deployment.
        context: what surrounds the pass.
        target: full name of the deployment that the resource is about; None while no account is known.
        wanted: what the resource asks for.
        parking: why the deployment is to be parked now; None if it is not.
        drift: how the observed deployment differs from that; nothing while none is observed.
        other: what Fireworks said of the other one of two deployments, while the resource has two; None if it has one.
        beside: the deployment that the status names, if this is about the second one; None if this is about it.
    """

    resource: FireworksDeployment
    observed: Observed
    context: Context
    target: str | None
    wanted: Wanted
    parking: ParkingOrder | None
    drift: Drift
    other: Observed | None = None
    beside: Beside | None = None

    @property
    def is_of_two(self) -> bool:
        """Whether this is about the second deployment of a resource, as it would be alone."""
        return self.other is not None and self.status.replacement is None

    @property
    def subject(self) -> FireworksDeployment:
        """The resource as it is stored, of which `resource` may be what the second deployment would have alone."""
        return self.resource if self.beside is None else self.beside.situation.resource

    @property
    def spec(self) -> FireworksDeploymentSpec:
        """The resource's spec."""
        return self.resource.spec

    @property
    def status(self) -> FireworksDeploymentStatus:
        """The resource's status, as stored last."""
        return self.resource.status

    @property
    def now(self) -> datetime:
        """Wall time of the decision, UTC."""
        return self.context.now

    @property
    def is_new(self) -> bool:
        """Whether the status is about an earlier revision of what is wanted."""
        return is_new(self.resource)

    @property
    def may_replace(self) -> bool:
        """Whether the spec lets the deployment be replaced by another one."""
        policy = self.spec.replace_policy
        return policy is not None and policy.type is not ReplaceType.NEVER

    @property
    def is_deleting(self) -> bool:
        """Whether the resource is being deleted."""
        return self.resource.metadata.deletion_timestamp is not None

    @property
    def owner(self) -> Owner:
        """The resource as its owner marker names it."""
        return self.context.owner(self.resource)

    def ownership(self, deployment: Deployment) -> Ownership:
        """Tell whose an observed deployment is."""
        return self.context.ownership(self.resource, deployment)

    def attempt_of(self, *actions: str) -> LastAttempt | None:
        """Return the last attempt if it was one of these actions, on this target and for this revision."""
        attempt = self.status.last_attempt
        if attempt is None or attempt.action not in actions or attempt.generation != self.wanted.revision:
            return None
        # Older versions did not write down the target: there was only one.
        return attempt if attempt.target in (None, self.target) else None

    def at(self, now: datetime) -> "Situation":
        """Return the same situation at another time: what was decided upon stays what is wanted."""
        beside = self.beside and replace(self.beside, situation=self.beside.situation.at(now))
        return replace(self, context=replace(self.context, now=now), beside=beside)

    def stored(self, resource: FireworksDeployment) -> "Situation":
        """Return the situation once a status was written; what was decided upon stays what is wanted."""
        beside, replacement = self.beside, resource.status.replacement
        if beside is not None and replacement is not None:
            beside = replace(beside, situation=beside.situation.stored(resource))
            resource = second(resource, replacement)
        drift = _drift(resource, self.observed, self.wanted, self.parking)
        return replace(self, resource=resource, drift=drift, beside=beside)

    def alone(self, resource: FireworksDeployment, other: Observed) -> "Situation":
        """Return the situation of a second deployment once the status of the resource names it as the first."""
        context = replace(self.context, revision=0)
        drift = _drift(resource, self.observed, self.wanted, self.parking)
        return replace(self, resource=resource, context=context, drift=drift, other=other, beside=None)

    def handed_back(self, resource: FireworksDeployment) -> "Situation":
        """Return the situation of the other deployment once the status of the resource names that one again."""
        if self.other is None:
            raise AssertionError("there is no other deployment")
        drift = _drift(resource, self.other, self.wanted, self.parking)
        target = resource.status.deployment_name
        return replace(self, resource=resource, observed=self.other, other=self.observed, target=target, drift=drift)

    def answered(self, observed: Observed) -> "Situation":
        """Return the situation once Fireworks has answered; what was decided upon stays what is wanted."""
        return replace(self, observed=observed, drift=_drift(self.resource, observed, self.wanted, self.parking))


def assess(
    resource: FireworksDeployment, observed: Observed, context: Context, other: Observed | None = None
) -> Situation:
    """Put together what is decided upon: what is wanted, of which deployment, and how that one differs.

    `other` is what Fireworks said of the other one of two deployments; None if there is one.
    """
    wanted = want(resource, _account(resource, observed, context))
    parking = parking_order(resource, context.parked_by, context.now)
    drift = _drift(resource, observed, wanted, parking)
    return Situation(resource, observed, context, target_name(resource, context), wanted, parking, drift, other)


def _drift(resource: FireworksDeployment, observed: Observed, wanted: Wanted, parking: ParkingOrder | None) -> Drift:
    if not isinstance(observed, Present):
        return Drift()
    deployment = observed.deployment
    applied = history(resource, deployment) or ()
    values, applied = values_in_force(wanted.values, applied, resource.status.parked, parked=parking is not None)
    return find_drift(values, deployment.raw, applied, deleted=deployment.state == "DELETED")


def _account(resource: FireworksDeployment, observed: Observed, context: Context) -> str | None:
    if isinstance(observed, Present):
        return account_of(observed.deployment.name)
    account = context.credential.account if isinstance(context.credential, Usable) else None
    return pinned_account(resource) or account
