"""`status.appliedFields`: what the spec has put into force at Fireworks, and is reset there when it leaves the spec."""

from collections.abc import Collection

from fireworks_operator.api.v1alpha1 import DirectRouteSecret, ManagementPolicy
from fireworks_operator.core.actions import Action, Adopt, Create, Delete, KeyChange, Rest, SetTags, Undelete, Update
from fireworks_operator.core.desired.fields import FIELD_BY_PATH, FIELDS, STATIC_DEFAULTS, get, schedules_of, tags_of
from fireworks_operator.core.desired.shapes import BY_SHAPE
from fireworks_operator.core.desired.wanted import fingerprint
from fireworks_operator.core.observed.history import created_here
from fireworks_operator.core.observed.observation import Present
from fireworks_operator.core.outcome import Outcome
from fireworks_operator.core.situation import Situation
from fireworks_operator.fireworks.models import Deployment


def fields_after(situation: Situation, action: Action, applied: Collection[str] | None) -> Collection[str] | None:
    """Return the field paths that count as applied after a step that succeeded; None: not known.

    What a change was to reset stays among them until it is seen to be reset: Fireworks may accept a change and not
    make it.
    """
    if isinstance(action, Create):
        return action.fields
    observed = situation.observed
    if situation.spec.management_policy is ManagementPolicy.OBSERVE:
        return None  # let go of: others may set what they like
    if not isinstance(observed, Present):
        return applied
    in_spec = set(situation.wanted.values)
    if applied is None and not created_here(situation.resource, observed.deployment):
        in_spec -= {"baseModel"}  # only a create request sets it
    if isinstance(action, Undelete) and applied is None and created_here(situation.resource, observed.deployment):
        return in_spec | _of_a_former_spec(situation, observed.deployment)
    if isinstance(action, Update | SetTags) and applied is not None:
        return {*applied, *in_spec.intersection(action.fields)}
    if isinstance(action, Rest):
        return in_spec if applied is None else _in_force(applied, in_spec)
    return applied


def route_secret_after(situation: Situation, outcome: Outcome) -> DirectRouteSecret | None:
    """Return the version of the Secret whose API keys count as sent after a step.

    A deployment that comes into being, comes back or becomes ours counts as one that has none of them: they are sent
    once too often rather than never.
    """
    sent = situation.status.direct_route_secret
    if situation.spec.management_policy is ManagementPolicy.OBSERVE:
        return None
    succeeded = outcome.error is None and not outcome.begun
    match outcome.action:
        case Create(route_secret=secret):
            return secret if succeeded else None
        case Update(route_keys=KeyChange(secret=secret)) if succeeded:
            return secret
        case Delete(hard=True) | Undelete() | Adopt(by_request=True):
            return None
    return sent


def created_from_after(situation: Situation, outcome: Outcome) -> str | None:
    """Return what the deployment has of the fields that Fireworks cannot change in place, by a fingerprint.

    A create request counts from before it is sent: whatever it makes is not made anew for the same spec.
    """
    observed, action = situation.observed, outcome.action
    if not situation.may_replace or situation.spec.management_policy is ManagementPolicy.OBSERVE:
        return None
    if isinstance(action, Create) and outcome.error is None:
        return fingerprint(situation.wanted)
    if isinstance(action, Delete) and action.hard and outcome.error is None and not outcome.begun:
        return None
    lives = isinstance(observed, Present) and observed.deployment.state not in ("DELETING", "DELETED")
    as_wanted = lives and not situation.drift.replacements
    return fingerprint(situation.wanted) if as_wanted else situation.status.created_from


def _of_a_former_spec(situation: Situation, deployment: Deployment) -> set[str]:
    """Return what may have been set by a former resource of the same name: what can be reset, and what there is."""
    # Most likely the operator chose the shape, and the shape the hardware, as they do for a spec that names neither.
    chosen = BY_SHAPE if deployment.deployment_shape and not situation.wanted.names_hardware else frozenset()
    fields = {
        field.path
        for field in FIELDS
        if field.path in STATIC_DEFAULTS
        or (field.default is None and field.path not in chosen and get(deployment.raw, field.wire))
    }
    return fields.union(schedules_of(deployment.raw), tags_of(deployment.raw))


def _in_force(applied: Collection[str], in_spec: set[str]) -> set[str]:
    """Return what counts as applied while all is as desired: the spec, whoever set it first; what cannot be reset."""
    kept = {path for path in applied if path in FIELD_BY_PATH and FIELD_BY_PATH[path].default is None}
    # Only a create request sets the base model: without it, the deployment was taken over.
    return (in_spec | kept) - ({"baseModel"} - set(applied))
