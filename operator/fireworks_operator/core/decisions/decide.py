"""`decide()`: which one step comes next for a resource."""

from typing import get_args

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, FINALIZER, FireworksDeployment, ManagementPolicy
from fireworks_operator.core.actions import (
    Action,
    AddFinalizer,
    Adopt,
    Choose,
    Claim,
    Delete,
    Mutation,
    Park,
    Pending,
    Progress,
    Refuse,
    RemoveFinalizer,
    Rest,
    RouterChange,
    SetReplacement,
    Trouble,
    Turn,
    Update,
    Waiting,
)
from fireworks_operator.core.context import REST_PATIENCE, Context, Unusable, Usable
from fireworks_operator.core.observed.observation import UNREADABLE, Absent, Observed, Present, Unknown, is_of_now
from fireworks_operator.core.observed.shortage import patience_ends
from fireworks_operator.core.pauses import CREATIONS, REPLACE, revives_until
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.target import heir_of, new_name
from fireworks_operator.fireworks.models import Deployment

from .addons import decide_addons
from .adoption import account_mismatch, decide_adoption, refuse_to_show
from .changes import decide_changes, decide_tags, decide_update
from .contradictions import contradiction
from .deletion import decide_deletion
from .deployed_model import decide_deployed_model
from .direct_route import due_changes, due_keys, missing_keys
from .fallback import decide_beginning, decide_fallback, fallback_due
from .growth import refuse_creation, within_budget
from .hand_back import decide_way_back
from .leftover import decide_leftover
from .parking import decide_parking, only_parking, refuse_to_create, rest_parked
from .preparation import decide_preparation
from .recovery import decide_deleted, decide_failed, decide_lost
from .refusals import held_back
from .replacement import creation, decide_replacement, wait_for_deletion, wait_for_successor
from .router import decide_router

_WITHHELD_WHILE_PAUSED = (*get_args(Mutation), AddFinalizer, Claim, Choose, Park, SetReplacement, *get_args(Turn))


def decide(situation: Situation) -> Action:
    """Name the next step: one action per pass, the pass after it sees the result.

    Pure and total: every situation has an answer, and the same situation has the same one. Never creates or destroys
    on `Unknown`.
    """
    if situation.is_deleting:
        return decide_deletion(situation)
    if situation.spec.management_policy is ManagementPolicy.OBSERVE:
        return _decide_observing(situation)
    return withhold(situation, _decide_managed(situation))


def withhold(situation: Situation, action: Action) -> Action:
    """Refuse to change anything while the resource is paused."""
    if not situation.spec.paused:
        return action
    waits_to_update = isinstance(action, Progress) and action.reason is Reason.UPDATING
    if not waits_to_update and not isinstance(action, _WITHHELD_WHILE_PAUSED):
        return action
    withheld = Update.name if waits_to_update else _name(action)
    return Refuse(
        Reason.PAUSED,
        f"Paused with a change withheld ({withheld}); {_running_cost(situation.observed)}. Remove spec.paused to "
        "apply it.",
    )


def _name(action: Action) -> str:
    replaces = isinstance(action, SetReplacement | Turn) or (isinstance(action, Delete) and bool(action.replaces))
    return REPLACE if replaces else action.name


def needs_closer_look(resource: FireworksDeployment, observed: Observed) -> bool:
    """Tell whether a GET is due before deciding.

    What became of a deployment that a LIST lacks, the LIST does not say; and a resource goes upon an answer of now.
    """
    if isinstance(observed, Unknown):
        return False
    if resource.metadata.deletion_timestamp is not None:
        if FINALIZER not in resource.metadata.finalizers:
            return False
        # What is abandoned is let go whatever became of it, also while Fireworks cannot be asked.
        return resource.metadata.annotations.get(ANNOTATION_ABANDON) != "true" and not is_of_now(observed)
    lost = isinstance(observed, Absent) and not observed.confirmed
    return lost and resource.status.deployment_name is not None and resource.status.create_time is not None


def _decide_observing(situation: Situation) -> Action:
    resource, observed, context = situation.resource, situation.observed, situation.context
    if FINALIZER in resource.metadata.finalizers:
        return RemoveFinalizer(
            "managementPolicy is now Observe: the deployment stays and is no longer managed.",
            left=resource.status.deployment_name,
            cause="Observe",
        )
    if isinstance(context.credential, Unusable):
        return _unusable(context.credential)
    mismatch = account_mismatch(resource, context.credential)
    if mismatch is not None:
        return mismatch
    if isinstance(observed, Unknown):
        return _unreachable(observed, context)
    if isinstance(observed, Absent):
        way_out = (
            "correct spec.deploymentId"
            if resource.status.deployment_name is None
            else "delete this resource, or set spec.managementPolicy to Manage to have it created"
        )
        return Refuse(Reason.DEPLOYMENT_LOST, f"There is no deployment {situation.target} to observe: {way_out}.")
    deployment = observed.deployment
    return refuse_to_show(situation, deployment, context.credential) or _decide_observed(situation, deployment)


def _decide_observed(situation: Situation, deployment: Deployment) -> Action:
    """Say what will not come right by itself, as nobody here will put it right."""
    if deployment.state == "DELETED":
        return Refuse(
            Reason.DEPLOYMENT_LOST,
            f"{deployment.name} is deleted and is only observed here: delete this resource, or set "
            "spec.managementPolicy to Manage to have it restored.",
        )
    if deployment.state == "FAILED" and deployment.replica_stats.ready == 0:
        why = deployment.status_message.rstrip(".") or "no reason given"
        return Refuse(
            Reason.DEPLOYMENT_FAILED,
            f"Fireworks reports that the deployment failed: {why}. It is only observed here: fix it where it is "
            "managed, or in the Fireworks console.",
        )
    return _at_rest(situation, deployment)


def _decide_managed(situation: Situation) -> Action:
    resource, observed, context = situation.resource, situation.observed, situation.context
    if FINALIZER not in resource.metadata.finalizers and resource.status.deployment_name is not None:
        return AddFinalizer()
    if isinstance(context.credential, Unusable):
        return _unusable(context.credential)
    mismatch = account_mismatch(resource, context.credential)
    if mismatch is not None:
        return mismatch
    target = resource.status.deployment_name
    problem = contradiction(resource, context.credential.account)
    if problem is not None and (target is None or only_parking(situation) is None):
        return Refuse(Reason.INVALID_SPEC, problem)
    if target is None:
        return _decide_claim(situation, context.credential)
    if isinstance(observed, Unknown):
        return _unreachable(observed, context)
    replaced = decide_way_back(situation) or wait_for_successor(situation)
    waits = replaced or _decide_heir(situation, target, context.credential.account)
    if waits is not None:
        return waits
    if isinstance(observed, Absent):
        return _decide_absent(situation, observed, target)
    return _decide_present(situation, observed.deployment, context.credential)


def _decide_heir(situation: Situation, target: str, account: str) -> Claim | None:
    """Claim what has replaced the deployment of the status, which is of an old backup then; None if nothing has."""
    observed = situation.observed
    ended = observed.confirmed if isinstance(observed, Absent) else _is_ended(observed)
    if not ended or situation.status.replacement is not None:
        return None
    heir = heir_of(situation.resource, situation.context, target)
    return None if heir is None else Claim(heir, account)


def _is_ended(observed: Observed) -> bool:
    return isinstance(observed, Present) and observed.deployment.state in ("DELETING", "DELETED")


def _unusable(credential: Unusable) -> Waiting:
    if credential.needs_user:
        return Refuse(credential.reason, credential.message)
    return Trouble(credential.reason, credential.message)


def _unreachable(observed: Unknown, context: Context) -> Waiting:
    if observed.unreadable:
        return Trouble(Reason.API_UNAVAILABLE, UNREADABLE)
    if observed.doubt:
        return Trouble(Reason.API_UNAVAILABLE, observed.doubt)
    if context.unreachable_since is None:
        return Pending()  # the first observation is still on its way
    until = context.unreachable_since + REST_PATIENCE
    return Trouble(context.unreachable_reason, context.unreachable, until if until > context.now else None)


def _decide_claim(situation: Situation, credential: Usable) -> Action:
    observed = situation.observed
    if isinstance(observed, Unknown):
        return _unreachable(observed, situation.context)
    if isinstance(observed, Present):
        # Somebody else's deployment must not be claimed: the claim makes the id immutable, and it may be the mistake.
        refused = decide_adoption(situation, observed.deployment, credential)
        if isinstance(refused, Refuse):
            return refused
    elif (parked := refuse_to_create(situation)) is not None:
        return parked
    held = held_back(situation, *CREATIONS)
    if held is not None:
        return held
    choose = None if isinstance(observed, Present) else decide_beginning(situation)
    if choose is not None:
        return choose
    missing = missing_keys(situation)
    if missing is not None and not isinstance(observed, Present):
        return missing  # not after the claim: until then, the spec can be corrected
    exceeded = None if isinstance(observed, Present) else refuse_creation(situation)
    if exceeded is not None:
        return exceeded
    preparation = None if isinstance(observed, Present) else decide_preparation(situation, credential.account)
    if preparation is not None:
        return preparation
    if FINALIZER not in situation.resource.metadata.finalizers:
        return AddFinalizer()  # not before: who has it and no claim may have lost the claim, which holds up a deletion
    return Claim(new_name(situation.resource, situation.context, credential.account), credential.account)


def _decide_absent(situation: Situation, observed: Absent, target: str) -> Action:
    existed = situation.status.create_time is not None
    if existed and not observed.confirmed:
        return Pending()
    parked = refuse_to_create(situation)
    if parked is not None:
        return parked
    if existed:
        lost = decide_lost(situation)
        if lost is not None:
            return lost
    held = held_back(situation, *CREATIONS) or decide_beginning(situation) or missing_keys(situation)
    held = held or refuse_creation(situation)
    if held is not None:
        return held
    return creation(situation, target)


def _decide_present(situation: Situation, deployment: Deployment, credential: Usable) -> Action:
    adoption = decide_adoption(situation, deployment, credential)
    if adoption is not None:
        held = held_back(situation, Adopt.name) if isinstance(adoption, Adopt) else None
        return held or adoption
    if deployment.state == "DELETING":
        return wait_for_deletion(situation)
    waits = decide_parking(situation, deployment) or _decide_ended(situation, deployment)
    if waits is not None:
        return waits
    due = only_parking(situation)
    return decide_update(due, deployment) if due is not None else _decide_live(situation, deployment)


def _decide_ended(situation: Situation, deployment: Deployment) -> Action | None:
    """Bring back or replace what has ended; None if it has not, or is parked and has replicas all the same."""
    if deployment.state == "DELETED":
        return decide_deleted(situation, deployment)
    failed = deployment.state == "FAILED" and situation.parking is None
    return decide_failed(situation, deployment) if failed else None


def _decide_live(situation: Situation, deployment: Deployment) -> Action:
    first = decide_leftover(situation, deployment) or decide_fallback(situation, deployment)
    if first is not None:
        return first
    if situation.drift.replacements:
        return decide_replacement(situation, deployment)
    situation, exceeded = within_budget(situation, deployment)
    if due_changes(situation) or due_keys(situation) is not None:
        return decide_changes(situation, deployment)
    if situation.drift.tags:
        return decide_tags(situation, deployment)
    addons = decide_addons(situation, deployment)
    rest = addons if isinstance(addons, Rest) else None
    loaded = decide_deployed_model(situation, deployment) if addons is rest else addons
    waits = _decide_router_beside(situation, deployment, loaded) or missing_keys(situation) or exceeded
    return waits or rest_parked(situation) or _at_rest(situation, deployment, rest)


def _decide_router_beside(situation: Situation, deployment: Deployment, loaded: Action | None) -> Action | None:
    """Name what is next of the loaded models and the router, which waits for no model to be loaded or mended."""
    if isinstance(loaded, Mutation):
        return loaded
    router = decide_router(situation, deployment)
    return router if isinstance(router, RouterChange) else loaded or router


def _at_rest(situation: Situation, deployment: Deployment, addons: Rest | None = None) -> Rest:
    """Rest until replicas are overdue, addons are due, or a request without an answer can no longer take effect."""
    ends = (
        patience_ends(situation.resource, deployment, situation.now),
        revives_until(situation.status.last_attempt, situation.now),
        fallback_due(situation, deployment),
    )
    due = [each for each in ends if each is not None and each > situation.now]
    if addons is not None and addons.until is not None:
        due.append(addons.until)
    return Rest(min(due, default=None))


def _running_cost(observed: Observed) -> str:
    """Say what goes on costing money, e.g. `still running 2 x 4 NVIDIA_H100_80GB`."""
    if not isinstance(observed, Present):
        return "no running replica is known"
    deployment = observed.deployment
    replicas = max(deployment.replica_count, deployment.replica_stats.ready)
    if replicas == 0:
        return "no replica is running"
    return f"still running {replicas} x {deployment.accelerator_count or 1} {deployment.accelerator_type or 'GPU'}"
