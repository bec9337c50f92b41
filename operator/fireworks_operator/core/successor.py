"""The second deployment of a resource that is being replaced, as though it were a resource's only one.

Two deployments are looked after by the rules of one: `second()` is the resource as the second deployment would have it
alone, and `carry()` takes what its status has come to back into `status.replacement`.
"""

from datetime import datetime, timedelta

from fireworks_operator.api.spec_parts import DEFAULT_DRAIN
from fireworks_operator.api.v1alpha1 import (
    ANNOTATION_ABANDON,
    ANNOTATION_IGNORE_CHECKS,
    DeletionPolicy,
    FireworksDeployment,
    FireworksDeploymentSpec,
    FireworksDeploymentStatus,
    LastAttempt,
    ManagementPolicy,
    Replacement,
    ReplacementPhase,
    ReplaceType,
)

from .desired.choices import chosen_spec
from .desired.durations import parse_duration
from .identity import account_of

CARRIED = (
    "deployment_name",
    "state",
    "replicas",
    "create_time",
    "created_from",
    "applied_fields",
    "addons",
    "direct_route_secret",
    "last_attempt",
    "recreations",
    "observed_generation",
    "conditions",
)
"""What the status says of each of two deployments."""


def is_blue_green(spec: FireworksDeploymentSpec) -> bool:
    """Tell whether a successor is made ready before the deployment that it replaces goes."""
    return spec.replace_policy is not None and spec.replace_policy.type is ReplaceType.BLUE_GREEN


def drain_of(spec: FireworksDeploymentSpec) -> timedelta:
    """Return how long a former deployment goes on serving; what is no duration counts as the default."""
    policy = spec.replace_policy
    text = DEFAULT_DRAIN if policy is None or policy.drain is None else policy.drain
    try:
        return timedelta(seconds=float(parse_duration(text)))
    except (ValueError, OverflowError):
        return timedelta(seconds=float(parse_duration(DEFAULT_DRAIN)))


def second(resource: FireworksDeployment, replacement: Replacement) -> FireworksDeployment:
    """Return the resource as its second deployment would have it: a successor to create, or one that is to go."""
    if replacement.phase is ReplacementPhase.PREPARING:
        return _to_create(resource, replacement)
    return _to_delete(resource, replacement)


def carry(replacement: Replacement, status: FireworksDeploymentStatus, message: str | None) -> Replacement:
    """Return what is remembered of the second deployment, by the status that it would have alone."""
    return replacement.model_copy(update={**{name: getattr(status, name) for name in CARRIED}, "message": message})


def status_of(replacement: Replacement) -> FireworksDeploymentStatus:
    """Return the status that the second deployment would have alone."""
    name = replacement.deployment_name
    known = {each: getattr(replacement, each) for each in CARRIED}
    return FireworksDeploymentStatus.model_construct(**known, account=None if name is None else account_of(name))


def handed_over(resource: FireworksDeployment, now: datetime) -> FireworksDeployment:
    """Return a resource once the successor serves in the place of the former deployment, which drains from now on."""
    former, replacement = resource.status, resource.status.replacement
    if replacement is None:
        raise AssertionError("nothing is being replaced")
    now = now.replace(microsecond=0)
    draining = Replacement.model_construct(
        **{name: getattr(former, name) for name in CARRIED if name != "conditions"},
        conditions=[],
        phase=ReplacementPhase.DRAINING,
        start_time=now,
        until=now + drain_of(resource.spec),
        revision=replacement.revision,
        fields=replacement.fields,
        hand_backs=replacement.hand_backs,
        message=None,
    )
    return _exchanged(resource, replacement, draining)


def handed_back(resource: FireworksDeployment, attempt: LastAttempt, now: datetime) -> FireworksDeployment:
    """Return a resource once its former deployment serves again, since the successor has failed.

    The successor is prepared once more. `attempt` is what its next try is held back by, as it is by any failure.
    """
    replacement = resource.status.replacement
    if replacement is None:
        raise AssertionError("nothing is being replaced")
    failed = Replacement.model_construct(
        **{name: getattr(resource.status, name) for name in CARRIED if name not in ("conditions", "last_attempt")},
        conditions=[],
        last_attempt=attempt,
        phase=ReplacementPhase.PREPARING,
        start_time=now.replace(microsecond=0),
        until=None,
        revision=replacement.revision,
        fields=replacement.fields,
        hand_backs=attempt.count,
        message=None,
    )
    return _exchanged(resource, replacement, failed)


def has_been_handed_back(resource: FireworksDeployment) -> bool:
    """Tell whether the present deployment serves again since its successor has failed after it had taken over."""
    replacement = resource.status.replacement
    if replacement is None or replacement.phase is ReplacementPhase.DRAINING:
        return False
    return replacement.hand_backs is not None


def _exchanged(resource: FireworksDeployment, named: Replacement, other: Replacement) -> FireworksDeployment:
    """Return a resource whose status names its second deployment as the first; `other` is what becomes of that one."""
    carried = {name: getattr(named, name) for name in CARRIED if name != "conditions"}
    status = resource.status.model_copy(update={**carried, "replacement": other})
    return resource.model_copy(update={"status": status})


def _to_create(resource: FireworksDeployment, replacement: Replacement) -> FireworksDeployment:
    """Return the resource as the successor has it: nothing is replaced in its turn, on the hardware chosen before.

    Whether it is paused is looked at once for both deployments, and so not here.
    """
    alone = {"fallbacks": None, "replace_policy": None, "deployment_id": None, "router": None, "paused": False}
    spec = chosen_spec(resource).model_copy(update=alone)
    return resource.model_copy(update={"spec": spec, "status": status_of(replacement)})


def _to_delete(resource: FireworksDeployment, replacement: Replacement) -> FireworksDeployment:
    """Return the resource as a deployment has it that is to go, by the rules of a resource that is deleted."""
    policy = resource.spec.replace_policy
    # Both act only on a resource that is being deleted; one that is abandoned leaves the two alone, and asks nobody.
    annotations = dict(resource.metadata.annotations)
    for name in (ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS):
        if name == ANNOTATION_ABANDON or resource.metadata.deletion_timestamp is None:
            annotations.pop(name, None)
    if policy is not None and policy.ignore_checks:
        annotations[ANNOTATION_IGNORE_CHECKS] = "true"
    gone = resource.metadata.deletion_timestamp or replacement.until or replacement.start_time
    metadata = resource.metadata.model_copy(update={"deletion_timestamp": gone, "annotations": annotations})
    kept = {"deletion_policy": DeletionPolicy.DELETE, "management_policy": ManagementPolicy.MANAGE}
    return resource.model_copy(
        update={
            "metadata": metadata,
            "spec": chosen_spec(resource).model_copy(update={**kept, "deployment_id": None, "router": None}),
            "status": status_of(replacement),
        }
    )
