"""Whether a model is prepared for the precision that the spec asks for, before a deployment of it is claimed."""

from datetime import timedelta

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentSpec, LastAttempt, ManagementPolicy
from fireworks_operator.core.actions import PrepareModel, Progress, Refuse
from fireworks_operator.core.identity import account_of, full_model_name
from fireworks_operator.core.pauses import PREPARE
from fireworks_operator.core.situation import Situation

from .refusals import held_back

PREPARATION_POLL = timedelta(seconds=30)
"""How often the record of a model that is being prepared is asked for."""
PREPARATION_PATIENCE = timedelta(minutes=30)
"""How long a preparation may take (Fireworks documentation, quantization: the usual time-out)."""
PREPARATION_OVERDUE_POLL = timedelta(minutes=5)
"""How often it is asked for afterwards."""


def model_to_prepare(resource: FireworksDeployment, account: str) -> str | None:
    """Return the full name of the model whose record decides whether it is prepared first; None if none is.

    Only before the claim: until then nothing exists at Fireworks, and the spec can be corrected.
    """
    managed = resource.spec.management_policy is ManagementPolicy.MANAGE
    begins = managed and resource.status.deployment_name is None and resource.metadata.deletion_timestamp is None
    wants = resource.spec.prepare_model and resource.spec.precision is not None
    return full_model_name(account, resource.spec.base_model) if begins and wants else None


def contradiction_of_preparation(spec: FireworksDeploymentSpec, account: str) -> str | None:
    """Say that a model of another account cannot be prepared; None if the spec does not ask for it."""
    model = full_model_name(account, spec.base_model)
    if not spec.prepare_model or account_of(model) == account:
        return None
    return (
        f"spec.prepareModel prepares only models of your own account, and {model} belongs to another one: remove it, "
        "and choose a spec.precision that the model supports."
    )


def decide_preparation(situation: Situation, account: str) -> PrepareModel | Progress | Refuse | None:
    """Name what has to happen before a deployment of the model can be created; None if nothing has to.

    Without the model's record, as when there is no such model, the create request tells what is wrong.
    """
    model, precision, target = model_to_prepare(situation.resource, account), situation.spec.precision, situation.target
    if model is None or precision is None or target is None:
        return None
    record, begun = situation.context.models.get(model), _begun(situation, model, precision)
    if record is not None and record.supports(precision):
        return None
    if begun is not None:
        return _wait(situation, begun, PrepareModel(target, model, precision))
    if record is None:
        return None
    return held_back(situation, PREPARE) or PrepareModel(target, model, precision)


def preparing(model: str, precision: str) -> str:
    """Say what is under way; by this the request is known again, also after a change of the spec or a restart."""
    return f"Fireworks is preparing {model} for {precision}, which can take 30 minutes; the deployment is created then."


def _begun(situation: Situation, model: str, precision: str) -> LastAttempt | None:
    """Return the record of the request that was accepted for this model and precision."""
    attempt = situation.status.last_attempt
    if attempt is None or attempt.action != PREPARE or attempt.reason != Reason.PREPARING_MODEL:
        return None
    return attempt if attempt.message == preparing(model, precision) else None


def _wait(situation: Situation, begun: LastAttempt, again: PrepareModel) -> PrepareModel | Progress | Refuse:
    if situation.now < begun.time + PREPARATION_PATIENCE:
        return Progress(
            Reason.PREPARING_MODEL, preparing(again.model, again.precision), situation.now + PREPARATION_POLL
        )
    if situation.context.skip_pauses:
        return again
    return Refuse(
        Reason.PREPARING_MODEL,
        f"Fireworks has not prepared {again.model} for {again.precision} within 30 minutes. Check the model in the "
        "Fireworks console, or remove spec.prepareModel and choose a spec.precision that the model supports. The "
        "deployment is created as soon as the model supports the precision; the request is sent again when the spec "
        "changes.",
        situation.now + PREPARATION_OVERDUE_POLL,
    )
