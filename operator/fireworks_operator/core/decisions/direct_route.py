"""The API keys of a direct route, which nobody reads back: whether they have to be sent, by the version of a Secret."""

from fireworks_operator.api.conditions import Reason
from fireworks_operator.api.v1alpha1 import (
    ApiKeysReference,
    DirectRouteSecret,
    FireworksDeployment,
    FireworksDeploymentSpec,
    ManagementPolicy,
)
from fireworks_operator.core.actions import KeyChange, Progress, Refuse
from fireworks_operator.core.context import Unusable
from fireworks_operator.core.desired.drift import Difference
from fireworks_operator.core.desired.fields import NO_ROUTE, ROUTE_TYPE
from fireworks_operator.core.situation import Situation

KEYS_MASK = "direct_route_api_keys"
"""How an update mask names the API keys."""


def keys_to_read(resource: FireworksDeployment) -> ApiKeysReference | None:
    """Return where the API keys are that may have to be sent; None where none are, as during a deletion."""
    managed = resource.spec.management_policy is ManagementPolicy.MANAGE
    return _reference(resource.spec) if managed and resource.metadata.deletion_timestamp is None else None


def due_changes(situation: Situation) -> tuple[Difference, ...]:
    """Return what a PATCH can put right now: all drift, but no route is opened while its API keys are not at hand."""
    changes = situation.drift.changes
    if missing_keys(situation) is None:
        return changes
    return tuple(each for each in changes if each.path != ROUTE_TYPE or each.wanted == NO_ROUTE)


def due_keys(situation: Situation) -> KeyChange | None:
    """Return which API keys a PATCH has to set; None if Fireworks has them, as far as the status tells.

    They are sent whenever the route is opened, and removed when it is closed, whatever is known of them.
    """
    sent = situation.status.direct_route_secret
    route = next((each.wanted for each in situation.drift.changes if each.path == ROUTE_TYPE), None)
    if _reference(situation.spec) is None:
        return KeyChange(None) if sent is not None or route == NO_ROUTE else None
    current = situation.context.route_secret
    if not isinstance(current, DirectRouteSecret):
        return None
    return KeyChange(current) if current != sent or route is not None else None


def missing_keys(situation: Situation) -> Refuse | Progress | None:
    """Say why the API keys that the spec names are not at hand; None if they are, or if it names none."""
    if _reference(situation.spec) is None:
        return None
    current = situation.context.route_secret
    if isinstance(current, Unusable):
        return Refuse(current.reason, current.message)
    return Progress(Reason.PROGRESSING, "The Secret of spec.directRoute is being read.") if current is None else None


def key_version(situation: Situation) -> DirectRouteSecret | None:
    """Return the version of the Secret whose API keys a create request takes along; None where it takes none."""
    current = situation.context.route_secret
    named = _reference(situation.spec) is not None
    return current if named and isinstance(current, DirectRouteSecret) else None


def _reference(spec: FireworksDeploymentSpec) -> ApiKeysReference | None:
    return None if spec.direct_route is None else spec.direct_route.api_keys_secret_ref
