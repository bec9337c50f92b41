"""Changes that only another deployment could have: refused, or the deployment is deleted and created anew."""

from collections.abc import Sequence
from dataclasses import replace

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import Replacement, ReplacementPhase
from fireworks_operator.core.actions import Create, Delete, Progress, Refuse, SetReplacement
from fireworks_operator.core.desired.drift import Drift
from fireworks_operator.core.desired.wanted import fingerprint
from fireworks_operator.core.identity import account_of, deployment_id, deployment_name
from fireworks_operator.core.observed.history import created_here
from fireworks_operator.core.pauses import BLOCKED, REPLACE, VALIDATE, is_replacing, pause_until
from fireworks_operator.core.situation import Situation
from fireworks_operator.core.successor import has_been_handed_back, is_blue_green
from fireworks_operator.fireworks.models import Deployment

from .direct_route import key_version, missing_keys
from .growth import refuse_replacement
from .refusals import held_back, still_refused


def decide_replacement(situation: Situation, deployment: Deployment) -> Delete | SetReplacement | Refuse | Progress:
    """Have a deployment that cannot become what is wanted replaced, or say why it stays.

    By BlueGreen a successor is begun beside it. By Recreate it is deleted, so that it is created anew; all that may
    speak against the new one comes first: once the present one is gone, nothing serves. It is deleted softly, so that
    it can be restored for as long as the old value may be put back.
    """
    if not situation.may_replace:
        return _replace_required(situation.drift)
    if situation.status.replacement is not None:
        return Progress(Reason.REPLACING, waits_for_former(situation))
    stays = _stays(situation, deployment)
    if stays is not None:
        return stays
    if is_blue_green(situation.spec):
        return _begin(situation, deployment)
    refused = held_back(situation, VALIDATE) or _blocked(situation) or missing_keys(situation)
    refused = refused or refuse_replacement(situation) or refuse_rejected(situation)
    if refused is not None:
        return refused
    policy = situation.spec.replace_policy
    ignore_checks = policy is not None and policy.ignore_checks
    return Delete(deployment.name, ignore_checks=ignore_checks, replaces=_paths(situation.drift))


def decide_last_step(situation: Situation, deployment: Deployment) -> Delete | Refuse:
    """Delete for good what is deleted softly, to free its id for a new one that Fireworks would create."""
    if not situation.may_replace:
        return Delete(deployment.name, hard=True, ignore_checks=True)
    refused = held_back(situation, VALIDATE) or _blocked(situation) or refuse_rejected(situation)
    return refused or Delete(deployment.name, hard=True, ignore_checks=True, replaces=_paths(situation.drift))


def wait_for_successor(situation: Situation) -> Progress | None:
    """Leave the deployment alone while its successor is made ready; None if nothing replaces it, or if it is parked."""
    replacement = situation.status.replacement
    preparing = replacement is not None and replacement.phase is ReplacementPhase.PREPARING
    if not preparing or situation.parking is not None:
        return None
    return Progress(Reason.REPLACING, told(situation))


def told(situation: Situation) -> str:
    """Say that a successor is on its way, for the sake of which fields, and what serves until then."""
    replacement, former = situation.status.replacement, situation.status.deployment_name
    fields = _named(() if replacement is None else replacement.fields)
    if replacement is not None and has_been_handed_back(situation.resource):
        if replacement.deployment_name is None:
            return (
                f"Replacing the deployment to change {fields} (spec.replacePolicy): the one that took over is gone, so "
                f"{former} serves again until its successor has been created anew and is ready."
            )
        return (
            f"Replacing the deployment to change {fields} (spec.replacePolicy): {replacement.deployment_name} took "
            f"over and then failed, so {former} serves again until its successor has been created anew and is ready."
        )
    return (
        f"Replacing the deployment to change {fields} (spec.replacePolicy): {former} keeps serving until its successor "
        "is ready."
    )


def blocked(situation: Situation) -> Progress:
    """Say that a deployment serves again, since its successor has failed, and what becomes of that one."""
    replacement = situation.status.replacement
    if replacement is not None and replacement.phase is ReplacementPhase.DISCARDING:
        return Progress(Reason.REPLACING, waits_for_former(situation))
    return Progress(Reason.REPLACEMENT_BLOCKED, told(situation))


def waits_for_former(situation: Situation) -> str:
    """Say that a replacement begins once the second deployment of the one before is gone."""
    replacement = situation.status.replacement
    second = None if replacement is None else replacement.deployment_name
    return (
        f"Replacing the deployment to change {_named(_paths(situation.drift))} (spec.replacePolicy): it keeps serving, "
        f"and its successor is created once {second}, which the replacement before this one has left, is deleted."
    )


def _begin(situation: Situation, deployment: Deployment) -> SetReplacement:
    """Begin a successor under another id than that of the deployment."""
    account, revision = account_of(deployment.name), situation.resource.metadata.generation
    while _successor_name(situation, account, revision) == deployment.name:
        revision += 1  # the cluster was rebuilt, and generations begin anew
    replacement = Replacement(
        phase=ReplacementPhase.PREPARING,
        start_time=situation.now.replace(microsecond=0),
        revision=revision,
        fields=list(_paths(situation.drift)),
    )
    return SetReplacement(replacement, f"{deployment.name} keeps serving until its successor is ready.")


def _successor_name(situation: Situation, account: str, revision: int) -> str:
    return deployment_name(account, deployment_id(replace(situation.owner, revision=revision)))


def _named(fields: Sequence[str]) -> str:
    return ", ".join(f"spec.{each}" for each in fields)


def wait_for_deletion(situation: Situation) -> Progress:
    """Wait until the previous deployment is deleted."""
    if is_replacing(situation.status) and situation.drift.replacements:
        return Progress(Reason.REPLACING, replacing(_paths(situation.drift)))
    return Progress(Reason.CREATING, "Waiting for Fireworks to finish deleting the previous deployment.")


def refuse_rejected(situation: Situation) -> Refuse | None:
    """Refuse to delete what Fireworks would not let be created anew; None if it would, or was not asked."""
    found = situation.context.rejected
    if found is None:
        return None
    return Refuse(
        found.reason,
        f"The deployment is not replaced, since Fireworks would not create the new one. {found.message} Putting the "
        "old value back keeps the present deployment.",
    )


def replacing(fields: tuple[str, ...]) -> str:
    """Say that the deployment is being replaced, for the sake of which fields, and what that means."""
    return (
        f"Replacing the deployment to change {', '.join(f'spec.{each}' for each in fields)} (spec.replacePolicy): it "
        "is deleted and created anew, and nothing serves until the new one is ready."
    )


def creation(situation: Situation, target: str) -> Create:
    """Return the create request for what is wanted."""
    wanted, default_shape = situation.wanted, situation.context.default_shape
    query = wanted.create_query(situation.context.create_query, default_shape=default_shape)
    body = wanted.create_body(situation.owner, default_shape=default_shape)
    return Create(target, body, query, tuple(wanted.values), key_version(situation))


def _stays(situation: Situation, deployment: Deployment) -> Refuse | None:
    """Refuse to replace what is not known to have been created here, is parked, or was changed by somebody else."""
    changes, order = _changes(situation.drift), situation.parking
    # Without a status, nobody knows whether the spec has changed since: it may be of an old backup.
    lost = situation.status.applied_fields is None
    if lost or not created_here(situation.resource, deployment):
        return Refuse(
            Reason.REPLACE_REQUIRED,
            f"Fireworks cannot change {changes} on an existing deployment, which keeps serving unchanged. It was "
            "adopted, or may have been, so the operator does not delete it. Put the old value back, or create a "
            "second resource with the new value and delete this one once the new one is serving.",
        )
    if order is not None:
        return Refuse(
            Reason.REPLACE_REQUIRED,
            f"Fireworks cannot change {changes} on an existing deployment. It is replaced once it is no longer parked. "
            f"{order.message}",
            order.until,
        )
    if situation.status.created_from == fingerprint(situation.wanted):
        return Refuse(
            Reason.REPLACE_REQUIRED,
            f"The deployment no longer is what the spec asks for, although nobody has changed the spec: {changes}. "
            "Fireworks cannot change that, and the operator replaces a deployment only when its spec changes. Set the "
            "spec to what the deployment has, or delete the deployment at Fireworks to have it created anew.",
        )
    return None


def _blocked(situation: Situation) -> Refuse | None:
    """Return the refusal of the deletion that is still in force; None if the next try is due."""
    attempt = situation.attempt_of(REPLACE)
    if attempt is None or attempt.reason != Reason.DELETION_BLOCKED or situation.context.skip_pauses:
        return None
    until = pause_until(attempt, BLOCKED)
    return still_refused(attempt, until) if until > situation.now else None


def _replace_required(drift: Drift) -> Refuse:
    return Refuse(
        Reason.REPLACE_REQUIRED,
        f"Fireworks cannot change {_changes(drift)} on an existing deployment, which keeps serving unchanged. Put the "
        "old value back, set spec.replacePolicy.type to BlueGreen to have it replaced while it serves, or to "
        "Recreate to have it deleted and created anew.",
    )


def _changes(drift: Drift) -> str:
    return ", ".join(
        f"spec.{each.path} (is {each.observed or 'not set'}, wanted {each.wanted})" for each in drift.replacements
    )


def _paths(drift: Drift) -> tuple[str, ...]:
    return tuple(each.path for each in drift.replacements)
