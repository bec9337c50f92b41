"""`report()`: the whole status, from the resource, the observation and what this pass did."""

from dataclasses import replace
from datetime import datetime

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    Condition,
    ConditionStatus,
    FireworksDeployment,
    FireworksDeploymentStatus,
    ManagementPolicy,
)

from .actions import Action, Adopt, Claim, Create, Delete, Refuse, Wait
from .addon_report import addon_condition, report_addons
from .applied import fields_after
from .attempts import NOT_OURS, last_attempt, recreations
from .context import REST_PATIENCE, Context
from .explain import explain
from .identity import model_identifier
from .notices import notices
from .observed import Absent, Observed, Present, Unknown
from .outcome import Outcome
from .retry import may_take_effect
from .shortage import waiting_since
from .summary import effective, is_ready, replicas
from .verdict import Capacity, Verdict, judge, judge_capacity


def report(
    resource: FireworksDeployment, observed: Observed, outcome: Outcome, context: Context
) -> FireworksDeploymentStatus:
    """Derive the status. The same arguments give the same status, so an idle resource is never written."""
    if _keeps(resource, observed, outcome, context):
        return resource.status
    others = isinstance(outcome.action, Refuse) and outcome.action.reason in NOT_OURS
    if others:
        observed = Unknown()  # what it is like is nobody's business but its owner's
    status = _facts(resource, observed, outcome, context)
    status = status.model_copy(
        update={
            "last_attempt": last_attempt(resource, observed, outcome, context),
            "recreations": recreations(resource, outcome, context.now),
            "addons": report_addons(resource, observed, outcome, context) or None,
        }
    )
    verdict = judge(resource, observed, outcome, context)
    if others:
        status = _without_facts(status)
        verdict = replace(verdict, available=("Unknown", *verdict.ready[1:]))
    capacity = judge_capacity(resource, Absent() if others else observed, context.now)
    conditions = _conditions(resource, status, verdict, capacity, context.now)
    addons = addon_condition(resource, status, observed, context)
    if addons is not None:
        before = (each for each in resource.status.conditions if each.type == ConditionType.ADDONS_READY)
        generation = resource.metadata.generation
        conditions = set_condition(
            [*conditions, *before], ConditionType.ADDONS_READY, *addons, generation=generation, now=context.now
        )
    return bounded(status.model_copy(update={"conditions": conditions}))


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
    if isinstance(action, Refuse) and action.reason in NOT_OURS and status.applied_fields is None:
        return _unclaimed(status)
    if error is None and not outcome.begun:
        return _after_success(resource, status, action, observed)
    if isinstance(action, Create) and error is not None and error.definite and explain(error, action).final:
        # Nothing exists: let the spec, or the id, be corrected. Unless an earlier try may yet take effect.
        return status if may_take_effect(resource.status.last_attempt, context.now) else _unclaimed(status)
    return status


def _without_facts(status: FireworksDeploymentStatus) -> FireworksDeploymentStatus:
    """Take back what was told of a deployment that is another's now; what was loaded on it is still remembered."""
    addons = [AddonStatus(model=each.model, message=each.message) for each in status.addons or ()]
    return status.model_copy(update={**_GONE, "addons": addons or None})


def _unclaimed(status: FireworksDeploymentStatus) -> FireworksDeploymentStatus:
    return status.model_copy(update=_UNCLAIMED)


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
            "replicas": replicas(deployment, waiting_since(resource, deployment, context.now)),
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
    if isinstance(action, Delete) and action.hard:
        return status.model_copy(update={**_GONE, "create_time": None, "applied_fields": None})
    applied = fields_after(action, status.applied_fields, resource, observed)
    return status.model_copy(update={"applied_fields": None if applied is None else sorted(applied)})


def _conditions(
    resource: FireworksDeployment,
    status: FireworksDeploymentStatus,
    verdict: Verdict,
    capacity: Capacity | None,
    now: datetime,
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
    # Abnormal when True: what was never short of replicas does not have it at all.
    if capacity is not None and (
        capacity[0] or any(each.type == ConditionType.CAPACITY_PENDING for each in conditions)
    ):
        pending, reason, message = capacity
        put(ConditionType.CAPACITY_PENDING, "True" if pending else "False", reason, message)
    return conditions
