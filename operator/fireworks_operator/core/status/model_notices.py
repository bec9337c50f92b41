"""What the records of the models that a spec names say against it.

Their sentences hold nothing of the records themselves: while a record is not known, as after a restart, what the
status says already stands, and nothing has to be asked for at rest.
"""

from collections.abc import Iterator, Mapping

from fireworks_operator.api.v1alpha1 import FireworksDeployment, FireworksDeploymentSpec
from fireworks_operator.core.identity import account_of, full_model_name
from fireworks_operator.fireworks.models import Deployment, Model

from .facts import is_ready

Models = Mapping[str, Model]
"""Records of models by full name; those that could not be had are missing."""

_PREPARED_ONLY = ("FP8", "FP4", "NF4")
"""Beginnings of precisions that a model must have been prepared for."""


def models_to_ask(resource: FireworksDeployment, account: str) -> list[str]:
    """Return the full names of the models whose records can say anything new against the spec."""
    if is_ready(resource):
        return []
    spec = resource.spec
    names = []
    if _needs_preparation(spec) or spec.draft_model is not None or _may_be_mi300x(spec.accelerator_type):
        names.append(full_model_name(account, spec.base_model))
    if spec.draft_model is not None:
        names.append(full_model_name(account, spec.draft_model))
    return names


def model_notices(resource: FireworksDeployment, deployment: Deployment, models: Models) -> list[str]:
    """Return what the models' records say against the spec; what status says stands where they are not known."""
    told = resource.status.notices or ()
    judged = _judge(resource.spec, deployment, models)
    return [text for text, applies in judged if (text in told if applies is None else applies)]


def _judge(spec: FireworksDeploymentSpec, deployment: Deployment, models: Models) -> Iterator[tuple[str, bool | None]]:
    """Yield each sentence that may apply, and whether it does; None: not known."""
    account = account_of(deployment.name)
    base = models.get(full_model_name(account, spec.base_model))
    if _may_be_mi300x(deployment.accelerator_type):
        yield (
            f"{spec.base_model} is a mixture-of-experts model, which Fireworks does not support on "
            f"{deployment.accelerator_type}: choose another spec.acceleratorType.",
            None if base is None else base.base_model_details.moe,
        )
    if _needs_preparation(spec):
        yield (
            f"{spec.base_model} has not been prepared for spec.precision {spec.precision}: prepare it (firectl "
            "prepare-model), or remove spec.precision.",
            None if base is None or not base.supported_precisions else not base.supports(str(spec.precision)),
        )
    if spec.draft_model is not None:
        draft = models.get(full_model_name(account, spec.draft_model))
        kinds = [each.base_model_details.model_type for each in (base, draft) if each is not None]
        yield (
            f"spec.draftModel {spec.draft_model} is from a different model family than {spec.base_model}, so expect "
            "a low acceptance rate: choose a draft model made for it.",
            kinds[0] != kinds[1] if len(kinds) == 2 and all(kinds) else None,
        )


def _needs_preparation(spec: FireworksDeploymentSpec) -> bool:
    return spec.precision is not None and spec.precision.startswith(_PREPARED_ONLY)


def _may_be_mi300x(accelerator_type: str | None) -> bool:
    return (accelerator_type or "").startswith("AMD_MI300X")
