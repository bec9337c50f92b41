"""`report()`: the whole status, from the resource, the observation and what this pass did."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.v1alpha1 import (
    Condition,
    ConditionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
    LastAttempt,
    ManagementPolicy,
)

from .actions import (
    Action,
    AddFinalizer,
    Adopt,
    Claim,
    Create,
    Delete,
    Refuse,
    Undelete,
    UnloadAddon,
    Update,
    Wait,
)
from .addon_report import addon_condition, report_addons
from .addons import ADDON_ACTIONS, uses_addons, wants_addons
from .context import REST_PATIENCE, Context
from .deletion import delete_attempt_name
from .desired import desired
from .explain import Explanation, explain
from .identity import account_of, model_identifier
from .notices import notices
from .observed import Absent, Observed, Present, Unknown
from .outcome import Outcome
from .replicas import Serving, serving
from .retry import (
    CREATE,
    CREATIONS,
    RECREATE,
    RECREATIONS,
    REPLACE,
    UPDATE,
    attempt_of,
    create_attempt,
    known_reason,
    may_take_effect,
    next_attempt,
    recent_recreations,
)
from .summary import effective, is_ready, replicas


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The four summary conditions in the making; None leaves Available as it is."""

    ready: tuple[ConditionStatus, Reason, str]
    reconciling: tuple[bool, Reason, str]
    stalled: tuple[bool, Reason, str]
    available: tuple[ConditionStatus, Reason, str] | None


def report(
    resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context
) -> FireworksDeploymentStatus:
    """Derive the status. The same arguments give the same status, so an idle resource is never written."""
    if _keeps(resource, observed, outcome, context):
        return resource.status
    if isinstance(outcome.action, Refuse) and outcome.action.reason in _NOT_OURS:
        observed = Unknown()  # what it is like is nobody's business but its owner's
    status = _facts(resource, observed, outcome, context)
    status = status.model_copy(
        update={
            "last_attempt": _last_attempt(resource, observed, outcome, context),
            "recreations": _recreations(resource, outcome, context.now),
            "addons": report_addons(resource, observed, outcome, context) or None,
        }
    )
    verdict = _verdict(resource, observed, outcome, context)
    return status.model_copy(update={"conditions": _conditions(resource, status, verdict, context.now)})


def _keeps(resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context) -> bool:
    """Tell whether nothing new is known: before the first observation, or at rest while observing fails briefly."""
    action = outcome.action
    if outcome.error is not None or not isinstance(action, Wait):
        return False
    if action.reason is None:
        return isinstance(observed, Unknown)
    if context.unreachable_since is None or action.reason not in (
        Reason.API_UNAVAILABLE,
        Reason.RATE_LIMITED,
    ):
        return False
    rested = is_ready(resource) and resource.metadata.deletion_timestamp is None
    return rested and context.now - context.unreachable_since < REST_PATIENCE


def _facts(
    resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context
) -> FireworksDeploymentStatus:
    """Return the status with everything but attempts, addons and conditions."""
    status = resource.status.model_copy(update={"observed_generation": resource.metadata.generation})
    action, error = outcome.action, outcome.error
    if isinstance(action, Claim):
        status = status.model_copy(update={"deployment_name": action.deployment_name, "account": action.account})
    if isinstance(action, Adopt) and action.by_request:
        # Before the marker: nothing of what is set there was set by us, so nothing of it is ever reset.
        refused = error is not None and error.definite
        status = status.model_copy(update={"applied_fields": None if refused else []})
    if isinstance(observed, Present):
        status = _present_facts(status, observed, resource, context)
    elif isinstance(observed, Absent) and observed.confirmed:
        status = status.model_copy(update=_GONE)
    if isinstance(action, Refuse) and action.reason in _NOT_OURS and status.create_time is None:
        return _unclaimed(status)
    if error is None and not outcome.begun:
        return _after_success(resource, status, action, observed)
    if isinstance(action, Create) and error is not None and error.definite and explain(error, action).final:
        # Nothing exists: let the spec, or the id, be corrected. Unless an earlier try may yet take effect.
        return status if may_take_effect(resource.status.last_attempt, context.now) else _unclaimed(status)
    return status


def _unclaimed(status: FireworksDeploymentStatus) -> FireworksDeploymentStatus:
    return status.model_copy(update=_UNCLAIMED)


_NOT_OURS = frozenset({Reason.CONFLICT, Reason.ADOPTION_NOT_ALLOWED})
_GONE: dict[str, None] = dict.fromkeys(
    ("state", "model_identifier", "endpoint", "replicas", "effective", "notices", "purge_time")
)
_UNCLAIMED: dict[str, None] = _GONE | dict.fromkeys(("deployment_name", "account", "create_time", "applied_fields"))


def _present_facts(
    status: FireworksDeploymentStatus, observed: Present, resource: FireworksDeployment, context: Context
) -> FireworksDeploymentStatus:
    deployment = observed.deployment
    return status.model_copy(
        update={
            "deployment_name": status.deployment_name
            or (deployment.name if resource.spec.management_policy is ManagementPolicy.OBSERVE else None),
            "state": deployment.state,
            "model_identifier": model_identifier(deployment.base_model, deployment.name),
            "endpoint": context.inference_url,
            "replicas": replicas(deployment),
            "effective": effective(deployment),
            "notices": notices(resource, deployment, context.models) or None,
            "create_time": _whole_seconds(deployment.create_time),
            "purge_time": _whole_seconds(deployment.purge_time),
        }
    )


def _whole_seconds(time: datetime | None) -> datetime | None:
    """Return what Kubernetes keeps of a time: a fraction would differ from the stored status for ever."""
    return None if time is None else time.replace(microsecond=0)


def _after_success(
    resource: FireworksDeployment, status: FireworksDeploymentStatus, action: Action, observed: Observed
) -> FireworksDeploymentStatus:
    """Record what is set at Fireworks now, so that what leaves the spec later is reset there."""
    applied = status.applied_fields
    if isinstance(action, Create):
        applied = list(action.fields)
    elif isinstance(action, Delete) and action.hard:
        return status.model_copy(update={**_GONE, "create_time": None, "applied_fields": None})
    elif isinstance(action, Update) and isinstance(observed, Present):
        in_spec = set(_spec_fields(resource, observed))
        applied = list((set(applied or in_spec) | set(action.fields)) & in_spec)
    elif isinstance(action, Wait) and action.reason is None and applied is None and _is_managed(resource, observed):
        applied = _spec_fields(resource, observed)
    return status.model_copy(update={"applied_fields": None if applied is None else sorted(applied)})


def _is_managed(resource: FireworksDeployment, observed: Observed) -> bool:
    return isinstance(observed, Present) and resource.spec.management_policy is ManagementPolicy.MANAGE


def _spec_fields(resource: FireworksDeployment, observed: Observed) -> list[str]:
    account = account_of(observed.deployment.name) if isinstance(observed, Present) else ""
    return list(desired(resource.spec, account).values)


def _last_attempt(
    resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context
) -> LastAttempt | None:
    """Return what must be remembered over a restart: tries that failed, or whose answer is not known yet."""
    action, error, now, before = outcome.action, outcome.error, context.now, resource.status.last_attempt
    if isinstance(action, Claim):
        return create_attempt(resource, now)
    if isinstance(action, Create) and outcome.begun:
        return before if _just_begun(before, now) else create_attempt(resource, now)
    if error is not None:
        return _failed_attempt(resource, action, explain(error, action), now)
    if isinstance(action, Create | Undelete):
        replaced = attempt_of(resource, REPLACE)
        return replaced and replaced.model_copy(update={"reason": Reason.AS_DESIRED, "message": None})
    if isinstance(action, Delete):
        return before if action.hard else next_attempt(resource, delete_attempt_name(action), Reason.DELETING, now)
    if isinstance(action, Update):
        return next_attempt(resource, UPDATE, Reason.UPDATING, now)
    claimed = resource.status.deployment_name is not None and resource.status.create_time is None
    if isinstance(action, Refuse) and action.reason in _NOT_OURS and claimed:
        return next_attempt(
            resource, CREATE, action.reason, now, action.message
        )  # claimed, and the id turned out to be taken
    if isinstance(action, Refuse) and action.reason is Reason.DEPLOYMENT_FAILED:
        if before is None or before.action != REPLACE or before.reason != Reason.DEPLOYMENT_FAILED:
            return next_attempt(resource, REPLACE, Reason.DEPLOYMENT_FAILED, now)
        return before
    return _settled(resource, observed, action)


def _recreations(resource: FireworksDeployment, outcome: Outcome, now: datetime) -> list[datetime] | None:
    """Add when a deployment that was deleted elsewhere is brought back, once however often it is tried."""
    action, known = outcome.action, resource.status.recreations
    brings_back = (
        outcome.begun if isinstance(action, Create) else isinstance(action, Undelete) and outcome.error is None
    )
    counted = attempt_of(resource, RECREATE, REPLACE) is not None
    if not brings_back or counted or resource.status.create_time is None:
        return known
    return [*recent_recreations(resource, now), now.replace(microsecond=0)][-RECREATIONS:]


def _just_begun(attempt: LastAttempt | None, now: datetime) -> bool:
    """Tell whether the record is recent enough to bound a request that starts now."""
    return attempt is not None and attempt.reason == Reason.CREATING and now - attempt.time < timedelta(seconds=10)


def _settled(resource: FireworksDeployment, observed: Observed, action: Action) -> LastAttempt | None:
    """Forget an attempt once the deployment is as desired, a failed one's replacement once it serves."""
    before = resource.status.last_attempt
    if before is None or not isinstance(action, Wait) or action.reason is not None or not isinstance(observed, Present):
        return before
    if before.action == REPLACE and observed.deployment.replica_stats.ready == 0:
        return before
    addons_settled = action.until is None and (observed.addons is not None or not uses_addons(resource))
    return before if before.action in ADDON_ACTIONS and not addons_settled else None


def _failed_attempt(
    resource: FireworksDeployment, action: Action, explanation: Explanation, now: datetime
) -> LastAttempt | None:
    before = resource.status.last_attempt
    if isinstance(action, Create):
        attempt = before if before is not None and before.action in CREATIONS else create_attempt(resource, now)
        message = explanation.message if explanation.final else None
        return attempt.model_copy(update={"time": now, "reason": explanation.reason, "message": message})
    if not explanation.final:
        return before  # the queue's own pauses do; a restart may try at once
    if isinstance(action, Delete) and action.hard and not action.ignore_checks:
        # The failed deployment stays: the pauses before its replacement grow, and say why.
        return next_attempt(resource, REPLACE, Reason.DEPLOYMENT_FAILED, now, explanation.message)
    name = delete_attempt_name(action) if isinstance(action, Delete) and not action.hard else action.name
    return next_attempt(resource, name, explanation.reason, now, explanation.message)


_ADDON_REFUSALS = frozenset({Reason.ADDON_FAILED, Reason.QUOTA_EXCEEDED, Reason.PERMISSION_DENIED})
"""What keeps an addon from being loaded, changed or unloaded, and concerns nothing else."""


def _verdict(resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context) -> _Verdict:
    available = _available(resource, observed, context)
    if outcome.error is not None:
        explanation = explain(outcome.error, outcome.action)
        addons_alone = outcome.action.name in ADDON_ACTIONS and explanation.reason in _ADDON_REFUSALS
        if addons_alone and resource.metadata.deletion_timestamp is None:
            return _resting(resource, available, observed)
        return _troubled(explanation, available)
    action = outcome.action
    if isinstance(action, Refuse):
        return _troubled(Explanation(action.reason, action.message, final=True), available)
    if resource.metadata.deletion_timestamp is not None:
        return _progressing(
            Reason.DELETING, getattr(action, "message", "") or "The deployment is being deleted.", available
        )
    refused = _refused_before(resource, outcome, context)
    if refused is not None:
        return _troubled(refused, available)
    if isinstance(action, Wait) and action.reason is not None:
        if action.reason in (Reason.UPDATING, Reason.CREATING):
            return _progressing(action.reason, action.message, available)
        return _troubled(Explanation(action.reason, action.message, final=False), available)
    if isinstance(action, AddFinalizer | Claim | Create | Adopt | Undelete) or not isinstance(observed, Present):
        return _progressing(Reason.CREATING, "The deployment is being created.", available)
    last_addons_leave = isinstance(action, UnloadAddon) and not wants_addons(resource)
    if isinstance(action, Update) or (isinstance(action, Delete) and action.hard) or last_addons_leave:
        return _progressing(Reason.UPDATING, _action_message(action), available)
    return _resting(resource, available, observed)


def _refused_before(resource: FireworksDeployment, outcome: Outcome, context: Context) -> Explanation | None:
    """Return why a create request was refused that is now sent again unasked: until its answer nothing is new."""
    sending = isinstance(outcome.action, Claim) or (isinstance(outcome.action, Create) and outcome.begun)
    if not sending or context.forced or attempt_of(resource, *CREATIONS) is None:
        return None
    stalled = (each for each in resource.status.conditions if each.type == ConditionType.STALLED)
    told = next((each for each in stalled if each.status == "True"), None)
    return None if told is None else Explanation(known_reason(told.reason), told.message, final=True)


def _action_message(action: Action) -> str:
    if isinstance(action, Update):
        return "Changing " + ", ".join(f"spec.{field}" for field in action.fields) + "."
    if isinstance(action, UnloadAddon):
        return f"Unloading the addon {action.model}."
    return "The failed deployment is being replaced."


def _available(resource: FireworksDeployment, observed: Observed, context: Context) -> Serving | None:
    """Return what the replicas say; None where nothing is known, so that Available stays as it is."""
    if isinstance(observed, Present):
        deployment = observed.deployment
        if deployment.state in ("DELETED", "DELETING", "FAILED") and deployment.replica_stats.ready == 0:
            reason = Reason.DEPLOYMENT_FAILED if deployment.state == "FAILED" else Reason.DELETING
            return Serving(False, False, reason, f"The deployment is {deployment.state}.")
        return serving(deployment, served_before=_served_before(resource), now=context.now)
    if isinstance(observed, Absent):
        return Serving(False, False, Reason.CREATING, "There is no deployment at Fireworks.")
    return None


def _served_before(resource: FireworksDeployment) -> bool:
    reasons = {each.reason for each in resource.status.conditions if each.type == ConditionType.AVAILABLE}
    return bool(reasons & {Reason.SERVING, Reason.SCALED_TO_ZERO, Reason.PARKED, Reason.WAKING})


def _available_condition(available: Serving | None) -> tuple[ConditionStatus, Reason, str] | None:
    if available is None:
        return None
    return ("True" if available.available else "False", available.reason, available.message)


_AT_REST = (False, Reason.AS_DESIRED, "")


def _troubled(explanation: Explanation, available: Serving | None) -> _Verdict:
    ready: ConditionStatus = "False" if explanation.final else "Unknown"
    told = (explanation.reason, explanation.message)
    return _Verdict(
        ready=(ready, *told),
        reconciling=_AT_REST if explanation.final else (True, *told),
        stalled=(True, *told) if explanation.final else _AT_REST,
        available=_available_condition(available),
    )


def _progressing(reason: Reason, message: str, available: Serving | None) -> _Verdict:
    return _Verdict(("False", reason, message), (True, reason, message), _AT_REST, _available_condition(available))


def _resting(resource: FireworksDeployment, available: Serving | None, observed: Observed | None = None) -> _Verdict:
    """Nothing is left to do; Ready if the deployment serves, or does not on purpose."""
    if available is None:
        return _progressing(Reason.PROGRESSING, "The deployment is being looked at.", None)
    told = (available.reason, available.message)
    state = observed.deployment.state if isinstance(observed, Present) else "READY"
    if state == "CREATING" or not available.settled:
        reason, message = (
            told if not available.available else (Reason.CREATING, "Fireworks is still creating the deployment.")
        )
        return _progressing(reason, message, available)
    if state == "UPDATING" and not is_ready(resource):
        return _progressing(Reason.UPDATING, "Fireworks is putting the change into force.", available)
    # Waking, too: traffic does that, not a change, and who waits for a change must not wait, or fail, over it.
    return _Verdict(("True", *told), _AT_REST, _AT_REST, _available_condition(available))


def _conditions(
    resource: FireworksDeployment, status: FireworksDeploymentStatus, verdict: _Verdict, now: datetime
) -> list[Condition]:
    conditions = [each for each in resource.status.conditions if each.type != ConditionType.ADDONS_READY]
    generation = resource.metadata.generation

    def put(kind: ConditionType, value: ConditionStatus, reason: Reason, message: str) -> None:
        nonlocal conditions
        conditions = set_condition(conditions, kind, value, reason, message, generation=generation, now=now)

    put(ConditionType.READY, *verdict.ready)
    if verdict.available is not None:
        put(ConditionType.AVAILABLE, *verdict.available)
    elif not any(each.type == ConditionType.AVAILABLE for each in conditions):
        put(ConditionType.AVAILABLE, "Unknown", verdict.ready[1], verdict.ready[2])
    for kind, (value, reason, message) in (
        (ConditionType.RECONCILING, verdict.reconciling),
        (ConditionType.STALLED, verdict.stalled),
    ):
        put(kind, "True" if value else "False", reason, message)
    addons = addon_condition(resource, status)
    if addons is not None:
        conditions.extend(each for each in resource.status.conditions if each.type == ConditionType.ADDONS_READY)
        put(ConditionType.ADDONS_READY, *addons)
    return conditions
