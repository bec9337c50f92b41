"""`decide()`: which one step comes next for a resource."""

from dataclasses import replace
from datetime import datetime

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    FINALIZER,
    FireworksDeployment,
    ManagementPolicy,
)
from fireworks_operator.fireworks.models import Deployment

from .actions import (
    MUTATIONS,
    Action,
    AddFinalizer,
    Adopt,
    Claim,
    Create,
    Refuse,
    RemoveFinalizer,
    Update,
    Wait,
)
from .addons import decide_addons, decide_switching_off
from .adoption import account_mismatch, decide_adoption, refuse_to_show
from .applied import history
from .attempts import revives_until
from .context import REST_PATIENCE, Context, Unusable, Usable, pinned_account
from .deletion import decide_deletion
from .desired import desired
from .drift import Drift, find_drift
from .durations import parse_duration
from .identity import (
    account_of,
    deployment_id,
    deployment_name,
    full_model_name,
)
from .observed import UNREADABLE, Absent, Observed, Present, Unknown, is_of_now
from .recovery import decide_deleted, decide_failed, decide_lost
from .replicas import running_cost
from .retry import (
    CONVERGENCE_TRIES,
    CREATIONS,
    REFUSED,
    UPDATE,
    UPDATE_SPACING,
    attempt_of,
    held_back,
    pause_until,
)
from .shortage import patience_ends


def decide(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    """Name the next step: one action per pass, the pass after it sees the result.

    Pure and total: every combination of arguments has an answer, and the same arguments have the same one.
    Never creates or destroys on `Unknown`.
    """
    if resource.metadata.deletion_timestamp is not None:
        return decide_deletion(resource, observed, context)
    if resource.spec.management_policy is ManagementPolicy.OBSERVE:
        return _decide_observing(resource, observed, context)
    action = _decide_managed(resource, observed, context)
    withheld = Update.name if isinstance(action, Wait) and action.reason is Reason.UPDATING else action.name
    if resource.spec.paused and (isinstance(action, (*MUTATIONS, AddFinalizer, Claim)) or withheld != action.name):
        cost = running_cost(observed)
        return Refuse(
            Reason.PAUSED,
            f"Paused with a change withheld ({withheld}); {cost}. Remove spec.paused to let it through.",
        )
    return action


def target_name(resource: FireworksDeployment, context: Context) -> str | None:
    """Return the full name of the deployment that the resource is about; None while no account is known."""
    if resource.status.deployment_name is not None:
        return resource.status.deployment_name
    if isinstance(context.credential, Unusable):
        return None
    return _new_name(resource, context, context.credential.account)


def _new_name(resource: FireworksDeployment, context: Context, account: str) -> str:
    """Return the name to claim: the user's, or the derived one; one derived in a former life of the cluster goes on."""
    if resource.spec.deployment_id is not None:
        return deployment_name(account, resource.spec.deployment_id)
    derived = deployment_name(account, deployment_id(context.owner(resource)))
    return next(filter(context.exists, former_names(resource, context, account)), derived)


def former_names(resource: FireworksDeployment, context: Context, account: str) -> tuple[str, ...]:
    """Return the names that the resource's deployment had, if any, in former lives of the cluster."""
    if resource.spec.deployment_id is not None:
        return ()
    owner = context.owner(resource)
    former = (replace(owner, cluster=cluster) for cluster in context.previous_cluster_ids)
    return tuple(deployment_name(account, deployment_id(each)) for each in former)


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


def _decide_observing(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    if FINALIZER in resource.metadata.finalizers:
        return RemoveFinalizer(
            "Only observed from now on: the deployment stays and is no longer managed.",
            left=resource.status.deployment_name,
            cause="Observe",
        )
    if isinstance(context.credential, Unusable):
        return _unusable(context.credential)
    pinned = pinned_account(resource)
    if pinned is not None and pinned != context.credential.account:
        return account_mismatch(pinned, context.credential.account)
    if isinstance(observed, Unknown):
        return _unreachable(observed, context)
    if isinstance(observed, Absent):
        name = target_name(resource, context)
        way_out = (
            "correct spec.deploymentId"
            if resource.status.deployment_name is None
            else "delete this resource, or set spec.managementPolicy to Manage to have it created"
        )
        return Refuse(Reason.DEPLOYMENT_LOST, f"There is no deployment {name} to observe: {way_out}.")
    return refuse_to_show(resource, observed.deployment, context, context.credential) or _decide_observed(
        resource, observed.deployment, context
    )


def _decide_observed(resource: FireworksDeployment, deployment: Deployment, context: Context) -> Action:
    """Say what will not come right by itself, as nobody here will put it right."""
    if deployment.state == "DELETED":
        return Refuse(
            Reason.DEPLOYMENT_LOST,
            f"{deployment.name} is deleted, and only observed here: delete this resource, or set "
            "spec.managementPolicy to Manage to have it brought back.",
        )
    if deployment.state == "FAILED" and deployment.replica_stats.ready == 0:
        why = deployment.status_message.rstrip(".") or "no reason given"
        return Refuse(
            Reason.DEPLOYMENT_FAILED,
            f"Fireworks reports that the deployment failed: {why}. It is only observed here: see to it where it is "
            "managed, or in the Fireworks console.",
        )
    return _decide_rest(resource, deployment, context, Wait())


def _decide_managed(resource: FireworksDeployment, observed: Observed, context: Context) -> Action:
    if FINALIZER not in resource.metadata.finalizers and resource.status.deployment_name is not None:
        return AddFinalizer()
    if isinstance(context.credential, Unusable):
        return _unusable(context.credential)
    account = context.credential.account
    pinned = pinned_account(resource)
    if pinned is not None and pinned != account:
        return account_mismatch(pinned, account)
    problem = _contradiction(resource, account)
    if problem is not None:
        return Refuse(Reason.INVALID_SPEC, problem)
    if resource.status.deployment_name is None:
        return _decide_claim(resource, observed, context, context.credential)
    if isinstance(observed, Unknown):
        return _unreachable(observed, context)
    if isinstance(observed, Absent):
        return _decide_absent(resource, observed, context, account)
    return _decide_present(resource, observed, context, context.credential)


def _unusable(credential: Unusable) -> Action:
    if credential.final:
        return Refuse(credential.reason, credential.message)
    return Wait(None, credential.reason, credential.message)


def _unreachable(observed: Unknown, context: Context) -> Action:
    if observed.unreadable:
        return Wait(None, Reason.API_UNAVAILABLE, UNREADABLE)
    if observed.doubt:
        return Wait(None, Reason.API_UNAVAILABLE, observed.doubt)
    if context.unreachable_since is None:
        return Wait()  # the first observation is still on its way
    until = context.unreachable_since + REST_PATIENCE
    return Wait(until if until > context.now else None, context.unreachable_reason, context.unreachable)


def _contradiction(resource: FireworksDeployment, account: str) -> str | None:
    """Return what the API server cannot check: names that are equal only once the account is known."""
    base = full_model_name(account, resource.spec.base_model)
    seen: set[str] = set()
    for addon in resource.spec.addons or ():
        name = full_model_name(account, addon.model)
        if name == base:
            return f'spec.addons names the base model "{addon.model}": remove that entry.'
        if name in seen:
            return f'spec.addons names the model "{name}" twice, once by its bare id: remove one of the two entries.'
        seen.add(name)
    policy = resource.spec.autoscaling_policy
    windows = (
        (policy.scale_up_window, policy.scale_down_window, policy.scale_to_zero_window) if policy is not None else ()
    )
    try:
        for window in windows:
            parse_duration(window or "0s")
    except ValueError as error:
        return f"spec.autoscalingPolicy: {error}."
    return None


def _decide_claim(resource: FireworksDeployment, observed: Observed, context: Context, credential: Usable) -> Action:
    if isinstance(observed, Unknown):
        return _unreachable(observed, context)
    if isinstance(observed, Present):
        # Somebody else's deployment must not be claimed: the claim makes the id immutable, and it may be the mistake.
        refused = decide_adoption(resource, observed.deployment, context, credential)
        if isinstance(refused, Refuse):
            return refused
    held = held_back(resource, context, *CREATIONS)
    if held is not None:
        return held
    if FINALIZER not in resource.metadata.finalizers:
        return AddFinalizer()  # not before: who has it and no claim may have lost the claim, which holds up a deletion
    return Claim(_new_name(resource, context, credential.account), credential.account)


def _decide_absent(resource: FireworksDeployment, observed: Absent, context: Context, account: str) -> Action:
    existed = resource.status.create_time is not None
    if existed:
        if not observed.confirmed:
            return Wait()
        lost = decide_lost(resource, context)
        if lost is not None:
            return lost
    held = held_back(resource, context, *CREATIONS)
    if held is not None:
        return held
    wanted = desired(resource.spec, account)
    body = wanted.create_body(context.owner(resource))
    return Create(body, wanted.create_query(context.create_query), tuple(wanted.values))


def _decide_present(resource: FireworksDeployment, observed: Present, context: Context, credential: Usable) -> Action:
    deployment = observed.deployment
    adoption = decide_adoption(resource, deployment, context, credential)
    if adoption is not None:
        held = held_back(resource, context, Adopt.name) if isinstance(adoption, Adopt) else None
        return held or adoption
    account = account_of(deployment.name)
    wanted, applied = desired(resource.spec, account), history(resource, deployment) or ()
    drift = find_drift(wanted, deployment.raw, applied, deleted=deployment.state == "DELETED")
    if deployment.state == "DELETING":
        return Wait(None, Reason.CREATING, "Waiting until Fireworks has finished deleting the former deployment.")
    if deployment.state == "DELETED":
        return decide_deleted(resource, deployment, drift, context)
    if deployment.state == "FAILED":
        return decide_failed(resource, observed, context)
    if drift.replacements:
        return _replace_required(drift)
    if drift.changes:
        switches_off = any(change.path == "enableAddons" and change.wanted is False for change in drift.changes)
        unload = decide_switching_off(resource, observed, context) if switches_off else None
        return unload or _decide_update(resource, deployment, drift, context)
    addons = decide_addons(resource, observed, context)
    if addons is not None and not isinstance(addons, Wait):
        return addons
    return _decide_rest(resource, deployment, context, addons or Wait())


def _replace_required(drift: Drift) -> Refuse:
    fields = ", ".join(
        f"spec.{change.path} (is {change.observed or 'not set'}, wanted {change.wanted})"
        for change in drift.replacements
    )
    return Refuse(
        Reason.REPLACE_REQUIRED,
        f"Fireworks cannot change {fields} on an existing deployment, which serves on as it is. Put the old value "
        "back, or create a second resource with the new one and delete this one when it serves.",
    )


def _decide_update(resource: FireworksDeployment, deployment: Deployment, drift: Drift, context: Context) -> Action:
    held = held_back(resource, context, UPDATE)
    if held is not None:
        return held
    attempt = attempt_of(resource, UPDATE)
    if attempt is not None and attempt.count >= CONVERGENCE_TRIES and not context.forced:
        until = pause_until(attempt, REFUSED[1:])
        if until > context.now:
            stays = {
                change.path: "not set" if change.observed in (None, "") else change.observed for change in drift.changes
            }
            fields = ", ".join(f"spec.{path} (stays {value})" for path, value in stays.items())
            return Refuse(
                Reason.NOT_CONVERGING,
                f"Fireworks accepts the change of {fields} but does not apply it. Correct the value, or ask "
                "Fireworks support.",
                until,
            )
    due = _next_update(resource, context)
    if due is not None and due > context.now:
        return Wait(due, Reason.UPDATING, _updating(drift))
    return Update(drift.patch_body(deployment.raw), drift.mask(), tuple(change.path for change in drift.changes))


def _next_update(resource: FireworksDeployment, context: Context) -> datetime | None:
    if context.forced or resource.status.observed_generation != resource.metadata.generation:
        return None
    attempt = attempt_of(resource, UPDATE)
    sent = (context.last_update, attempt.time if attempt is not None else None)
    return max((each + UPDATE_SPACING for each in sent if each is not None), default=None)


def _updating(drift: Drift) -> str:
    return "Changing " + ", ".join(f"spec.{change.path}" for change in drift.changes) + "."


def _decide_rest(resource: FireworksDeployment, deployment: Deployment, context: Context, wait: Wait) -> Wait:
    """Wait no longer than for replicas that are missing, or for what a request without an answer may yet do."""
    ends = (patience_ends(resource, deployment, context.now), revives_until(resource, context.now))
    due = [each for each in ends if each is not None and each > context.now]
    if wait.reason is not None or not due:
        return wait
    return Wait(min(due if wait.until is None else [*due, wait.until]))
