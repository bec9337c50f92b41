"""Condition types and reasons, and the one function that puts a condition into a list."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Self

from .status_condition import Condition, ConditionStatus


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
        "The current generation of the spec is applied, its addons are loaded, and the deployment is serving, or is "
        "scaled to zero, waking or parked as requested. A missing replica is tolerated for a few minutes.",
    )
    AVAILABLE = (
        "Available",
        "At least one replica is serving now; stays True while an update is rolled out or has failed.",
    )
    RECONCILING = (
        "Reconciling",
        "Work is in progress and will finish without intervention; never True together with Stalled.",
    )
    STALLED = (
        "Stalled",
        "User action is required; the message says what to do. The operator keeps retrying at a reduced rate.",
    )
    CAPACITY_PENDING = (
        "CapacityPending",
        "Replicas have been waiting for GPUs, or missing, for longer than usual; Ready stays True while others "
        "serve. Present only after this has happened once.",
    )
    ADDONS_READY = "AddonsReady", "Every addon of the spec is loaded; only present if there are addons."


class Reason(_Documented):
    """Why a condition, or an event, is what it is."""

    SERVING = "Serving", "At least one replica is serving inference requests."
    SCALED_TO_ZERO = (
        "ScaledToZero",
        "No requests within the scale-to-zero window: no replica is running, and the next request wakes one.",
    )
    PARKED = "Parked", "maxReplicaCount is 0: the deployment is switched off intentionally and is not billed."
    EXPIRED = (
        "Expired",
        "spec.expiresAfter has passed: the deployment is parked, or was not created; nothing is billed or deleted.",
    )
    BUDGET_EXCEEDED = (
        "BudgetExceeded",
        "A budget does not leave room for what the spec asks; the message names budget, limit, committed and asked.",
    )
    PREPARING_MODEL = (
        "PreparingModel",
        "The model is being prepared for spec.precision, as spec.prepareModel asks; the deployment is created then.",
    )
    CREATING = "Creating", "The deployment is being created; the message names the stage of its replicas."
    FALLING_BACK = (
        "FallingBack",
        "Fireworks has no GPUs for a choice, or its quota is used up: the next one of spec.fallbacks is tried.",
    )
    UPDATING = "Updating", "A change of the spec is being applied."
    REPLACING = (
        "Replacing",
        "The deployment is being replaced, as spec.replacePolicy asks: with Recreate nothing serves meanwhile, with "
        "BlueGreen the former one does.",
    )
    REPLACEMENT_BLOCKED = (
        "ReplacementBlocked",
        "The deployment that is to replace the present one is refused or does not come to serve. The present one keeps "
        "serving; the message says why and what to do.",
    )
    WAKING = "Waking", "A replica is starting after the deployment was scaled to zero."
    RECOVERING = "Recovering", "The last replica is gone although one should be running; a replacement is starting."
    REPLICAS_LOST = (
        "ReplicasLost",
        "Replicas that should be running have been missing for longer than usual and are not being replaced.",
    )
    DELETING = "Deleting", "The deployment is being deleted at Fireworks."
    DELETION_BLOCKED = (
        "DeletionBlocked",
        "Fireworks refuses to delete the deployment; the message says why and how to proceed.",
    )
    PAUSED = "Paused", "spec.paused is true: no changes are made until it is removed."
    OBSERVED = (
        "Observed",
        "managementPolicy is Observe: the status is kept up to date, nothing is written to Fireworks.",
    )
    INVALID_SPEC = "InvalidSpec", "The spec contradicts itself in a way that the API server cannot check."
    REJECTED_BY_FIREWORKS = (
        "RejectedByFireworks",
        "Fireworks rejected the request; the message contains its error.",
    )
    REPLACE_REQUIRED = (
        "ReplaceRequired",
        "A field was changed that Fireworks cannot change in place; the existing deployment keeps serving.",
    )
    QUOTA_EXCEEDED = "QuotaExceeded", "The account's GPU quota does not cover what the spec asks for."
    CAPACITY_PENDING = (
        "CapacityPending",
        "Fireworks has no free GPUs for the replicas, or for some of them.",
    )
    MODEL_NOT_FOUND = (
        "ModelNotFound",
        "A model that the spec refers to does not exist or cannot be read with this API key.",
    )
    CREDENTIALS_MISSING = "CredentialsMissing", "No API key was found where the resource refers to one."
    CREDENTIALS_INVALID = "CredentialsInvalid", "Fireworks does not accept the API key."
    CREDENTIALS_NOT_ALLOWED = (
        "CredentialsNotAllowed",
        "The operator's own API key may not be used from this namespace.",
    )
    ACCOUNT_MISMATCH = "AccountMismatch", "The API key belongs to a different account than the deployment."
    PERMISSION_DENIED = "PermissionDenied", "The API key is valid but is not allowed to do this."
    ACCOUNT_SUSPENDED = "AccountSuspended", "Fireworks has suspended the account, or it has no credit left."
    RATE_LIMITED = "RateLimited", "Fireworks is rate-limiting the account; the operator resumes automatically."
    API_UNAVAILABLE = "ApiUnavailable", "The Fireworks API is unreachable, or the response did not come from it."
    CONFLICT = "Conflict", "The deployment id is in use by a deployment that belongs to someone else."
    ADOPTION_NOT_ALLOWED = (
        "AdoptionNotAllowed",
        "A deployment with this id exists without an owner, and adoption is not allowed.",
    )
    ROUTER_CONFLICT = (
        "RouterConflict",
        "A router with the id of spec.router exists that was not created for this resource; it is left unchanged.",
    )
    DEPLOYMENT_FAILED = "DeploymentFailed", "Fireworks reports that the deployment failed."
    DEPLOYMENT_LOST = (
        "DeploymentLost",
        "The deployment was deleted outside Kubernetes and is not recreated.",
    )
    UNKNOWN_STATE = (
        "UnknownState",
        "Fireworks reports a state of the deployment that this version of the operator does not know.",
    )
    NOT_CONVERGING = "NotConverging", "Fireworks accepts a change but does not apply it."
    ADDONS_LOADED = "AddonsLoaded", "Every addon of the spec is loaded."
    ADDONS_LOADING = "AddonsLoading", "Addons are being loaded or unloaded."
    LOADING_ADDONS = "LoadingAddons", "The base model is serving; addons of the spec are still being loaded."
    ADDON_FAILED = "AddonFailed", "An addon cannot be loaded; the base model and the other addons are not affected."
    AS_DESIRED = "AsDesired", "Nothing to do: the deployment matches the spec."
    PROGRESSING = "Progressing", "Work is in progress; no action is needed."


class BudgetConditionType(_Documented):
    """The condition types of a FireworksBudget."""

    READY = "Ready", "The operator enforces the limits as they are now."
    EXHAUSTED = "Exhausted", "Nothing else may grow: all is committed, or the money of the month is spent."


class BudgetReason(_Documented):
    """Why a condition of a FireworksBudget, or an event about one, is what it is."""

    ENFORCED = "Enforced", "The limits are enforced."
    WITHIN_LIMITS = "WithinLimits", "There is room within the limits."
    FULLY_COMMITTED = "FullyCommitted", "All that a limit allows is committed to deployments."
    MONTHLY_LIMIT_REACHED = "MonthlyLimitReached", "What may be spent in this month is spent."


def set_condition(
    conditions: Iterable[Condition],
    kind: ConditionType | BudgetConditionType,
    status: ConditionStatus,
    reason: Reason | BudgetReason,
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
    if before is None or (status, reason, message, generation) != _content(before):
        since = before.last_transition_time if before is not None and before.status == status else now
        by_type[kind] = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            observed_generation=generation,
            last_transition_time=since,
        )
    return sorted(by_type.values(), key=lambda condition: _ORDER.get(condition.type, len(_ORDER)))


_ORDER = {member.value: place for place, member in enumerate((*BudgetConditionType, *ConditionType))}


def _content(condition: Condition) -> tuple[str, str, str, int | None]:
    return condition.status, condition.reason, condition.message, condition.observed_generation
