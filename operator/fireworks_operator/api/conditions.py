"""Condition types and reasons, and the one function that puts a condition into a list."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Self

from .status import Condition, ConditionStatus


class _Documented(StrEnum):
    """An enum whose members carry a line of documentation beside the text that stands on the wire."""

    doc: str

    def __new__(cls, value: str, doc: str) -> Self:
        """Build a member from its wire text and its documentation."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.doc = doc
        return member


class ConditionType(_Documented):
    """The condition types that the operator writes, in the order in which they stand in status."""

    READY = (
        "Ready",
        "The current generation of the spec is in force, and the deployment serves, or is scaled to zero, "
        "waking or parked as asked.",
    )
    AVAILABLE = (
        "Available",
        "At least one replica answers now; stays True while an update is rolled out or has failed.",
    )
    RECONCILING = (
        "Reconciling",
        "Work is under way and will finish by itself; never True together with Stalled.",
    )
    STALLED = "Stalled", "A person must act; the message says how. The operator goes on trying, slowly."
    CAPACITY_PENDING = (
        "CapacityPending",
        "Replicas wait for GPUs, or are missing, for longer than usual; Ready stays True while others serve. Only "
        "present once it was so.",
    )
    ADDONS_READY = "AddonsReady", "Every addon of the spec is loaded; only present with addons."


class Reason(_Documented):
    """Why a condition, or an event, is what it is."""

    SERVING = "Serving", "At least one replica answers inference requests."
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "No traffic for the scale-to-zero window: no replica runs, the next request wakes one.",
    )
    PARKED = "Parked", "maxReplicaCount is 0: the deployment is switched off on purpose and costs nothing."
    CREATING = "Creating", "The deployment is being created; the message names the stage of its replicas."
    UPDATING = "Updating", "A change of the spec is being put into force."
    WAKING = "Waking", "A replica is starting after the deployment was scaled to zero."
    RECOVERING = "Recovering", "The last replica is gone although there should be one, and another is on its way."
    REPLICAS_LOST = (
        "ReplicasLost",
        "Replicas that should be there are gone for longer than usual, and none takes their place.",
    )
    DELETING = "Deleting", "The deployment is being deleted at Fireworks."
    DELETION_BLOCKED = (
        "DeletionBlocked",
        "Fireworks refuses to delete the deployment; the message says why and how to go on.",
    )
    PAUSED = "Paused", "spec.paused is true: nothing is changed until it is removed."
    OBSERVED = (
        "Observed",
        "managementPolicy is Observe: the status is filled, nothing is written to Fireworks.",
    )
    INVALID_SPEC = "InvalidSpec", "The spec contradicts itself in a way that the API server cannot check."
    REJECTED_BY_FIREWORKS = (
        "RejectedByFireworks",
        "Fireworks refused the request; the message carries its words.",
    )
    REPLACE_REQUIRED = (
        "ReplaceRequired",
        "A field changed that Fireworks cannot change in place; the old deployment serves on.",
    )
    QUOTA_EXCEEDED = "QuotaExceeded", "The account's GPU quota does not cover what the spec asks for."
    CAPACITY_PENDING = (
        "CapacityPending",
        "Fireworks has no free GPUs for the replicas, or for some of them.",
    )
    MODEL_NOT_FOUND = (
        "ModelNotFound",
        "A model that the spec names does not exist or cannot be read with this API key.",
    )
    CREDENTIALS_MISSING = "CredentialsMissing", "No API key was found where the resource says it is."
    CREDENTIALS_INVALID = "CredentialsInvalid", "Fireworks does not accept the API key."
    CREDENTIALS_NOT_ALLOWED = (
        "CredentialsNotAllowed",
        "The operator's own API key may not be used from this namespace.",
    )
    ACCOUNT_MISMATCH = "AccountMismatch", "The API key belongs to another account than the deployment."
    PERMISSION_DENIED = "PermissionDenied", "The API key is valid but may not do this."
    ACCOUNT_SUSPENDED = "AccountSuspended", "Fireworks has suspended the account, usually over billing."
    RATE_LIMITED = "RateLimited", "Fireworks asks for fewer requests; work goes on when it allows."
    API_UNAVAILABLE = "ApiUnavailable", "The Fireworks API does not answer, or not in its own words."
    CONFLICT = "Conflict", "The deployment id is taken by somebody else's deployment."
    ADOPTION_NOT_ALLOWED = (
        "AdoptionNotAllowed",
        "A deployment with this id exists without an owner and adoption is not allowed.",
    )
    DEPLOYMENT_FAILED = "DeploymentFailed", "Fireworks reports that the deployment failed."
    DEPLOYMENT_LOST = (
        "DeploymentLost",
        "The deployment was deleted outside Kubernetes and is not created again.",
    )
    UNKNOWN_STATE = (
        "UnknownState",
        "Fireworks names a state of the deployment that this version of the operator does not know.",
    )
    NOT_CONVERGING = "NotConverging", "Fireworks accepts a change but does not apply it."
    ADDONS_LOADED = "AddonsLoaded", "Every addon of the spec is loaded."
    ADDONS_LOADING = "AddonsLoading", "Addons are being loaded or unloaded."
    ADDON_FAILED = "AddonFailed", "An addon cannot be loaded; the deployment itself is not affected."
    AS_DESIRED = "AsDesired", "Nothing to do: the deployment is what the spec asks for."
    PROGRESSING = "Progressing", "Work goes on by itself; nobody needs to act."


def set_condition(
    conditions: Iterable[Condition],
    kind: ConditionType,
    status: ConditionStatus,
    reason: Reason,
    message: str,
    *,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """Return the conditions with one of them replaced or added, in the order of ConditionType.

    `lastTransitionTime` moves only when `status` changes (Kubernetes API conventions), so an unchanged
    condition is equal to the one before and costs no write. Conditions of types that are not the operator's
    come last.
    """
    by_type = {condition.type: condition for condition in conditions}
    before = by_type.get(kind)
    since = before.last_transition_time if before is not None and before.status == status else now
    by_type[kind] = Condition(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=generation,
        last_transition_time=since,
    )
    order = {member.value: position for position, member in enumerate(ConditionType)}
    return sorted(by_type.values(), key=lambda condition: order.get(condition.type, len(order)))
