"""`report()`: the whole status, from the situation and what this pass did."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from fireworks_operator.api.bounds import bounded
from fireworks_operator.api.conditions import ConditionType, Reason, set_condition
from fireworks_operator.api.v1alpha1 import (
    AddonStatus,
    Condition,
    ConditionStatus,
    FireworksDeploymentStatus,
    Identifier,
    ManagementPolicy,
)
from fireworks_operator.core.actions import Action, Adopt, Claim, Create, Delete, Pending, Refuse, Rest, Trouble
from fireworks_operator.core.connection import ROUTER, connection_notices
from fireworks_operator.core.context import REST_PATIENCE
from fireworks_operator.core.decisions.addons import observed_addons, uses_addons
from fireworks_operator.core.desired.parking import expires_at
from fireworks_operator.core.diagnosis import diagnose
from fireworks_operator.core.identity import model_identifier, pod_selector
from fireworks_operator.core.observed.observation import Absent, Present, Unknown
from fireworks_operator.core.observed.shortage import ENDED, waiting_since
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.pauses import may_take_effect
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment

from .addons import addon_condition, addon_trouble, report_addons
from .applied import created_from_after, fields_after, route_secret_after
from .attempts import NOT_OURS, last_attempt, recreations
from .choice import choice_after
from .conditions import Capacity, Summary, include_addons, summarize, summarize_capacity
from .cost import cost_of, stopped
from .facts import effective, identifiers, is_default, is_ready, replicas
from .notices import notices
from .parked import parked_after
from .router import router_after, router_identifiers


def report(situation: Situation, outcome: Outcome) -> FireworksDeploymentStatus:
    """Derive the status. The same arguments give the same status, so an idle resource is never written."""
    if _keeps(situation, outcome):
        return situation.status
    others = isinstance(outcome.action, Refuse) and outcome.action.reason in NOT_OURS
    if others:
        situation = replace(situation, observed=Unknown())  # what it is like is nobody's business but its owner's
    status = _facts(situation, outcome)
    status = status.model_copy(
        update={
            "last_attempt": last_attempt(situation, outcome),
            "recreations": recreations(situation, outcome),
            "addons": report_addons(situation, outcome) or None,
            "expires_at": expires_at(situation.resource),
            "parked": parked_after(situation, outcome),
            "choice": choice_after(situation, outcome),
            "router": router_after(situation, outcome),
            "cost": stopped(status.cost, situation.now) if others else cost_of(situation),
        }
    )
    summary = include_addons(situation, summarize(situation, outcome), addon_trouble(situation, status))
    capacity = summarize_capacity(replace(situation, observed=Absent()) if others else situation)
    if others:
        status = _without_facts(status)
        summary = replace(summary, available=("Unknown", *summary.ready[1:]))
    conditions = _conditions(situation, summary, capacity)
    addons = addon_condition(situation, status)
    if addons is not None:
        before = (each for each in situation.status.conditions if each.type == ConditionType.ADDONS_READY)
        conditions = set_condition(
            [*conditions, *before],
            ConditionType.ADDONS_READY,
            *addons,
            generation=situation.resource.metadata.generation,
            now=situation.now,
        )
    return bounded(status.model_copy(update={"conditions": conditions}))


def _keeps(situation: Situation, outcome: Outcome) -> bool:
    """Tell whether nothing new is known: before the first observation, or at rest while observing fails briefly."""
    action, context = outcome.action, situation.context
    if outcome.error is not None:
        return False
    if isinstance(action, Rest | Pending):
        return isinstance(situation.observed, Unknown)
    if not isinstance(action, Trouble) or action.reason not in (Reason.API_UNAVAILABLE, Reason.RATE_LIMITED):
        return False
    if context.unreachable_since is None or situation.is_deleting or not is_ready(situation.resource):
        return False
    return context.now - context.unreachable_since < REST_PATIENCE


def _facts(situation: Situation, outcome: Outcome) -> FireworksDeploymentStatus:
    """Return the status with everything but attempts, addons and conditions."""
    claims = {
        "observed_generation": situation.resource.metadata.generation,
        "selector": pod_selector(situation.resource.metadata.uid),
        "direct_route_secret": route_secret_after(situation, outcome),
        "created_from": created_from_after(situation, outcome),
        **_claims(outcome),
    }
    before = situation.status
    if isinstance(outcome.action, Claim) and before.deployment_name is not None:
        before = _unclaimed(before)  # what was known is of another deployment
    status = before.model_copy(update=claims)
    status = status.model_copy(update=_observed_facts(situation, status.deployment_name))
    action = outcome.action
    if isinstance(action, Refuse) and action.reason in NOT_OURS and status.applied_fields is None:
        return _unclaimed(status)
    if outcome.error is None and not outcome.begun:
        return _after_success(situation, status, action)
    return _unclaimed(status) if _creates_nothing(situation, outcome) else status


def _claims(outcome: Outcome) -> dict[str, object]:
    """Return what must be remembered of a deployment before the first request about it."""
    match outcome.action:
        case Claim(deployment_name=name, account=account):
            return {"deployment_name": name, "account": account}
        case Adopt(by_request=True):
            # Before the marker: nothing of what is set there was set by us, so nothing of it is ever reset.
            refused = outcome.error is not None and outcome.error.definite
            return {"applied_fields": None if refused else []}
    return {}


def _creates_nothing(situation: Situation, outcome: Outcome) -> bool:
    """Tell whether nothing exists and a person must act, so that the spec, or the id, may be corrected."""
    action, error = outcome.action, outcome.error
    if not isinstance(action, Create) or error is None or not error.definite:
        return False
    earlier = may_take_effect(situation.status.last_attempt, situation.now)
    return diagnose(error, action).needs_user and not earlier


def _without_facts(status: FireworksDeploymentStatus) -> FireworksDeploymentStatus:
    """Take back what was told of a deployment that is another's now; what was loaded on it is still remembered."""
    addons = [AddonStatus(model=each.model, message=each.message) for each in status.addons or ()]
    return status.model_copy(update={**_GONE, "addons": addons or None})


def _unclaimed(status: FireworksDeploymentStatus) -> FireworksDeploymentStatus:
    return status.model_copy(update=_UNCLAIMED)


_GONE: dict[str, None] = dict.fromkeys(
    (
        *("state", "model_identifier", "identifiers", "endpoint", "direct_route_handle"),
        *("replicas", "effective", "notices", "purge_time"),
    )
)
_UNCLAIMED: dict[str, None] = _GONE | dict.fromkeys(
    ("deployment_name", "account", "create_time", "applied_fields", "direct_route_secret", "created_from")
)


def _observed_facts(situation: Situation, name: str | None) -> Mapping[str, object]:
    """Return what Fireworks says of the deployment; `name` is the one that is claimed."""
    match situation.observed:
        case Present(deployment=deployment):
            return _present_facts(situation, deployment, name)
        case Absent(confirmed=True):
            return _GONE
    return {}


def _present_facts(situation: Situation, deployment: Deployment, name: str | None) -> dict[str, object]:
    if name is None and situation.spec.management_policy is ManagementPolicy.OBSERVE:
        name = deployment.name
    return {
        "deployment_name": name,
        "state": deployment.state,
        "model_identifier": model_identifier(deployment.base_model, deployment.name),
        "identifiers": _identifiers(situation, deployment),
        "endpoint": situation.context.inference_url,
        "direct_route_handle": deployment.direct_route_handle or None,
        "replicas": replicas(deployment, waiting_since(situation.resource, deployment, situation.now)),
        "effective": effective(deployment),
        "notices": [*notices(situation, deployment), *connection_notices(situation.status)] or None,
        "create_time": _whole_seconds(deployment.create_time),
        "purge_time": _whole_seconds(deployment.purge_time),
    }


def _identifiers(situation: Situation, deployment: Deployment) -> list[Identifier] | None:
    """Return what reaches the deployment; None of one that has ended, which nothing reaches."""
    if deployment.state in ENDED:
        return None
    loaded = observed_addons(situation.observed)
    if not uses_addons(situation.resource):
        default = False  # nobody asks, but for a while during a replacement: it must not come and go with that
    elif loaded is not None:
        default = any(is_default(each, deployment) for each in loaded)
    else:
        # Their LIST is on its way, or fails: what was known stays.
        known = [each for each in situation.status.identifiers or () if each.kind != ROUTER]
        default = known == identifiers(deployment, default=True)
    return [*identifiers(deployment, default=default), *router_identifiers(situation, deployment)]


def _whole_seconds(time: datetime | None) -> datetime | None:
    """Return what Kubernetes keeps of a time: a fraction would differ from the stored status for ever."""
    return None if time is None else time.replace(microsecond=0)


def _after_success(
    situation: Situation, status: FireworksDeploymentStatus, action: Action
) -> FireworksDeploymentStatus:
    """Record what is set at Fireworks now, so that what leaves the spec later is reset there."""
    if isinstance(action, Delete) and action.hard:
        return status.model_copy(update={**_GONE, "create_time": None, "applied_fields": None})
    applied = fields_after(situation, action, status.applied_fields)
    return status.model_copy(update={"applied_fields": None if applied is None else sorted(applied)})


def _conditions(situation: Situation, summary: Summary, capacity: Capacity | None) -> list[Condition]:
    conditions = [each for each in situation.status.conditions if each.type != ConditionType.ADDONS_READY]
    generation, now = situation.resource.metadata.generation, situation.now

    def put(kind: ConditionType, value: ConditionStatus, reason: Reason, message: str) -> None:
        nonlocal conditions
        conditions = set_condition(conditions, kind, value, reason, message, generation=generation, now=now)

    put(ConditionType.READY, *summary.ready)
    if summary.available is not None:
        put(ConditionType.AVAILABLE, *summary.available)
    elif not any(each.type == ConditionType.AVAILABLE for each in conditions):
        put(ConditionType.AVAILABLE, "Unknown", summary.ready[1], summary.ready[2])
    for kind, (value, reason, message) in (
        (ConditionType.RECONCILING, summary.reconciling),
        (ConditionType.STALLED, summary.stalled),
    ):
        put(kind, "True" if value else "False", reason, message)
    # Abnormal when True: what was never short of replicas does not have it at all.
    if capacity is not None and (
        capacity[0] or any(each.type == ConditionType.CAPACITY_PENDING for each in conditions)
    ):
        pending, reason, message = capacity
        put(ConditionType.CAPACITY_PENDING, "True" if pending else "False", reason, message)
    return conditions
