"""What is let go of with its resource and not deleted: by policy, by the user's word, or since it is another's."""

from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    DeletionPolicy,
    FireworksDeployment,
    ManagementPolicy,
)
from fireworks_operator.core.actions import RemoveFinalizer
from fireworks_operator.core.context import Context
from fireworks_operator.core.identity import Ownership
from fireworks_operator.core.observed.observation import Absent, Observed, Present
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment


def decide_release(resource: FireworksDeployment, context: Context, left: str) -> RemoveFinalizer | None:
    """Let go at once where nothing is to be deleted: by policy, or by the user's word."""
    if resource.spec.management_policy is ManagementPolicy.OBSERVE:
        return RemoveFinalizer(f"managementPolicy is Observe: {left} is left at Fireworks.", left, "Observe")
    if is_abandoned(resource):
        return RemoveFinalizer(
            f"Abandoned by annotation: {left} is left at Fireworks and may keep incurring charges.", left, "Abandon"
        )
    if context.crd_deleting:
        return RemoveFinalizer(
            f"The CRD is being deleted: {left} is left at Fireworks and keeps incurring charges.", left, "CrdDeleted"
        )
    if resource.spec.deletion_policy is DeletionPolicy.RETAIN:
        message = f"deletionPolicy is Retain: {left} stays at Fireworks and keeps incurring charges."
        return RemoveFinalizer(message, left, "Retain")
    return None


def is_abandoned(resource: FireworksDeployment) -> bool:
    """Tell whether the user has had the deployment let go, by the annotation."""
    return resource.metadata.annotations.get(ANNOTATION_ABANDON) == "true"


def nothing_left(observed: Observed) -> RemoveFinalizer | None:
    """Let go of what no longer exists, whatever was to become of it; what was said a while ago does not count."""
    if isinstance(observed, Absent) and observed.confirmed:
        return RemoveFinalizer("The deployment no longer exists at Fireworks.")
    if isinstance(observed, Present) and observed.fresh and observed.deployment.state == "DELETED":
        return RemoveFinalizer(f"{observed.deployment.name} is deleted; it can be restored at Fireworks for 7 days.")
    return None


def not_ours(situation: Situation, deployment: Deployment) -> RemoveFinalizer:
    """Leave what is another's, or was let go of and not taken up since; what was ours is worth a warning."""
    ownership = situation.ownership(deployment)
    if ownership in (Ownership.OURS, Ownership.OURS_UNMARKED):
        return RemoveFinalizer(
            f"{deployment.name} was left running on purpose before this resource, which had not taken it up yet: it is "
            "left untouched and may keep incurring charges. If nobody needs it, delete it at Fireworks.",
            deployment.name,
            "NotOurs",
        )
    if situation.status.applied_fields is None:
        return RemoveFinalizer(f"{deployment.name} is not this resource's deployment and is left untouched.")
    if ownership in (Ownership.ELSEWHERE, Ownership.RECREATED):
        return RemoveFinalizer(
            f"{deployment.name} carries this resource's owner marker but was created by another cluster with the "
            "same id, or recreated by someone else. It is left untouched: if nobody needs it, delete it at Fireworks.",
            deployment.name,
            "NotOurs",
        )
    return RemoveFinalizer(
        f"{deployment.name} no longer carries this resource's owner marker and is left untouched: unless the owner "
        "named in its custom/… annotations manages it, delete it at Fireworks.",
        deployment.name,
        "NotOurs",
    )
